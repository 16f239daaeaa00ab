"""From the bytes a process prints to log events. Pure, and bounded in memory."""

import struct

LINE_BYTES_MAX = 256 * 1024
"""Longest event; what is longer is cut in pieces."""

_HEADER = struct.Struct(">IIQ")
_MICROS_MAX = 253_402_300_799_999_999
"""The end of the year 9999."""
_MAGIC = b"\xa5\x5a\x00"
_FRAME_TYPES = range(0xA55A0002, 0xA55A0020)
_LEVELS = {
    0x02: "", 0x03: "",
    0x06: "TRACE", 0x07: "TRACE",
    0x0A: "DEBUG", 0x0B: "DEBUG",
    0x0E: "INFO", 0x0F: "INFO",
    0x12: "WARN", 0x13: "WARN",
    0x16: "ERROR", 0x17: "ERROR",
    0x1A: "FATAL", 0x1B: "FATAL",
}  # fmt: skip


class LineAssembler:
    """Cuts a byte stream at newlines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The events completed by `data`, without their newlines."""
        data = self._rest + data
        *lines, self._rest = data.split(b"\n")
        found = []
        for line in lines:
            found += _pieces(line) if len(line) > LINE_BYTES_MAX else [line]
        while len(self._rest) > LINE_BYTES_MAX:
            found.append(self._rest[:LINE_BYTES_MAX])
            self._rest = self._rest[LINE_BYTES_MAX:]
        return found

    def flush(self) -> list[bytes]:
        """What has come without its newline yet, as an event."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


class FrameDecoder:
    """Decodes the framed log protocol of AWS's runtime clients: type, length, time, message.

    A message of several lines stays one event. Function code can write to the pipe too: what is
    no frame is taken as text up to the next thing that looks like one.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, str, bytes]]:
        """Time in epoch milliseconds (0: unknown), level and message of each complete frame."""
        data = self._rest + data
        found: list[tuple[int, str, bytes]] = []
        at = 0
        while len(data) - at >= _HEADER.size:
            kind, length, micros = _HEADER.unpack_from(data, at)
            if kind not in _FRAME_TYPES or length > LINE_BYTES_MAX * 16:
                following = _find_magic(data, at + 1)
                found += [(0, "", piece) for piece in _pieces(data[at:following].rstrip(b"\n"))]
                at = following
                continue
            end = at + _HEADER.size + length
            if end > len(data):
                break
            message = data[at + _HEADER.size : end].removesuffix(b"\n")
            level = _LEVELS.get(kind & 0xFF, "")
            found += [(_milliseconds(micros), level, piece) for piece in _pieces(message)]
            at = end
        self._rest = data[at:]
        return found

    def flush(self) -> list[tuple[int, str, bytes]]:
        """What has come of a frame whose end will not come any more."""
        rest, self._rest = self._rest, b""
        if len(rest) >= _HEADER.size:
            kind, _, micros = _HEADER.unpack_from(rest)
            level = _LEVELS.get(kind & 0xFF, "")
            at = _milliseconds(micros)
            return [(at, level, piece) for piece in _pieces(rest[_HEADER.size :])]
        return [(0, "", rest)] if rest.strip(b"\n") else []


def _milliseconds(micros: int) -> int:
    """0, which is unknown, for what no calendar has: it is the function that says so."""
    return micros // 1000 if micros <= _MICROS_MAX else 0


def _find_magic(data: bytes, begin: int) -> int:
    """Where the next frame, or what may become one with the next bytes, begins."""
    found = data.find(_MAGIC, begin)
    if found >= 0:
        return found
    for length in range(len(_MAGIC) - 1, 0, -1):
        if data.endswith(_MAGIC[:length], begin):
            return len(data) - length
    return len(data)


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + LINE_BYTES_MAX] for at in range(0, max(len(line), 1), LINE_BYTES_MAX)]
