"""Delivering events of rules and schedules to their targets.

What cannot be delivered is retried as the target's retry policy says, after 1 s, then twice that
each time, at most 5 minutes apart. What was given up goes to the target's dead-letter queue.

The transaction that deletes a delivered event puts it into the queue of its function, so a function
gets each event once, whenever the platform ends.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import anyio.abc

from lambent.asynchronous.claimed_queue import ClaimedQueue
from lambent.asynchronous.dispatcher import Dispatcher
from lambent.asynchronous.event_targets import EventTargets
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.lanes import Lanes
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_task
from lambent.model.async_event import AsyncEvent
from lambent.model.events.delivery import EventDelivery, Next, NotHandedOver, dead_letter_of
from lambent.store.event_deliveries import EventDeliveryRows
from lambent.store.store import Store, Transaction
from lambent.telemetry.event_metrics import EventMetrics

logger = logging.getLogger(__name__)

_IN_FLIGHT_MAX = 64
_HELD_MAX = 256


@dataclasses.dataclass(frozen=True, slots=True)
class HandOver:
    """An attempt that is over."""

    delivery: EventDelivery
    next: Next
    failure: NotHandedOver | None


class EventDispatcher(ClaimedQueue[str, EventDelivery, HandOver]):
    """Delivers the events of one database."""

    def __init__(
        self,
        store: Store,
        group_commit: GroupCommit,
        targets: EventTargets,
        functions: Dispatcher,
        settings: AsynchronousSettings,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        *,
        ids: Iterator[int],
        metrics: EventMetrics,
    ) -> None:
        lanes = Lanes[str, EventDelivery](held_max=_HELD_MAX, in_flight_max=_IN_FLIGHT_MAX)
        super().__init__(store, group_commit, clock, tasks, lanes)
        self._targets = targets
        self._functions = functions
        self._settings = settings
        self._ids = ids
        self._metrics = metrics

    def table(self, tx: Transaction) -> EventDeliveryRows:
        """See `ClaimedQueue`."""
        return tx.event_deliveries

    def describe(self, delivery: EventDelivery) -> tuple[int, str]:
        """See `ClaimedQueue`."""
        return delivery.id, delivery.target

    async def keep(self, deliveries: Iterable[EventDelivery]) -> None:
        """Have events delivered; returns when they are on disk."""
        new = self.numbered(deliveries)
        if not new:
            return
        try:
            await self._store.transact(lambda tx: tx.event_deliveries.add(new))
        finally:  # If it failed: perhaps they are there.
            self.note_new(new)

    def numbered(self, deliveries: Iterable[EventDelivery]) -> Sequence[EventDelivery]:
        """Deliveries with ids, for a transaction of the caller's. Any thread may call this."""
        return [dataclasses.replace(delivery, id=next(self._ids)) for delivery in deliveries]

    def note_new(self, deliveries: Sequence[EventDelivery]) -> None:
        """There are new ones in the store."""
        self.accept((delivery, delivery.target, False) for delivery in deliveries)

    def begin(self, delivery: EventDelivery, now: float) -> None:
        """See `ClaimedQueue`."""
        start_task(self._tasks, None, self._hand_over, delivery)

    async def _hand_over(self, delivery: EventDelivery) -> None:
        following = Next()
        failure: NotHandedOver | None = None
        try:
            following = await self._targets.hand_over(delivery, self._clock.now())
        except NotHandedOver as error:
            failure = error
        except Exception as error:
            logger.exception("cannot send an event to %s", delivery.target)
            text = f"{type(error).__name__}: {error}"
            failure = NotHandedOver("SDK_CLIENT_ERROR", text, is_permanent=False)
        self.end(delivery.target, HandOver(delivery, following, failure), ran=failure is None)

    def conclude(
        self,
        tx: Transaction,
        ended: Sequence[HandOver],
        claimed: dict[str, Sequence[EventDelivery]],
        now: float,
    ) -> Callable[[], Iterable[tuple[str, float]]]:
        """See `ClaimedQueue`."""
        over: list[int] = []
        again: list[tuple[EventDelivery, float]] = []
        events: list[AsyncEvent] = []
        new: list[EventDelivery] = []
        given_up: list[HandOver] = []
        for attempt in ended:
            delivery, failure = attempt.delivery, attempt.failure
            if failure is None:
                over.append(delivery.id)
                events += attempt.next.events
                new += attempt.next.deliveries
                continue
            failed = dataclasses.replace(delivery, attempts=delivery.attempts + 1)
            delay_s = self._settings.backoff_s * 2 ** min(failed.attempts - 1, 32)
            due_at = now + min(delay_s, self._settings.backoff_max_s)
            exhausted = _exhausted(failed, due_at)
            if not (failure.is_permanent or exhausted):
                again.append((failed, due_at))
                continue
            over.append(delivery.id)
            given_up.append(attempt)
            if failed.dead_letter:
                condition = "" if failure.is_permanent else exhausted
                new.append(dead_letter_of(failed, failure.code, failure.message, condition, now))
        new = list(self.numbered(new))
        events = [dataclasses.replace(event, id=next(self._ids)) for event in events]
        tx.event_deliveries.claims.forget(over)
        tx.event_deliveries.reschedule(again)
        tx.event_deliveries.add(new)
        tx.async_events.add((event, None) for event in events)

        def after_commit() -> Iterable[tuple[str, float]]:
            gone = set(over)
            for attempt in ended:
                self._metrics.note_attempt(
                    attempt.delivery,
                    has_failed=attempt.failure is not None,
                    is_over=attempt.delivery.id in gone,
                )
            for attempt in given_up:
                _warn(attempt)
            self._functions.accept((event, event.key, False) for event in events)
            waiting = [(delivery.target, delivery.due_at) for delivery in new]
            return [*waiting, *((delivery.target, due_at) for delivery, due_at in again)]

        return after_commit


def _exhausted(delivery: EventDelivery, due_at: float) -> str:
    """Which condition ends the retries; empty if there may be another."""
    if delivery.attempts > delivery.attempts_max:
        return "MaximumRetryAttempts"
    if due_at - delivery.created_at > delivery.age_s_max:
        return "MaximumEventAge"
    return ""


def _warn(attempt: HandOver) -> None:
    delivery = attempt.delivery
    logger.warning(
        "an event of %s cannot be delivered to %s: %s%s",
        delivery.source_arn,
        delivery.target,
        attempt.failure,
        f"; it goes to {delivery.dead_letter}" if delivery.dead_letter else "",
    )
