"""Log events in files.

A stream is a directory of segments. A segment contains events one after the other: event time and
ingestion time (epoch milliseconds), length, bytes. A torn last event, from a crash in the middle of
a write, ends the segment. Names of groups and streams are hostile: a digest of the name is the name
of the directory, and a file next to the segments contains the name itself.
"""

import dataclasses
import hashlib
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path

SEGMENT_BYTES = 4 * 1024 * 1024
PLACE_BITS = 64
"""Among the nodes of one database, the position of an event has the place of its node above these
bits."""
_HEADER = struct.Struct("<QQI")
_NAME = "name"


@dataclasses.dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of a stream."""

    timestamp_ms: int
    ingestion_ms: int
    message: bytes
    position: int
    """Grows along the stream; unique within it."""


def encode(timestamp_ms: int, ingestion_ms: int, message: bytes) -> bytes:
    """Encode an event as it is stored."""
    return _HEADER.pack(timestamp_ms, ingestion_ms, len(message)) + message


def directory_of(parent: Path, name: str) -> Path:
    """Return the directory of `name` below `parent`."""
    return parent / hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def make_directory(parent: Path, name: str) -> Path:
    """Create the directory of a name, and write the name in it."""
    directory = directory_of(parent, name)
    directory.mkdir(parents=True, exist_ok=True)
    noted = directory / _NAME
    if not noted.exists():
        unfinished = directory / f".{_NAME}.{secrets.token_hex(8)}"
        unfinished.write_bytes(name.encode("utf-8", "surrogatepass"))
        unfinished.replace(noted)  # a reader that finds the name finds all of it
    return directory


def is_named(directory: Path) -> bool:
    """Whether the directory is there, with its name."""
    return (directory / _NAME).exists()


def created_ms(directory: Path) -> int:
    """Return when the directory was named, in epoch milliseconds; 0 if it has been deleted
    meanwhile."""
    try:
        return int((directory / _NAME).stat().st_mtime * 1000)
    except FileNotFoundError:
        return 0


def list_directories(parent: Path) -> Iterator[tuple[str, Path]]:
    """Yield names and directories below `parent`."""
    if parent.is_dir():
        for directory in parent.iterdir():
            try:
                name = (directory / _NAME).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield name.decode("utf-8", "surrogatepass"), directory


def segments(directory: Path) -> list[Path]:
    """Return a stream's segments, oldest first."""
    return sorted(path for path in directory.glob("*.log") if path.stem.isdecimal())


def sizes(directory: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield last write (epoch seconds), bytes and path of each of a stream's segments. Segments may
    be trimmed meanwhile."""
    for path in segments(directory):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield status.st_mtime, status.st_size, path


def end_of(path: Path) -> int:
    """Return a position after the end of a segment."""
    return (int(path.stem) + 1) << 32


def segment_name(number: int) -> str:
    """Return the file name of a stream's n-th segment."""
    return f"{number:08d}.log"


def read(path: Path) -> Iterator[LogEvent]:
    """Yield the events of a segment."""
    number = int(path.stem)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    at = 0
    while at + _HEADER.size <= len(data):
        timestamp_ms, ingestion_ms, length = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size
        if begin + length > len(data):
            return
        yield LogEvent(
            timestamp_ms, ingestion_ms, data[begin : begin + length], (number << 32) + at
        )
        at = begin + length
