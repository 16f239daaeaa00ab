"""One partition of a topic while it is assigned to this member: the messages that were fetched and
not read yet, and the offset up to which all records are done."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
from confluent_kafka import Message

from lambent.polling.ports import Envelope, PartLost, Record
from lambent.polling.sources.kafka.records import Rendering, view
from lambent.polling.stop import Stop

_READ_MAX = 250
"""Messages that one read turns into records: a millisecond of work."""
HELD_MAX = 5_000
HELD_BYTES_MAX = 8 * 1024 * 1024
"""How much is held before the partition is paused. One fetch may exceed it."""

Commit = Callable[["Partition", int], Awaitable[None]]
"""Commits the offset from which a partition is read next. Raises `PartLost`, or `SourceError`."""


class Partition:
    """See `ports.Part`. Calls `on_drained` once when a full partition has room again."""

    def __init__(
        self,
        number: int,
        rendering: Rendering,
        commit: Commit,
        on_drained: Callable[[int], None],
        stop: Stop,
        *,
        next_offset: int | None,
    ) -> None:
        self.number = number
        self._rendering = rendering
        self._commit = commit
        self._on_drained = on_drained
        self.stop = stop
        """Set when this partition is to be read no further."""
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._filled = anyio.Event()
        self._is_full = False
        self.is_lost = False
        self.done = next_offset
        """All records before this offset are done. None while it is unknown."""
        self.committed = next_offset
        """The offset that the group has."""
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        """Set when nothing is in progress any more."""

    @property
    def name(self) -> str:
        """See `Part`."""
        return self._rendering.name

    @property
    def envelope(self) -> Envelope:
        """See `Part`."""
        return self._rendering.envelope

    def put(self, messages: Sequence[Message]) -> bool:
        """Add messages that were fetched. Returns whether to pause the partition."""
        self._messages.extend(messages)
        self._bytes += sum(map(len, messages))
        self._filled.set()
        self._is_full = len(self._messages) >= HELD_MAX or self._bytes >= HELD_BYTES_MAX
        return self._is_full

    async def read(self) -> Sequence[Record]:
        """See `Part`."""
        while not self._messages and not self.is_lost:
            self._filled = anyio.Event()
            await self._filled.wait()
        if self.is_lost:
            raise PartLost
        messages = [self._messages.popleft() for _ in range(min(len(self._messages), _READ_MAX))]
        self._bytes -= sum(map(len, messages))
        if self._is_full and self._has_room():
            self._is_full = False
            self._on_drained(self.number)
        return self._rendering.render(messages)

    def _has_room(self) -> bool:
        return len(self._messages) <= HELD_MAX // 2 and self._bytes <= HELD_BYTES_MAX // 2

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """See `Part`."""
        self.done = max(self.done or 0, record.raw.offset() + 1)
        await self._commit(self, self.done)

    def lose(self) -> None:
        """The partition is assigned to another member, which gets what was not read."""
        self.is_lost = True
        self.stop.set()
        self._messages.clear()
        self._filled.set()

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """See `Part`."""
        return view(record)

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `Part`."""
        return self._rendering.describe(records)
