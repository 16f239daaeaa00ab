"""What keys use: counted in memory, written now and then, and limited by quotas."""

import datetime
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.usage import UsageId, day_of, extended, remaining, start_of
from lambent.store.problems import StoreUnavailable
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.usage import UsagePlans, keys_by_value, member_of
from lambent.triggers.apis.rest.usage_counts import (
    WRITE_EVERY_S,
    UsageCounts,
    open_usage_counts,
)
from lambent.triggers.apis.throttling import Throttles
from tests.unit.linked_peers import linked

HERE = Scope(AccountId("000000000000"), Region("us-east-1"))
ID = UsageId(HERE, "p", "k")
DAY_S = 86_400.0
PERIODS = {"DAY": 0, "WEEK": 6, "MONTH": 27}


@pytest.fixture
async def store(
    tmp_path: Path, anyio_backend: object, migrated: Callable[..., StoreSettings]
) -> AsyncIterator[Store]:
    async with open_store(migrated(synchronous="OFF"), tmp_path) as store:
        yield store


def member(quota: Any, extension: Any = None) -> Any:
    """The key `k` in a plan of the stage `s`."""
    plan = {"quota": quota, "apiStages": [{"apiId": "a", "stage": "s"}]}
    membership = {} if extension is None else {"extension": extension}
    keys = keys_by_value({"k": {"value": "v"}}, {"p": plan}, {"p/k": membership})
    return member_of(keys["v"], HERE, "a", "s")


async def settled(store: Store, count: int) -> None:
    """Wait until so many requests are in the database."""
    with anyio.fail_after(10):
        while sum((await written(store)).values()) < count:
            pass


async def written(store: Store) -> Any:
    return await store.read(lambda tx: tx.usage.of_key(ID, datetime.date.min))


@pytest.mark.anyio
async def test_a_quota_survives_a_restart(store: Store) -> None:
    """What was counted is written every few seconds, and at the end."""
    clock = ManualClock()
    limited = member({"limit": 3, "period": "DAY", "offset": 0})
    async with open_usage_counts(store, clock) as counts:
        usage = UsagePlans(counts, Throttles(clock).new)
        assert not usage.count_nowait(limited, "/GET")  # What was counted must be read first.
        await usage.count(limited, "/GET")
        await anyio.wait_all_tasks_blocked()
        clock.advance(WRITE_EVERY_S)
        await settled(store, 1)
        assert usage.count_nowait(limited, "/GET")
    assert await written(store) == {day_of(clock.now()): 2}
    async with open_usage_counts(store, clock) as counts:
        usage = UsagePlans(counts, Throttles(clock).new)
        await usage.count(limited, "/GET")
        with pytest.raises(GatewayError) as refused:
            usage.count_nowait(limited, "/GET")
        assert refused.value.type == "QUOTA_EXCEEDED"
        extension = extended(limited.plan["quota"], {day_of(clock.now()): 3}, counts.today, 1)
        more = member(limited.plan["quota"], extension)
        assert usage.count_nowait(more, "/GET")
        with pytest.raises(GatewayError):
            usage.count_nowait(more, "/GET")
        clock.advance(DAY_S)
        assert usage.count_nowait(more, "/GET")


@pytest.mark.anyio
async def test_the_rate_of_a_plan_is_one_for_all_methods(store: Store) -> None:
    """But for those that have their own, in a stage."""
    clock = ManualClock()
    usage = UsagePlans(UsageCounts(store, clock), Throttles(clock).new)
    limits = {"rateLimit": 0.001, "burstLimit": 1}
    stages = [{"apiId": "a", "stage": "s", "throttle": {"/own/GET": limits}}]
    plan = {"throttle": limits, "apiStages": [*stages, {"apiId": "a", "stage": "t"}]}
    key = keys_by_value({"k": {"value": "v"}}, {"p": plan}, {"p/k": {}})["v"]
    first, second = member_of(key, HERE, "a", "s"), member_of(key, HERE, "a", "t")
    await usage.count(first, "/x/GET")
    for member, method in ((first, "/x/GET"), (first, "/y/ODD"), (second, "/own/GET")):
        with pytest.raises(GatewayError) as refused:
            usage.count_nowait(member, method)
        assert refused.value.type == "THROTTLED"
    assert usage.count_nowait(first, "/own/GET")
    with pytest.raises(GatewayError):
        usage.count_nowait(first, "/own/GET")


@pytest.mark.anyio
async def test_platforms_see_each_other_s_requests(store: Store) -> None:
    """When they write."""
    clock = ManualClock()
    one, other = UsageCounts(store, clock), UsageCounts(store, clock)
    for counts in (one, other):
        await counts.get(ID)
        counts.add(ID, counts.today)
    await one.write()
    assert one.get_nowait(ID) == {one.today: 1}
    await other.write()
    assert other.get_nowait(ID) == {one.today: 2}


@pytest.mark.anyio
async def test_nothing_is_lost_while_the_database_is_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are counted meanwhile, and written later."""
    clock = ManualClock()
    counts = UsageCounts(store, clock)
    await counts.get(ID)
    counts.add(ID, counts.today)

    async def away(_: object) -> None:
        counts.add(ID, counts.today)
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(store, "transact", away)
        with pytest.raises(StoreUnavailable):
            await counts.write()
    assert counts.get_nowait(ID) == {counts.today: 2}
    await counts.write()
    assert await written(store) == {counts.today: 2}


@pytest.mark.anyio
async def test_old_counts_are_forgotten(store: Store) -> None:
    """In memory after the longest period, in the database after a hundred days."""
    clock = ManualClock()
    counts = UsageCounts(store, clock)
    await counts.get(ID)
    for _ in range(110):
        counts.add(ID, counts.today)
        await counts.write()
        clock.advance(DAY_S)
    days = counts.get_nowait(ID)
    assert days is not None
    assert len(days) == 32
    assert len(await written(store)) == 101


@given(st.data())
def test_an_extension_is_of_one_period(data: st.DataObject) -> None:
    """It leaves exactly what was asked for, and the next period has the plan's limit."""
    period = data.draw(st.sampled_from(sorted(PERIODS)))
    offset = data.draw(st.integers(0, PERIODS[period]))
    quota = {"limit": data.draw(st.integers(1, 1000)), "period": period, "offset": offset}
    today = data.draw(st.dates(datetime.date(2000, 1, 1), datetime.date(2100, 1, 1)))
    start = start_of(quota, today)
    dates = [start + datetime.timedelta(days=n) for n in range(-3, (today - start).days + 1)]
    days = {day: data.draw(st.integers(0, 50)) for day in dates}
    left = data.draw(st.integers(0, 2000))
    extension = extended(quota, days, today, left)
    assert remaining(quota, extension, days, today) == left
    following = today + datetime.timedelta(days=32)
    assert remaining(quota, extension, days, following) == quota["limit"]
    assert 0 <= remaining(quota, None, days, today) <= quota["limit"]


@pytest.mark.anyio
async def test_nodes_count_a_quota_together(store: Store) -> None:
    """What one node has counted, the others know a moment later: before it is written, while, and
    afterwards. What a lost node had not written is forgotten."""
    clock = ManualClock()
    peers = linked(3)
    one, two, three = [UsageCounts(store, clock, each) for each in peers]
    today = one.today
    for counts in (one, two):
        await counts.get(ID)
    for _ in range(3):
        one.add(ID, today)
    two.add(ID, today)
    for counts in (one, two):
        await counts.tell()
    assert [counts.get_nowait(ID) for counts in (one, two)] == [{today: 4}, {today: 4}]
    assert await three.get(ID) == {today: 4}  # It is not in the database yet.
    await one.write()
    assert await written(store) == {today: 3}
    for counts in (one, two, three):
        assert counts.get_nowait(ID) == {today: 4}
    for _ in range(2):
        await one.tell()
        assert [counts.get_nowait(ID) for counts in (two, three)] == [{today: 4}] * 2
    one.add(ID, today)
    await one.tell()
    await two.write()
    await two.tell()
    assert [counts.get_nowait(ID) for counts in (one, two, three)] == [{today: 5}] * 3
    del peers[0]._nodes[1]
    await three.tell()
    assert three.get_nowait(ID) == {today: 4}
