"""One shard of a stream: reads its records, beginning after the last position."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.ports import EndOfPart, Envelope, Record, SourceError
from lambent.store.positions import Position

ENVELOPE = Envelope(b'{"Records":[', b"]}")
_AT_ONCE_MIN = 100
"""Fewest records that one read asks for, even if batches are smaller: AWS allows five reads of a
shard per second."""
_GAP_S = 0.2
"""Pause after a read that returned nothing although there are more records."""
_SLOWER_MAX_S = 10.0
_APPEARS_WITHIN_S = 1.0
"""How long after its arrival a record may still be unreadable."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """A shard, as its stream lists it."""

    id: str
    parents: tuple[str, ...] = ()
    """The shards that were split or merged into it."""
    is_closed: bool = False
    """Whether no more records are written to it."""


@dataclasses.dataclass(frozen=True, slots=True)
class RecordPage:
    """The result of one read."""

    records: Sequence[Record]
    next_iterator: str | None
    """None at the end of the shard."""
    is_behind: bool = False
    """Whether there are more records, even if this read returned none."""


class Slower(SourceError):
    """A service throttles the requests."""


class NotFound(SourceError):
    """The stream or shard does not exist."""


class PositionLost(Exception):
    """An iterator or position is no longer valid."""


class Stream(Protocol):
    """The requests about one stream, which differ between services. They raise `SourceError`."""

    @property
    def arn(self) -> str:
        """The source in records."""
        ...

    @property
    def finds_times(self) -> bool:
        """Whether `open` can begin at a time."""
        ...

    @property
    def records_max(self) -> int:
        """The most records that one read can return."""
        ...

    async def list(self) -> Sequence[Shard]:
        """All shards."""
        ...

    async def open(self, shard_id: str, *, after: str = "", since: float | None = None) -> str:
        """An iterator that begins after the record with this sequence number, else at this time
        (epoch seconds), else at the first record. Raises `PositionLost` if there is no such
        record."""
        ...

    async def read(self, shard_id: str, iterator: str, limit: int) -> RecordPage:
        """The next records. Raises `PositionLost`."""
        ...

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """See `ports.Part`."""
        ...

    def describe(self, shard_id: str, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        ...


class ShardPart:
    """A shard, as `ports.Part`; also what tumbling windows need (`tumbling.WindowedPart`)."""

    def __init__(
        self,
        polled: ActiveMapping,
        stream: Stream,
        shard_id: str,
        position: Position,
        is_listed: Callable[[], bool],
    ) -> None:
        self.name = shard_id
        self.envelope = ENVELOPE
        self.source_arn = stream.arn
        self.read_until = 0.0
        """All records that arrived before this time were read, epoch seconds."""
        self._polled = polled
        self._stream = stream
        self._is_listed = is_listed
        self._position = position
        self._read_to = position.after
        """Sequence number of the last record that was read."""
        # Records have their time in milliseconds, those of DynamoDB in seconds.
        self._since = None if position.since is None else math.floor(position.since * 1000) / 1000
        self._iterator: str | None = None
        self._is_at_end = False
        self._next_at = 0.0
        self._slower = Backoff(_GAP_S, _SLOWER_MAX_S)
        options = polled.options
        wanted = max(options.batch_size * options.factor, _AT_ONCE_MIN)
        self._limit = min(wanted, stream.records_max)

    @property
    def state(self) -> bytes | None:
        """The state of the open tumbling window, as it was committed last."""
        state = self._position.state
        return None if state is None else state.encode()

    async def read(self) -> Sequence[Record]:
        """See `ports.Part`."""
        clock = self._polled.clock
        if (wait_s := self._next_at - clock.monotonic()) > 0:
            await clock.sleep(wait_s)
        if self._is_at_end:
            raise EndOfPart
        asked_at = clock.now()
        try:
            page = await self._read()
        except Slower:
            self._next_at = clock.monotonic() + self._slower.failed()
            return ()
        except NotFound as error:
            self._iterator = None
            if not self._is_listed():
                raise EndOfPart from error
            raise
        except SourceError:
            self._iterator = None
            raise
        if page is None:
            self._next_at = clock.monotonic() + _GAP_S
            return ()
        self._slower.succeeded()
        return self._take(page, asked_at)

    async def _read(self) -> RecordPage | None:
        """Returns None if the iterator was lost; the next read opens another one."""
        stream = self._stream
        if self._iterator is None:
            self._iterator = await self._open()
        try:
            return await stream.read(self.name, self._iterator, self._limit)
        except PositionLost:
            self._iterator = None
            return None

    async def _open(self) -> str:
        if self._read_to:
            try:
                return await self._stream.open(self.name, after=self._read_to)
            except PositionLost:
                # The record was deleted, or the stream was deleted and created again.
                return await self._stream.open(self.name)
        since = self._since if self._stream.finds_times else None
        return await self._stream.open(self.name, since=since)

    def _take(self, page: RecordPage, asked_at: float) -> Sequence[Record]:
        """Advance past a page, and return its records from the starting time on."""
        self._iterator = page.next_iterator
        self._is_at_end = page.next_iterator is None
        settings = self._polled.settings
        if not page.records:
            if not self._is_at_end:
                share_s = self._polled.open_shards.number / settings.idle_polls_per_s
                pause_s = max(settings.idle_poll_s, share_s)
                self._next_at = self._polled.clock.monotonic() + (
                    _GAP_S if page.is_behind else pause_s
                )
            if not page.is_behind:
                self.read_until = max(self.read_until, asked_at - _APPEARS_WITHIN_S)
            return ()
        self._read_to = page.records[-1].id
        self.read_until = max(self.read_until, page.records[-1].arrived_at)
        since = self._since
        if since is None:
            return page.records
        wanted = [record for record in page.records if record.arrived_at >= since]
        if wanted:
            self._since = None
        return wanted

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """See `ports.Part`."""
        text = None if state is None else state.decode()
        await self._keep(Position(after=record.id, state=text))

    async def close_window(self) -> None:
        """Remember that no tumbling window is open."""
        await self._keep(dataclasses.replace(self._position, state=None))

    async def close(self) -> Position:
        """Remember that the shard was read to its end. Returns the position."""
        await self._keep(dataclasses.replace(self._position, state=None, is_end=True))
        return self._position

    async def _keep(self, position: Position) -> None:
        self._position = position
        await self._polled.positions.put({self.name: position})

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """See `ports.Part`."""
        return self._stream.view(record)

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        return self._stream.describe(self.name, records)
