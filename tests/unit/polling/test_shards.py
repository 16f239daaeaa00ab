"""Which shard is read when: the rules, and what follows them."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.polling.ports import Part, Record, SourceError
from lambent.polling.sources.streams.shard import RecordPage, Shard
from lambent.polling.sources.streams.shards import Shards, ended_shards, first_positions, startable
from lambent.store.positions import Position
from tests.unit.polling.rig import Rig, make_rig

TREE = [
    Shard("a", is_closed=True),
    Shard("b", is_closed=True),
    Shard("a1", ("a",), is_closed=True),
    Shard("ab", ("a1", "b")),
]


def names(shards: Sequence[Shard]) -> list[str]:
    """Of shards."""
    return [shard.id for shard in shards]


def test_children_wait_for_their_parents() -> None:
    """All of them; a shard that is being read, or was, is not started again."""
    assert names(startable(TREE, set(), set())) == ["a", "b"]
    assert names(startable(TREE, set(), {"a", "b"})) == []
    assert names(startable(TREE, {"a"}, {"b"})) == ["a1"]
    assert names(startable(TREE, {"a", "a1"}, {"b"})) == []
    assert names(startable(TREE, {"a", "a1", "b"}, set())) == ["ab"]


def test_parents_that_are_gone_hold_no_child_back() -> None:
    """Unless they are still being read."""
    assert names(startable(TREE[2:], set(), set())) == ["a1"]
    assert names(startable(TREE[2:], set(), {"a"})) == []
    assert names(startable(TREE[3:], {"b"}, set())) == ["ab"]


@st.composite
def histories(draw: st.DrawFn) -> list[Shard]:
    """Shards as splits and merges make them, oldest first."""
    made = [Shard(f"s{number}") for number in range(draw(st.integers(1, 3)))]
    leaves = list(made)
    for _ in range(draw(st.integers(0, 8))):
        parents = [leaves.pop(draw(st.integers(0, len(leaves) - 1)))]
        if leaves and draw(st.booleans()):
            parents.append(leaves.pop(draw(st.integers(0, len(leaves) - 1))))
        children = [
            Shard(f"s{len(made) + number}", tuple(names(parents)))
            for number in range(1 if len(parents) == 2 else 2)
        ]
        made += children
        leaves += children
    return made


@pytest.mark.slow
@given(histories(), st.data())
def test_every_shard_is_read_once_after_its_parents(made: list[Shard], data: st.DataObject) -> None:
    """However listing, ending and forgetting fall together."""
    known = 1 + data.draw(st.integers(0, len(made) - 1), "listed at first")
    forgotten: set[str] = set()
    ended: set[str] = set()
    running: set[str] = set()
    started: list[str] = []
    parents = {shard.id: shard.parents for shard in made}
    while len(ended) < len(made):
        listed = [shard for shard in made[:known] if shard.id not in forgotten]
        for shard in startable(listed, ended, running):
            assert shard.id not in started
            # Those that an incomplete list did not contain are known to have been read before.
            assert all(parent in ended for parent in parents[shard.id])
            started.append(shard.id)
            running.add(shard.id)
        choices = ["list"] if known < len(made) else []
        choices += ["end"] if running else []
        choices += ["forget"] if ended - forgotten else []
        assert choices, "somebody can go on"
        match data.draw(st.sampled_from(choices)):
            case "list":
                known += 1
            case "end":
                read = data.draw(st.sampled_from(sorted(running)))
                running.remove(read)
                ended.add(read)
            case "forget":
                # A stream only drops what has been read for as long as it keeps records.
                forgotten.add(data.draw(st.sampled_from(sorted(ended - forgotten))))
    assert sorted(started) == sorted(names(made))


def test_an_open_shard_has_not_ended() -> None:
    """Whatever its position says; one that is not listed has."""
    closed, is_open = Shard("closed", is_closed=True), Shard("open")
    ended = Position(is_end=True)
    positions = {"closed": ended, "open": ended, "gone": ended, "other": Position(after="1")}
    assert ended_shards([closed, is_open], positions) == {"closed", "gone"}


def test_where_the_latest_begins() -> None:
    """At the moment the mapping was enabled. Closed shards are not read through where a time cannot
    be looked up."""
    shards = [Shard("open"), Shard("closed", is_closed=True)]
    assert first_positions(shards, 10.12345, finds_times=True) == {
        "open": Position(since=10.12345),
        "closed": Position(since=10.12345),
    }
    assert first_positions(shards, 10.9, finds_times=False) == {
        "open": Position(since=10),
        "closed": Position(is_end=True),
    }


class FakeStream:
    """Lists what the test says; its shards are served by the test."""

    arn = "arn"
    finds_times = True
    records_max = 1000

    def __init__(self, *shards: Shard) -> None:
        self.shards: list[Shard] | SourceError = list(shards)
        self.lists = 0

    async def list(self) -> Sequence[Shard]:
        """As `Stream`."""
        self.lists += 1
        if isinstance(self.shards, SourceError):
            raise self.shards
        return self.shards

    async def open(self, shard_id: str, *, after: str = "", since: float | None = None) -> str:
        """As `Stream`."""
        raise NotImplementedError

    async def read(self, shard_id: str, iterator: str, limit: int) -> RecordPage:
        """As `Stream`."""
        raise NotImplementedError

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """As `Stream`."""
        raise NotImplementedError

    def describe(self, shard_id: str, records: Sequence[Record]) -> Mapping[str, Any]:
        """As `Stream`."""
        raise NotImplementedError


class Served:
    """Shards that are read until the test ends them."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self._ends: dict[str, anyio.Event] = {}

    async def serve(self, part: Part) -> bool:
        """As `ports.Serve`."""
        self.started.append(part.name)
        self._ends[part.name] = anyio.Event()
        await self._ends[part.name].wait()
        return True

    async def end(self, name: str) -> None:
        """The shard was read to its end."""
        self._ends[name].set()
        await anyio.wait_all_tasks_blocked()


async def with_shards(
    rig: Rig, stream: FakeStream, test: Callable[[Served], Awaitable[None]]
) -> None:
    """Run a test while the shards of a stream are read."""
    served = Served()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Shards(rig.polled, stream).run, served.serve)
        await anyio.wait_all_tasks_blocked()
        await test(served)
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_ends_are_remembered_and_children_found() -> None:
    """When a shard ends the shards are listed at once, and each half minute besides."""
    rig, stream = make_rig(), FakeStream(Shard("a"))

    async def test(served: Served) -> None:
        assert served.started == ["a"]
        stream.shards = TREE
        await served.end("a")
        assert rig.store.kept == {"a": Position(is_end=True)}
        assert served.started == ["a", "b", "a1"]
        stream.shards = [*TREE, Shard("c")]
        await rig.advance(29)
        assert "c" not in served.started
        await rig.advance(2)
        assert served.started[3:] == ["c"]

    await with_shards(rig, stream, test)


@pytest.mark.slow
@pytest.mark.anyio
async def test_shards_that_open_again_are_read_again() -> None:
    """Those of a stream that was created again under the same name; after a delay, because the list
    may be old. Their children wait."""
    rig, stream = make_rig(), FakeStream(Shard("a"), Shard("a1", ("a",)))

    async def test(served: Served) -> None:
        for times in (1, 2, 3):
            assert served.started == ["a"] * times
            await served.end("a")
            await rig.advance(0.5)
            assert served.started == ["a"] * times
            await rig.advance(0.6)
        stream.shards = [Shard("a", is_closed=True), Shard("a1", ("a",))]
        await served.end("a")
        assert served.started == ["a"] * 4 + ["a1"]

    await with_shards(rig, stream, test)


@pytest.mark.anyio
async def test_a_list_that_fails_stops_no_shard() -> None:
    """Readers continue, and the list is requested again; without a reader, the mapping reports
    it."""
    rig, stream = make_rig(), FakeStream(Shard("a"))

    async def test(served: Served) -> None:
        stream.shards = SourceError("PROBLEM: no")
        await rig.advance(31)
        assert rig.polled.status.result == "PROBLEM: no"
        stream.shards = [Shard("a"), Shard("b")]
        await rig.advance(1.1)
        assert served.started == ["a", "b"]

    await with_shards(rig, stream, test)
    failing = FakeStream()
    failing.shards = SourceError("PROBLEM: no")
    with pytest.raises(SourceError):
        await Shards(rig.polled, failing).run(Served().serve)


@pytest.mark.anyio
async def test_positions_of_shards_that_are_gone_are_forgotten() -> None:
    """An hour after they were listed last: lists are not always complete."""
    ended = Position(after="1", is_end=True)
    rig, stream = make_rig(positions={"a": ended}), FakeStream(*TREE)

    async def test(served: Served) -> None:
        assert served.started == ["b", "a1"]
        stream.shards = TREE[1:]
        await rig.advance(31)
        await rig.advance(3500)
        assert rig.store.kept == {"a": ended}
        stream.shards = TREE
        await rig.advance(31)
        stream.shards = TREE[1:]
        await rig.advance(31)
        await rig.advance(3500)
        assert rig.store.kept == {"a": ended}
        await rig.advance(100)
        assert rig.store.kept == {}
        assert served.started == ["b", "a1"]

    await with_shards(rig, stream, test)


@pytest.mark.anyio
async def test_the_latest_is_decided_once() -> None:
    """It is stored before anything is read; later shards are read from their first record, and
    after a restart none begins again."""
    rig, stream = make_rig(StartingPosition="LATEST"), FakeStream(Shard("a"))
    since = rig.clock.now()

    async def test(served: Served) -> None:
        assert rig.store.kept == {"a": Position(since=since)}
        stream.shards = [Shard("a"), Shard("b")]
        await rig.advance(31)
        assert served.started == ["a", "b"]
        assert rig.store.kept == {"a": Position(since=since)}

    await with_shards(rig, stream, test)
    kept = rig.store.kept
    again = make_rig(StartingPosition="LATEST", positions=kept)
    later = dataclasses.replace(again.polled.mapping, last_modified=since + 100)
    polled = dataclasses.replace(again.polled, mapping=later)

    async def test_again(served: Served) -> None:
        assert served.started == ["a", "b"]
        assert again.store.kept == kept

    await with_shards(dataclasses.replace(again, polled=polled), stream, test_again)
