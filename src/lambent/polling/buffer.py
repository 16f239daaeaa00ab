"""Records between who reads them and who hands them to a function."""

from collections import deque
from collections.abc import Callable, Iterable

import anyio

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.polling.ports import Record


class Buffer:
    """A bounded line of records, for one reader and one taker. A batch only has records of which
    `kind_of` gives the same."""

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
        """And since when each is here, on the monotonic clock."""
        self._bytes = 0
        self._is_closed = False
        self._filled = anyio.Event()
        self._drained = anyio.Event()

    async def put(self, records: Iterable[Record]) -> None:
        """Add records, once there is room; then all of them, so that what one read gave at once
        may exceed the bounds."""
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
        """The next batch: as soon as there are `count` records or `bytes_max` bytes, or a record of
        another kind, else when the window ends and there are any. Windows follow each other, the
        first begins at `since` on the monotonic clock, or each with its first record if that is
        None; without one, what is there. Empty when no more will come.
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
                # Windows may have passed that had no records.
                since += max(self._clock.monotonic() - since, 0.0) // window_s * window_s
        return self._pop(count, bytes_max)

    def close(self, *, discard: bool) -> None:
        """No more will be put; what is there is still taken, or not."""
        self._is_closed = True
        if discard:
            self._records.clear()
        self._filled.set()
        self._drained.set()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there to be taken."""
        return not self._records

    @property
    def is_closed(self) -> bool:
        """Whether no more will be put."""
        return self._is_closed

    def _has(self, count: int, bytes_max: int) -> bool:
        if len(self._records) >= count or self._bytes >= bytes_max:
            return True
        return bool(self._records) and self._is_other(self._records[0][1], self._records[-1][1])

    def _is_other(self, one: Record, other: Record) -> bool:
        return self._kind_of is not None and self._kind_of(one) != self._kind_of(other)

    def _pop(self, count: int, bytes_max: int) -> list[Record]:
        """From the front, at least one."""
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
