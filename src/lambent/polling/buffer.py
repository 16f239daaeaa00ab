"""Records that were read and are not in a batch yet."""

from collections import deque
from collections.abc import Callable, Iterable

import anyio

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.polling.ports import Record


class Buffer:
    """A bounded queue of records, with one producer and one consumer. A batch only has records for
    which `kind_of` returns equal values."""

    def __init__(
        self,
        clock: Clock,
        *,
        count_max: int,
        bytes_max: int,
        kind_of: Callable[[Record], object] | None = None,
    ) -> None:
        self._clock = clock
        self._kind_of = kind_of
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._records: deque[tuple[float, Record]] = deque()
        """Each with the time at which it was added, on the monotonic clock."""
        self._bytes = 0
        self._is_closed = False
        self._filled = anyio.Event()
        self._drained = anyio.Event()

    async def put(self, records: Iterable[Record]) -> None:
        """Wait for room, then add all `records`: together they may exceed the bounds."""
        while len(self._records) >= self._count_max or self._bytes >= self._bytes_max:
            self._drained = anyio.Event()
            await self._drained.wait()
        now = self._clock.monotonic()
        for record in records:
            self._records.append((now, record))
            self._bytes += len(record.document)
        self._filled.set()

    async def take(
        self, *, count: int, bytes_max: int, since: float | None, window_s: float
    ) -> list[Record]:
        """The next batch. It is complete when there are `count` records, `bytes_max` bytes, or a
        record of another kind; otherwise when the window ends and there are records.

        Windows of `window_s` seconds follow each other from `since` on, on the monotonic clock. If
        `since` is None, a window begins with the first record of its batch. Without a window, the
        batch has the records that are there. Returns an empty list once the buffer is closed and
        empty.
        """
        while not self._is_closed and not self._has(count, bytes_max):
            self._filled = anyio.Event()
            if self._records:
                began = self._records[0][0] if since is None else since
                left_s = began + window_s - self._clock.monotonic()
                if not window_s or left_s <= 0:
                    break
                await wait_at_most(self._clock, self._filled, left_s)
                continue
            await self._filled.wait()
            if window_s and since is not None:
                # Skip windows that had no records.
                since += max(self._clock.monotonic() - since, 0.0) // window_s * window_s
        return self._pop(count, bytes_max)

    def close(self, *, discard: bool) -> None:
        """No more records will be put. Those that are there are still taken, unless `discard`."""
        self._is_closed = True
        if discard:
            self._records.clear()
        self._filled.set()
        self._drained.set()

    @property
    def is_empty(self) -> bool:
        """Whether there are no records."""
        return not self._records

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    def _has(self, count: int, bytes_max: int) -> bool:
        if len(self._records) >= count or self._bytes >= bytes_max:
            return True
        return bool(self._records) and self._is_other(self._records[0][1], self._records[-1][1])

    def _is_other(self, first: Record, second: Record) -> bool:
        return self._kind_of is not None and self._kind_of(first) != self._kind_of(second)

    def _pop(self, count: int, bytes_max: int) -> list[Record]:
        """Remove and return the first records, at least one if there are any."""
        taken: list[Record] = []
        size = 0
        while self._records and len(taken) < count:
            size += len(self._records[0][1].document) + 1
            if taken and (size > bytes_max or self._is_other(taken[0], self._records[0][1])):
                break
            _, record = self._records.popleft()
            self._bytes -= len(record.document)
            taken.append(record)
        self._drained.set()
        return taken
