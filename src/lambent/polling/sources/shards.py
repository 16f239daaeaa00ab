"""Streams of shards: which shard is read when. What Kinesis and DynamoDB Streams have in common.

A shard that was split or merged is read to its end before those that came of it, so that the
records of a key stay in order.
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
from lambent.polling.reader import Lane, Reader
from lambent.polling.sources.shard_stream import Shard, ShardPart, Stream
from lambent.polling.tumbling import TumblingLane
from lambent.store.positions import Position

_LOOK_EVERY_S = 30.0
_FORGET_AFTER_S = 3600.0
"""How long a shard may be missing from the stream before its position is forgotten: lists are not
always complete."""


def startable(
    shards: Sequence[Shard], ended: Collection[str], running: Collection[str]
) -> list[Shard]:
    """Those whose turn it is: all that they came of are read to their end, or are gone."""
    there = {shard.id for shard in shards} | set(running)
    return [
        shard
        for shard in shards
        if shard.id not in ended
        and shard.id not in running
        and all(parent in ended for parent in shard.parents if parent in there)
    ]


def ended_shards(shards: Sequence[Shard], positions: Mapping[str, Position]) -> set[str]:
    """Those that were read to their end. Not one that is open, says the list: that is of a stream
    that was made again under the same name, or the list is old."""
    is_open = {shard.id for shard in shards if not shard.is_closed}
    return {part for part, position in positions.items() if position.is_end and part not in is_open}


def first_positions(
    shards: Sequence[Shard], since: float, *, finds_times: bool
) -> Mapping[str, Position]:
    """Where a mapping begins that only wants what is new since then: in the shards there are, not
    in those that come later. Where a time cannot be looked up, closed shards are left out rather
    than read through, and records tell theirs in whole seconds."""
    since = since if finds_times else math.floor(since)
    return {
        shard.id: Position(is_end=True)
        if shard.is_closed and not finds_times
        else Position(since=since)
        for shard in shards
    }


class Shards:
    """All of a stream."""

    def __init__(self, polled: ActiveMapping, stream: Stream) -> None:
        self._polled = polled
        self._stream = stream
        self._uuid = polled.mapping.uuid
        self._positions: dict[str, Position] | None = None
        """As they were when this began, and of what was read to its end since; None until the
        shards were listed first."""
        self._listed: Sequence[Shard] = ()
        self._running: set[str] = set()
        self._missing: dict[str, float] = {}
        """Since when shards that we know a position of are not in the list."""
        self._bell = anyio.Event()
        self._failure: SourceError | None = None

    async def run(self, serve: Serve) -> None:
        """See `ports.Source`."""
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
            is_listed=lambda: any(one.id == shard.id for one in self._listed),
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
        """Where shards begin that nothing is known of."""
        return Position(since=self._polled.mapping.configuration.get("StartingPositionTimestamp"))

    async def _look(self) -> dict[str, Position]:
        """List the shards; returns the positions. Raises `SourceError`."""
        self._listed = await self._stream.list()
        if self._positions is None:
            self._positions = await self._begin()
        now = self._polled.clock.monotonic()
        there = {shard.id for shard in self._listed} | self._running
        self._missing = {
            part: self._missing.get(part, now) for part in self._positions if part not in there
        }
        gone = [one for one, since in self._missing.items() if now - since >= _FORGET_AFTER_S]
        if gone:
            uuid, parts = self._uuid, {part: self._positions.pop(part) for part in gone}
            await self._polled.transact(lambda tx: tx.positions.forget(uuid, parts))
        return self._positions

    async def _begin(self) -> dict[str, Position]:
        """Read the positions; the first time, decide them."""
        polled, uuid = self._polled, self._uuid
        kept = await polled.transact(lambda tx: tx.positions.of_mapping(uuid))
        mapping = polled.mapping
        if kept or mapping.configuration.get("StartingPosition") != "LATEST":
            return dict(kept)
        # It was enabled then: whatever came later is wanted, even if we only come to it now.
        first = first_positions(
            self._listed, mapping.last_modified, finds_times=self._stream.finds_times
        )
        await polled.transact(lambda tx: tx.positions.put(uuid, first))
        return dict(first)


async def poll_stream(polled: ActiveMapping, stream: Stream) -> None:
    """Read a stream until the mapping is stopped. Raises `SourceError`."""
    lane = TumblingLane if polled.options.tumbling_s else Lane
    await Shards(polled, stream).run(Reader(polled, new_lane=lane).serve)
