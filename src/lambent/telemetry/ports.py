"""What the worker needs of the log store: one append-only stream per execution environment."""

from collections.abc import Callable
from typing import Protocol


class LogStream(Protocol):
    """Where one execution environment's log goes. Appends are buffered; nothing blocks."""

    def append(self, timestamp_ms: int, message: bytes) -> None:
        """Add one log event: UTF-8 text, kept with a newline at its end, as in AWS. Up to 256 KiB,
        longer ones are cut in chunks; an empty one is none."""
        ...

    @property
    def is_full(self) -> bool:
        """More is buffered than should be: the caller stops reading the function's pipes
        until `wait_not_full` returns."""
        ...

    async def wait_not_full(self) -> None:
        """Return as soon as there is room again."""
        ...

    def write_now(self) -> bool:
        """Have what is buffered in the file, if that can be had at once; returns whether it is."""
        ...

    def when_written(self, then: Callable[[], None]) -> None:
        """Call `then`, which must not raise, when all that was appended is in the file and outlives
        the process: nearly always at once, else soon."""
        ...

    def close(self) -> None:
        """No more events will come; what is buffered still reaches the disk."""
        ...


class Logs(Protocol):
    """The log store, as seen by writers."""

    def open_stream(self, account: str, region: str, group: str, stream: str) -> LogStream:
        """Create group and stream if needed, and append to it."""
        ...
