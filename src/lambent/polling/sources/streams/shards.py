"""Streams of shards, Kinesis and DynamoDB alike: which shard is read when.

A shard that was split or merged is read to its end before its children, so that the records of a
key stay in order.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import anyio
import anyio.abc

from lambent.kit.tasks import start_part
from lambent.kit.waiting import wait_at_most
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.ports import Serve, SourceError
from lambent.polling.reader import Reader
from lambent.polling.sources.streams.shard import Shard, ShardPart, Stream
from lambent.store.positions import Position

_LOOK_EVERY_S = 30.0
_FORGET_AFTER_S = 3600.0
"""How long a shard may be missing from the list before its position is deleted: lists are not
always complete."""


def startable(
    shards: Sequence[Shard], ended: Collection[str], running: Collection[str]
) -> list[Shard]:
    """The shards to start now: all their parents are read to their end, or no longer exist."""
    there = {shard.id for shard in shards} | set(running)
    return [
        shard
        for shard in shards
        if shard.id not in ended
        and shard.id not in running
        and all(parent in ended for parent in shard.parents if parent in there)
    ]


def ended_shards(shards: Sequence[Shard], positions: Mapping[str, Position]) -> set[str]:
    """The shards that were read to their end. Not those that the list shows as open: either the
    stream was deleted and created again under the same name, or the list is old."""
    is_open = {shard.id for shard in shards if not shard.is_closed}
    return {part for part, position in positions.items() if position.is_end and part not in is_open}


def first_positions(
    shards: Sequence[Shard], since: float, *, finds_times: bool
) -> Mapping[str, Position]:
    """The positions of a mapping that starts at the time `since`, of the shards that exist; shards
    that come later are read from their beginning. If the stream cannot find a time, closed shards
    are left out rather than read through, and records have their time in whole seconds."""
    since = since if finds_times else math.floor(since)
    return {
        shard.id: Position(is_end=True)
        if shard.is_closed and not finds_times
        else Position(since=since)
        for shard in shards
    }


class Shards:
    """All shards of a stream."""

    def __init__(self, polled: ActiveMapping, stream: Stream) -> None:
        self._polled = polled
        self._stream = stream
        self._positions: dict[str, Position] | None = None
        """The positions when this began, and of shards that were read to their end since. None
        until the shards are listed for the first time."""
        self._listed: Sequence[Shard] = ()
        self._running: set[str] = set()
        self._missing: dict[str, float] = {}
        """Since when shards with a position are missing from the list."""
        self._bell = anyio.Event()
        self._failure: SourceError | None = None

    async def run(self, serve: Serve) -> None:
        """Have each shard served, until the mapping is stopped. Raises `SourceError`."""
        async with anyio.create_task_group() as tasks:
            with self._polled.stop.interrupts():
                await self._follow(tasks, serve)
        if self._failure is not None:
            raise self._failure

    async def _follow(self, tasks: anyio.abc.TaskGroup, serve: Serve) -> None:
        """Start each shard when its turn has come."""
        polled = self._polled
        backoff = Backoff(polled.settings.backoff_s, _LOOK_EVERY_S)
        while True:
            self._bell = anyio.Event()
            wait_s = _LOOK_EVERY_S
            try:
                positions = await self._look()
            except SourceError as error:
                if not self._running:
                    self._failure = error
                    return
                polled.status.note_problem(error)
                wait_s = backoff.failed()
            else:
                backoff.succeeded()
                ended = ended_shards(self._listed, positions)
                for shard in startable(self._listed, ended, self._running):
                    self._running.add(shard.id)
                    start_part(tasks, self._serve, shard, positions, serve)
            await wait_at_most(polled.clock, self._bell, wait_s)

    async def _serve(self, shard: Shard, positions: dict[str, Position], serve: Serve) -> None:
        polled = self._polled
        position = positions.get(shard.id) or self._beginning()
        if position.is_end:
            # As often as a shard that has nothing new, until the list agrees.
            with polled.stop.interrupts():
                await polled.clock.sleep(polled.settings.idle_poll_s)
        part = ShardPart(
            polled,
            self._stream,
            shard.id,
            position,
            is_listed=lambda: any(listed.id == shard.id for listed in self._listed),
        )
        polled.open_shards.number += 1
        try:
            is_end = await serve(part)
        finally:
            polled.open_shards.number -= 1
        if is_end:
            positions[shard.id] = await part.close()
        self._running.discard(shard.id)
        self._bell.set()

    def _beginning(self) -> Position:
        """The position of a shard that has none."""
        return Position(since=self._polled.options.starting_at)

    async def _look(self) -> dict[str, Position]:
        """List the shards, and return the positions. Raises `SourceError`."""
        self._listed = await self._stream.list()
        if self._positions is None:
            self._positions = await self._begin()
        now = self._polled.clock.monotonic()
        there = {shard.id for shard in self._listed} | self._running
        self._missing = {
            part: self._missing.get(part, now) for part in self._positions if part not in there
        }
        gone = [part for part, since in self._missing.items() if now - since >= _FORGET_AFTER_S]
        if gone:
            for part in gone:
                del self._positions[part]
            await self._polled.positions.forget(gone)
        return self._positions

    async def _begin(self) -> dict[str, Position]:
        """Read the positions. The first time, decide and write them."""
        polled = self._polled
        kept = await polled.positions.load()
        if kept or polled.options.starting_position != "LATEST":
            return kept
        # The mapping was enabled at that time, so it gets all later records.
        first = first_positions(
            self._listed, polled.mapping.last_modified, finds_times=self._stream.finds_times
        )
        await polled.positions.put(first)
        return dict(first)


async def poll_stream(polled: ActiveMapping, stream: Stream) -> None:
    """Read a stream until the mapping is stopped. Raises `SourceError`."""
    await Shards(polled, stream).run(Reader(polled).serve)
