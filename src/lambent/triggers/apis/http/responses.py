"""From the result of a function to the response of an HTTP API.

Format 2.0 takes any JSON, as function URLs do. Format 1.0 takes only the structure. A result that
cannot be sent is a failure of the function: 500.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from lambent.triggers.url_response import (
    FAILED,
    UrlResponse,
    header_value,
    is_sendable_header,
    read_buffered,
    status_code,
)


def read_result(payload: bytes, version: str) -> UrlResponse | None:
    """The response that a function's result describes; None if it describes none."""
    if version == "2.0":
        response = read_buffered(payload)
        return None if response is FAILED else response
    try:
        result = json.loads(payload)
        return _structured(result) if isinstance(result, Mapping) else None
    except (KeyError, RecursionError, ValueError):
        return None


def _structured(result: Mapping[str, Any]) -> UrlResponse:
    """Raises KeyError and ValueError for what cannot be sent."""
    single, multiple = result.get("headers") or {}, result.get("multiValueHeaders") or {}
    body = result.get("body")
    if not isinstance(single, Mapping) or not isinstance(multiple, Mapping):
        raise ValueError("headers have the wrong type")
    if body is not None and not isinstance(body, str):
        raise ValueError("the body is no text")
    headers = list[tuple[str, str]]()
    for name, values in multiple.items():
        if not isinstance(values, list):
            raise ValueError("a header of several values is no list")
        if is_sendable_header(name):
            headers += [(name, header_value(value)) for value in values]
    there = {name.lower() for name, _ in headers}
    for name, value in single.items():
        # A value that is among several already is not repeated.
        if is_sendable_header(name) and not _is_among(name, value, headers):
            headers.append((name, header_value(value)))
            there.add(name.lower())
    if "content-type" not in there:
        headers.append(("Content-Type", "application/json"))
    is_encoded = result.get("isBase64Encoded") is True
    data = (body or "").encode("utf-8", "replace")
    if is_encoded:
        data = base64.b64decode(data, validate=True)
    return UrlResponse(status_code(result["statusCode"]), headers, data)


def _is_among(name: str, value: Any, headers: list[tuple[str, str]]) -> bool:
    return any(
        known.lower() == name.lower() and text == header_value(value) for known, text in headers
    )
