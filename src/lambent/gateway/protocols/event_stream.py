"""Amazon's event stream encoding: messages with typed headers, each under two checksums.
https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def encode_event(event_type: str, content_type: str, payload: bytes) -> bytes:
    """One event as a message."""
    return _encode(
        {":event-type": event_type, ":content-type": content_type, ":message-type": "event"},
        payload,
    )


def encode_exception(name: str, content_type: str, payload: bytes) -> bytes:
    """A modelled exception, which ends a stream, as a message."""
    return _encode(
        {":exception-type": name, ":content-type": content_type, ":message-type": "exception"},
        payload,
    )


def _encode(values: Mapping[str, str], payload: bytes) -> bytes:
    headers = _encode_headers(values)
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _encode_headers(headers: Mapping[str, str]) -> bytes:
    encoded = bytearray()
    for name, value in headers.items():
        encoded += struct.pack(">B", len(name)) + name.encode()
        encoded += struct.pack(">BH", _STRING, len(value)) + value.encode()
    return bytes(encoded)
