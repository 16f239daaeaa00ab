"""Lines of log groups reach the functions that subscribe to them, and no others."""

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lambent.control.log_groups import LogGroups
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.log_subscription import LogSubscription
from lambent.model.peers import NoPeers
from lambent.model.resources import LogGroupKey
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from lambent.telemetry.all_logs import AllLogs
from lambent.telemetry.logs import open_logs
from lambent.telemetry.settings import TelemetrySettings
from lambent.telemetry.taps import Line, Tap
from lambent.triggers.log_subscriptions import LogSubscriptions, payloads_of
from tests.authorizers import relaxed, strict
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio
HERE = Scope(KEY.account, KEY.region)
GROUP = LogGroupKey(HERE, "/app")
FUNCTION = f"arn:aws:lambda:{KEY.region}:{KEY.account}:function:watcher"


class Queue:
    """Keeps events in memory."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    async def keep(self, _reference: object, payload: bytes, _trace_id: str) -> None:
        self.kept.append(content_of(payload))


def content_of(payload: bytes) -> dict[str, Any]:
    data = base64.b64decode(json.loads(payload)["awslogs"]["data"])
    found: dict[str, Any] = json.loads(gzip.decompress(data))
    return found


def messages_of(contents: Sequence[dict[str, Any]]) -> list[str]:
    return [event["message"] for content in contents for event in content["logEvents"]]


async def test_lines_are_delivered(tmp_path: Path) -> None:
    """Those that match, of the group that is subscribed to, in AWS's form."""
    clock = ManualClock()
    queue: Any = Queue()
    async with (
        open_store(StoreSettings(synchronous="OFF"), tmp_path) as store,
        open_logs(TelemetrySettings(), tmp_path / "logs", clock) as logs,
    ):
        groups = LogGroups(store, AllLogs(logs, NoPeers()), clock)
        subscriptions = LogSubscriptions(groups.subscriptions, logs, queue, relaxed(), clock)
        await store.follow(subscriptions)
        await groups.create(GROUP, {})
        params = {"filterName": "f", "filterPattern": "ERROR", "destinationArn": FUNCTION}
        await groups.subscribe(GROUP, params)
        await subscriptions.refresh()
        for group in ("/app", "/other"):
            writer = logs.open_stream(*HERE, group, "s")
            writer.append(0, b"ERROR one")
            writer.append(0, b"fine")
        await subscriptions.handle()
        (content,) = queue.kept
        assert messages_of([content]) == ["ERROR one"]
        assert (content["logGroup"], content["logStream"]) == ("/app", "s")
        assert content["subscriptionFilters"] == ["f"]
        assert len(content["logEvents"][0]["id"]) == 56
        assert (await groups.filters(GROUP))["f"]["destinationArn"] == FUNCTION
        await groups.unsubscribe(GROUP, "f")
        await subscriptions.refresh()
        assert not logs.taps


async def test_no_function_calls_itself(tmp_path: Path) -> None:
    """A filter to a function that logs to the group is refused, and is not served if the function
    begins to."""
    clock = ManualClock()
    async with (
        open_store(StoreSettings(synchronous="OFF"), tmp_path) as store,
        open_logs(TelemetrySettings(), tmp_path / "logs", clock) as logs,
    ):
        await store.transact(lambda tx: tx.functions.create(version()))
        groups = LogGroups(store, AllLogs(logs, NoPeers()), clock)
        own = LogGroupKey(HERE, version().logging.log_group)
        await groups.create(own, {})
        params = {"filterName": "f", "filterPattern": "", "destinationArn": KEY.arn}
        with pytest.raises(ApiError, match="would call itself"):
            await groups.subscribe(own, params)
        await groups.subscribe(own, {**params, "destinationArn": FUNCTION})
        assert len(await groups.subscriptions()) == 1
        for bad in ("arn:aws:kinesis:us-east-1:1:stream/s", "nonsense"):
            with pytest.raises(ApiError, match="offers functions"):
                await groups.subscribe(own, {**params, "destinationArn": bad})


async def test_the_policy_of_the_function_decides() -> None:
    """On a strict platform CloudWatch Logs needs permission when the filter is made, and later."""
    nothing: Any = None
    queue: Any = Queue()
    checks = LogSubscriptions(nothing, nothing, queue, strict(), ManualClock())
    with pytest.raises(ApiError, match="Could not execute the lambda function"):
        await checks.check(GROUP, FUNCTION)


def test_events_are_bounded() -> None:
    """More lines than fit into an event make several; beyond the tap's limit lines are dropped."""
    lines = [Line("s", 1, b"x" * 100_000)] * 12
    payloads = payloads_of(LogSubscription(GROUP, "f", "", FUNCTION), lines)
    assert len(messages_of([content_of(each) for each in payloads])) == 12
    assert len(payloads) == 3
    rings: list[None] = []
    tap = Tap(lambda: rings.append(None))
    for _ in range(50):
        tap.add("s", 1, b"x" * 100_000)
    assert tap.dropped == 9
    assert len(tap.take()) == len(rings) == 41
    assert tap.take() == []
