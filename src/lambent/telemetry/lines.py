"""Turns the output of a process into log events. Pure, and bounded in memory."""

import struct

LINE_BYTES_MAX = 256 * 1024
"""Longest event, without its newline; a longer one is split in chunks, between characters."""

_CHARACTER_BYTES_MAX = 4
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
    """Splits a byte stream at newlines."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def has_rest(self) -> bool:
        """Whether something has arrived without a newline."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the events completed by `data`, without their newlines."""
        data = self._rest + data
        *lines, self._rest = data.split(b"\n")
        found = []
        for line in lines:
            found += chunks(line) if len(line) > LINE_BYTES_MAX else [line]
        *complete, self._rest = chunks(self._rest)
        return found + complete

    def flush(self) -> list[bytes]:
        """Return what has arrived without a newline, as an event. The rest of the last character
        may still arrive: its first bytes are returned only when there is nothing else."""
        rest = self._rest
        end = len(rest) - _count_incomplete(rest) or len(rest)
        self._rest = rest[end:]
        return [rest[:end]] if rest else []


class FrameDecoder:
    """Decodes the framed log protocol of AWS's runtime clients: type, length, time, message.

    A message of several lines stays one event. Function code can write to the pipe too: anything
    that is not a frame counts as text up to the next thing that looks like one.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, str, bytes]]:
        """Return time in epoch milliseconds (0: unknown), level and message of each complete
        frame."""
        data = self._rest + data
        found: list[tuple[int, str, bytes]] = []
        at = 0
        while len(data) - at >= _HEADER.size:
            kind, length, micros = _HEADER.unpack_from(data, at)
            if kind not in _FRAME_TYPES or length > LINE_BYTES_MAX * 16:
                following = _find_magic(data, at + 1)
                found += [(0, "", chunk) for chunk in chunks(data[at:following].rstrip(b"\n"))]
                at = following
                continue
            end = at + _HEADER.size + length
            if end > len(data):
                break
            message = data[at + _HEADER.size : end].removesuffix(b"\n")
            level = _LEVELS.get(kind & 0xFF, "")
            found += [(_milliseconds(micros), level, chunk) for chunk in chunks(message)]
            at = end
        self._rest = data[at:]
        return found

    def flush(self) -> list[tuple[int, str, bytes]]:
        """Return the incomplete frame at the end of the stream."""
        rest, self._rest = self._rest, b""
        if len(rest) >= _HEADER.size:
            kind, _, micros = _HEADER.unpack_from(rest)
            level = _LEVELS.get(kind & 0xFF, "")
            at = _milliseconds(micros)
            return [(at, level, chunk) for chunk in chunks(rest[_HEADER.size :])]
        return [(0, "", rest)] if rest.strip(b"\n") else []


def _milliseconds(micros: int) -> int:
    """Return 0, which means unknown, for an impossible time: the function chooses it."""
    return micros // 1000 if micros <= _MICROS_MAX else 0


def _find_magic(data: bytes, begin: int) -> int:
    """Return where the next frame starts, or what may become one with the next bytes."""
    found = data.find(_MAGIC, begin)
    if found >= 0:
        return found
    for length in range(len(_MAGIC) - 1, 0, -1):
        if data.endswith(_MAGIC[:length], begin):
            return len(data) - length
    return len(data)


def chunks(line: bytes) -> list[bytes]:
    """Split a message into events, none of which is too long. UTF-8 stays UTF-8."""
    if len(line) <= LINE_BYTES_MAX:
        return [line]
    found = []
    at = 0
    while len(line) - at > LINE_BYTES_MAX:
        end = _character_start(line, at + LINE_BYTES_MAX)
        found.append(line[at:end])
        at = end
    return [*found, line[at:]]


def _count_incomplete(text: bytes) -> int:
    """Return how many bytes at the end are an incomplete character."""
    for count in range(1, min(len(text), _CHARACTER_BYTES_MAX - 1) + 1):
        byte = text[-count]
        if byte & 0xC0 == 0xC0:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return count if count < size else 0
        if byte & 0x80 == 0:
            return 0
    return 0


def _character_start(text: bytes, at: int) -> int:
    """Return the last place at which a character starts, up to a place in a text; that place if the
    text is not UTF-8."""
    for start in range(at, at - _CHARACTER_BYTES_MAX, -1):
        if text[start] & 0xC0 != 0x80:
            return start
    return at
