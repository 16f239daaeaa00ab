"""Records on their way to a function, in a time of the test's own."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from lambent.polling.reader import Reader
from tests.unit.polling.parts import FakePart
from tests.unit.polling.rig import FAILED, THROTTLED, Rig, make_rig, record

pytestmark = pytest.mark.anyio

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


@asynccontextmanager
async def reading(rig: Rig, part: FakePart) -> AsyncIterator[list[bool]]:
    """While a part is served; returns how that ended, once it did."""
    ended: list[bool] = []

    async def serve() -> None:
        ended.append(await Reader(rig.polled).serve(part))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await anyio.wait_all_tasks_blocked()
        yield ended
        rig.polled.stop.set()
        await rig.advance(100, 20)
        assert ended


async def test_finished_records_are_committed_before_the_rest_is_retried() -> None:
    """So that a restart does not call the function with it once more."""
    failing = True

    def act(event: Any) -> Any:
        if failing and any(record["id"] == "2" for record in event["Records"]):
            return {"batchItemFailures": [{"itemIdentifier": "2"}]}
        return None

    rig, part = make_rig(act, FunctionResponseTypes=["ReportBatchItemFailures"]), FakePart()
    async with reading(rig, part) as ended:
        part.put(*map(record, range(4)))
        await rig.advance(3, 10)
        assert part.committed == ["1"]
        assert rig.function.batches[:2] == [["0", "1", "2", "3"], ["2", "3"]]
        failing = False
        await rig.advance(10, 10)
        assert part.committed == ["1", "3"]
        part.end()
        await rig.advance(0)
        assert ended == [True]


async def test_old_records_are_given_up_untried() -> None:
    """The destination gets them, but no response."""
    rig = make_rig(
        MaximumRecordAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": QUEUE}}
    )
    now, part = rig.clock.now(), FakePart()
    async with reading(rig, part):
        part.put(record(1, now - 61), record(2, now))
        await rig.advance(0)
        assert rig.function.batches == [["2"]]
        assert part.committed == ["1", "2"]
        (delivered,) = [json.loads(delivery.body) for delivery in rig.deliveries]
        assert delivered["requestContext"].pop("requestId")
        assert delivered["requestContext"] == {
            "functionArn": rig.polled.mapping.function_arn,
            "condition": "RecordAgeExceeded",
            "approximateInvokeCount": 1,
        }
        assert "responseContext" not in delivered
        assert delivered["records"] == ["1"]


async def test_throttled_records_grow_old_but_cost_no_attempts() -> None:
    """They are given up for their age only."""
    rig = make_rig(
        lambda _: THROTTLED,
        MaximumRetryAttempts=0,
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    part = FakePart()
    async with reading(rig, part):
        part.put(record(1, rig.clock.now()))
        await rig.advance(55, 55)
        assert len(rig.function.batches) > 5
        assert part.committed == []
        await rig.advance(20, 20)
        assert part.committed == ["1"]
        (delivered,) = [json.loads(delivery.body) for delivery in rig.deliveries]
        assert delivered["requestContext"]["condition"] == "RecordAgeExceeded"
        assert "responseContext" not in delivered


async def test_failures_are_retried_ever_more_slowly() -> None:
    """After one second, two, four, … up to a minute."""
    rig, part = make_rig(lambda _: FAILED), FakePart()
    async with reading(rig, part):
        part.put(record(1))
        await rig.advance(0)
        for number, seconds in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
            await rig.advance(seconds - 0.5)
            assert len(rig.function.batches) == number
            await rig.advance(0.5)
            assert len(rig.function.batches) == number + 1


async def test_unwanted_records_are_committed() -> None:
    """When those before them are done with."""
    pattern = {"data": {"wanted": [True]}}
    rig = make_rig(
        lambda event: None if event["Records"][0]["id"] != "2" else FAILED,
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
        MaximumRetryAttempts=1,
    )
    part = FakePart()
    async with reading(rig, part):
        part.put(record(1, key="{}"), record(2, key='{"wanted":true}'), record(3, key="{}"))
        await rig.advance(0)
        assert part.committed == ["1"]
        await rig.advance(1)
        assert rig.function.batches == [["2"], ["2"]]
        assert part.committed == ["1", "3"]
        assert rig.polled.status.counts == {
            "PolledEventCount": 3,
            "FilteredOutEventCount": 2,
            "InvokedEventCount": 2,
            "FailedInvokeEventCount": 2,
            "DroppedEventCount": 1,
        }
