"""Lines of a log group on their way to its subscribers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

_LINES_MAX = 10_000
_BYTES_MAX = 4 << 20


class Line(NamedTuple):
    """A line that was logged."""

    stream: str
    timestamp_ms: int
    message: bytes


class Tap:
    """Keeps the lines of one group until they are taken. Beyond its limit lines are dropped: the
    log has them, its subscribers do not."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self.dropped = 0
        """Lines since the last `take`."""
        self._ring = ring
        self._lines: list[Line] = []
        self._bytes = 0

    def add(self, stream: str, timestamp_ms: int, message: bytes) -> None:
        """Keep a line."""
        if len(self._lines) >= _LINES_MAX or self._bytes + len(message) > _BYTES_MAX:
            self.dropped += 1
            return
        self._lines.append(Line(stream, timestamp_ms, message))
        self._bytes += len(message)
        self._ring()

    def take(self) -> Sequence[Line]:
        """The lines since the last call."""
        taken, self._lines = self._lines, []
        self._bytes = self.dropped = 0
        return taken
