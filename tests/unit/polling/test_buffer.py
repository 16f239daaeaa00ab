"""Records between reader and function, in a time of the test's own."""

from typing import Any

import anyio
import pytest

from lambent.kit.clock import ManualClock
from lambent.polling.buffer import Buffer
from lambent.polling.ports import Record
from tests.unit.polling.rig import ids, record

pytestmark = pytest.mark.anyio


class Line:
    """A buffer whose taker takes one batch after the other."""

    def __init__(self, **taking: Any) -> None:
        self.clock = ManualClock()
        self.buffer = Buffer(
            self.clock, count_max=4, bytes_max=10_000, kind_of=taking.pop("kind_of", None)
        )
        self.taking = {"count": 3, "bytes_max": 5_000, "window_s": 0.0, **taking}
        self.taken: list[list[str]] = []
        self.has_ended = False

    async def run(self) -> None:
        """Until the buffer is closed."""
        since = self.clock.monotonic()
        while records := await self.buffer.take(since=since, **self.taking):
            self.taken.append(list(ids(records)))
            since = self.clock.monotonic()
        self.has_ended = True

    async def put(self, *records: Record) -> None:
        """And let the consumer run."""
        await self.buffer.put(records)
        await anyio.wait_all_tasks_blocked()

    async def advance(self, seconds: float) -> None:
        """And let the consumer run."""
        await anyio.wait_all_tasks_blocked()
        self.clock.advance(seconds)
        await anyio.wait_all_tasks_blocked()


async def test_without_a_window_what_is_there_is_taken() -> None:
    """At once, but at most a full batch."""
    line = Line()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(line.run)
        await line.put(record(1), record(2))
        assert line.taken == [["1", "2"]]
        await line.put(*map(record, range(3, 8)))
        assert line.taken[1:] == [["3", "4", "5"], ["6", "7"]]
        line.buffer.close(discard=False)
    assert line.has_ended


async def test_a_window_gathers() -> None:
    """Until it ends, or there are enough; windows follow each other."""
    line = Line(window_s=10.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(line.run)
        await line.put(record(1))
        await line.advance(6)
        await line.put(record(2))
        assert line.taken == []
        await line.advance(4)
        assert line.taken == [["1", "2"]]
        await line.put(*map(record, range(3, 6)))
        assert line.taken[1:] == [["3", "4", "5"]]
        # Nothing for two windows and a half: the third one has begun already.
        await line.advance(25)
        await line.put(record(6))
        assert line.taken[2:] == []
        await line.advance(5)
        assert line.taken[2:] == [["6"]]
        line.buffer.close(discard=False)


async def test_a_batch_has_bounds_in_bytes() -> None:
    """But always a record, however large."""
    line = Line()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(line.run)
        await line.put(record(1, size=3_000), record(2, size=3_000), record(3, size=6_000))
        assert line.taken == [["1"], ["2"], ["3"]]
        line.buffer.close(discard=False)


async def test_a_batch_is_of_one_kind() -> None:
    """A record of another kind ends it before its window does."""
    line = Line(window_s=10.0, kind_of=lambda record: record.key)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(line.run)
        await line.put(record(1, key="a"), record(2, key="a"))
        assert line.taken == []
        await line.put(record(3, key="b"))
        assert line.taken == [["1", "2"]]
        await line.advance(10)
        assert line.taken[1:] == [["3"]]
        line.buffer.close(discard=False)


async def test_a_full_buffer_holds_the_reader_back() -> None:
    """Until something is taken."""
    clock = ManualClock()
    buffer = Buffer(clock, count_max=2, bytes_max=10_000)
    has_put = False

    async def put() -> None:
        nonlocal has_put
        await buffer.put([record(3)])
        has_put = True

    await buffer.put([record(1), record(2)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(put)
        await anyio.wait_all_tasks_blocked()
        assert not has_put
        taken = await buffer.take(count=1, bytes_max=5_000, since=0.0, window_s=0.0)
        assert ids(taken) == ["1"]
        await anyio.wait_all_tasks_blocked()
        assert has_put


async def test_a_closed_buffer_is_emptied_or_not() -> None:
    """As the caller of `close` chooses."""
    for discard, left in ((False, ["1"]), (True, [])):
        buffer = Buffer(ManualClock(), count_max=2, bytes_max=10_000)
        await buffer.put([record(1)])
        buffer.close(discard=discard)
        assert ids(await buffer.take(count=3, bytes_max=5_000, since=0.0, window_s=60.0)) == left
