"""Frames of a link between two nodes. No I/O: bytes go in, frames come out.

A frame is the length of its payload (4 bytes), its kind (1 byte), the number of the call to which
it belongs (4 bytes), and the payload. Frames of a kind that a release does not know are skipped,
and so are unknown members of JSON documents in them: neighboring releases understand each other.

| frame | from | payload |
|---|---|---|
| `PROOF` | caller | proof that it is a node of the same database; the first frame |
| `DEFINE` | caller | a version of a function, for the calls that name its number |
| `CALL` | caller | what to run, as JSON, then the event if it is small |
| `DATA` | both | a part of a large event, a large result, or a streamed response |
| `BEGIN` | callee | content type: a streamed response follows |
| `CREDIT` | caller | how many more bytes of a streamed response it takes |
| `OUTCOME` | callee | how the call ended, as JSON, then the result if it was not sent before |
| `LOAD` | callee | how busy it is, as JSON |
| `BEAT` | caller | nothing: it is there |
| `CLOSING` | callee | nothing: it takes no more calls, and ends those it has |
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from lambent.kit import quick_json

PAYLOAD_BYTES_MAX = 256 * 1024
"""A frame with a longer payload ends the link."""
CHUNK_BYTES = 64 * 1024
"""What is longer is sent in chunks, between which frames of other calls are sent."""
_HEADER = struct.Struct(">IBI")
_LENGTH = struct.Struct(">I")
_HEADER_BYTES = _HEADER.size


class FrameError(Exception):
    """What arrives is not what a node sends."""


class Kind(IntEnum):
    """What a frame is."""

    PROOF = 1
    DEFINE = 2
    CALL = 3
    DATA = 4
    BEGIN = 5
    CREDIT = 6
    OUTCOME = 7
    LOAD = 8
    BEAT = 9
    CLOSING = 10


class Frame(NamedTuple):
    """A frame that has arrived."""

    kind: int
    """A `Kind`, or one that this release does not know."""
    call: int
    payload: bytes


def encode(kind: Kind, call: int, payload: bytes = b"") -> bytes:
    """A frame as bytes. Raises FrameError if the payload is too long."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise FrameError(f"{len(payload)} bytes are too long for a frame of kind {kind.name}")
    return _HEADER.pack(len(payload), kind, call) + payload


def encode_with_head(kind: Kind, call: int, head: object, rest: bytes) -> bytes:
    """A frame whose payload is a JSON document and then bytes."""
    text = quick_json.encode(head)
    return encode(kind, call, _LENGTH.pack(len(text)) + text + rest)


def split_head(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON document and the bytes of such a payload. Raises FrameError."""
    end = 4 + _LENGTH.unpack_from(payload)[0] if len(payload) >= 4 else 0
    if not 4 < end <= len(payload):
        raise FrameError("a frame is shorter than its head")
    return decode_document(payload[4:end]), payload[end:]


def decode_document(text: bytes) -> dict[str, Any]:
    """A JSON object. Raises FrameError if it is none."""
    try:
        document = quick_json.decode(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise FrameError("a frame has no JSON object where one is due")
    return document


def encode_number(number: int) -> bytes:
    """The payload of `CREDIT`."""
    return _LENGTH.pack(number)


def decode_number(payload: bytes) -> int:
    """The number in the payload of `CREDIT`. Raises FrameError."""
    if len(payload) < 4:
        raise FrameError("a frame has no number where one is due")
    number: int = _LENGTH.unpack_from(payload)[0]
    return number


class FrameReader:
    """Finds the frames in what arrives. Holds at most one incomplete frame."""

    def __init__(self, payload_bytes_max: int = PAYLOAD_BYTES_MAX) -> None:
        """The limit is lower until it is known who sends."""
        self._payload_bytes_max = payload_bytes_max
        self._buffer = b""

    def allow_all(self) -> None:
        """From the next frame on, take the longest."""
        self._payload_bytes_max = PAYLOAD_BYTES_MAX

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. Raises FrameError after the last good frame."""
        if self._buffer:
            data = self._buffer + data
        at, end = 0, len(data)
        while end - at >= _HEADER_BYTES:
            length, kind, call = _HEADER.unpack_from(data, at)
            if length > self._payload_bytes_max:
                raise FrameError(f"a frame of {length} bytes is too long")
            following = at + _HEADER_BYTES + length
            if following > end:
                break
            yield Frame(kind, call, data[at + _HEADER_BYTES : following])
            at = following
        self._buffer = data[at:]
