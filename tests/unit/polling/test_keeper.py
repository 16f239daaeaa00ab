"""A mapping's life: what its keeper makes of what the store says."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping, MappingState
from lambent.model.sources.sqs import SQS
from lambent.model.sources.streams import KINESIS
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.mapping_supervisor import MappingSupervisor, PollingContext
from lambent.polling.ports import SourceError
from lambent.polling.settings import PollingSettings
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store
from lambent.telemetry.metrics import Metrics
from tests.authorizers import unchecked_roles

pytestmark = pytest.mark.anyio
UUID = "00000000-0000-4000-8000-000000000000"
AT = "us-east-1:111111111111"
MAPPING = EventSourceMapping(
    uuid=UUID,
    scope=Scope("111111111111", "us-east-1"),
    kind=KINESIS,
    source_id=f"arn:aws:kinesis:{AT}:stream/s",
    function_arn=f"arn:aws:lambda:{AT}:function:f",
    function_name="f",
    state=MappingState.CREATING,
    state_reason="User action",
    last_modified=0.0,
    configuration=KINESIS.defaults,
)
nothing: Any = None


class Room:
    """A supervisor whose sources only say that they are read."""

    def __init__(self, store: Store, tasks: anyio.abc.TaskGroup) -> None:
        self.store = store
        self.clock = ManualClock()
        self.reading: list[ActiveMapping] = []
        """What is read now."""
        self.failures: list[SourceError] = []
        """What reading ends with, the first first."""
        self.batch = anyio.Event()
        """Ends a batch in progress."""
        self.has_batch = False
        around = PollingContext(
            store=store,
            membership=None,
            invoker=Invoker(
                Admission(InvocationSettings()), Catalog(store.route), nothing, nothing
            ),
            aws=nothing,
            roles=unchecked_roles(),
            keep=nothing,
            settle_logs=anyio.lowlevel.checkpoint,
            metrics=Metrics(),
            clock=self.clock,
            settings=PollingSettings(),
        )
        self.supervisor = MappingSupervisor(around, self._read, tasks)

    async def _read(self, polled: ActiveMapping) -> None:
        self.reading.append(polled)
        try:
            if self.failures:
                raise self.failures.pop(0)
            polled.status.note_call(has_failed=False)
            if self.has_batch:
                with polled.stop.under_way():
                    await self.batch.wait()
            with polled.stop.interrupts():
                await anyio.sleep_forever()
        finally:
            self.reading.remove(polled)

    async def put(self, **changes: Any) -> None:
        """Write the mapping, as the API would."""
        mapping = await self.find() or MAPPING
        changed = dataclasses.replace(mapping, **changes)
        await self.store.transact(lambda tx: tx.mappings.put(changed))

    async def find(self) -> EventSourceMapping | None:
        return await self.store.transact(lambda tx: tx.mappings.find(UUID))

    async def wait_state(self, state: MappingState | None) -> None:
        """Wait until the store has this state; None: until the mapping is gone."""
        with anyio.fail_after(5):
            while True:
                found = await self.find()
                if (found and found.state) == state:
                    return
                await anyio.sleep(0.001)

    async def settle(self) -> None:
        """Wait until every task waits."""
        for _ in range(20):
            await anyio.wait_all_tasks_blocked()
            await self.find()


@pytest.fixture
async def room(tmp_path: Path, anyio_backend: object) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def open_room(data: Path) -> AsyncIterator[Room]:
    async with (
        open_store(StoreSettings(synchronous="OFF"), data) as store,
        anyio.create_task_group() as tasks,
    ):
        room = Room(store, tasks)
        await room.supervisor.open()
        yield room
        tasks.cancel_scope.cancel()


async def test_the_walk_through_the_states(room: Room) -> None:
    """Each passes into the one it leads to, and reading goes with them."""
    await room.put()
    await room.wait_state(MappingState.ENABLED)
    assert len(room.reading) == 1
    await room.put(state=MappingState.DISABLING)
    await room.wait_state(MappingState.DISABLED)
    assert not room.reading
    await room.put(state=MappingState.ENABLING)
    await room.wait_state(MappingState.ENABLED)
    await room.settle()
    assert len(room.reading) == 1
    await room.put(state=MappingState.DELETING)
    await room.wait_state(None)
    assert not room.reading
    assert not room.supervisor.statuses()


async def test_changes_are_read_with_at_once(room: Room) -> None:
    """A changed configuration is another reading; what does not change how it is read is not."""
    await room.put()
    await room.wait_state(MappingState.ENABLED)
    await room.settle()
    (first,) = room.reading
    await room.put(last_result="OK")
    await room.settle()
    assert room.reading == [first]
    configuration = {**MAPPING.configuration, "BatchSize": 7}
    await room.put(state=MappingState.UPDATING, configuration=configuration)
    await room.wait_state(MappingState.ENABLED)
    await room.settle()
    (second,) = room.reading
    assert second.options.batch_size == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "settled"),
    [
        (MappingState.DISABLING, MappingState.DISABLED),
        (MappingState.UPDATING, MappingState.ENABLED),
        (MappingState.DELETING, None),
    ],
)
async def test_a_state_is_not_reported_before_reading_has_ended(
    state: MappingState, settled: MappingState | None, room: Room
) -> None:
    """However long the work in progress takes. A stream is not read again before that, either."""
    room.has_batch = True
    await room.put()
    await room.wait_state(MappingState.ENABLED)
    (first,) = room.reading
    configuration = {**MAPPING.configuration, "BatchSize": 7}
    await room.put(state=state, configuration=configuration)
    await room.settle()
    room.clock.advance(1000)
    await room.settle()
    found = await room.find()
    assert found is not None
    assert found.state is state
    assert room.reading == [first]
    assert first.stop.is_set
    room.has_batch = False
    room.batch.set()
    await room.wait_state(settled)
    await room.settle()
    assert first not in room.reading
    assert len(room.reading) == (1 if settled is MappingState.ENABLED else 0)


async def test_queues_are_read_on_while_the_old_reader_ends(room: Room) -> None:
    """They have no order to keep; the state is reported once only the new one reads."""
    room.has_batch = True
    await room.put(kind=SQS, configuration=SQS.defaults)
    await room.wait_state(MappingState.ENABLED)
    configuration = {**SQS.defaults, "BatchSize": 7}
    await room.put(state=MappingState.UPDATING, configuration=configuration)
    await room.settle()
    assert [mapping.options.batch_size for mapping in room.reading] == [10, 7]
    found = await room.find()
    assert found is not None
    assert found.state is MappingState.UPDATING
    room.has_batch = False
    room.batch.set()
    await room.wait_state(MappingState.ENABLED)
    assert [mapping.options.batch_size for mapping in room.reading] == [7]


async def test_a_source_that_fails_is_retried(room: Room) -> None:
    """Ever more slowly; what is wrong is written down, and that it is over."""
    error = SourceError("PROBLEM: SASL authentication failed", reason="EVENT_SOURCE_AUTHN_ERROR")
    room.failures = [error, error]
    await room.put()
    await room.wait_state(MappingState.ENABLED)
    await room.settle()
    room.clock.advance(0.5)
    await room.settle()
    found = await room.find()
    assert found is not None
    assert found.last_result == "PROBLEM: SASL authentication failed"
    assert found.state_reason == "EVENT_SOURCE_AUTHN_ERROR"
    assert found.state is MappingState.ENABLED
    for seconds in (0.5, 2):
        assert not room.reading
        room.clock.advance(seconds)
        await room.settle()
    assert len(room.reading) == 1
    room.clock.advance(0.5)
    await room.settle()
    found = await room.find()
    assert found is not None
    assert (found.last_result, found.state_reason) == ("OK", "User action")


async def test_a_restart_takes_up_what_there_is(tmp_path: Path, anyio_backend: object) -> None:
    """Enabled mappings are read, states that pass are concluded."""
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as store:
        await store.transact(lambda tx: tx.mappings.put(MAPPING))
        other = dataclasses.replace(
            MAPPING, uuid=UUID.replace("8", "9"), state=MappingState.DELETING
        )
        await store.transact(lambda tx: tx.mappings.put(other))
    async with open_room(tmp_path) as room:
        await room.wait_state(MappingState.ENABLED)
        await room.settle()
        assert len(room.reading) == 1
        left = await room.store.transact(lambda tx: tx.mappings.everywhere())
        assert [mapping.uuid for mapping in left] == [UUID]


async def test_closing_stops_all(room: Room) -> None:
    """Without waiting longer than the grace."""
    room.has_batch = True
    await room.put()
    await room.wait_state(MappingState.ENABLED)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(room.supervisor.close)
        await room.settle()
        room.clock.advance(5)
    assert room.reading[0].stop.is_set
