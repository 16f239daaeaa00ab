"""Schedules that become due.

The database has the next time of each schedule. One loop sleeps until the first of them, or until
the store says that a schedule has changed. A transaction takes the schedules that are due, writes
their events and their next times: it commits all of it or nothing, so each tick sends one event.

What became due while no platform ran is late. Of a schedule's late ticks, the last one counts, and
its event is sent if it is younger than the target's retry policy allows (a day, if it has none):
in AWS, too, an event that cannot be delivered in time is delivered until then.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import anyio

from lambent.control.events.naming import RULE, rule_arn
from lambent.control.events.rules import TARGETS
from lambent.control.schedules.groups import SCHEDULE
from lambent.control.schedules.schedules import schedule_arn
from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.changes import Changes
from lambent.model.document import Document
from lambent.model.events.delivery import AGE_S_MAX, EventDelivery
from lambent.model.events.inputs import Rule
from lambent.model.events.targets import delivery_to, event_text, scheduled_delivery
from lambent.model.schedules.documents import RULES, SCHEDULER, due_after, is_on, schedule_of
from lambent.store.store import Store, Transaction
from lambent.store.ticks import Tick
from lambent.telemetry.event_metrics import EventMetrics

logger = logging.getLogger(__name__)

_AT_ONCE_MAX = 100
"""Ticks in one transaction."""
_LOOK_S = 60.0
"""How long the loop sleeps at most: the machine's clock may be set."""
_PAUSE_S = 0.05
"""How long it sleeps at least, where another platform holds what is due."""
_LATE_S = 60.0
"""A tick that is later than AWS's precision of a minute is in the log."""


class Delivers(Protocol):
    """Delivers what a transaction has written; `EventDispatcher` does."""

    def numbered(self, deliveries: Sequence[EventDelivery]) -> Sequence[EventDelivery]: ...

    def note_new(self, deliveries: Sequence[EventDelivery]) -> None: ...


class _Ticked(NamedTuple):
    """What one transaction did."""

    deliveries: Sequence[EventDelivery]
    rules: Sequence[str]
    """The ARNs of rules that were due."""
    late: Sequence[str]
    """The ids of schedules whose tick was late."""
    is_more: bool
    """Whether more may be due."""
    next_due: float | None


class Ticker:
    """See the module."""

    def __init__(
        self, store: Store, dispatcher: Delivers, clock: Clock, metrics: EventMetrics
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock
        self._metrics = metrics
        self._bell = anyio.Event()

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`: a schedule may be due earlier than the loop knows."""
        services = {root.service for root in changes.documents}
        if changes.is_everything or services & {RULES, SCHEDULER}:
            self._bell.set()

    async def run(self) -> None:
        """Send events as they become due, forever."""
        while True:
            self._bell = anyio.Event()
            ticked = await self.tick()
            if ticked.is_more:
                continue
            wait_s = _LOOK_S
            if ticked.next_due is not None:
                wait_s = min(ticked.next_due - self._clock.now(), _LOOK_S)
            await wait_at_most(self._clock, self._bell, max(wait_s, _PAUSE_S))

    async def tick(self) -> _Ticked:
        """Send what is due now. Raises `StoreUnavailable`; then all or nothing was sent."""
        now = self._clock.now()
        next_due = await self._store.read(lambda tx: tx.ticks.next_due())
        if next_due is None or next_due > now:
            return _Ticked((), (), (), False, next_due)
        ticked = await self._store.transact(lambda tx: self._write(tx, now))
        for id in ticked.late:
            logger.warning("the schedule %s is late: it was due while the platform was away", id)
        for rule in ticked.rules:
            self._metrics.note_triggered(rule)
        self._dispatcher.note_new(ticked.deliveries)
        return ticked

    def _write(self, tx: Transaction, now: float) -> _Ticked:
        due = tx.ticks.due(now, _AT_ONCE_MAX)
        deliveries: list[EventDelivery] = []
        rules: list[str] = []
        late: list[str] = []
        for tick in due:
            kind = RULE if tick.root.service == RULES else SCHEDULE
            document = tx.documents.get(tick.root, kind, tick.id)
            if document is None or not is_on(document.body):
                tx.ticks.delete(tick.root, tick.id)
                continue
            if now - tick.due_at > _LATE_S:
                late.append(tick.id)
                tick = _latest(tick, document, now)
            if kind == RULE:
                rules.append(rule_arn(tick.root.scope, tick.root.id, tick.id))
            deliveries += _deliveries(tick, document, now)
            _move_on(tx, tick, document)
        numbered = self._dispatcher.numbered(deliveries)
        tx.event_deliveries.add(numbered)
        return _Ticked(numbered, rules, late, len(due) == _AT_ONCE_MAX, tx.ticks.next_due())


def _latest(tick: Tick, document: Document, now: float) -> Tick:
    """The last of the ticks that were missed."""
    schedule = schedule_of(tick.root, document.body, anchor=tick.scheduled_at)
    if not schedule.is_recurring:
        return tick
    return tick._replace(scheduled_at=schedule.latest_until(tick.scheduled_at, now))


def _deliveries(tick: Tick, document: Document, now: float) -> Sequence[EventDelivery]:
    """The events of a tick, without those that are too old for their targets."""
    root, scheduled_at = tick.root, tick.scheduled_at
    if root.service == SCHEDULER:
        target = document.body["Target"]
        if _is_too_old(target, tick, now):
            return ()
        arn = schedule_arn(root, tick.id)
        return [scheduled_delivery(target, arn, root.scope, scheduled_at, now)]
    arn = rule_arn(root.scope, root.id, tick.id)
    text = event_text(
        root.scope,
        source="aws.events",
        detail_type="Scheduled Event",
        detail="{}",
        resources=[arn],
        at=scheduled_at,
        event_id=str(uuid.uuid4()),
    )
    return [
        delivery_to(target, text, Rule(tick.id, arn), root.scope, now)
        for target in document.body[TARGETS].values()
        if not _is_too_old(target, tick, now)
    ]


def _is_too_old(target: Mapping[str, Any], tick: Tick, now: float) -> bool:
    policy = target.get("RetryPolicy") or {}
    age_max_s: float = policy.get("MaximumEventAgeInSeconds", AGE_S_MAX)
    return now - max(tick.scheduled_at, tick.due_at) > age_max_s


def _move_on(tx: Transaction, tick: Tick, document: Document) -> None:
    """Set when the schedule is due next, or end it."""
    root, id, body = tick.root, tick.id, document.body
    due = due_after(root, id, body, tick.scheduled_at, anchor=tick.scheduled_at)
    if due is not None:
        tx.ticks.put(Tick(root, id, *due))
        return
    tx.ticks.delete(root, id)
    if body.get("ActionAfterCompletion") == "DELETE":
        tx.documents.delete(root, SCHEDULE, id)
