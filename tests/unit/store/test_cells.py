"""Cells on one SQLite file: changes, fences, shares and turns, with the supervisor's part played by
the test."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from lambent.kit.clock import SystemClock
from lambent.kit.tasks import start_loop
from lambent.model.cells import MESSAGE_MAX, STATE, tell_of
from lambent.model.nodes import NodeState
from lambent.store.cell_membership import CellMembership
from lambent.store.feed import Feed
from lambent.store.holding import WriteTurns
from lambent.store.problems import StoreError, StoreHeld
from lambent.store.settings import StoreSettings
from lambent.store.store import Cells, open_store
from tests.unit.running_nodes import Running
from tests.unit.store.test_membership import reserve
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio


class Links:
    """Passes on what cells say, as their supervisor does."""

    def __init__(self) -> None:
        self.ends: dict[int, socket.socket] = {}
        self.said: dict[int, bytes] = {}

    def open(self, cell: int) -> socket.socket:
        """The cell's end of a new link."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        if cell in self.ends:
            self.ends.pop(cell).close()
            self.said.pop(cell, None)
        self.ends[cell] = ours
        for other, state in self.said.items():
            ours.send(tell_of(other, state))
        return theirs

    def end(self, cell: int) -> None:
        """The process of a cell has ended."""
        self.ends.pop(cell).close()
        self.said.pop(cell, None)
        for other in self.ends.values():
            other.send(tell_of(cell, b""))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for cell, end in list(self.ends.items()):
                try:
                    self.said[cell] = end.recv(MESSAGE_MAX).removeprefix(STATE)
                except BlockingIOError:
                    continue
                for other, theirs in self.ends.items():
                    if other != cell:
                        theirs.send(tell_of(cell, self.said[cell]))
            await anyio.sleep(0.001)


@asynccontextmanager
async def cell(links: Links, number: int, directory: Path) -> AsyncIterator[Running]:
    """A cell that serves."""
    settings = StoreSettings(url=f"sqlite:///{directory}/lambent.db", shared=True)
    clock, place = SystemClock(), directory / str(number) / "state"
    cells = Cells.FIRST if number == 1 else Cells.MORE
    async with open_store(settings, place, clock, cells) as store:
        with links.open(number) as link:
            async with anyio.create_task_group() as tasks:
                running = Running(store, CellMembership(store, clock, link))
                membership = running.membership
                feed = Feed(store, clock, membership.ring, lambda: running.asked())  # noqa: PLW0108 - it is set later
                start_loop(tasks, clock, membership.run)
                start_loop(tasks, clock, membership.take_over)
                start_loop(tasks, clock, feed.run)
                start_loop(tasks, clock, membership.listen, feed)
                store.wait_for_others(membership.wait_known)
                await membership.begin(f"http://127.0.0.1:{number}")
                await running.wait(membership.live)
                yield running
                tasks.cancel_scope.cancel()


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    """What connects the cells of a test."""
    made = Links()
    async with anyio.create_task_group() as tasks:
        start_loop(tasks, SystemClock(), made.run)
        yield made
        tasks.cancel_scope.cancel()
    for end in made.ends.values():
        end.close()


async def test_a_change_returns_when_all_have_applied_it(links: Links, tmp_path: Path) -> None:
    """As on PostgreSQL; what a cell reads is in force everywhere, too."""
    async with cell(links, 1, tmp_path) as one, cell(links, 2, tmp_path) as two:
        await one.wait(lambda: list(one.membership.live()) == [1, 2])
        for number in range(20):
            here, there = (one, two) if number % 2 else (two, one)
            await here.store.transact(lambda tx: tx.functions.create(version()))
            assert there.store.seen == here.store.seen
            await here.store.transact(lambda tx: tx.functions.delete(KEY))
            assert await there.store.read(lambda tx: tx.changes.last()) == there.store.seen


async def test_who_has_ended_is_removed(links: Links, tmp_path: Path) -> None:
    """At once; a cell without its row writes nothing any more. One that drains is not live."""
    async with cell(links, 1, tmp_path) as one, cell(links, 2, tmp_path) as two:
        await one.wait(lambda: list(one.membership.live()) == [1, 2])
        assert await one.membership.set_state(2, NodeState.DRAINING)
        await two.wait(lambda: two.membership.is_draining)
        assert list(one.membership.live()) == [1]
        links.end(2)
        await one.wait(lambda: one.numbers == [1])
        with pytest.raises(StoreHeld, match="taken over"):
            await two.store.transact(reserve(1))
        assert one.store.lost is None


async def test_a_cell_in_the_same_place_replaces_the_first(links: Links, tmp_path: Path) -> None:
    """Although no other cell noticed the end."""
    async with cell(links, 1, tmp_path) as one:
        async with cell(links, 2, tmp_path):
            await one.wait(lambda: one.numbers == [1, 2])
        async with cell(links, 2, tmp_path):
            await one.wait(lambda: list(one.membership.live()) == [1, 3])


async def test_shares_never_exceed_the_limit(links: Links, tmp_path: Path) -> None:
    """A cell that finds nothing free asks the others; what one that has ended had stays counted
    for a while."""
    async with cell(links, 1, tmp_path) as one, cell(links, 2, tmp_path) as two:
        await one.wait(lambda: list(one.membership.live()) == [1, 2])
        asked: list[int] = []
        one.asked = lambda: asked.append(1)

        async def take(who: Running, needed: int) -> int:
            number = who.membership.number
            granted = await who.store.transact(
                lambda tx: tx.shares.take("p", number, limit=10, needed=needed, nodes=2)
            )
            return granted.share

        assert await take(one, 8) == 8
        assert await take(two, 8) == 2
        two.membership.ask_others()
        await one.wait(lambda: asked)
        assert await one.store.read(lambda tx: tx.shares.asked(1)) == ["p"]
        links.end(2)
        await one.wait(lambda: one.numbers == [1])
        assert await take(one, 10) == 8


async def test_a_file_is_shared_by_cells_only(tmp_path: Path) -> None:
    """Not by platforms that do not know each other."""
    settings = StoreSettings(url=f"sqlite:///{tmp_path}/lambent.db", shared=True)
    with pytest.raises(StoreError, match="needs PostgreSQL"):
        async with open_store(settings, tmp_path / "state"):
            pass
    async with open_store(settings, tmp_path / "1" / "state", cells=Cells.FIRST):
        alone = StoreSettings(url=settings.url)
        with pytest.raises(StoreHeld, match="already in use"):
            async with open_store(alone, tmp_path / "2" / "state"):
                pass


def test_a_turn_ends_with_its_process(tmp_path: Path) -> None:
    """Also when it is killed."""
    turns = WriteTurns(tmp_path / "lambent.db")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with WriteTurns(tmp_path / "lambent.db").turn():
            os.write(write, b"x")
            os.kill(os.getpid(), 9)
    assert os.read(read, 1) == b"x"
    with turns.turn():
        assert os.waitpid(pid, 0)[1] == 9
    turns.close()
    os.close(read)
    os.close(write)
