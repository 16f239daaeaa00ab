"""From the result of a function behind a proxy integration to the response.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from lambent.triggers.apis.rest.binary import decoded, is_binary, media_type_of
from lambent.triggers.url_response import (
    UrlResponse,
    header_value,
    is_sendable_header,
    status_code,
)

_MEMBERS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})


def read_proxy_result(
    payload: bytes, binary_types: Collection[str], accept: str | None
) -> UrlResponse:
    """The response that a result describes. Raises `UndecodableError`, and ValueError
    for a result that is none."""
    try:
        result = json.loads(payload)
    except RecursionError:
        raise ValueError("the result is nested too deeply") from None
    if not isinstance(result, dict) or not result or not result.keys() <= _MEMBERS:
        raise ValueError("the result is no response")
    headers = _headers(result)
    body = result.get("body")
    if body is not None and not isinstance(body, str):
        raise ValueError("the body is no text")
    data = (body or "").encode("utf-8", "replace")
    if result.get("isBase64Encoded") is True and is_binary(media_type_of(accept), binary_types):
        data = decoded(body or "")
    return UrlResponse(status_code(result.get("statusCode", 200)), headers, data)


def read_head(metadata: Any) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers that the metadata of a streamed response say. Raises ValueError for what
    is no metadata."""
    if not isinstance(metadata, dict):
        raise ValueError("the metadata are no object")
    cookies = metadata.get("cookies") or []
    if not isinstance(cookies, list):
        raise ValueError("cookies are no list")
    headers = [("Set-Cookie", header_value(cookie)) for cookie in cookies]
    return status_code(metadata.get("statusCode", 200)), [*headers, *_headers(metadata)]


def _headers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of each name the values of `multiValueHeaders`, then that of `headers` unless it is among
    them."""
    single, multi = result.get("headers") or {}, result.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multi, dict):
        raise ValueError("headers are no object")
    found: dict[str, tuple[str, list[Any]]] = {}
    for name, values in multi.items():
        if not isinstance(values, list):
            raise ValueError("the values of a header are no list")
        found.setdefault(name.lower(), (name, []))[1].extend(values)
    for name, value in single.items():
        if isinstance(value, list | dict):
            raise ValueError("the value of a header is no text")
        values = found.setdefault(name.lower(), (name, []))[1]
        if value not in values:
            values.append(value)
    headers = [
        (name, header_value(value))
        for name, values in found.values()
        if is_sendable_header(name)
        for value in values
    ]
    if "content-type" not in found:
        headers.append(("Content-Type", "application/json"))
    return headers
