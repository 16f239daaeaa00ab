"""Events and results of CloudFront functions.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
"""

import base64
import binascii
import http
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lambent.triggers.edge.distribution import Distribution
from lambent.triggers.edge.lambda_events import is_disallowed
from lambent.triggers.edge.messages import EdgeRequest, HeaderItems, as_latin

_BODY_BYTES_MAX = 40 * 1024
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,256}")
_VALUE = re.compile(r"[\x09\x20-\x7e\x80-\xff]{0,16384}")
_URI = re.compile(r"/[^\x00-\x20\x7f#?]*")
_PART = re.compile(r"[^\x00-\x20\x7f#&]*")
_COOKIE = re.compile(r"[\x21-\x3a\x3c-\x7e]*")
_READ_ONLY = {
    "viewer-request": ("content-length", "host", "transfer-encoding", "via"),
    "viewer-response": ("warning", "via"),
}
_URI_MAX = 8192


class InvalidResult(Exception):
    """A result that is not valid; the message says why."""


class ChangedRequest(NamedTuple):
    """A request as a function returns it."""

    uri: str
    query: str
    headers: HeaderItems


class MadeResponse(NamedTuple):
    """A response as a function returns it."""

    status: int
    headers: HeaderItems
    body: bytes | None
    """None if the body stays."""


def make_event(
    distribution: Distribution,
    event_type: str,
    request: EdgeRequest,
    response: tuple[int, HeaderItems] | None = None,
) -> dict[str, Any]:
    """The event of a request, or of the response to it."""
    event: dict[str, Any] = {
        "version": "1.0",
        "context": {
            "distributionDomainName": distribution.domain,
            "distributionId": distribution.id,
            "eventType": event_type,
            "requestId": request.id,
        },
        "viewer": {"ip": request.client_ip},
        "request": {
            "method": request.method,
            "uri": request.uri,
            "querystring": _grouped(_pairs(request.query, "&")),
            "headers": _headers(request.headers, "cookie"),
            "cookies": _grouped(_pairs(request.header("cookie") or "", ";")),
        },
    }
    if response is not None:
        status, headers = response
        event["response"] = {
            "statusCode": status,
            "statusDescription": _reason(status),
            "headers": _headers(headers, "set-cookie"),
            "cookies": _set_cookies(headers),
        }
    return event


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def _pairs(text: str, separator: str) -> Iterable[tuple[str, str]]:
    for part in text.split(separator):
        name, _, value = part.strip().partition("=")
        if name:
            yield name, value


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: _described(found) for name, found in values.items()}


def _described(values: list[str]) -> dict[str, Any]:
    if len(values) == 1:
        return {"value": values[0]}
    return {"value": values[0], "multiValue": [{"value": value} for value in values]}


def _headers(headers: HeaderItems, cookies: str) -> dict[str, Any]:
    shown = ((name.lower(), value) for name, value in headers)
    return _grouped(
        (name, value) for name, value in shown if name != cookies and not is_disallowed(name)
    )


def _set_cookies(headers: HeaderItems) -> dict[str, Any]:
    found: dict[str, list[dict[str, str]]] = {}
    for key, header in headers:
        if key.lower() == "set-cookie":
            pair, _, attributes = header.partition(";")
            name, _, value = pair.strip().partition("=")
            cookie = {"value": value}
            if attributes.strip():
                cookie["attributes"] = attributes.strip()
            found.setdefault(name, []).append(cookie)
    return {
        name: cookies[0] if len(cookies) == 1 else {**cookies[0], "multiValue": cookies}
        for name, cookies in found.items()
    }


# -- results ---------------------------------------------------------------------------------------


def read_result(
    result: Any,
    event_type: str,
    method: str,
    before: HeaderItems,
) -> ChangedRequest | MadeResponse:
    """What a function has returned, which got a message with these headers. Raises
    `InvalidResult`."""
    if not isinstance(result, dict):
        raise InvalidResult("The function returned an invalid value: it must be an object.")
    if "statusCode" in result:
        return _response(result, event_type, before)
    if event_type == "viewer-response":
        raise InvalidResult("The function returned an invalid value: it has no statusCode.")
    return _request(result, method, before)


def _request(result: Mapping[str, Any], method: str, before: HeaderItems) -> ChangedRequest:
    if result.get("method", method) != method:
        raise InvalidResult("The function tried to change the method.")
    uri = result.get("uri")
    if not isinstance(uri, str) or _URI.fullmatch(uri) is None:
        raise InvalidResult("The uri must begin with a slash.")
    query = "&".join(
        f"{name}={value}" if value else name
        for name, value in _entries(result.get("querystring"))
        if _checked(name, _PART) and _checked(value, _PART)
    )
    if len(uri) + len(query) >= _URI_MAX:
        raise InvalidResult("The uri and the query strings are too long.")
    headers = _read_headers(result, "viewer-request", before)
    cookies = "; ".join(
        f"{name}={value}"
        for name, value in _entries(result.get("cookies"))
        if _checked(name, _COOKIE) and _checked(value, _COOKIE)
    )
    if cookies:
        headers.append(("Cookie", cookies))
    return ChangedRequest(as_latin(uri), as_latin(query), headers)


def _response(result: Mapping[str, Any], event_type: str, before: HeaderItems) -> MadeResponse:
    status = result["statusCode"]
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status < 600:
        raise InvalidResult("The statusCode must be an integer from 200 to 599.")
    known = before if event_type == "viewer-response" else []
    headers = _read_headers(result, event_type, known)
    for name, cookie in _cookie_entries(result.get("cookies")):
        value, attributes = cookie.get("value", ""), cookie.get("attributes", "")
        if not isinstance(value, str) or not isinstance(attributes, str):
            raise InvalidResult(f"The cookie {name[:64]} is not valid.")
        line = f"{name}={value}" + (f"; {attributes}" if attributes else "")
        _checked(name, _COOKIE)
        _checked(line, _VALUE)
        headers.append(("Set-Cookie", line))
    body = result.get("body")
    return MadeResponse(status, headers, None if body is None else _body(body))


def _read_headers(result: Mapping[str, Any], event_type: str, before: HeaderItems) -> HeaderItems:
    found: HeaderItems = []
    values: dict[str, list[str]] = {}
    for name, value in _entries(result.get("headers")):
        if is_disallowed(name) or _NAME.fullmatch(name) is None or name in ("cookie", "set-cookie"):
            raise InvalidResult(f"The header {name[:64]} is not allowed.")
        text = as_latin(value)
        if _VALUE.fullmatch(text) is None:
            raise InvalidResult(f"The value of the header {name[:64]} is not valid.")
        found.append(("-".join(word.capitalize() for word in name.split("-")), text))
        values.setdefault(name, []).append(text)
    for name in _READ_ONLY[event_type]:
        if values.get(name, []) != [value for key, value in before if key.lower() == name]:
            raise InvalidResult(f"The function tried to change a read-only header: {name}.")
    return [*found, *(each for each in before if is_disallowed(each[0].lower()))]


def _entries(structure: Any) -> list[tuple[str, str]]:
    """Names with each of their values."""
    found: list[tuple[str, str]] = []
    for name, entry in _cookie_entries(structure):
        many = entry.get("multiValue")
        entries = many if isinstance(many, list) and many else [entry]
        for each in entries:
            value = each.get("value", "") if isinstance(each, dict) else None
            if isinstance(value, bool | int | float):
                value = json.dumps(value)
            if not isinstance(value, str):
                raise InvalidResult(f"The value of {name[:64]} is not a string.")
            found.append((name, value))
    return found


def _cookie_entries(structure: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if structure is None:
        return []
    if not isinstance(structure, dict):
        raise InvalidResult("Headers, cookies and query strings are objects.")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for name, entry in structure.items():
        if not isinstance(entry, dict):
            raise InvalidResult(f"{name[:64]} must be an object with a value.")
        found.append((name, entry))
    return found


def _checked(text: str, pattern: re.Pattern[str]) -> bool:
    if pattern.fullmatch(text) is None:
        raise InvalidResult(f"{text[:64]!r} contains a character that is not allowed.")
    return True


def _body(body: Any) -> bytes:
    if isinstance(body, dict):
        data, encoding = body.get("data", ""), body.get("encoding", "text")
    else:
        data, encoding = body, "text"
    if not isinstance(data, str) or encoding not in ("text", "base64"):
        raise InvalidResult("The body is not valid.")
    try:
        found = (
            data.encode(errors="replace")
            if encoding == "text"
            else base64.b64decode(data, validate=True)
        )
    except (binascii.Error, ValueError) as error:
        raise InvalidResult("The body is not valid base64.") from error
    if len(found) > _BODY_BYTES_MAX:
        raise InvalidResult("The body exceeds the maximum size.")
    return found
