"""The engine: what begins, what takes its place, and what another platform has left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from lambent.stacks.engine import graph
from lambent.stacks.engine.engine import Engine
from lambent.stacks.records import Stack
from lambent.store.store import Store

from .cloud import World
from .test_runs import TWO, changed

SLOW = {"properties": {"Slow": 1e9}}


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Engine]:
    """An engine, for which time passes."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.pass_time)
        yield Engine(world.context, tasks)
        tasks.cancel_scope.cancel()


async def settled(world: World) -> Stack:
    """The stack when no operation is under way."""
    with anyio.fail_after(20):
        while (await world.stack()).is_under_way:  # noqa: ASYNC110 - polled
            await anyio.sleep(0.002)
    return await world.stack()


async def under_way(world: World, logical_id: str) -> None:
    """Wait until a resource is being made."""
    with anyio.fail_after(20):
        while f"create {logical_id}" not in world.cloud.calls:  # noqa: ASYNC110 - polled
            await anyio.sleep(0.002)


@pytest.fixture
async def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(graph, "GRACE_S", 0.05)
    return World(store)


async def test_a_deletion_takes_the_place_of_a_creation(world: World) -> None:
    """What is under way is cancelled, and what it has made is found and deleted."""
    async with running(world) as engine:
        await world.begin("CREATE_IN_PROGRESS", changed(Slow={**SLOW, "needs": ["Reader"]}))
        engine.start(world.root)
        await under_way(world, "Slow")
        await world.begin("DELETE_IN_PROGRESS")
        engine.start(world.root)
        assert (await settled(world)).status == "DELETE_COMPLETE"
    assert world.existing() == {}


async def test_an_update_is_cancelled_in_the_middle(world: World) -> None:
    async with running(world) as engine:
        await world.create(TWO)
        await world.begin("UPDATE_IN_PROGRESS", changed(Slow=SLOW))
        engine.start(world.root)
        await under_way(world, "Slow")
        await world.cancel()
        engine.start(world.root)
        assert (await settled(world)).status == "UPDATE_ROLLBACK_COMPLETE"
    assert world.existing().keys() == {"Queue", "Reader"}


async def test_a_creation_that_takes_too_long_is_rolled_back(world: World) -> None:
    """Its minutes count from its beginning, not from the start of the platform."""
    async with running(world) as engine:
        await world.begin("CREATE_IN_PROGRESS", changed(Slow=SLOW), timeout_minutes=1)
        world.clock.advance(60)
        engine.start(world.root)
        assert (await settled(world)).status == "ROLLBACK_COMPLETE"
    assert any("exceeded the specified timeout" in text for text in await world.reasons())
    assert world.existing() == {}


async def test_what_another_platform_has_left_is_taken_up(world: World) -> None:
    async with running(world) as engine, anyio.create_task_group() as tasks:
        await world.begin("CREATE_IN_PROGRESS", TWO, owner=999)
        tasks.start_soon(engine.watch)
        assert (await settled(world)).status == "CREATE_COMPLETE"
        tasks.cancel_scope.cancel()
    assert world.existing().keys() == {"Queue", "Reader"}
