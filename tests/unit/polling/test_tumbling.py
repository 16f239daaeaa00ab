"""Tumbling windows of a shard, in a time of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from lambent.polling.reader import Reader
from lambent.polling.tumbling import OpenWindow
from lambent.polling.windows import STATE_BYTES_MAX, Window
from tests.unit.polling.parts import FakePart
from tests.unit.polling.rig import FAILED, THROTTLED, Rig, make_rig, record

pytestmark = pytest.mark.anyio

START = 1_700_000_040.0
"""Of a window of a minute."""


def count(event: Any) -> Any:
    """A function that counts records."""
    return {"state": {"n": event["state"].get("n", 0) + len(event["Records"])}}


@asynccontextmanager
async def reading(rig: Rig, part: FakePart) -> AsyncIterator[list[bool]]:
    """While a shard is served; returns how that ended, once it did."""
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


def shown(rig: Rig) -> list[tuple[list[str], Any, str]]:
    """Of each call: its records, the state it was given, and whether it was the window's last."""
    return [
        (
            [record["id"] for record in event["Records"]],
            event["state"],
            "early"
            if event["isWindowTerminatedEarly"]
            else "last"
            if event["isFinalInvokeForWindow"]
            else "",
        )
        for event in rig.function.events
    ]


async def test_a_batch_is_of_one_window() -> None:
    """A record of a later window ends the one before; states are kept with what was committed."""
    rig, part = make_rig(count, TumblingWindowInSeconds=60, BatchSize=2), FakePart()
    async with reading(rig, part):
        part.put(*(record(n, START + n) for n in range(3)), record(3, START + 60))
        await rig.advance(0)
        assert shown(rig) == [
            (["0", "1"], {}, ""),
            (["2"], {"n": 2}, ""),
            ([], {"n": 3}, "last"),
            (["3"], {}, ""),
        ]
        assert part.committed == ["1", "2", "3"]
        assert part.state is not None
        assert OpenWindow.load(part.state) == OpenWindow(
            Window(START + 60, START + 120), b'{"n": 1}'
        )


async def test_a_window_ends_when_its_time_has_passed_and_the_shard_has_no_more() -> None:
    """Not while its records may still arrive."""
    rig, part = make_rig(count, TumblingWindowInSeconds=60), FakePart()
    async with reading(rig, part):
        part.put(record(1, START))
        await rig.advance(0)
        part.put(until=START + 59)
        await rig.advance(120)
        assert len(shown(rig)) == 1
        part.put(until=START + 60)
        await rig.advance(0)
        assert shown(rig)[1:] == [([], {"n": 1}, "last")]
        assert part.state is None


async def test_records_that_come_late_are_in_the_window_that_is_open() -> None:
    """Arrival times do not grow strictly."""
    rig, part = make_rig(count, TumblingWindowInSeconds=60), FakePart()
    async with reading(rig, part):
        part.put(record(1, START + 60))
        await rig.advance(0)
        part.put(record(2, START + 59), until=START + 60)
        await rig.advance(0)
        assert shown(rig) == [(["1"], {}, ""), (["2"], {"n": 1}, "")]
        assert {event["window"]["start"] for event in rig.function.events} == {
            "2023-11-14T22:15:00Z"
        }


async def test_the_end_of_a_shard_ends_its_window() -> None:
    """Before the shard counts as read."""
    rig, part = make_rig(count, TumblingWindowInSeconds=60), FakePart()
    async with reading(rig, part) as ended:
        part.put(record(1, START))
        part.end()
        await rig.advance(0)
        assert shown(rig) == [(["1"], {}, ""), ([], {"n": 1}, "last")]
        assert ended == [True]


async def test_an_open_window_outlives_a_restart() -> None:
    """With its bounds, even if windows have another length by now."""
    rig, part = make_rig(count, TumblingWindowInSeconds=60), FakePart()
    async with reading(rig, part) as ended:
        part.put(record(1, START))
        await rig.advance(0)
    assert ended == [False]
    again, part = make_rig(count, TumblingWindowInSeconds=10), FakePart(part.state)
    async with reading(again, part):
        part.put(record(2, START + 30), record(3, START + 61))
        await again.advance(0)
        assert shown(again) == [
            (["2"], {"n": 1}, ""),
            ([], {"n": 2}, "last"),
            (["3"], {}, ""),
        ]


async def test_a_state_that_is_too_large_ends_its_window() -> None:
    """The last call receives it; later records begin again."""
    large = {"state": {"x": "x" * STATE_BYTES_MAX}}
    rig = make_rig(lambda event: large if event["Records"] else count(event))
    rig = make_rig(rig.function.act, TumblingWindowInSeconds=60, BatchSize=1)
    part = FakePart()
    async with reading(rig, part):
        part.put(record(1, START), record(2, START))
        with anyio.fail_after(30):
            while len(shown(rig)) < 4:  # noqa: ASYNC110 - a thread reads large responses
                await anyio.sleep(0.01)
        assert shown(rig) == [
            (["1"], {}, ""),
            ([], large["state"], "early"),
            (["2"], {}, ""),
            ([], large["state"], "early"),
        ]
        assert part.state is None


async def test_a_call_without_a_state_has_failed() -> None:
    """Of batches and of a window's end: they are retried, as often as allowed,
    with the state that there was."""
    answers: list[Any] = [{}, {"state": {"n": 7}}, None, {"state": 1}, FAILED, {"state": {}}]
    rig = make_rig(
        lambda _: answers.pop(0), TumblingWindowInSeconds=60, MaximumRetryAttempts=1, BatchSize=1
    )
    part = FakePart()
    async with reading(rig, part):
        part.put(record(1, START), until=START + 60)
        await rig.advance(10, 20)
        assert shown(rig) == [
            (["1"], {}, ""),
            (["1"], {}, ""),
            ([], {"n": 7}, "last"),
            ([], {"n": 7}, "last"),
        ]
        part.put(record(2, START + 60))
        await rig.advance(10, 20)
        assert shown(rig)[4:] == [(["2"], {}, ""), (["2"], {}, "")]
        assert answers == []


async def test_a_last_call_that_fails_suspends_the_shard() -> None:
    """Without a limit of retries, until it succeeds; throttles never count."""
    failing: Any = FAILED

    def act(event: Any) -> Any:
        return count(event) if event["Records"] or failing is None else failing

    rig, part = make_rig(act, TumblingWindowInSeconds=60), FakePart()
    async with reading(rig, part):
        part.put(record(1, START), record(2, START + 60))
        await rig.advance(100, 50)
        failing = THROTTLED
        await rig.advance(100, 50)
        assert len(shown(rig)) > 8
        assert part.committed == ["1"]
        assert set(map(str, shown(rig)[1:])) == {str(([], {"n": 1}, "last"))}
        failing = None
        await rig.advance(100, 50)
        assert shown(rig)[-1] == (["2"], {}, "")
        assert part.committed == ["1", "2"]


async def test_partial_failures_keep_the_state_of_what_was_done() -> None:
    """The rest of the batch is tried with it."""

    def act(event: Any) -> Any:
        failed = [record for record in event["Records"] if record["id"] == "2"]
        if failed and len(event["Records"]) > 1:
            return {"state": {"n": 1}, "batchItemFailures": [{"itemIdentifier": "2"}]}
        return count(event)

    rig = make_rig(
        act, TumblingWindowInSeconds=60, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    part = FakePart()
    async with reading(rig, part):
        part.put(record(1, START), record(2, START))
        await rig.advance(2, 4)
        assert shown(rig) == [(["1", "2"], {}, ""), (["2"], {"n": 1}, "")]


async def test_windows_end_when_later_records_are_filtered_out() -> None:
    """Records that are filtered out advance the time, too; committing them keeps the state."""
    rig = make_rig(
        count,
        TumblingWindowInSeconds=60,
        FilterCriteria={"Filters": [{"Pattern": '{"data": {"wanted": [true]}}'}]},
    )
    part = FakePart()
    async with reading(rig, part):
        part.put(record(1, START, key='{"wanted":true}'))
        await rig.advance(0)
        kept = part.state
        part.put(record(2, START + 30, key="{}"))
        await rig.advance(0)
        assert (part.committed, part.state) == (["1", "2"], kept)
        part.put(record(3, START + 60, key="{}"))
        await rig.advance(0)
        assert shown(rig) == [(["1"], {}, ""), ([], {"n": 1}, "last")]
        assert part.state is None
