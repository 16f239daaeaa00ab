"""Use cases of schedules and groups."""

import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambent.control.schedules.groups import Groups
from lambent.control.schedules.schedules import Schedules
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
ARN = "arn:aws:lambda:us-east-1:111111111111:function:f"
TARGET = {"Arn": ARN, "RoleArn": "arn:aws:iam::111111111111:role/r"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as opened:
        yield opened


def given(expression: str, **more: Any) -> dict[str, Any]:
    window = {"Mode": "OFF"}
    return {
        "Name": "s",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": window,
        "Target": TARGET,
        **more,
    }


async def next_due(store: Store) -> float | None:
    return await store.read(lambda tx: tx.ticks.next_due())


@pytest.mark.anyio
async def test_an_update_replaces_all_and_keeps_the_rhythm(store: Store) -> None:
    """What is absent gets its default. A rate that stays as it was keeps its times."""
    clock = ManualClock(START)
    schedules = Schedules(store, clock)
    await schedules.create(SCOPE, given("rate(10 minutes)", Description="d"))
    assert await next_due(store) == START
    clock.advance(60)
    await schedules.update(SCOPE, given("rate(10 minutes)"))
    assert await next_due(store) == START + 600
    assert "Description" not in await schedules.get(SCOPE, {"Name": "s"})
    await schedules.update(SCOPE, given("rate(10 minutes)", State="DISABLED"))
    assert await next_due(store) is None


@pytest.mark.anyio
async def test_bounds_windows_and_zones(store: Store) -> None:
    schedules = Schedules(store, ManualClock(START))
    start = datetime.datetime.fromtimestamp(START + 7200, datetime.UTC)
    await schedules.create(SCOPE, given("rate(1 hour)", StartDate=start))
    assert await next_due(store) == START + 7200
    assert (await schedules.get(SCOPE, {"Name": "s"}))["StartDate"] == start
    zone = {"ScheduleExpressionTimezone": "Asia/Tokyo"}
    await schedules.update(SCOPE, given("cron(0 10 * * ? *)", **zone))
    assert await next_due(store) == START + 3600
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    await schedules.update(SCOPE, given("cron(0 1 * * ? *)", FlexibleTimeWindow=window))
    due = await next_due(store)
    assert due is not None
    assert START + 3600 <= due < START + 4500
    end = datetime.datetime.fromtimestamp(START + 60, datetime.UTC)
    await schedules.update(SCOPE, given("cron(0 1 * * ? *)", EndDate=end))
    assert await next_due(store) is None


@pytest.mark.anyio
async def test_a_group_goes_with_its_schedules(store: Store) -> None:
    clock = ManualClock(START)
    groups, schedules = Groups(store, clock), Schedules(store, clock)
    await groups.create(SCOPE, {"Name": "g", "Tags": [{"Key": "a", "Value": "b"}]})
    for number in range(5):
        await schedules.create(SCOPE, given("rate(1 day)", Name=f"s{number}", GroupName="g"))
    await schedules.create(SCOPE, given("cron(0 9 * * ? *)"))
    page = await schedules.list(SCOPE, {"MaxResults": 4})
    rest = await schedules.list(SCOPE, {"NextToken": page["NextToken"]})
    names = [each["Name"] for each in [*page["Schedules"], *rest["Schedules"]]]
    assert names == ["s", "s0", "s1", "s2", "s3", "s4"]
    await groups.delete(SCOPE, {"Name": "g"})
    assert await next_due(store) == START + 9 * 3600
    with pytest.raises(ApiError, match="Schedule group g does not exist"):
        await schedules.create(SCOPE, given("rate(1 day)", GroupName="g"))
    with pytest.raises(ApiError, match="cannot be deleted"):
        await groups.delete(SCOPE, {"Name": "default"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong",
    [
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
        {"Target": {**TARGET, "Input": "no JSON"}},
        {"Target": {**TARGET, "EcsParameters": {"TaskDefinitionArn": "a"}}},
        {"Target": {**TARGET, "DeadLetterConfig": {"Arn": ARN}}},
        {"KmsKeyArn": "arn:aws:kms:us-east-1:111111111111:key/k"},
        {"ScheduleExpressionTimezone": "Mars/Base"},
        {
            "StartDate": datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC),
            "EndDate": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        },
    ],
)
async def test_what_is_wrong_is_refused(store: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        await Schedules(store, ManualClock(START)).create(SCOPE, given("rate(1 day)", **wrong))
    assert refused.value.code == "ValidationException"
    assert await next_due(store) is None
