"""What the execution log of one request has, and where it goes.

A line goes to the log group of a stage or, for a trial, into the response. Values of headers that
are secrets are not written: of long ones, the last six characters are, as in AWS.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

WriteLine = Callable[[str], object]
SECRET_HEADERS = frozenset(
    {*("authorization", "cookie", "set-cookie"), *("x-amz-security-token", "x-api-key")}
)
"""Headers whose values no log has, in lower case."""
_SHOWN_MAX = 1024
_TRUNCATED = " [TRUNCATED]"
_LOOKED_AT = 12 * 1024
"""Bytes of a body in which secrets are replaced: no header that ends there begins in what is
shown."""
_LONG, _TAIL = 20, 6
_SHORT = 8
"""Shorter values are replaced only where they are headers."""


class CallLog(NamedTuple):
    """Takes the lines of one request."""

    write: WriteLine
    has_steps: bool
    """Whether all steps are written, or only errors."""
    has_data: bool
    """Whether headers and bodies are written as well."""


def masked(secret: str) -> str:
    """A secret as logs have it."""
    if len(secret) < _LONG:
        return "*" * 8
    return "*" * (len(secret) - _TAIL) + secret[-_TAIL:]


def shown_data(data: bytes | Mapping[str, Any], secrets: Collection[str]) -> str:
    """A body, or headers or the like, as logs have it: the beginning, without secrets."""
    if isinstance(data, bytes):
        text, rest = data[:_LOOKED_AT].decode("utf-8", "replace"), len(data) - _LOOKED_AT
    else:
        shown = (f"{name}={_header(name, value)}" for name, value in data.items())
        text, rest = f"{{{', '.join(shown)}}}", 0
    for secret in secrets:
        if len(secret) >= _SHORT:
            # In a document in JSON, quotes and others are escaped.
            for spelling in {secret, json.dumps(secret)[1:-1], _in_utf8(secret)}:
                text = text.replace(spelling, masked(secret))
    is_whole = len(text) <= _SHOWN_MAX and rest <= 0
    return text if is_whole else text[:_SHOWN_MAX] + _TRUNCATED


def _in_utf8(secret: str) -> str:
    return json.dumps(secret, ensure_ascii=False)[1:-1]


def _header(name: str, value: Any) -> Any:
    if name.lower() not in SECRET_HEADERS:
        return value
    values = value if isinstance(value, list) else [value]
    return ", ".join(masked(str(each)) for each in values)
