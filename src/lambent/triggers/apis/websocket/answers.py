"""What integrations return, and what clients receive when something fails."""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.kit.strict_json import parse_loosely

INTERNAL_ERROR = "Internal server error"
TIMED_OUT = "Endpoint request timed out"
FORBIDDEN = "Forbidden"
UNAUTHORIZED = "Unauthorized"
THROTTLED = "Too Many Requests"
UNAVAILABLE = "Service Unavailable"
MESSAGE_BYTES_MAX = 128 * 1024


class Answer(NamedTuple):
    """How an integration ended."""

    status: int
    body: bytes = b""
    """For the client: UTF-8."""
    headers: Mapping[str, str] = {}
    """By lower-case name."""
    error: str = ""
    """What the client receives if the integration failed; else empty."""
    detail: str = ""
    """Why it failed, for the access log."""

    @property
    def is_good(self) -> bool:
        """Whether a client may connect."""
        return not self.error and 200 <= self.status < 300


FAILED = Answer(500, error=INTERNAL_ERROR)
"""The integration cannot be called."""
BAD_RESULT = Answer(502, error=INTERNAL_ERROR)
"""It was called, and its result is an error or none that is understood."""
LATE = Answer(504, error=TIMED_OUT)


def read_result(payload: bytes) -> Answer:
    """The answer that the result of a function describes."""
    try:
        result = parse_loosely(payload)
        if not isinstance(result, Mapping):
            return BAD_RESULT
        return Answer(
            _status(result.get("statusCode")), _body(result), _headers(result.get("headers"))
        )
    except ValueError:
        return BAD_RESULT


def _status(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("statusCode is no number")
    status = int(value)
    if not 100 <= status <= 599:
        raise ValueError("statusCode is out of range")
    return status


def _body(result: Mapping[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise ValueError("body is no text")
    data = body.encode()
    if result.get("isBase64Encoded") is True:
        data = base64.b64decode(data, validate=True)
        data.decode()  # Messages are text.
    if len(data) > MESSAGE_BYTES_MAX:
        raise ValueError("body is too large for a message")
    return data


def _headers(headers: Any) -> Mapping[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ValueError("headers are no object")
    return {name.lower(): str(value) for name, value in headers.items()}


def message_of(error: str, connection_id: str, request_id: str) -> bytes:
    """What a client receives, spaced as AWS does."""
    return (
        f'{{"message": {json.dumps(error)}, "connectionId":{json.dumps(connection_id)},'
        f' "requestId":{json.dumps(request_id)}}}'
    ).encode()
