"""Records on their way to a function, in a time of the test's own."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from lambent.polling.on_failure import Tell
from lambent.polling.ports import Record, SourceError
from lambent.polling.reader import Reader
from tests.unit.polling.parts import FakePart
from tests.unit.polling.rig import FAILED, THROTTLED, Rig, make_rig, record

pytestmark = pytest.mark.anyio

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


@asynccontextmanager
async def reading(rig: Rig, part: FakePart, tell: Tell | None = None) -> AsyncIterator[list[bool]]:
    """While a part is served; returns how that ended, once it did."""
    ended: list[bool] = []

    async def serve() -> None:
        ended.append(await Reader(rig.polled, tell).serve(part))

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


class Broken(FakePart):
    """Each kind of request fails as often as `left` says."""

    def __init__(self) -> None:
        super().__init__()
        self.left = {"read": 2, "commit": 3}

    def _fail(self, request: str) -> None:
        if self.left[request]:
            self.left[request] -= 1
            raise SourceError("PROBLEM: no broker responds")

    async def read(self) -> Sequence[Record]:
        """As `ports.Part`."""
        self._fail("read")
        return await super().read()

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """As `ports.Part`."""
        self._fail("commit")
        await super().commit(record, state)


@pytest.mark.parametrize("groups", [["ErrorCount"], ["EventCount"]])
async def test_what_fails_is_counted(groups: list[str]) -> None:
    """Requests to the source, calls of the function (throttled ones, too) and records for the
    destination; of mappings that ask for it."""
    outcomes = [FAILED, THROTTLED, FAILED]
    refusals = [SourceError("PROBLEM: the topic refuses it")] * 4

    async def tell(body: bytes, trace_id: str) -> None:
        if refusals:
            raise refusals.pop()

    rig = make_rig(
        lambda _: outcomes.pop() if outcomes else None,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": "kafka://letters"}},
        MetricsConfig={"Metrics": groups},
    )
    part = Broken()
    async with reading(rig, part, tell):
        part.put(record("1"))
        await rig.advance(200, 200)
        part.put(record("2"))
        await rig.advance(50, 50)
        assert part.committed == ["1", "2"]
    names = ("Polling", "Invoke", "OnFailureDestinationDelivery", "Commit")
    counts = [rig.sum_of(f"{name}ErrorCount") for name in names]
    assert counts == ([2, 3, 4, 3] if groups == ["ErrorCount"] else [0] * 4)
    assert rig.sum_of("FailedInvokeEventCount") == (2 if groups == ["EventCount"] else 0)


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
