"""Lines of a log group on their way to its subscribers and viewers."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

_LINES_MAX = 10_000
_BYTES_MAX = 4 << 20


class Line(NamedTuple):
    """A line that was logged."""

    stream: str
    timestamp_ms: int
    message: bytes


class Receiver(Protocol):
    """Receives the lines of one group."""

    def add(self, stream: str, timestamp_ms: int, message: bytes) -> None: ...


class Tap:
    """Keeps the lines of one group until they are taken. Beyond its limit lines are dropped: the
    log has them, its subscribers do not."""

    def __init__(self, ring: Callable[[], None], *, bytes_max: int = _BYTES_MAX) -> None:
        self.dropped = 0
        """Lines since the last `take`."""
        self._ring = ring
        self._bytes_max = bytes_max
        self._lines: list[Line] = []
        self._bytes = 0

    def add(self, stream: str, timestamp_ms: int, message: bytes) -> None:
        """Keep a line."""
        if len(self._lines) >= _LINES_MAX or self._bytes + len(message) > self._bytes_max:
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


class _Several:
    """Passes each line to several receivers."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = receivers

    def add(self, stream: str, timestamp_ms: int, message: bytes) -> None:
        """See `Receiver`."""
        for receiver in self._receivers:
            receiver.add(stream, timestamp_ms, message)


Key = TypeVar("Key", bound=Hashable)


def joined(parts: Iterable[Mapping[Key, Receiver]]) -> Mapping[Key, Receiver]:
    """One mapping of all receivers, by key."""
    found: dict[Key, list[Receiver]] = {}
    for part in parts:
        for key, receiver in part.items():
            found.setdefault(key, []).append(receiver)
    return {
        key: receivers[0] if len(receivers) == 1 else _Several(receivers)
        for key, receivers in found.items()
    }
