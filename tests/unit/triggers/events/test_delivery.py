"""Delivery of events: retries, dead-letter queues, and rules that change."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambent.control.events.buses import Buses
from lambent.control.events.rules import Rules
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.events.delivery import NotHandedOver
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store

from .lives import FUNCTION, Targets, living

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
QUEUE = "arn:aws:sqs:us-east-1:111111111111:dead"
ENTRY = {"Source": "shop", "DetailType": "order", "Detail": '{"n": 1.50}'}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as opened:
        yield opened


async def rule(store: Store, clock: ManualClock, **target: Any) -> Rules:
    rules = Rules(store, clock)
    await rules.put(SCOPE, {"Name": "r", "EventPattern": '{"source": ["shop"]}'})
    targets = [{"Id": "1", "Arn": FUNCTION, **target}]
    await rules.put_targets(SCOPE, {"Rule": "r", "Targets": targets})
    return rules


@pytest.mark.anyio
async def test_what_is_permanent_goes_to_the_dead_letter_queue(store: Store) -> None:
    """With the attributes that AWS gives it; the body is the event."""
    clock, targets = ManualClock(), Targets()
    await rule(store, clock, DeadLetterConfig={"Arn": QUEUE})
    targets.refusals = [NotHandedOver("NO_PERMISSIONS", "no", is_permanent=True)]
    async with living(store, clock, targets) as life:
        await life.buses.put_events(SCOPE, {"Entries": [ENTRY]})
        await life.until_delivered()
    (sent,) = targets.sent
    assert sent.target == QUEUE
    assert json.loads(sent.body)["detail"] == {"n": 1.5}
    assert b'"n": 1.50' in sent.body  # As it was sent.
    assert sent.attributes == {
        "RULE_ARN": "arn:aws:events:us-east-1:111111111111:rule/r",
        "TARGET_ARN": FUNCTION,
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "no",
        "RETRY_ATTEMPTS": "0",
    }
    counted = {key.name: values.sum for (key, _), values in life.metrics.take() if key.dimensions}
    assert counted == {
        "MatchedEvents": 1,
        "TriggeredRules": 1,
        "InvocationAttempts": 1,
        "Invocations": 1,
        "FailedInvocations": 1,
        "InvocationsSentToDlq": 1,
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("policy", "condition", "retries"),
    [
        ({"MaximumRetryAttempts": 2}, "MaximumRetryAttempts", "2"),
        ({"MaximumEventAgeInSeconds": 60}, "MaximumEventAge", "5"),
    ],
)
async def test_a_retry_policy_ends(store: Store, policy: Any, condition: str, retries: str) -> None:
    clock, targets = ManualClock(), Targets()
    await rule(store, clock, DeadLetterConfig={"Arn": QUEUE}, RetryPolicy=policy)
    away = NotHandedOver("SDK_CLIENT_ERROR", "away", is_permanent=False)
    targets.refusals = [away] * (int(retries) + 1)

    def waits(tx: Transaction) -> bool:
        return any(due > clock.now() for _, due in tx.event_deliveries.lanes())

    async with living(store, clock, targets) as life:
        await life.buses.put_events(SCOPE, {"Entries": [ENTRY]})
        for failures in range(1, int(retries) + 1):
            # The attempt has failed, and the event waits in the store for the next one.
            await life.until(waits)
            assert len(targets.refusals) == int(retries) + 1 - failures
            due = await store.read(lambda tx: min(due for _, due in tx.event_deliveries.lanes()))
            clock.advance(due - clock.now())
        await life.until_delivered()
    (sent,) = targets.sent
    assert sent.attributes["EXHAUSTED_RETRY_CONDITION"] == condition
    assert sent.attributes["RETRY_ATTEMPTS"] == retries


@pytest.mark.anyio
async def test_a_change_of_a_rule_is_in_force_at_once(store: Store) -> None:
    clock, targets = ManualClock(), Targets()
    rules = await rule(store, clock)
    async with living(store, clock, targets) as life:
        await store.follow(life.buses)

        async def put() -> int:
            before = len(targets.sent)
            await life.buses.put_events(SCOPE, {"Entries": [ENTRY]})
            await life.until_delivered()
            return len(targets.sent) - before

        assert await put() == 1
        await rules.set_state(SCOPE, {"Name": "r"}, "DISABLED")
        assert await put() == 0
        await rules.set_state(SCOPE, {"Name": "r"}, "ENABLED")
        assert await put() == 1
        await rules.put(SCOPE, {"Name": "r", "EventPattern": '{"source": ["other"]}'})
        assert await put() == 0


@pytest.mark.anyio
async def test_entries_of_strangers(store: Store) -> None:
    """Each is refused by itself, or delivered; none raises."""
    clock = ManualClock()
    await rule(store, clock)
    details = [
        *('{"a":' * 5000 + "1" + "}" * 5000, "[1]", "1", "", "{", '{"a": NaN}', "null"),
        *('{"a": "\ud800"}', '{"' + "a." * 2000 + '": 1}', " {} "),
    ]
    async with living(store, clock) as life:
        entries = [{**ENTRY, "Detail": detail} for detail in details]
        answer = await life.buses.put_events(SCOPE, {"Entries": entries})
        await life.until_delivered()
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes[:3] == ["MalformedDetail"] * 3
    assert codes[3] == "InvalidArgument"
    assert codes[4:8] == ["MalformedDetail"] * 4
    assert codes[8:] == [None, None]


@pytest.mark.anyio
async def test_a_bus_has_a_policy(store: Store) -> None:
    """One statement after the other, or as a whole."""
    buses = Buses(store, ManualClock())
    given = {"Action": "events:PutEvents", "Principal": "222222222222", "StatementId": "s"}
    await buses.put_permission(SCOPE, given)
    found = json.loads((await buses.describe(SCOPE, {}))["Policy"])
    assert found["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::222222222222:root"}
    await buses.remove_permission(SCOPE, {"StatementId": "s"})
    assert "Policy" not in await buses.describe(SCOPE, {})
