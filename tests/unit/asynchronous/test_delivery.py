"""Delivery of events, with a clock that only the test moves."""

import dataclasses
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.asynchronous.destination_dispatcher import DestinationDispatcher
from lambent.asynchronous.destinations import DeliveryFailed
from lambent.asynchronous.dispatcher import Dispatcher
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.queue import ROW_BYTES_MAX, AsyncQueue, new_ids
from lambent.asynchronous.retries import Done, Retry, RetryPolicy, after_attempt, policy_for
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.invocation.admission import Admission
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.kit.clock import ManualClock
from lambent.model.alias import Route
from lambent.model.async_event import AsyncEvent
from lambent.model.concurrency import throttled
from lambent.model.delivery import Delivery, DeliveryKind
from lambent.model.errors import ApiError, FunctionNotFound, conflict
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import (
    NOT_RUN,
    FunctionFailed,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    Reply,
    Succeeded,
    TimedOut,
)
from lambent.model.traces import LOOPS_MAX, extend_lineage
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.function_settings import Kind
from lambent.store.problems import StoreUnavailable
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from lambent.telemetry.metrics import Metrics
from tests.factories import function_version

KEY = FunctionKey("111111111111", "us-east-1", "f")
SETTINGS = AsynchronousSettings(in_flight_max=4, kept_at_once_max=100)
FAILED = FunctionFailed(b"{}", "Error")
THROTTLED = throttled()
SWITCHED_OFF = throttled(reason=Refusal.SWITCHED_OFF)


def version(dead_letter_target: str | None = None) -> FunctionVersion:
    return function_version(key=KEY, role="r", dead_letter_target=dead_letter_target)


class FakeInvoker(Invoker):
    """Ends each invocation as the test says, or holds it until then. Its own catalog and node."""

    def __init__(self) -> None:
        me: Any = self
        super().__init__(Admission(InvocationSettings()), me, me, ManualClock())
        self.outcomes: list[Outcome] = []
        self.attempts: list[InvocationRequest] = []
        self.replies: list[Reply] = []
        self.error: ApiError | None = None
        self.version = version()

    async def get(self, key: FunctionKey, qualifier: str | None) -> Route | None:
        """As `Catalog`."""
        if self.error is not None:
            raise self.error
        return Route(self.version)

    def get_nowait(self, key: FunctionKey, qualifier: str | None) -> Route | None:
        """As `Catalog`."""
        return None if self.error is not None else Route(self.version)

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        """As `Scheduler`."""
        self.attempts.append(request)
        self.replies.append(reply)
        if self.outcomes:
            reply.finish(self.outcomes.pop(0), NOT_RUN)


class Elsewhere:
    """Destinations that accept what the test allows."""

    def __init__(self) -> None:
        self.sent: list[Delivery] = []
        self.failures: list[DeliveryFailed] = []

    async def send(self, delivery: Delivery) -> None:
        self.sent.append(delivery)
        if self.failures:
            raise self.failures.pop(0)


class Room:
    """All of the room, on a database."""

    def __init__(self, store: Store, payloads: Path, tasks: anyio.abc.TaskGroup) -> None:
        self.store = store
        self.clock = ManualClock()
        self.invoker = FakeInvoker()
        self.elsewhere = Elsewhere()
        self.payloads = DirectoryBlobs(payloads)
        elsewhere: Any = self.elsewhere
        self.group_commit = GroupCommit(store, self.clock, self.flush_logs)
        ids = new_ids(time.time(), store.starts)
        self.metrics = Metrics()
        self.destination_dispatcher = DestinationDispatcher(
            *(store, self.group_commit, elsewhere, SETTINGS, self.clock, tasks),
            ids=ids,
            metrics=self.metrics,
        )
        self.dispatcher = Dispatcher(
            *(store, self.group_commit, self.invoker, self.payloads, SETTINGS, self.clock, tasks),
            ids=ids,
            metrics=self.metrics,
            on_deliveries=self.destination_dispatcher.note_new,
        )
        self.queue = AsyncQueue(
            *(self.group_commit, self.dispatcher, self.payloads, SETTINGS, self.clock, tasks),
            ids=ids,
            metrics=self.metrics,
        )
        self._tasks = tasks
        self.flushes: list[int] = []
        """How many events were on disk whenever logs were written."""

    async def flush_logs(self) -> None:
        self.flushes.append(await self.left())

    async def start(self) -> None:
        """Begin to work."""
        await self.dispatcher.recover()
        await self.destination_dispatcher.recover()
        self._tasks.start_soon(
            self.group_commit.run, self.queue, self.dispatcher, self.destination_dispatcher
        )
        self._tasks.start_soon(self.dispatcher.run)
        self._tasks.start_soon(self.destination_dispatcher.run)

    async def offer(self, number: int = 0, payload: bytes = b"{}", name: str = "f") -> None:
        """An event; returns when it is kept."""
        kept = anyio.Event()

        def on_kept(failure: Exception | None) -> None:
            assert failure is None
            kept.set()

        self.hand_in(number, on_kept, payload, name)
        with anyio.fail_after(10):
            await kept.wait()

    def hand_in(
        self,
        number: int,
        on_kept: Callable[[Exception | None], None],
        payload: bytes = b"{}",
        name: str = "f",
    ) -> None:
        """An event, without waiting."""
        self.queue.offer(
            KEY._replace(name=name),
            None,
            payload,
            request_id=f"00000000-0000-4000-8000-{number:012}",
            trace_id="t",
            on_kept=on_kept,
        )

    async def until(self, condition: Callable[[], Any]) -> None:
        """Let all tasks work until the condition holds."""
        with anyio.fail_after(10):
            while not condition():  # noqa: ASYNC110 - conditions of any kind have no event
                await anyio.sleep(0.001)

    async def left(self) -> int:
        """How many events and deliveries are on disk."""
        return await self.store.transact(lambda tx: tx.async_events.count() + tx.deliveries.count())

    async def settle(self, count: int) -> None:
        """Wait until so many events are left."""
        with anyio.fail_after(10):
            while await self.left() != count:  # noqa: ASYNC110 - nor has a database
                await anyio.sleep(0.001)

    async def wait_for_attempt(self, number: int, after_s: float) -> None:
        """The next attempt is made after so much time, and not before."""
        made = len(self.invoker.attempts)
        await self.quiet()
        self.clock.advance(after_s - 0.5)
        await self.quiet()
        assert len(self.invoker.attempts) == made
        self.clock.advance(1.0)
        await self.until(lambda: len(self.invoker.attempts) == number)

    async def quiet(self) -> None:
        """Run everything that needs no time: transactions wait for each other, so earlier ones are
        done when ours are."""
        for _ in range(10):
            await anyio.sleep(0.001)
            await self.store.transact(lambda _tx: None)


@pytest.fixture
async def room(
    tmp_path: Path, anyio_backend: object, migrated: Callable[..., StoreSettings]
) -> AsyncIterator[Room]:
    """One that runs, with a function."""
    async with open_store(migrated(synchronous="OFF"), tmp_path) as store:
        await store.transact(lambda tx: tx.functions.create(version()))
        async with anyio.create_task_group() as tasks:
            room = Room(store, tmp_path / "payloads", tasks)
            await room.start()
            yield room
            tasks.cancel_scope.cancel()


pytestmark = pytest.mark.anyio


async def test_delivered_events_are_forgotten(room: Room) -> None:
    """Each is delivered once, under its own id."""
    room.invoker.outcomes = [Succeeded(b"1")] * 20
    for number in range(20):
        await room.offer(number)
    await room.settle(0)
    assert len({attempt.request_id for attempt in room.invoker.attempts}) == 20


async def test_failures_are_tried_twice_more(room: Room) -> None:
    """After one minute, then after two, under the same id; then the event is dropped."""
    room.invoker.outcomes = [FAILED, TimedOut(b"{}"), FAILED]
    await room.offer()
    await room.until(lambda: len(room.invoker.attempts) == 1)
    await room.wait_for_attempt(2, 60)
    assert await room.left() == 1
    await room.wait_for_attempt(3, 120)
    await room.settle(0)
    assert len({attempt.request_id for attempt in room.invoker.attempts}) == 1


async def test_throttles_cost_no_retry(room: Room) -> None:
    """They are tried after 1, 2, 4 … seconds; the function's own retries are still there."""
    room.invoker.outcomes = [THROTTLED, THROTTLED, THROTTLED, FAILED, Succeeded(b"1")]
    await room.offer()
    await room.until(lambda: len(room.invoker.attempts) == 1)
    for number, delay_s in ((2, 1), (3, 2), (4, 4)):
        await room.wait_for_attempt(number, delay_s)
    await room.wait_for_attempt(5, 60)
    await room.settle(0)


@pytest.mark.parametrize(("age_max_s", "attempts"), [(60, 1), (61, 2)])
async def test_old_events_are_dropped(room: Room, age_max_s: int, attempts: int) -> None:
    """As soon as it is certain that the next attempt would come too late. The record contains the
    last attempt's result."""
    config = {
        "MaximumEventAgeInSeconds": age_max_s,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:r:1:q"}},
        "LastModified": 0.0,
    }
    await room.store.transact(lambda tx: tx.settings.put(Kind.EVENT_INVOKE, KEY, config))
    room.invoker.outcomes = [FAILED, FAILED]
    await room.offer(1)
    await room.until(lambda: len(room.invoker.attempts) == 1)
    if attempts == 2:
        await room.wait_for_attempt(2, 60)
    await room.settle(0)
    assert len(room.invoker.attempts) == attempts
    record = json.loads(room.elsewhere.sent[0].body)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == attempts
    assert record["responseContext"]["functionError"] == "Unhandled"


async def test_events_grow_old_while_they_wait(room: Room) -> None:
    """Throttled for longer than they may wait: the dead-letter queue gets them."""
    room.invoker.version = version("arn:aws:sqs:us-east-1:1:q")
    await room.store.transact(lambda tx: tx.functions.delete(KEY))
    await room.store.transact(lambda tx: tx.functions.create(room.invoker.version))
    room.invoker.outcomes = [THROTTLED] * 1000
    await room.offer(1, b'{"a": 1}')
    await room.offer(2, b'{"a": 2}')
    for _ in range(80):
        await room.quiet()
        room.clock.advance(300)
    await room.until(lambda: len(room.elsewhere.sent) == 2)
    await room.settle(0)
    assert {message.body for message in room.elsewhere.sent} == {b'{"a": 1}', b'{"a": 2}'}
    assert len(room.invoker.attempts) == 6 * 3600 / 300


async def test_no_retries_if_none_are_wanted(room: Room) -> None:
    """MaximumRetryAttempts 0."""
    await room.store.transact(
        lambda tx: tx.settings.put(
            Kind.EVENT_INVOKE, KEY, {"MaximumRetryAttempts": 0, "LastModified": 0.0}
        )
    )
    room.invoker.outcomes = [FAILED]
    await room.offer()
    await room.settle(0)
    assert len(room.invoker.attempts) == 1


async def test_destinations_get_what_is_theirs(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one that is down for hours; what cannot be delivered is given up, finally, and the log
    says what that was about."""
    config = {
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:r:1:q"}},
        "LastModified": 0.0,
    }
    await room.store.transact(lambda tx: tx.settings.put(Kind.EVENT_INVOKE, KEY, config))
    room.invoker.outcomes = [FAILED, FAILED, FAILED]
    room.elsewhere.failures = [DeliveryFailed("down")] * 3
    await room.offer(1)
    for number, delay_s in ((1, 0), (2, 1), (3, 2), (4, 4)):
        await room.quiet()
        room.clock.advance(delay_s)
        await room.until(lambda number=number: len(room.elsewhere.sent) == number)
    await room.settle(0)
    assert len({message.body for message in room.elsewhere.sent}) == 1
    record = json.loads(room.elsewhere.sent[0].body)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    room.elsewhere.failures = [DeliveryFailed("no such queue", is_permanent=True)]

    def warnings() -> list[str]:
        return [message for message in caplog.messages if "deliver the" in message]

    assert not warnings()
    await room.offer(2)
    await room.until(lambda: len(room.elsewhere.sent) == 5)
    await room.settle(0)
    (message,) = warnings()
    request_id = json.loads(room.elsewhere.sent[4].body)["requestContext"]["requestId"]
    assert "cannot deliver" in message
    assert "no such queue" in message
    assert request_id in message
    assert "requestPayload" not in message
    caplog.clear()
    room.elsewhere.failures = [DeliveryFailed("down")] * 1000
    await room.offer(3)
    for _ in range(100):
        await room.quiet()
        room.clock.advance(300)
    await room.settle(0)
    assert 70 < len(room.elsewhere.sent) < 90
    assert ["yet" in warning for warning in warnings()] == [True, False]


async def test_large_payloads_lie_beside(room: Room) -> None:
    """They are read back complete, for retries as well, and deleted with the event."""
    payload = json.dumps("x" * ROW_BYTES_MAX).encode()
    room.invoker.outcomes = [FAILED, Succeeded(b"1")]
    await room.offer(1, payload)
    await room.until(lambda: len(room.invoker.attempts) == 1)
    assert len(list(room.payloads.list_keys())) == 1
    await room.wait_for_attempt(2, 60)
    await room.settle(0)
    assert [attempt.event for attempt in room.invoker.attempts] == [payload, payload]
    await room.until(lambda: not list(room.payloads.list_keys()))


async def test_payloads_without_a_row_are_forgotten(tmp_path: Path, anyio_backend: object) -> None:
    """A platform that was killed between the two has left one."""
    async with (
        open_store(StoreSettings(synchronous="OFF"), tmp_path) as store,
        anyio.create_task_group() as tasks,
    ):
        room = Room(store, tmp_path / "payloads", tasks)
        room.payloads.put("17", b"left")
        await room.start()
        assert not room.payloads.exists("17")
        tasks.cancel_scope.cancel()


async def test_a_function_that_is_switched_off(room: Room) -> None:
    """Reserved concurrency 0: no retries, the record is sent at once. It contains no response."""
    room.invoker.version = version("arn:aws:sqs:us-east-1:1:q")
    config = {
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:r:1:t"}},
        "LastModified": 0.0,
    }
    await room.store.transact(lambda tx: tx.settings.put(Kind.EVENT_INVOKE, KEY, config))
    room.invoker.outcomes = [SWITCHED_OFF]
    await room.offer(1, b'{"a": 1}')
    await room.until(lambda: len(room.elsewhere.sent) == 2)
    await room.settle(0)
    sent = {message.kind: message for message in room.elsewhere.sent}
    assert sent[DeliveryKind.DEAD_LETTER].body == b'{"a": 1}'
    assert sent[DeliveryKind.DEAD_LETTER].attributes["ErrorCode"] == "429"
    record = json.loads(sent[DeliveryKind.ON_FAILURE].body)
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == {"a": 1}
    assert not record.keys() & {"responseContext", "responsePayload"}
    assert len(room.invoker.attempts) == 1


async def test_a_loop_ends(room: Room) -> None:
    """The chain in the trace header says that the function has been there 16 times."""
    room.invoker.version = version("arn:aws:sqs:us-east-1:1:q")
    header = "Root=1-0-0"
    for _ in range(LOOPS_MAX):
        header, _ = extend_lineage(header, KEY.arn)
    room.queue.offer(
        KEY, None, b"{}", request_id="r", trace_id=header, on_kept=lambda _failure: None
    )
    await room.until(lambda: room.elsewhere.sent)
    await room.settle(0)
    assert not room.invoker.attempts
    assert room.elsewhere.sent[0].attributes["ErrorCode"] == "400"
    names = {name for sums in room.metrics.sums(KEY.account) for name in sums.values}
    assert "RecursiveInvocationsDropped" in names


async def test_a_flood_delays_no_other_function(room: Room) -> None:
    """The maximum is in progress and thousands wait: another function's event begins at once."""
    for number in range(300):
        room.hand_in(number, lambda _failure: None)
        if number % 50 == 0:
            await room.quiet()
    await room.until(lambda: len(room.invoker.attempts) == SETTINGS.in_flight_max)
    await room.offer(1000, name="other")
    await room.until(lambda: len(room.invoker.attempts) == SETTINGS.in_flight_max + 1)
    assert room.invoker.attempts[-1].request_id.endswith("001000")


async def test_missing_and_unready_functions(room: Room) -> None:
    """A deleted function's events are dropped, one that is being made is waited for."""
    room.invoker.error = FunctionNotFound("gone")
    await room.offer(1)
    await room.settle(0)
    room.invoker.error = conflict("Pending")
    await room.offer(2)
    await room.quiet()
    room.invoker.error = None
    room.invoker.outcomes = [Succeeded(b"1")]
    room.clock.advance(1.5)
    await room.settle(0)


async def test_only_so_many_at_once(room: Room) -> None:
    """The others wait until one has ended."""
    for number in range(10):
        await room.offer(number)
    await room.until(lambda: len(room.invoker.attempts) == SETTINGS.in_flight_max)
    await room.quiet()
    assert len(room.invoker.attempts) == SETTINGS.in_flight_max
    ended = 0
    while ended < 10:
        await room.until(lambda ended=ended: len(room.invoker.attempts) > ended)
        room.invoker.replies[ended].finish(Succeeded(b"1"), NOT_RUN)
        ended += 1
    await room.settle(0)


async def test_too_many_that_wait_to_be_kept(tmp_path: Path, anyio_backend: object) -> None:
    """Are throttled, since nothing keeps them."""
    async with (
        open_store(StoreSettings(synchronous="OFF"), tmp_path) as store,
        anyio.create_task_group() as tasks,
    ):
        room = Room(store, tmp_path / "payloads", tasks)
        for number in range(SETTINGS.kept_at_once_max):
            room.hand_in(number, lambda _failure: None)
        with pytest.raises(ApiError) as caught:
            room.hand_in(1000, lambda _failure: None)
        assert caught.value.status == 429


async def test_what_cannot_be_written_is_said_and_written_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers get an error for their event; results of attempts are kept."""
    room.invoker.outcomes = [Succeeded(b"1")]
    transact = room.store.transact

    async def fail(work: Any) -> Any:
        raise OSError("the disk is full")

    await room.offer(1)
    monkeypatch.setattr(room.store, "transact", fail)
    failures: list[Exception | None] = []
    room.hand_in(2, failures.append)
    await room.until(lambda: failures)
    assert isinstance(failures[0], OSError)
    monkeypatch.setattr(room.store, "transact", transact)
    room.clock.advance(2)
    await room.settle(0)
    assert len(room.invoker.attempts) == 1


@asynccontextmanager
async def life(settings: StoreSettings, data: Path) -> AsyncIterator[Room]:
    """A room of the platform with this data directory, until it dies."""
    async with open_store(settings, data) as store, anyio.create_task_group() as tasks:
        room = Room(store, data / "payloads", tasks)
        await room.start()
        yield room
        tasks.cancel_scope.cancel()


async def test_a_platform_goes_on_where_it_died(
    tmp_path: Path, anyio_backend: object, database: Callable[..., StoreSettings]
) -> None:
    """What it was delivering is due at once when it is started again."""
    settings = database(synchronous="OFF")
    async with life(settings, tmp_path) as room:
        await room.offer(1)
        await room.until(lambda: room.invoker.attempts)
    async with life(settings, tmp_path) as room:
        room.invoker.outcomes = [Succeeded(b"1")]
        await room.settle(0)
        assert len(room.invoker.attempts) == 1


async def test_an_heir_goes_on_at_once(
    tmp_path: Path, anyio_backend: object, database: Callable[..., StoreSettings]
) -> None:
    """This applies to a platform that takes over the database of another, with its own data
    directory, if the database is not shared."""
    settings = database(synchronous="OFF")
    if not settings.url:
        settings = database(synchronous="OFF", url=f"sqlite:///{tmp_path}/shared.db")
    async with life(settings, tmp_path / "dead") as dead:
        await dead.offer(1)
        await dead.until(lambda: dead.invoker.attempts)
    async with life(settings, tmp_path / "heir") as heir:
        heir.invoker.outcomes = [Succeeded(b"1")]
        await heir.settle(0)
        assert len(heir.invoker.attempts) == 1


def test_event_ids_never_clash() -> None:
    """Neither when the clock goes back between two starts nor when there are several events in a
    millisecond."""
    now = time.time()
    given = set[int]()
    for start in range(1, 50):
        given.update(itertools.islice(new_ids(now - start % 3, start), 5000))
    assert len(given) == 49 * 5000


EVENTS = st.builds(
    AsyncEvent,
    request_id=st.just("r"),
    key=st.just(KEY),
    qualifier=st.none(),
    payload=st.just(b""),
    trace_id=st.just("t"),
    accepted_at=st.just(0.0),
    due_at=st.just(0.0),
    function_errors=st.integers(1, 5),
    system_errors=st.integers(1, 2000),
)


OUTCOMES = st.sampled_from([FAILED, TimedOut(b"{}"), THROTTLED, Succeeded(b"1")])


@given(
    event=EVENTS,
    outcome=OUTCOMES,
    now=st.floats(0, 30_000),
    policy=st.builds(RetryPolicy, retries=st.integers(0, 2), age_max_s=st.floats(60, 21_600)),
)
def test_the_retry_rules(
    event: AsyncEvent, outcome: Outcome, now: float, policy: RetryPolicy
) -> None:
    """Never more attempts than allowed, never too late, never at once, never too slowly."""
    step = after_attempt(event, outcome, policy, AsynchronousSettings(), now)
    counted = step.event.function_errors - event.function_errors
    assert counted == (outcome in (FAILED, TimedOut(b"{}")))
    assert step.event.system_errors - event.system_errors == (outcome is THROTTLED)
    if isinstance(step, Retry):
        assert now < step.due_at <= min(now + 300.0001, policy.age_max_s)
        if counted:
            assert step.event.function_errors <= policy.retries
            assert step.due_at == now + 60 * 2 ** (step.event.function_errors - 1)
    elif step.condition == "Success":
        assert isinstance(outcome, Succeeded)
    elif step.condition == "RetriesExhausted":
        assert step.event.function_errors == event.function_errors + 1 > policy.retries
    else:
        assert step.condition == "EventAgeExceeded"
        assert now + 300 >= policy.age_max_s


@given(events=st.lists(OUTCOMES, max_size=40), retries=st.integers(0, 2))
def test_a_life_of_attempts(events: list[Outcome], retries: int) -> None:
    """However attempts end, the function fails at most once and as often again as the policy says,
    and nothing follows a success."""
    policy = RetryPolicy(retries=retries)
    event = AsyncEvent(
        request_id="r", key=KEY, qualifier=None, payload=b"", trace_id="t",
        accepted_at=0.0, due_at=0.0,
    )  # fmt: skip
    now, ran = 0.0, 0
    for outcome in events:
        ran += not isinstance(outcome, Refused)
        step = after_attempt(event, outcome, policy, AsynchronousSettings(), now)
        event = step.event
        if isinstance(step, Done):
            assert step.invoke_count == ran
            break
        now = step.due_at
    assert ran <= retries + 1


def test_six_hours_of_errors_that_are_not_the_functions() -> None:
    """Attempts after 1 s, 2 s, 4 s … 5 minutes, until there is no time for another; none counts
    against the retries."""
    event = AsyncEvent(
        request_id="r", key=KEY, qualifier=None, payload=b"", trace_id="t",
        accepted_at=0.0, due_at=0.0,
    )  # fmt: skip
    outcome = Refused(ApiError("ServiceException", "m", status=500))
    times = [0.0]
    step = after_attempt(event, outcome, RetryPolicy(), AsynchronousSettings(), 0.0)
    while isinstance(step, Retry):
        times.append(step.due_at)
        step = after_attempt(
            step.event, outcome, RetryPolicy(), AsynchronousSettings(), step.due_at
        )
    delays = [later - earlier for earlier, later in pairwise(times)]
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, *[300] * 70]
    assert times[-1] + 300 > 6 * 3600
    assert (step.condition, step.invoke_count) == ("EventAgeExceeded", 0)


def test_policies() -> None:
    """What is not configured is AWS's default."""
    assert policy_for(None) == RetryPolicy(retries=2, age_max_s=21_600)
    assert policy_for({"MaximumRetryAttempts": 0}) == RetryPolicy(retries=0, age_max_s=21_600)
    assert (
        dataclasses.replace(policy_for({"MaximumEventAgeInSeconds": 60}), retries=1).age_max_s == 60
    )


async def test_what_a_function_has_printed_is_written_before_its_event_is_done(room: Room) -> None:
    """A platform that is killed has the lines of every completed event. Events that
    only arrive wait for no lines."""
    room.invoker.outcomes = [Succeeded(b"1")]
    await room.offer(1)
    await room.settle(0)
    assert room.flushes == [1]


async def test_what_a_lost_commit_had_claimed_is_delivered_anyway(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many commits succeed without a response: their events, claims and settlement are stored, and
    no caller knows. Events are delivered at least once, acknowledged or not; none waits for the
    next start."""
    inner = room.store.transact
    dice = random.Random(1)

    async def transact(work: Callable[[Transaction], Any]) -> Any:
        result = await inner(work)
        if "GroupCommit" in work.__qualname__ and dice.random() < 0.4:
            raise StoreUnavailable
        return result

    monkeypatch.setattr(room.store, "transact", transact)
    room.invoker.outcomes = [Succeeded(b"1")] * 1000
    outcomes: list[Exception | None] = []
    for number in range(100):
        room.hand_in(number, outcomes.append)
        if number % 10 == 0:
            await room.quiet()
            room.clock.advance(1)
    with anyio.fail_after(20):
        while await room.left() or len(outcomes) < 100:
            await room.quiet()
            room.clock.advance(1)
    assert {None, StoreUnavailable} == {
        outcome if outcome is None else type(outcome) for outcome in outcomes
    }
    assert len({attempt.request_id for attempt in room.invoker.attempts}) == 100
