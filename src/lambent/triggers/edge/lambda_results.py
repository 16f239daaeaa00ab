"""What functions of Lambda@Edge return, checked.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-generating-http-responses.html
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.triggers.edge.errors import LAMBDA_RESULT, EdgeFailure
from lambent.triggers.edge.lambda_events import (
    BODY_BYTES_MAX,
    describe_headers,
    is_disallowed,
)
from lambent.triggers.edge.messages import HeaderItems, as_latin

RESULT_BYTES_MAX = {
    "viewer-request": 40 * 1024,
    "viewer-response": 40 * 1024,
    "origin-request": 1024 * 1024,
    "origin-response": 1024 * 1024,
}
"""Of generated responses, headers and body together."""
_READ_ONLY = {
    "viewer-request": frozenset({"cdn-loop", "content-length", "host", "transfer-encoding", "via"}),
    "origin-request": frozenset(
        {
            *("accept-encoding", "cdn-loop", "content-length", "if-modified-since"),
            *("if-none-match", "if-range", "if-unmodified-since", "transfer-encoding", "via"),
        }
    ),
    "origin-response": frozenset({"transfer-encoding", "via"}),
    "viewer-response": frozenset(
        {"content-encoding", "content-length", "transfer-encoding", "warning", "via"}
    ),
}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]{0,16384}")
_URI = re.compile(r"/[^\x00-\x20\x7f#?]*")
_QUERY = re.compile(r"[^\x00-\x20\x7f#]*")
_URI_MAX = 8192
_STATUS = re.compile(r"[2-5][0-9]{2}")


class ChangedRequest(NamedTuple):
    """A request as a function returns it."""

    uri: str
    query: str
    headers: HeaderItems
    body: bytes | None
    """None if it stays."""
    origin: Mapping[str, Any] | None
    """None if it stays."""


class MadeResponse(NamedTuple):
    """A response as a function returns it."""

    status: int
    headers: HeaderItems
    body: bytes | None
    """None if there is none, so that the body of the origin stays."""


class _Invalid(Exception):
    """A result that is not valid."""


def read_request_result(
    payload: bytes,
    event_type: str,
    method: str,
    before: HeaderItems,
    origin: Mapping[str, Any] | None = None,
) -> ChangedRequest | MadeResponse:
    """The result of a function for requests, which got these headers and this origin. Raises
    `EdgeFailure` for one that is not valid."""
    try:
        result = _object(payload)
        if "status" in result:
            return _response(result, event_type, None)
        return _request(result, event_type, method, before, origin)
    except _Invalid as error:
        raise _failure(error) from error


def read_response_result(payload: bytes, event_type: str, before: HeaderItems) -> MadeResponse:
    """The result of a function for responses. Raises `EdgeFailure`."""
    try:
        return _response(_object(payload), event_type, before)
    except _Invalid as error:
        raise _failure(error) from error


def _failure(error: _Invalid) -> EdgeFailure:
    return EdgeFailure(502, LAMBDA_RESULT.format(error), "LambdaValidationError")


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        result = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _Invalid("The function returned what is not JSON.") from error
    if not isinstance(result, dict):
        raise _Invalid("The function must return a request or a response object.")
    return result


def _request(
    result: Mapping[str, Any],
    event_type: str,
    method: str,
    before: HeaderItems,
    origin: Mapping[str, Any] | None,
) -> ChangedRequest:
    if result.get("method", method) != method:
        raise _Invalid("The function tried to change the method.")
    uri, query = result.get("uri"), result.get("querystring", "")
    if not isinstance(uri, str) or _URI.fullmatch(uri) is None:
        raise _Invalid("The uri must begin with a slash.")
    if not isinstance(query, str) or _QUERY.fullmatch(query) is None:
        raise _Invalid("The querystring contains a character that is not allowed.")
    if len(uri) + len(query) >= _URI_MAX:
        raise _Invalid("The uri and the querystring are too long.")
    found = result.get("origin")
    if origin is None or found == origin:
        found = None
    elif not isinstance(found, dict) or len(found) != 1:
        raise _Invalid("A request has one origin, which is custom or s3.")
    return ChangedRequest(
        as_latin(uri),
        as_latin(query),
        _headers(result.get("headers"), event_type, before),
        _body(result.get("body"), event_type),
        found,
    )


def _body(body: Any, event_type: str) -> bytes | None:
    if not isinstance(body, dict) or body.get("action") != "replace":
        return None
    data = _decoded(body.get("data", ""), body.get("encoding", "text"))
    if len(data) > BODY_BYTES_MAX[event_type]:
        raise _Invalid("The body exceeds the maximum size.")
    return data


def _response(
    result: Mapping[str, Any], event_type: str, before: HeaderItems | None
) -> MadeResponse:
    """`before` are the headers that the function got; None if it makes a response."""
    status = str(result.get("status", ""))
    if _STATUS.fullmatch(status) is None:
        raise _Invalid("The status must be 200 to 599.")
    headers = _headers(result.get("headers", {}), event_type, before)
    body = result.get("body")
    data = None
    if body is not None:
        data = _decoded(body, result.get("bodyEncoding", "text"))
        size = len(data) + sum(len(name) + len(value) for name, value in headers)
        if size > RESULT_BYTES_MAX[event_type]:
            raise _Invalid("The response exceeds the maximum size.")
        if data and status == "204":
            raise _Invalid("A response with the status 204 has no body.")
    return MadeResponse(int(status), headers, data)


def _headers(given: Any, event_type: str, before: HeaderItems | None) -> HeaderItems:
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise _Invalid("The headers must be an object.")
    read_only = _READ_ONLY[event_type]
    known = {} if before is None else describe_headers(before)
    for name in read_only:
        if _values(given.get(name)) != _values(known.get(name)):
            raise _Invalid(
                f"The function tried to add, delete, or change a read-only header: {name}."
            )
    found: HeaderItems = []
    for name, entries in given.items():
        if is_disallowed(name.lower()):
            raise _Invalid(f"The function tried to add a header that is not allowed: {name[:64]}.")
        if not isinstance(entries, list):
            raise _Invalid(f"The header {name[:64]} must be an array.")
        for entry in entries:
            found.append(_header(name, entry))
    # What functions do not see stays.
    hidden = [] if before is None else [each for each in before if is_disallowed(each[0].lower())]
    return [*found, *hidden]


def _header(name: str, entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise _Invalid(f"The header {name[:64]} must be an array of objects.")
    key = entry.get("key") or "-".join(word.capitalize() for word in name.split("-"))
    value = entry.get("value", "")
    if isinstance(value, bool | int | float):
        value = json.dumps(value)
    if not isinstance(key, str) or key.lower() != name.lower() or _NAME.fullmatch(key) is None:
        raise _Invalid(f"The header name {name[:64]} is not valid.")
    if not isinstance(value, str) or _VALUE.fullmatch(value) is None:
        raise _Invalid(f"The value of the header {name[:64]} is not valid.")
    return key, as_latin(value)


def _values(entries: Any) -> list[Any]:
    if not isinstance(entries, list):
        return [] if entries is None else [entries]
    return [entry.get("value") if isinstance(entry, dict) else entry for entry in entries]


def _decoded(data: Any, encoding: Any) -> bytes:
    if not isinstance(data, str):
        raise _Invalid("The body is not a string.")
    if encoding == "text":
        return data.encode(errors="replace")
    if encoding != "base64":
        raise _Invalid("The encoding of the body must be text or base64.")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Invalid("The body is not valid base64.") from error
