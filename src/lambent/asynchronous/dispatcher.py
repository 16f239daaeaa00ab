"""Delivering events to their functions.

An attempt begins without a task, as a synchronous invocation does, unless its function or its
payload must be read first.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import anyio.abc
import anyio.to_thread

from lambent.asynchronous.claimed_queue import ClaimedQueue
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.lanes import Lanes
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.asynchronous.settlement import AttemptEnded, Settlement
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_task
from lambent.model.async_event import AsyncEvent
from lambent.model.delivery import Delivery
from lambent.model.errors import ApiError, service_failure
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import (
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refusal,
    Refused,
    Reply,
    RunReport,
    WholeReply,
)
from lambent.store.async_events import AsyncEvents
from lambent.store.blobs import Blobs
from lambent.store.store import Store, Transaction
from lambent.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

_MANY = 16
"""Events in one commit."""
_YIELD_S = 0.05


class Dispatcher(ClaimedQueue[FunctionKey, AsyncEvent, AttemptEnded]):
    """Delivers the events of one database. `on_deliveries` is called with the deliveries to
    destinations when they are on disk."""

    def __init__(
        self,
        store: Store,
        group_commit: GroupCommit,
        invoker: Invoker,
        payloads: Blobs,
        settings: AsynchronousSettings,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        *,
        ids: Iterator[int],
        metrics: Metrics,
        on_deliveries: Callable[[Sequence[Delivery]], None],
    ) -> None:
        lanes = Lanes[FunctionKey, AsyncEvent](
            held_max=settings.held_max, in_flight_max=settings.in_flight_max
        )
        super().__init__(store, group_commit, clock, tasks, lanes)
        self._invoker = invoker
        self._payloads = payloads
        self._settings = settings
        self._ids = ids
        self._metrics = metrics
        self._on_deliveries = on_deliveries
        self._yields: asyncio.TimerHandle | None = None

    def accept(self, things: Iterable[tuple[AsyncEvent, FunctionKey, bool]]) -> None:
        """Take events that are on disk. While many callers wait for theirs to be written, writing
        comes first: an event can wait, a caller cannot."""
        things = list(things)
        if len(things) >= _MANY:
            self.is_patient = True
            self._lanes.in_flight_max = 1
            if self._yields is not None:
                self._yields.cancel()
            loop = asyncio.get_running_loop()
            self._yields = loop.call_later(_YIELD_S, self._go_on)
        super().accept(things)

    def _go_on(self) -> None:
        self._yields = None
        self.is_patient = False
        self._lanes.in_flight_max = self._settings.in_flight_max
        self.begin_some()

    def table(self, tx: Transaction) -> AsyncEvents:
        """See `ClaimedQueue`."""
        return tx.async_events

    def describe(self, event: AsyncEvent) -> tuple[int, FunctionKey]:
        """See `ClaimedQueue`."""
        return event.id, event.key

    def begin(self, event: AsyncEvent, now: float) -> None:
        """See `ClaimedQueue`."""
        if now >= event.expires_at:
            self.leave(event.key, event)
            return
        if not (event.function_errors or event.system_errors):
            age_ms = max(now - event.accepted_at, 0.0) * 1000
            self._metrics.add("AsyncEventAge", event.key, age_ms)
        make_reply = partial(self._make_reply, event)
        try:
            if event.is_offloaded or not self._invoker.begin(_call(event), make_reply):
                start_task(self._tasks, None, self._begin_slowly, event)
        except Exception:
            logger.exception("the event %s could not be begun", event.request_id)
            self._end(event, None, Refused(service_failure()))

    async def _begin_slowly(self, event: AsyncEvent) -> None:
        """Begin an attempt whose function or payload must be read first."""
        try:
            await self._invoker.resolve(event.key, event.qualifier)
            if event.is_offloaded:
                payload = await self._payloads.read(str(event.id))
                event = dataclasses.replace(event, payload=payload)
            await self._invoker.start(_call(event), partial(self._make_reply, event))
        except ApiError as error:
            self._end(event, None, Refused.of(error))
        except Exception as error:  # Of the database or the disk: it may pass.
            text = f"The event could not be read: {error}"
            self._end(event, None, Refused(ApiError("ServiceException", text, status=500)))

    def _make_reply(self, event: AsyncEvent, request: InvocationRequest) -> Reply:
        def finish(outcome: Outcome, _: RunReport) -> None:
            self._end(event, request.function, outcome, request.trace_id)

        return WholeReply(finish)

    def _end(
        self,
        event: AsyncEvent,
        function: FunctionVersion | None,
        outcome: Outcome,
        trace_id: str = "",
    ) -> None:
        if isinstance(outcome, Refused) and outcome.reason is Refusal.LOOP:
            self._metrics.add("RecursiveInvocationsDropped", event.key)
        if outcome.is_throttled and outcome.is_retryable and not event.tenant_id:
            self.put_off(event.key, event)
        else:
            # Where a tenant has no room, others of the function may have.
            ended = AttemptEnded(event, function, outcome, trace_id)
            self.end(event.key, ended, ran=outcome.has_run)

    def conclude(
        self,
        tx: Transaction,
        ended: Sequence[AttemptEnded],
        claimed: dict[FunctionKey, Sequence[AsyncEvent]],
        now: float,
    ) -> Callable[[], Iterable[tuple[FunctionKey, float]]]:
        """See `ClaimedQueue`."""
        settlement = Settlement(tx, self._settings, self._payloads, self._ids, now)
        for attempt in ended:
            settlement.conclude(attempt)
        for key, events in claimed.items():
            claimed[key] = settlement.without_expired(events)
        settlement.write()
        return partial(self._after_commit, settlement)

    def _after_commit(self, settlement: Settlement) -> Iterable[tuple[FunctionKey, float]]:
        for key, count in settlement.dropped.items():
            logger.warning("%s: %d events could not be delivered", key.arn, count)
            self._metrics.add("AsyncEventsDropped", key, count, count=count)
        if settlement.beside:
            start_task(self._tasks, None, self._forget_payloads, settlement.beside)
        if settlement.deliveries:
            self._on_deliveries(settlement.deliveries)
        return [(retry.event.key, retry.due_at) for retry in settlement.again]

    async def recover(self) -> None:
        """See `ClaimedQueue`."""
        await super().recover()
        if self._store.is_shared:
            return  # Another platform may be about to write the row that a payload belongs to.
        known = await self._store.transact(lambda tx: tx.async_events.beside())
        found = await anyio.to_thread.run_sync(lambda: list(self._payloads.list_keys()))
        unknown = [key for key in found if int(key) not in known]

        def discard() -> None:
            for key in unknown:
                self._payloads.discard(key)

        await anyio.to_thread.run_sync(discard)

    async def _forget_payloads(self, ids: Iterable[int]) -> None:
        def delete() -> None:
            for event_id in ids:
                self._payloads.delete(str(event_id))

        await anyio.to_thread.run_sync(delete)


def _call(event: AsyncEvent) -> Call:
    # By position, in the order of the fields: names would cost as much again.
    return Call(
        event.request_id,
        InvocationKind.EVENT,
        event.key,
        event.qualifier,
        event.payload,
        event.trace_id,
        event.tenant_id,
        attempt=1 + event.function_errors + event.system_errors,
        accepted_at=event.accepted_at,
    )
