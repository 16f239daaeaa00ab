"""What is requested from a broker, and what happens to it, in virtual time."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping, MappingState
from lambent.model.sources.mq import MQ
from lambent.polling.buffer import Buffer
from lambent.polling.delivered_queue import DeliveredQueue
from lambent.polling.ports import EVENT_BYTES_MAX, Envelope, PartLost, Record, SourceError
from lambent.polling.retries import EXPIRED, BatchAttempts, BatchDone, BatchFailed, Discard

pytestmark = pytest.mark.anyio
MAPPING = EventSourceMapping(
    uuid="00000000-0000-4000-8000-000000000000",
    scope=Scope("111111111111", "us-east-1"),
    kind=MQ,
    source_id="arn:aws:mq:us-east-1:111111111111:broker:b:b-1",
    function_arn="arn:aws:lambda:us-east-1:111111111111:function:f",
    function_name="f",
    state=MappingState.ENABLED,
    state_reason="",
    last_modified=0.0,
    configuration={"Queues": ["q"]},
)


class Broker(DeliveredQueue):
    """Records requests and notifications."""

    def __init__(self, batch_size: int) -> None:
        self.clock = ManualClock()
        self.counts: dict[str, int] = {}
        polled: Any = SimpleNamespace(
            options=SimpleNamespace(batch_size=batch_size),
            clock=self.clock,
            status=SimpleNamespace(count=self.counts.__setitem__),
            mapping=SimpleNamespace(uuid="u"),
        )
        super().__init__(polled, "q", Envelope(b"[", b"]}"))
        self.asked: list[int] = []
        self.acknowledged: list[str] = []

    async def ask(self, number: int) -> None:
        self.asked.append(number)

    async def acknowledge(self, records: Sequence[Record]) -> None:
        self.acknowledged += [record.id for record in records]

    async def release(self, kept: Sequence[Record]) -> None:
        """Not called here."""

    def deliver(self, number: int, size: int = 10) -> list[Record]:
        """So many more."""
        records = [record(f"{at}", size) for at in range(number)]
        assert all(self.add(record) for record in records)
        return records

    async def read_nothing(self) -> None:
        """One read, which returns nothing."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.read)
            await anyio.wait_all_tasks_blocked()
            self.clock.advance(1)


def record(name: str = "r", size: int = 10, expires_at: float | None = None) -> Record:
    """One with a document of that size."""
    return Record(id=name, document=b"x" * size, raw=name, arrived_at=0.0, expires_at=expires_at)


async def test_small_messages_are_asked_for_by_the_batch() -> None:
    """Larger and larger requests, once everything requested has arrived, up to a batch."""
    broker = Broker(2000)
    await broker.open()
    for number in (100, 300, 1200, 400):
        assert broker.asked[-1] == number
        broker.deliver(number - 1)
        assert len(await broker.read()) == number - 1
        await broker.read_nothing()
        assert broker.asked[-1] == number
        broker.deliver(1)
        assert len(await broker.read()) == 1
        await broker.read_nothing()
    assert broker.asked == [100, 300, 1200, 400]


async def test_large_messages_are_not() -> None:
    """No more than fit into an event."""
    broker = Broker(2000)
    await broker.open()
    broker.deliver(100, EVENT_BYTES_MAX // 150)
    await broker.read()
    await broker.read_nothing()
    assert broker.asked == [100, 50]


async def test_small_batches() -> None:
    """Nothing is requested beyond a batch."""
    broker = Broker(2)
    await broker.open()
    first, second = broker.deliver(2)
    assert await broker.read() == [first, second]
    await broker.read_nothing()
    assert broker.asked == [2]
    assert broker.others([first]) == [second]
    await broker.commit(second)
    assert broker.acknowledged == ["0", "1"]
    assert broker.others([]) == []


async def test_too_large_for_an_event() -> None:
    """It is counted, and not kept."""
    broker = Broker(2)
    assert not broker.add(record(size=EVENT_BYTES_MAX))
    assert broker.counts == {"DroppedEventCount": 1}
    assert broker.others([]) == []


async def test_the_end_of_a_connection() -> None:
    """Received messages are not processed any more, because other consumers may have them; the
    first reason is kept."""
    broker = Broker(2)
    (record,) = broker.deliver(1)
    broker.end(SourceError("PROBLEM: first"))
    broker.end(SourceError("PROBLEM: second"))
    with pytest.raises(PartLost):
        await broker.read()
    with pytest.raises(PartLost):
        await broker.commit(record)
    assert broker.acknowledged == []
    assert broker.failure is not None
    assert broker.failure.result == "PROBLEM: first"


async def test_windows_that_begin_with_a_record() -> None:
    """However long nothing came before; what came between two reads has already waited."""
    clock = ManualClock()
    buffer = Buffer(clock, count_max=10, bytes_max=1000)
    taken: list[int] = []

    async def take() -> None:
        records = await buffer.take(count=3, bytes_max=1000, since=None, window_s=5)
        taken.append(len(records))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.wait_all_tasks_blocked()
        clock.advance(7)
        await buffer.put([record()])
        await anyio.wait_all_tasks_blocked()
        clock.advance(4)
        await buffer.put([record()])
        await anyio.wait_all_tasks_blocked()
        assert taken == []
        clock.advance(1)
    await buffer.put([record()])
    clock.advance(6)
    await take()
    assert taken == [2, 1]


def test_messages_expire_one_by_one() -> None:
    """Wherever in a batch they are, before each attempt; the rest is tried on."""
    records = [record("a"), record("b", expires_at=10.0), record("c"), record("d", expires_at=5.0)]
    work = BatchAttempts(records, MAPPING.options, bytes_max=1000)
    first = work.next(0.0)
    assert not isinstance(first, Discard)
    assert first is not None
    assert first.records == records
    assert work.note(BatchFailed())
    second = work.next(5.0)
    assert isinstance(second, Discard)
    assert (second.condition, second.chunk.records) == (EXPIRED, [records[3]])
    third = work.next(9.0)
    assert third is not None
    assert [record.id for record in getattr(third, "records", [])] == ["a", "b", "c"]
    work.note(BatchFailed())
    fourth = work.next(10.0)
    assert isinstance(fourth, Discard)
    assert fourth.chunk.records == [records[1]]
    work.next(10.0)
    work.note(BatchDone())
    assert work.next(11.0) is None
