"""JSON documents in requests and responses."""

import json
import re
from typing import Any

from lambent.gateway.protocols.values import serialization_error
from lambent.kit.computing import is_dense

_DIGITS_MAX = 400
_VALUES_MAX = 100_000
"""In a request; the largest that clients send have some thousands, and text."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decode_json(body: bytes) -> Any:
    """The body as JSON. Raises `SerializationException`."""
    if is_dense(body, _VALUES_MAX):
        raise serialization_error(f"the body has more than {_VALUES_MAX} values")
    try:
        document = json.loads(
            body.decode(), parse_constant=_refuse_constant, parse_int=_read_integer
        )
        if _SURROGATE.search(body):
            # Half a character is JSON, but no text that could be stored or shown again.
            json.dumps(document, ensure_ascii=False).encode()
        return document
    except (ValueError, RecursionError) as error:
        raise serialization_error(f"cannot parse the body as JSON: {error}") from error


def encode_json(document: Any) -> bytes:
    """The document, without spaces."""
    return json.dumps(document, separators=(",", ":")).encode()


def _read_integer(text: str) -> int:
    if len(text) > _DIGITS_MAX:
        raise ValueError("a number is too long")
    return int(text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
