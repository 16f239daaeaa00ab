"""Delivery of events, in time that only moves when it is told to."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.asynchronous.dispatcher import Dispatcher
from lambent.asynchronous.queue import AsyncQueue
from lambent.asynchronous.retries import (
    RetryPolicy,
    after_function_error,
    after_system_error,
    policy_of,
)
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.kit.clock import ManualClock
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError, conflict, not_found
from lambent.model.function import FunctionKey, FunctionVersion, LoggingConfiguration
from lambent.model.invocation import (
    FunctionFailed,
    Invocation,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.store.function_settings import Kind
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store

KEY = FunctionKey("111111111111", "us-east-1", "f")
SETTINGS = AsynchronousSettings(in_flight_max=4, kept_at_once_max=100)
FAILED = FunctionFailed(b"{}", "Error")
THROTTLED = Refused(ApiError("TooManyRequestsException", "Rate Exceeded.", status=429))


def version(**other: Any) -> FunctionVersion:
    return FunctionVersion(
        key=KEY, version="$LATEST", role="r", runtime="python3.12", handler="app.handler",
        logging=LoggingConfiguration(log_group="g"), code_key="0" * 64, code_size=1,
        configuration_id="c", revision_id="r", last_modified_ms=0, other=other,
    )  # fmt: skip


class FakeDoor:
    """Ends each invocation as the test says, or keeps it until told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.attempts: list[Invocation] = []
        self.error: ApiError | None = None

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion:
        if self.error is not None:
            raise self.error
        return version()

    def invoke(self, invocation: Invocation) -> None:
        self.attempts.append(invocation)
        if self.outcomes:
            invocation.on_done(self.outcomes.pop(0))


class Room:
    """A queue and a dispatcher on a database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock()
        self.door = FakeDoor()
        door: Any = self.door
        self.dispatcher = Dispatcher(store, door, SETTINGS, self.clock)
        self.queue = AsyncQueue(store, SETTINGS, self.dispatcher.ring)

    async def offer(self, number: int = 0) -> None:
        """An event; returns when it is kept."""
        kept = anyio.Event()

        def on_kept(failure: Exception | None) -> None:
            assert failure is None
            kept.set()

        self.hand_in(number, on_kept)
        with anyio.fail_after(10):
            await kept.wait()

    def hand_in(self, number: int, on_kept: Callable[[Exception | None], None]) -> None:
        """An event, without waiting."""
        now = self.clock.now()
        event = AsyncEvent(
            request_id=f"00000000-0000-4000-8000-{number:012}", key=KEY, qualifier=None,
            payload=b"{}", trace_id="t", accepted_at=now, due_at=now,
        )  # fmt: skip
        self.queue.offer(event, on_kept)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Let everybody work until the condition holds."""
        with anyio.fail_after(10):
            while not condition():  # noqa: ASYNC110 - conditions of any kind have no event
                await anyio.sleep(0.001)

    async def left(self) -> int:
        """How many events are on disk."""
        return await self.store.transact(lambda tx: tx.async_events.count())

    async def settle(self, count: int) -> None:
        """Wait until so many events are left."""
        with anyio.fail_after(10):
            while await self.left() != count:  # noqa: ASYNC110 - nor has a database
                await anyio.sleep(0.001)

    async def wait_for_attempt(self, number: int, after_s: float) -> None:
        """The next attempt is made after so much time, and not before."""
        made = len(self.door.attempts)
        await self.quiet()
        self.clock.advance(after_s - 0.5)
        await self.quiet()
        assert len(self.door.attempts) == made
        self.clock.advance(1.0)
        await self.until(lambda: len(self.door.attempts) == number)

    async def quiet(self) -> None:
        """Let everything happen that can without time: transactions wait for each other, so those
        of others are done when ours are."""
        for _ in range(10):
            await anyio.sleep(0.001)
            await self.store.transact(lambda _tx: None)


@pytest.fixture
async def room(
    tmp_path: Path, anyio_backend: object, database: Callable[..., StoreSettings]
) -> AsyncIterator[Room]:
    """One that runs, with a function."""
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        await store.transact(lambda tx: tx.functions.create(version()))
        room = Room(store)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(room.queue.run)
            tasks.start_soon(room.dispatcher.run)
            yield room
            tasks.cancel_scope.cancel()


pytestmark = pytest.mark.anyio


async def test_delivered_events_are_forgotten(room: Room) -> None:
    """Each is delivered once, under its own id."""
    room.door.outcomes = [Succeeded(b"1")] * 20
    for number in range(20):
        await room.offer(number)
    await room.settle(0)
    assert len({one.request_id for one in room.door.attempts}) == 20


async def test_failures_are_tried_twice_more(room: Room) -> None:
    """After one minute, then after two, under the same id; then the event is dropped."""
    room.door.outcomes = [FAILED, TimedOut(b"{}"), FAILED]
    await room.offer()
    await room.until(lambda: len(room.door.attempts) == 1)
    await room.wait_for_attempt(2, 60)
    assert await room.left() == 1
    await room.wait_for_attempt(3, 120)
    await room.settle(0)
    assert len({one.request_id for one in room.door.attempts}) == 1


async def test_throttles_cost_no_retry(room: Room) -> None:
    """They are tried after 1, 2, 4 … seconds; the function's own retries are still there."""
    room.door.outcomes = [THROTTLED, THROTTLED, THROTTLED, FAILED, Succeeded(b"1")]
    await room.offer()
    await room.until(lambda: len(room.door.attempts) == 1)
    for number, delay_s in ((2, 1), (3, 2), (4, 4)):
        await room.wait_for_attempt(number, delay_s)
    await room.wait_for_attempt(5, 60)
    await room.settle(0)


async def test_old_events_are_dropped(room: Room) -> None:
    """As the function's configuration says."""
    await room.store.transact(
        lambda tx: tx.settings.put(
            Kind.EVENT_INVOKE, KEY, {"MaximumEventAgeInSeconds": 60, "LastModified": 0.0}
        )
    )
    room.door.outcomes = [FAILED, FAILED]
    await room.offer(1)
    await room.until(lambda: len(room.door.attempts) == 1)
    await room.quiet()
    room.clock.advance(30)
    await room.quiet()
    await room.wait_for_attempt(2, 30)
    await room.settle(0)


async def test_no_retries_if_none_are_wanted(room: Room) -> None:
    """MaximumRetryAttempts 0."""
    await room.store.transact(
        lambda tx: tx.settings.put(
            Kind.EVENT_INVOKE, KEY, {"MaximumRetryAttempts": 0, "LastModified": 0.0}
        )
    )
    room.door.outcomes = [FAILED]
    await room.offer()
    await room.settle(0)
    assert len(room.door.attempts) == 1


async def test_what_a_destination_wants_is_kept(room: Room) -> None:
    """Nothing that somebody wants to know of is dropped."""
    config = {
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:r:1:q"}},
        "LastModified": 0.0,
    }
    await room.store.transact(lambda tx: tx.settings.put(Kind.EVENT_INVOKE, KEY, config))
    room.door.outcomes = [FAILED]
    await room.offer()
    await room.until(lambda: room.door.attempts)
    await room.quiet()
    room.clock.advance(100_000)
    await room.quiet()
    assert len(room.door.attempts) == 1
    assert await room.left() == 1


async def test_missing_and_unready_functions(room: Room) -> None:
    """A deleted function's events are dropped, one that is being made is waited for."""
    room.door.error = not_found("gone")
    await room.offer(1)
    await room.settle(0)
    room.door.error = conflict("Pending")
    await room.offer(2)
    await room.quiet()
    room.door.error = None
    room.door.outcomes = [Succeeded(b"1")]
    room.clock.advance(1.5)
    await room.settle(0)


async def test_only_so_many_at_once(room: Room) -> None:
    """The others wait until one has ended."""
    for number in range(10):
        await room.offer(number)
    await room.until(lambda: len(room.door.attempts) == SETTINGS.in_flight_max)
    await room.quiet()
    assert len(room.door.attempts) == SETTINGS.in_flight_max
    ended = 0
    while ended < 10:
        await room.until(lambda ended=ended: len(room.door.attempts) > ended)
        room.door.attempts[ended].on_done(Succeeded(b"1"))
        ended += 1
    await room.settle(0)


async def test_too_many_that_wait_to_be_kept(tmp_path: Path, anyio_backend: object) -> None:
    """Are throttled, since nothing keeps them."""
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as store:
        room = Room(store)
        for number in range(SETTINGS.kept_at_once_max):
            room.hand_in(number, lambda _failure: None)
        with pytest.raises(ApiError) as caught:
            room.hand_in(1000, lambda _failure: None)
        assert caught.value.status == 429


async def test_claims_end_with_their_owner(
    tmp_path: Path, anyio_backend: object, database: Callable[..., StoreSettings]
) -> None:
    """What a dead platform was delivering is delivered by the next, at once if it is alone and in
    any case when the claim ends."""
    settings = database(synchronous="OFF")
    for is_alone in (True, False):
        async with open_store(settings, tmp_path) as store:
            dead = Room(store)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(dead.queue.run)
                tasks.start_soon(dead.dispatcher.run)
                await dead.offer(int(is_alone))
                await dead.until(lambda dead=dead: dead.door.attempts)
                tasks.cancel_scope.cancel()
            heir = Room(store)
            heir.door.outcomes = [Succeeded(b"1")]
            if is_alone:
                await store.transact(
                    lambda tx, heir=heir: tx.async_events.release_all(heir.clock.now())
                )
            else:
                heir.clock.advance(2000)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(heir.dispatcher.run)
                await heir.settle(0)
                tasks.cancel_scope.cancel()
            assert len(heir.door.attempts) == 1


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


@given(
    event=EVENTS,
    now=st.floats(0, 30_000),
    policy=st.builds(RetryPolicy, retries=st.integers(0, 2), age_max_s=st.floats(60, 21_600)),
)
def test_the_retry_rules(event: AsyncEvent, now: float, policy: RetryPolicy) -> None:
    """Never more attempts than allowed, never too late, never at once, never too slowly."""
    settings = AsynchronousSettings()
    later = after_function_error(event, policy, settings, now)
    if event.function_errors > policy.retries:
        assert later is None
    if later is not None:
        assert now + 60 <= later <= policy.age_max_s
        assert later - now in (60.0, 120.0) or abs(later - now - 60 * event.function_errors) < 1e-6
    again = after_system_error(event, policy, settings, now)
    if again is not None:
        assert now < again <= min(now + 300.0001, policy.age_max_s)
    elif now + 300 <= policy.age_max_s:
        raise AssertionError("given up too early")


def test_policies() -> None:
    """What is not configured is AWS's default."""
    assert policy_of(None) == RetryPolicy(retries=2, age_max_s=21_600)
    assert policy_of({"MaximumRetryAttempts": 0}) == RetryPolicy(retries=0, age_max_s=21_600)
    assert (
        dataclasses.replace(policy_of({"MaximumEventAgeInSeconds": 60}), retries=1).age_max_s == 60
    )
