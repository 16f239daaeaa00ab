"""The interface of the log store to environments: one append-only stream per execution
environment."""

from collections.abc import Callable
from typing import Protocol


class LogStream(Protocol):
    """The log of one execution environment. Appends are buffered; nothing blocks."""

    def append(self, timestamp_ms: int, message: bytes) -> None:
        """Add one log event: UTF-8 text, stored with a newline at its end, as in AWS. An event has
        up to 256 KiB; a longer one is split in chunks, and an empty one is ignored."""
        ...

    @property
    def is_full(self) -> bool:
        """More is buffered than it should be: the caller stops reading the function's pipes until
        `wait_not_full` returns."""
        ...

    async def wait_not_full(self) -> None:
        """Return as soon as there is room again."""
        ...

    def write_now(self) -> bool:
        """Write what is buffered to the file, if that is possible immediately; returns whether it
        is."""
        ...

    def when_written(self, then: Callable[[], None]) -> None:
        """Call `then`, which must not raise, when everything that was appended is in the file and
        survives the process: nearly always immediately, else soon."""
        ...

    def close(self) -> None:
        """No more events will come; what is buffered still reaches the disk."""
        ...


class Logs(Protocol):
    """The log store, as writers see it."""

    def open_stream(self, account: str, region: str, group: str, stream: str) -> LogStream:
        """Create group and stream if needed, and append to it."""
        ...
