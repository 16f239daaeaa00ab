"""Delivering records to destinations and events to dead-letter queues.

What cannot be delivered is retried, after 1 s, then twice that each time, at most 5 minutes
apart, for as long as an event may wait for its function. What then has not arrived, or never can,
is given up: counted and logged.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import anyio.abc

from lambent.asynchronous.claimed_queue import ClaimedQueue
from lambent.asynchronous.destinations import DeliveryFailed, Destinations
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.lanes import Lanes
from lambent.asynchronous.retries import AGE_S_DEFAULT
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_task
from lambent.model.delivery import Delivery, DeliveryKind
from lambent.store.deliveries import DeliveryRows
from lambent.store.store import Store, Transaction
from lambent.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

_IN_FLIGHT_MAX = 64
_HELD_MAX = 256
_ATTEMPTS_QUIET = 5
"""A problem that lasts less than half a minute is not logged."""
_FAILURES = {
    DeliveryKind.ON_SUCCESS: "DestinationDeliveryFailures",
    DeliveryKind.ON_FAILURE: "DestinationDeliveryFailures",
    DeliveryKind.DEAD_LETTER: "DeadLetterErrors",
}


@dataclasses.dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """An attempt that is over."""

    delivery: Delivery
    failure: DeliveryFailed | None


class DestinationDispatcher(ClaimedQueue[str, Delivery, DeliveryAttempt]):
    """Delivers what the deliveries of one database say."""

    def __init__(
        self,
        store: Store,
        group_commit: GroupCommit,
        destinations: Destinations,
        settings: AsynchronousSettings,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        *,
        ids: Iterator[int],
        metrics: Metrics,
    ) -> None:
        lanes = Lanes[str, Delivery](held_max=_HELD_MAX, in_flight_max=_IN_FLIGHT_MAX)
        super().__init__(store, group_commit, clock, tasks, lanes)
        self._destinations = destinations
        self._settings = settings
        self._ids = ids
        self._metrics = metrics

    def table(self, tx: Transaction) -> DeliveryRows:
        """See `ClaimedQueue`."""
        return tx.deliveries

    def describe(self, delivery: Delivery) -> tuple[int, str]:
        """See `ClaimedQueue`."""
        return delivery.id, delivery.target

    async def keep(self, deliveries: Iterable[Delivery]) -> None:
        """Have them delivered, and numbered; returns when they are on disk."""
        new = [dataclasses.replace(delivery, id=next(self._ids)) for delivery in deliveries]
        try:
            await self._store.transact(lambda tx: tx.deliveries.add(new))
        finally:  # If it failed: perhaps they are there.
            self.note_new(new)

    def note_new(self, deliveries: Sequence[Delivery]) -> None:
        """There are new ones in the store."""
        self.accept((delivery, delivery.target, False) for delivery in deliveries)

    def begin(self, delivery: Delivery, now: float) -> None:
        """See `ClaimedQueue`."""
        start_task(self._tasks, None, self._send, delivery)

    async def _send(self, delivery: Delivery) -> None:
        failure: DeliveryFailed | None = None
        try:
            await self._destinations.send(delivery)
        except DeliveryFailed as error:
            failure = error
        except Exception as error:
            logger.exception("cannot deliver to %s", delivery.target)
            failure = DeliveryFailed(f"{type(error).__name__}: {error}")
        self.end(delivery.target, DeliveryAttempt(delivery, failure), ran=failure is None)

    def conclude(
        self,
        tx: Transaction,
        ended: Sequence[DeliveryAttempt],
        claimed: dict[str, Sequence[Delivery]],
        now: float,
    ) -> Callable[[], Iterable[tuple[str, float]]]:
        """See `ClaimedQueue`."""
        over: list[int] = []
        again: list[tuple[Delivery, float]] = []
        given_up: list[DeliveryAttempt] = []
        for attempt in ended:
            if attempt.failure is None:
                over.append(attempt.delivery.id)
                continue
            delivery = dataclasses.replace(attempt.delivery, attempts=attempt.delivery.attempts + 1)
            delay_s = self._settings.backoff_s * 2 ** min(delivery.attempts - 1, 32)
            due_at = now + min(delay_s, self._settings.backoff_max_s)
            if attempt.failure.is_permanent or due_at - delivery.created_at > AGE_S_DEFAULT:
                over.append(delivery.id)
                given_up.append(attempt)
            else:
                again.append((delivery, due_at))
                if delivery.attempts == _ATTEMPTS_QUIET:
                    _warn(attempt, "cannot yet")
        tx.deliveries.claims.forget(over)
        tx.deliveries.reschedule(again)

        def after_commit() -> Iterable[tuple[str, float]]:
            self._report(given_up)
            return [(delivery.target, due_at) for delivery, due_at in again]

        return after_commit

    def _report(self, given_up: Sequence[DeliveryAttempt]) -> None:
        for attempt in given_up:
            delivery = attempt.delivery
            self._metrics.add(_FAILURES[delivery.kind], delivery.key)
            _warn(attempt, "cannot")


def _warn(tried: DeliveryAttempt, cannot: str) -> None:
    delivery = tried.delivery
    logger.warning(
        "%s: %s deliver the %s record of %s to %s: %s%s",
        _FAILURES[delivery.kind],
        cannot,
        delivery.kind,
        delivery.arn,
        delivery.target,
        tried.failure,
        _subject(delivery),
    )


def _subject(delivery: Delivery) -> str:
    """What a record is about: with that, what its destination never got can be found in the log
    of the function, or read from the stream again. Nothing of a payload is in it."""
    if delivery.kind is DeliveryKind.DEAD_LETTER:
        return f" (request {delivery.attributes.get('RequestID', 'unknown')})"
    try:
        record = json.loads(delivery.body)
    except (ValueError, RecursionError):
        return ""
    about = {
        name: value
        for name, value in record.items()
        if name == "requestContext" or name.endswith("BatchInfo")
    }
    return f" {json.dumps(about)}"
