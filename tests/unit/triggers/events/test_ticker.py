"""Schedules: each tick sends one event, whenever the platform ends; of missed ticks, the last."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lambent.control.events.rules import Rules
from lambent.control.schedules.schedules import Schedules
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store

from .lives import FUNCTION, Targets, living

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
ROLE = "arn:aws:iam::111111111111:role/r"
TIME = {"Input": '"<aws.scheduler.scheduled-time>"'}
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as opened:
        yield opened


async def schedule(store: Store, clock: ManualClock, expression: str, **more: Any) -> None:
    target = {"Arn": FUNCTION, "RoleArn": ROLE, **more.pop("Target", {})}
    await Schedules(store, clock).create(
        SCOPE,
        {
            "Name": "s",
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target,
            **more,
        },
    )


async def events_of(store: Store) -> list[Any]:
    """What waits for the function."""
    rows, _ = await store.transact(
        lambda tx: tx.async_events.claim(_KEY, by="0.test", now=1e12, limit=1000)
    )
    return [json.loads(row.payload) for row in rows]


_KEY: Any = ("111111111111", "us-east-1", "f")


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("ends_at", range(1, 8))
async def test_a_tick_sends_one_event_wherever_the_platform_ends(
    store: Store, ends_at: int, after_commit: bool
) -> None:
    """The platform ends at each of its transactions, before and after the commit: at the tick, at
    the claim of the delivery, at its end. The next platform goes on, and there are as many events
    as ticks."""
    clock = ManualClock(START)
    await schedule(
        store, clock, "cron(0/5 * * * ? *)", Target={"Input": '"<aws.scheduler.scheduled-time>"'}
    )
    clock.advance(301)
    async with (
        living(store, clock, ends_at=ends_at, after_commit=after_commit) as life,
        anyio.create_task_group() as tasks,
    ):

        async def work() -> None:
            await life.ticker.tick()
            await life.until_delivered()
            tasks.cancel_scope.cancel()

        async def end() -> None:
            await life.store.has_ended.wait()
            tasks.cancel_scope.cancel()

        tasks.start_soon(work)
        tasks.start_soon(end)
    clock.advance(20)
    async with living(store, clock) as life:
        await life.ticker.tick()
        await life.until_delivered()
        clock.advance(300)
        await life.ticker.tick()
        await life.until_delivered()
    assert await events_of(store) == ["2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"]


@pytest.mark.anyio
async def test_of_missed_ticks_the_last_is_sent(store: Store) -> None:
    """A platform that was away for hours sends one event, with the last time that it missed."""
    clock = ManualClock(START)
    await schedule(
        store, clock, "cron(0 * * * ? *)", Target={"Input": '"<aws.scheduler.scheduled-time>"'}
    )
    clock.advance(5 * 3600 + 1200)
    async with living(store, clock) as life:
        await life.ticker.tick()
        await life.until_delivered()
        next_due = await store.read(lambda tx: tx.ticks.next_due())
    assert await events_of(store) == ["2026-01-01T05:00:00Z"]
    assert next_due == START + 6 * 3600


@pytest.mark.anyio
async def test_a_tick_older_than_the_retry_policy_allows_is_not_sent(store: Store) -> None:
    clock = ManualClock(START)
    policy = {"RetryPolicy": {"MaximumEventAgeInSeconds": 60}}
    await schedule(store, clock, "cron(0 * * * ? *)", Target=policy)
    await schedule(store, clock, "at(2026-01-01T00:30:00)", Name="late", Target=policy)
    clock.advance(3600 + 1200)
    async with living(store, clock) as life:
        await life.ticker.tick()
        await life.until_delivered()
    assert await events_of(store) == []
    assert await store.read(lambda tx: tx.ticks.next_due()) == START + 2 * 3600


@pytest.mark.anyio
async def test_a_rule_begins_after_its_first_period(store: Store) -> None:
    """A disabled rule does not tick, and begins again when it is enabled."""
    clock, rules = ManualClock(START), None
    rules = Rules(store, clock)
    await rules.put(SCOPE, {"Name": "r", "ScheduleExpression": "rate(10 minutes)"})
    await rules.put_targets(
        SCOPE, {"Rule": "r", "Targets": [{"Id": "1", "Arn": FUNCTION, "InputPath": "$.time"}]}
    )

    async def next_due() -> float | None:
        return await store.read(lambda tx: tx.ticks.next_due())

    assert await next_due() == START + 600
    clock.advance(300)
    await rules.put(SCOPE, {"Name": "r", "ScheduleExpression": "rate(10 minutes)"})
    assert await next_due() == START + 600  # It stays as it was.
    await rules.set_state(SCOPE, {"Name": "r"}, "DISABLED")
    assert await next_due() is None
    await rules.set_state(SCOPE, {"Name": "r"}, "ENABLED")
    assert await next_due() == START + 900
    clock.advance(600)
    async with living(store, clock) as life:
        await life.ticker.tick()
        await life.until_delivered()
    assert await events_of(store) == ["2026-01-01T00:15:00Z"]
    assert await next_due() == START + 1500


@pytest.mark.anyio
async def test_the_loop_sleeps_until_the_first_is_due(store: Store) -> None:
    """A thousand schedules cost nothing until one is due; a new one wakes the loop."""
    clock, targets = ManualClock(START), Targets()
    schedules = Schedules(store, clock)
    for number in range(20):
        await schedule(store, clock, "cron(0 0 1 1 ? 2030)", Name=f"s{number}")
    async with living(store, clock, targets) as life:
        await store.follow(life.ticker)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(life.ticker.run)
            await schedule(store, clock, "at(2026-01-01T00:01:00)", Name="soon")
            with anyio.fail_after(30):
                while not targets.sent:
                    clock.advance(10)
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert [sent.target for sent in targets.sent] == [FUNCTION]
    found = await schedules.get(SCOPE, {"Name": "soon"})
    assert found["ScheduleExpression"] == "at(2026-01-01T00:01:00)"
