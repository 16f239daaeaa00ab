"""The parts that deliver events, on a real database, with a clock that the test moves. A platform
can end at any of its transactions, before or after the commit."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel

from lambent.asynchronous.event_dispatcher import EventDispatcher
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.queue import new_ids
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.kit.clock import ManualClock
from lambent.model.async_event import AsyncEvent
from lambent.model.events.delivery import EventDelivery, Next, NotHandedOver
from lambent.model.function import FunctionKey
from lambent.store.store import Store, Transaction
from lambent.telemetry.event_metrics import EventMetrics
from lambent.triggers.events.buses import EventBuses
from lambent.triggers.events.ticker import Ticker

KEY = FunctionKey("111111111111", "us-east-1", "f")  # type: ignore[arg-type]
FUNCTION = KEY.arn


class MortalStore:
    """A store whose platform ends at its transaction number `ends_at`, from 1; never if it is 0."""

    def __init__(self, store: Store, ends_at: int, *, after_commit: bool) -> None:
        self._store = store
        self._left = ends_at
        self._after_commit = after_commit
        self.has_ended = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def transact(self, work: Callable[[Transaction], Any]) -> Any:
        if self.has_ended.is_set():
            await anyio.sleep_forever()
        self._left -= 1
        if self._left != 0:
            return await self._store.transact(work)
        if self._after_commit:
            await self._store.transact(work)
        self.has_ended.set()
        return await anyio.sleep_forever()


class Targets:
    """Accepts events for the function, and refuses others as the test says."""

    def __init__(self) -> None:
        self.refusals: list[NotHandedOver] = []
        self.sent: list[EventDelivery] = []

    async def hand_over(self, delivery: EventDelivery, now: float) -> Next:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append(delivery)
        if delivery.target != FUNCTION:
            return Next()
        event = AsyncEvent(
            request_id="r",
            key=KEY,
            qualifier=None,
            payload=delivery.body,
            trace_id="",
            accepted_at=now,
            due_at=now,
        )
        return Next(events=(event,))


class Functions:
    """The dispatcher of asynchronous invocations, which only takes note."""

    def accept(self, things: Any) -> None:
        list(things)


_PAUSE_S = 0.002
"""Between two looks at the database, which has a thread of its own."""


class Life:
    """The parts of one platform."""

    def __init__(self, store: Any, clock: ManualClock, targets: Targets, tasks: Any) -> None:
        async def nothing() -> None:
            return

        self.store: MortalStore = store
        self.clock = clock
        commit = GroupCommit(store, clock, nothing)
        functions: Any = Functions()
        self.dispatcher = EventDispatcher(
            *(store, commit, targets, functions, AsynchronousSettings(), clock, tasks),  # type: ignore[arg-type]
            ids=new_ids(clock.now(), store.starts),
            metrics=(metrics := EventMetrics(clock)),
        )
        self.metrics = metrics
        self.commit = commit
        self.ticker = Ticker(store, self.dispatcher, clock, metrics)
        self.buses = EventBuses(store, self.dispatcher, clock, metrics)

    async def until(self, holds: Callable[[Transaction], bool]) -> None:
        """Wait until something is so in the database."""
        with anyio.fail_after(60):
            while not await self.store._store.read(holds):  # noqa: ASYNC110 - no event tells
                await anyio.sleep(_PAUSE_S)

    async def until_delivered(self) -> None:
        """Wait until no event is on its way."""
        await self.until(lambda tx: tx.event_deliveries.count() == 0)


@asynccontextmanager
async def living(
    store: Store,
    clock: ManualClock,
    targets: Targets | None = None,
    *,
    ends_at: int = 0,
    after_commit: bool = False,
) -> AsyncIterator[Life]:
    """A platform; leaving ends it at once."""
    mortal = MortalStore(store, ends_at, after_commit=after_commit)
    async with anyio.create_task_group() as tasks:
        life = Life(mortal, clock, targets or Targets(), tasks)

        async def start() -> None:
            await life.dispatcher.recover()
            tasks.start_soon(life.commit.run, life.dispatcher)
            tasks.start_soon(life.dispatcher.run)

        tasks.start_soon(start)
        try:
            yield life
        finally:
            tasks.cancel_scope.cancel()
