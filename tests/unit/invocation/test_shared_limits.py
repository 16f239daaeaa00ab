"""Limits of concurrency over several nodes: never exceeded, and never idle where they are
needed."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from lambent.invocation import shared_limits
from lambent.invocation.admission import Admission, RunningCounter, Shortage
from lambent.invocation.settings import InvocationSettings
from lambent.invocation.shared_limits import SharedLimits, name_of
from lambent.invocation.slots import own_slots, slots
from lambent.kit.clock import SystemClock
from lambent.kit.tasks import start_loop
from lambent.model.invocation import Refused
from lambent.model.shares import spare
from lambent.store.function_settings import Kind
from lambent.store.settings import StoreSettings
from lambent.store.store import Store
from tests.databases import PostgreSql
from tests.unit.running_nodes import Running, node
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio


@pytest.fixture
def shared(postgresql: PostgreSql) -> StoreSettings:
    """Of a database that several platforms may use."""
    return StoreSettings(url=postgresql.new_database(), shared=True)


class Counting:
    """A node that counts invocations."""

    def __init__(self, running: Running, limit: int) -> None:
        own = own_slots(running.membership.number, running.membership.live)
        settings = InvocationSettings(concurrent_executions=limit)
        self.admission = Admission(settings, own=own, is_shared=True)
        self.running = running
        clock = SystemClock()
        self.limits = SharedLimits(self.admission, running.store, running.membership, clock)
        running.asked = self.limits.note_asked

    async def begin(self) -> RunningCounter | Refused:
        """Begin an invocation of the function."""
        admitted = self.admission.admit(version())
        if isinstance(admitted, Shortage):
            came = anyio.Event()

            def again() -> None:
                nonlocal admitted
                purse = admitted.purse if isinstance(admitted, Shortage) else None
                admitted = self.admission.admit(version())
                if isinstance(admitted, Shortage) and admitted.purse != purse:
                    self.limits.wait(admitted, again)
                else:
                    came.set()

            self.limits.wait(admitted, again)
            with anyio.fail_after(20):
                await came.wait()
        return admitted.refused if isinstance(admitted, Shortage) else admitted

    async def fill(self) -> int:
        """Begin until it is refused; returns how many began."""
        for number in itertools.count():
            if isinstance(await self.begin(), Refused):
                return number
        raise AssertionError

    def end(self, number: int) -> None:
        """End so many invocations."""
        for _ in range(number):
            counter = next(iter(self.admission._counters.values()))
            self.admission.release(counter)


@asynccontextmanager
async def counting(
    settings: StoreSettings, place: Path, limit: int = 50
) -> AsyncIterator[Counting]:
    """A node that counts, with its loops."""
    async with node(settings, place) as running, anyio.create_task_group() as tasks:
        counting = Counting(running, limit)
        await running.store.follow(counting.admission, counting.limits)
        start_loop(tasks, SystemClock(), counting.limits.run)
        yield counting
        tasks.cancel_scope.cancel()


async def reserve(store: Store, number: int) -> None:
    """Reserve concurrency for the function."""
    document = {"ReservedConcurrentExecutions": number}
    await store.transact(lambda tx: tx.settings.put(Kind.CONCURRENCY, KEY, document))


async def forgotten() -> None:
    """Wait until a limit that was exhausted is looked at again."""
    await anyio.sleep(0.15)


async def shares(store: Store, purse: Any = KEY) -> dict[int, int]:
    """What the database says."""
    return dict(await store.transact(lambda tx: tx.shares.of(name_of(purse))))


async def test_a_reservation_is_shared_out(tmp_path: Path, shared: StoreSettings) -> None:
    """Two nodes together run as many as are reserved, wherever the calls come in: what one does not
    use it returns when the other one needs it."""
    async with counting(shared, tmp_path / "one") as one, counting(shared, tmp_path / "two") as two:
        await one.running.store.transact(lambda tx: tx.functions.create(version()))
        await reserve(one.running.store, 10)
        assert await one.fill() == 10
        assert await two.fill() == 0
        one.end(4)
        await forgotten()
        assert await two.fill() == 4
        two.end(4)
        one.end(6)
        await forgotten()
        assert await two.fill() == 10
        assert await shares(two.running.store) == {2: 10}


async def test_a_lowered_limit_holds_when_it_returns(tmp_path: Path, shared: StoreSettings) -> None:
    """What runs goes on; no more begin until fewer run, on all nodes together, than are allowed."""
    async with counting(shared, tmp_path / "one") as one, counting(shared, tmp_path / "two") as two:
        await one.running.store.transact(lambda tx: tx.functions.create(version()))
        await reserve(one.running.store, 10)
        for _ in range(3):
            assert isinstance(await one.begin(), RunningCounter)
            assert isinstance(await two.begin(), RunningCounter)
        await reserve(one.running.store, 4)
        assert isinstance(await one.begin(), Refused)
        assert isinstance(await two.begin(), Refused)
        one.end(3)
        await anyio.sleep(0.6)
        assert await two.fill() == 1
        await reserve(two.running.store, 0)
        assert isinstance(await one.begin(), Refused)


async def test_the_pool_is_shared_out(tmp_path: Path, shared: StoreSettings) -> None:
    """What is not reserved in an account."""
    async with (
        counting(shared, tmp_path / "one", 20) as one,
        counting(shared, tmp_path / "two", 20) as two,
    ):
        await one.running.store.transact(lambda tx: tx.functions.create(version()))
        assert await one.fill() == 20
        one.end(15)
        await forgotten()
        assert await two.fill() == 15


async def test_the_share_of_a_lost_node_is_not_free_at_once(
    tmp_path: Path, shared: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still run what it began."""
    monkeypatch.setattr("lambent.store.shares.FREED_S", 1.5)
    async with counting(shared, tmp_path / "one") as one, counting(shared, tmp_path / "two") as two:
        await one.running.store.transact(lambda tx: tx.functions.create(version()))
        await reserve(one.running.store, 6)
        assert isinstance(await two.begin(), RunningCounter)
        taken = (await shares(one.running.store))[2]
        two.running.scope.cancel()
        await one.running.wait(lambda: one.running.numbers == [1])
        assert await one.fill() == 6 - taken
        await anyio.sleep(2.2)
        assert await one.fill() == taken


async def test_refusals_cost_no_transactions(tmp_path: Path, shared: StoreSettings) -> None:
    """While a limit is known to be exhausted."""
    async with counting(shared, tmp_path / "one") as one:
        await one.running.store.transact(lambda tx: tx.functions.create(version()))
        await reserve(one.running.store, 2)
        assert await one.fill() == 2
        before, taken = one.running.store.transact, []

        async def transact(work: Callable[..., Any]) -> Any:
            taken.append(work)
            return await before(work)

        one.running.store.transact = transact  # type: ignore[method-assign]
        for _ in range(100):
            assert isinstance(await one.begin(), Refused)
        assert len(taken) <= 1


def test_slots_are_spread() -> None:
    """Each provisioned environment is on one node."""
    for wanted in (1, 2, 3, 10, 100):
        counts = slots("configuration", wanted, [3, 5, 9])
        assert sum(counts.values()) == wanted
        assert max(counts.values(), default=0) - min(counts[n] for n in (3, 5, 9)) <= 1
    assert slots("configuration", 3, []) == {}


async def test_a_part_is_kept_for_when_the_database_is_away(
    shared: StoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that uses little keeps a quarter of its part, so calls can become more without the
    database. Another node gets it when it needs it."""
    monkeypatch.setattr(shared_limits, "_TIDY_S", 0.05)
    monkeypatch.setattr(shared_limits, "_IDLE_ROUNDS", 2)
    async with counting(shared, tmp_path / "one") as one:
        assert isinstance(await one.begin(), RunningCounter)
        one.end(1)
        kept = spare(50, 1)
        assert kept == 12
        await one.running.wait(lambda: one.admission.share_of(KEY.scope) == kept)
        async with counting(shared, tmp_path / "two") as two:
            assert await two.fill() == 50
