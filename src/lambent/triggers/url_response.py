"""From the result of a function to the response of its URL: payload format 2.0, or the stream
format of functions that respond in chunks.

The client always gets well-formed HTTP: a result that cannot be sent becomes 502, as in AWS.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lambent.kit import quick_json

STREAM_TYPE = "application/vnd.awslambda.http-integration-response"
DEFAULT_STREAM_TYPE = "application/octet-stream"
PRELUDE_BYTES_MAX = 16 * 1024
PRELUDE_END = b"\0" * 8
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection: a function has no say in them."""


class UrlResponse(NamedTuple):
    """A response to a client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


FAILED = UrlResponse(502, [("Content-Type", "text/plain")], b"Internal Server Error")


def read_buffered(payload: bytes) -> UrlResponse:
    """The response that a function's result describes."""
    try:
        result = quick_json.decode(payload)
    except (ValueError, RecursionError):
        return _json(payload)
    if isinstance(result, str):
        return _json(result.encode("utf-8", "replace"))
    if isinstance(result, Mapping) and "statusCode" in result:
        try:
            return _structured(result)
        except ValueError:
            return FAILED
    return _json(_compact(result))


def read_stream(payload: bytes, content_type: str) -> UrlResponse | None:
    """The response that a streamed result, or the first of it, stands for: with a prelude that says
    status and headers, or without one, as the runtime's content type. None if the prelude cannot be
    read."""
    if content_type != STREAM_TYPE or not payload:
        is_usable = content_type not in ("", STREAM_TYPE) and not _BAD_VALUE.search(content_type)
        kind = content_type if is_usable else DEFAULT_STREAM_TYPE
        return UrlResponse(200, [("Content-Type", kind)], payload)
    end = payload.find(PRELUDE_END, 0, PRELUDE_BYTES_MAX)
    try:
        prelude = json.loads(payload[: max(end, 0)])
        if not isinstance(prelude, Mapping):
            raise ValueError("the prelude is not an object")
        status = status_code(prelude.get("statusCode", 200))
        headers = list(_headers(prelude, DEFAULT_STREAM_TYPE))
    except (ValueError, RecursionError):
        return None
    return UrlResponse(status, headers, payload[end + len(PRELUDE_END) :])


def _structured(result: Mapping[str, Any]) -> UrlResponse:
    """Raises ValueError for what cannot be sent."""
    body = result.get("body")
    if body is None:
        data = b""
    elif isinstance(body, str):
        is_encoded = result.get("isBase64Encoded") is True
        data = base64.b64decode(body, validate=True) if is_encoded else body.encode()
    else:
        data = _compact(body)
    headers = list(_headers(result, "application/json"))
    return UrlResponse(status_code(result["statusCode"]), headers, data)


def status_code(value: Any) -> int:
    """The status code that a function returns. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("statusCode is no number")
    status = int(value)
    if not 200 <= status <= 599:
        raise ValueError("statusCode is out of range")
    return status


def _headers(result: Mapping[str, Any], default_type: str) -> Iterator[tuple[str, str]]:
    headers = result.get("headers") or {}
    cookies = result.get("cookies") or []
    if not isinstance(headers, Mapping) or not isinstance(cookies, list):
        raise ValueError("headers or cookies have the wrong type")
    names = {name.lower() for name in headers}
    if "content-type" not in names:
        yield "Content-Type", default_type
    for cookie in cookies:
        yield "Set-Cookie", header_value(cookie)
    for name, value in headers.items():
        if not is_sendable_header(name):
            continue
        for item in value if isinstance(value, list) else [value]:
            yield name, header_value(item)


def is_sendable_header(name: str) -> bool:
    """Whether a function has a say in this header. Raises ValueError for what is no name."""
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("a header's name is none")
    return name.lower() not in _OURS


def header_value(value: Any) -> str:
    """A header's value, as it is written. Raises ValueError."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise ValueError("a header's value is no scalar")
    text = str(value)
    if _BAD_VALUE.search(text):
        raise ValueError("a header's value has control characters")
    # As UTF-8 on the wire, which is written as latin-1.
    return text.encode().decode("latin-1")


def _json(body: bytes) -> UrlResponse:
    return UrlResponse(200, [("Content-Type", "application/json")], body)


def _compact(value: Any) -> bytes:
    return quick_json.encode(value)
