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
    headers = _encode_headers(
        {":event-type": event_type, ":content-type": content_type, ":message-type": "event"}
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _encode_headers(headers: Mapping[str, str]) -> bytes:
    encoded = bytearray()
    for name, value in headers.items():
        encoded += struct.pack(">B", len(name)) + name.encode()
        encoded += struct.pack(">BH", _STRING, len(value)) + value.encode()
    return bytes(encoded)
