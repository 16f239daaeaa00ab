"""Nodes on one database: who is there, who is lost, and who may still write."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from lambent.control.identities import Identities
from lambent.kit.clock import SystemClock
from lambent.kit.tasks import start_loop, start_part
from lambent.model.nodes import NodeState
from lambent.store.function_settings import Kind
from lambent.store.membership import Membership
from lambent.store.problems import StoreHeld
from lambent.store.settings import StoreSettings
from lambent.store.store import Transaction, open_store
from tests.databases import PostgreSql
from tests.unit.running_nodes import node
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio


@pytest.fixture
def shared(postgresql: PostgreSql) -> StoreSettings:
    """Of a database that several platforms may use."""
    return StoreSettings(url=postgresql.new_database(), shared=True)


def reserve(number: int) -> Callable[[Transaction], None]:
    """Set concurrency aside."""
    return lambda tx: tx.settings.put(
        Kind.CONCURRENCY, KEY, {"ReservedConcurrentExecutions": number}
    )


async def test_nodes_know_each_other(tmp_path: Path, shared: StoreSettings) -> None:
    """While they run; one that leaves is gone at once, one that drains is not live."""
    async with node(shared, tmp_path / "one") as one:
        async with node(shared, tmp_path / "two") as two:
            await one.wait(lambda: list(one.membership.live()) == [1, 2])
            await two.membership.drain()
            await one.wait(lambda: list(one.membership.live()) == [1])
            assert [each.state for each in one.membership.nodes] == [
                NodeState.LIVE,
                NodeState.DRAINING,
            ]
            assert two.membership.is_draining
            await two.membership.leave()
            await one.wait(lambda: one.numbers == [1])
        assert one.store.lost is None


async def test_nodes_start_at_once(tmp_path: Path, shared: StoreSettings) -> None:
    """On an empty database: each has a number of its own, and one of them makes the root's key."""
    stores, written = [], []

    async def start(name: str) -> None:
        store = await stack.enter_async_context(open_store(shared, tmp_path / name / "state"))
        stores.append(store)
        identities = Identities(store, SystemClock())
        await identities.ensure_root_key(KEY.scope, written.append)

    async with contextlib.AsyncExitStack() as stack:
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                start_part(tasks, start, str(number))
        assert sorted(store.starts for store in stores) == [1, 2, 3, 4, 5]
        assert len({store.id for store in stores}) == 1
        keys = await stores[0].read(lambda tx: tx.identities.keys())
        assert [key.id for key in keys] == [key.id for key in written]
        assert len(keys) == 1


async def test_a_change_returns_when_all_have_applied_it(
    tmp_path: Path, shared: StoreSettings
) -> None:
    """When it returns, another node has applied it."""
    async with node(shared, tmp_path / "one") as one, node(shared, tmp_path / "two") as two:
        await one.wait(lambda: list(one.membership.live()) == [1, 2])
        await one.store.transact(lambda tx: tx.functions.create(version()))
        for number in range(5):
            before = two.store.seen
            await one.store.transact(reserve(number))
            assert two.store.seen > before


async def test_a_node_that_is_silent_is_removed(
    tmp_path: Path, shared: StoreSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """With its leases, whose mappings count as changed. It cannot write any more."""
    async with node(shared, tmp_path / "one") as one, node(shared, tmp_path / "two") as two:
        await one.wait(lambda: list(one.membership.live()) == [1, 2])
        assert await two.store.transact(lambda tx: tx.nodes.take_lease("m", 2))
        assert not await one.store.transact(lambda tx: tx.nodes.take_lease("m", 1))
        seen = one.store.seen
        two.scope.cancel()
        await one.wait(lambda: one.numbers == [1])
        await one.wait(lambda: "node 2" in caplog.text)
        assert one.store.seen > seen
        assert await one.store.transact(lambda tx: tx.nodes.take_lease("m", 1))
        with pytest.raises(StoreHeld, match="taken over"):
            await two.store.transact(reserve(1))
        assert two.store.lost is not None


async def test_an_operator_removes_what_is_lost(tmp_path: Path, shared: StoreSettings) -> None:
    """Where most nodes are lost at once, the rest removes none by itself. A node that renews its
    row is not removed."""
    async with contextlib.AsyncExitStack() as stack:
        one, *others = [
            await stack.enter_async_context(node(shared, tmp_path / str(number)))
            for number in range(4)
        ]
        assert await others[0].store.transact(lambda tx: tx.nodes.take_lease("m", 2))
        await one.wait(lambda: list(one.membership.live()) == [1, 2, 3, 4])
        assert not await one.membership.remove(2)
        assert not await one.membership.remove(5)
        for other in others:
            other.scope.cancel()
        await one.wait(lambda: all(each.is_suspect for each in one.membership.nodes[1:]))
        assert one.numbers == [1, 2, 3, 4]
        assert await one.membership.remove(2)
        assert not await one.store.transact(lambda tx: tx.nodes.is_running(2))
        assert await one.store.transact(lambda tx: tx.nodes.take_lease("m", 1))
        with pytest.raises(StoreHeld, match="taken over"):
            await others[0].store.transact(reserve(1))


async def test_a_process_that_ends_is_lost_sooner(
    tmp_path: Path, shared: StoreSettings, postgresql: PostgreSql
) -> None:
    """Within a second: its connection is closed."""
    async with node(shared, tmp_path / "one") as one:
        async with open_store(shared, tmp_path / "two" / "state") as two:
            clock = SystemClock()
            membership = Membership(two, clock)
            async with anyio.create_task_group() as tasks:
                start_loop(tasks, clock, membership.run)
                await one.wait(lambda: membership.nodes and one.numbers == [1, 2])
                tasks.cancel_scope.cancel()
        began = clock.monotonic()
        await one.wait(lambda: one.numbers == [1])
        assert clock.monotonic() - began < 4  # Less than the time a silent node has.


async def test_who_starts_again_replaces_itself(tmp_path: Path, shared: StoreSettings) -> None:
    """Two platforms cannot use one data directory."""
    for _ in range(2):
        async with open_store(shared, tmp_path / "one" / "state") as store:
            assert await store.transact(lambda tx: tx.nodes.is_running(store.starts))
    assert store.starts == 2
    async with node(shared, tmp_path / "two") as two:
        assert two.numbers == [2, 3]


async def test_machines_may_have_one_name(tmp_path: Path, shared: StoreSettings) -> None:
    """And the same path for their data: a node that starts removes none of another machine."""
    there = tmp_path / "there"
    async with node(shared, there) as one:
        there.rename(tmp_path / "elsewhere")
        async with node(shared, there) as two:
            assert two.numbers == [1, 2]
            assert one.store.lost is None


async def test_alone_there_are_no_nodes(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        assert not await store.transact(lambda tx: tx.nodes.is_running(store.starts))
