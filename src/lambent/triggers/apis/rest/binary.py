"""Which bodies are bytes and which are text: the binary media types of an API.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
"""

import base64
import binascii
from collections.abc import Collection


class UndecodableError(ValueError):
    """A body is to be bytes and is not Base64."""


def media_type_of(header: str | None) -> str:
    """The first media type in a header, in lower case and without parameters."""
    return (header or "").partition(",")[0].partition(";")[0].strip().lower()


def is_binary(media_type: str, binary_types: Collection[str]) -> bool:
    """Whether a media type is one of those that are bytes. `*/*` and `image/*` stand for others in
    `binary_types`, and for nothing in a request."""
    if not media_type or media_type == "*/*":
        return bool(media_type) and "*/*" in binary_types
    family = f"{media_type.partition('/')[0]}/*"
    return media_type in binary_types or family in binary_types or "*/*" in binary_types


def converted_request(body: bytes, is_bytes: bool, handling: str | None) -> bytes:
    """The body of a request for its integration. Raises `UndecodableError`."""
    if is_bytes and handling == "CONVERT_TO_TEXT":
        return base64.b64encode(body)
    if not is_bytes and handling == "CONVERT_TO_BINARY":
        return decoded(body)
    return body


def converted_response(
    body: bytes, is_bytes: bool, wants_bytes: bool, handling: str | None
) -> bytes:
    """The body of an integration's response for the client. `is_bytes` says what it is by its
    content type, `wants_bytes` what the client accepts. Raises `UndecodableError`."""
    if handling == "CONVERT_TO_TEXT":
        return base64.b64encode(body) if is_bytes else body
    if handling == "CONVERT_TO_BINARY":
        return body if is_bytes else decoded(body)
    if is_bytes and not wants_bytes:
        return base64.b64encode(body)
    if not is_bytes and wants_bytes:
        return decoded(body)
    return body


def decoded(text: bytes | str) -> bytes:
    """Base64 as bytes. Raises `UndecodableError`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UndecodableError("The body is not Base64.") from None
