"""GetUsage and UpdateUsage."""

import datetime
from typing import Any

import pytest

from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from lambent.model.usage import UsageId, day_of
from lambent.store.store import Store

from .conftest import HERE, Call

pytestmark = pytest.mark.anyio
TODAY = day_of(ManualClock().now())
YESTERDAY = TODAY - datetime.timedelta(days=1)
SPAN = {"startDate": YESTERDAY.isoformat(), "endDate": TODAY.isoformat()}


async def make(call: Call, store: Store, **plan: Any) -> tuple[str, str]:
    """A plan with a key that made 3 requests yesterday and 2 today."""
    id = (await call("CreateUsagePlan", name="p", **plan))["id"]
    key = (await call("CreateApiKey", name="k"))["id"]
    await call("CreateUsagePlanKey", usagePlanId=id, keyId=key, keyType="API_KEY")
    usage = UsageId(HERE, id, key)
    counts = {(usage, YESTERDAY): 3, (usage, TODAY): 2}
    await store.transact(lambda tx: tx.usage.add(counts))
    return id, key


def left(value: str, path: str = "/remaining", op: str = "replace") -> Any:
    return [{"op": op, "path": path, "value": value}]


async def test_each_day_has_what_was_used_and_what_was_left(call: Call, store: Store) -> None:
    """Of keys without requests as well, page by page."""
    plan, key = await make(call, store, quota={"limit": 10, "period": "DAY"})
    idle = (await call("CreateApiKey", name="idle"))["id"]
    await call("CreateUsagePlanKey", usagePlanId=plan, keyId=idle, keyType="API_KEY")
    usage = await call("GetUsage", usagePlanId=plan, **SPAN)
    assert usage == {
        "usagePlanId": plan,
        **SPAN,
        "items": {key: [[3, 7], [2, 8]], idle: [[0, 10], [0, 10]]},
    }
    one = await call("GetUsage", usagePlanId=plan, keyId=key, **SPAN)
    assert one["items"] == {key: [[3, 7], [2, 8]]}
    first = await call("GetUsage", usagePlanId=plan, limit=1, **SPAN)
    rest = await call("GetUsage", usagePlanId=plan, position=first["position"], **SPAN)
    assert {**first["items"], **rest["items"]} == usage["items"]


async def test_what_is_left_of_a_longer_period(call: Call, store: Store) -> None:
    """Yesterday counts; without a quota nothing is left of it."""
    month = {"limit": 10, "period": "MONTH"}
    plan, key = await make(call, store, quota=month)
    assert TODAY.day > 1
    today = {"startDate": SPAN["endDate"], "endDate": SPAN["endDate"]}
    assert (await call("GetUsage", usagePlanId=plan, **today))["items"] == {key: [[2, 5]]}
    plan, key = await make(call, store)
    assert (await call("GetUsage", usagePlanId=plan, **today))["items"] == {key: [[2, -1]]}


async def test_a_quota_is_extended(call: Call, store: Store) -> None:
    """For this period, and more than once."""
    plan, key = await make(call, store, quota={"limit": 10, "period": "DAY"})
    for value in (50, 0, 4):
        patches = left(str(value))
        updated = await call("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=patches)
        assert updated["items"] == {key: [[2, value]]}
    usage = await call("GetUsage", usagePlanId=plan, **SPAN)
    assert usage["items"] == {key: [[3, 7], [2, 4]]}
    member = await call("GetUsagePlanKey", usagePlanId=plan, keyId=key)
    assert "extension" not in member


@pytest.mark.parametrize(
    "patches",
    [left("-1"), left("x"), left("9" * 30), left(""), left("1", "/used"), left("1", op="add")],
)
async def test_what_is_no_extension(call: Call, store: Store, patches: Any) -> None:
    """BadRequestException."""
    plan, key = await make(call, store, quota={"limit": 10, "period": "DAY"})
    with pytest.raises(ApiError) as refused:
        await call("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=patches)
    assert refused.value.code == "BadRequestException"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-11-02", "2026-11-01"),
        ("2026-01-01", "2026-12-31"),
        ("20261101", "2026-11-01"),
        ("2026-W01-1", "2026-11-01"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("x" * 5000, ""),
    ],
)
async def test_what_is_no_interval(call: Call, store: Store, first: str, last: str) -> None:
    """BadRequestException."""
    plan, _ = await make(call, store, quota={"limit": 10, "period": "MONTH"})
    with pytest.raises(ApiError) as refused:
        await call("GetUsage", usagePlanId=plan, startDate=first, endDate=last)
    assert refused.value.code == "BadRequestException"


async def test_keys_and_plans_that_are_not_there(call: Call, store: Store) -> None:
    """NotFoundException; a plan without a quota has nothing to extend."""
    plan, key = await make(call, store)
    for params in ({"usagePlanId": "none"}, {"usagePlanId": plan, "keyId": "none"}):
        with pytest.raises(ApiError) as refused:
            await call("GetUsage", **params, **SPAN)
        assert refused.value.code == "NotFoundException"
    with pytest.raises(ApiError, match="does not have a quota"):
        await call("UpdateUsage", usagePlanId=plan, keyId=key, patchOperations=left("1"))
