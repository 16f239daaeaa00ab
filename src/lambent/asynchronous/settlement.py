"""What is stored about attempts that have ended, in one transaction.

The transaction that deletes an event also adds the deliveries to its destinations.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lambent.asynchronous.records import deliveries_of
from lambent.asynchronous.retries import Done, Retry, after_attempt, policy_for
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.model.async_event import AsyncEvent
from lambent.model.delivery import Delivery
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.invocation import Outcome
from lambent.store.blobs import Blobs
from lambent.store.function_settings import Kind
from lambent.store.store import Transaction


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt that is over."""

    event: AsyncEvent
    function: FunctionVersion | None
    """The version it ran, or was to run."""
    outcome: Outcome
    trace_id: str = ""
    """The trace header that the function got; empty if it was not called."""


class Settlement:
    """Those of one transaction; for the store's thread."""

    def __init__(
        self,
        tx: Transaction,
        settings: AsynchronousSettings,
        payloads: Blobs,
        ids: Iterator[int],
        now: float,
    ) -> None:
        self._tx = tx
        self._settings = settings
        self._payloads = payloads
        self._ids = ids
        self._now = now
        self._configurations: dict[tuple[FunctionKey, str], Mapping[str, Any] | None] = {}
        self._over: list[int] = []
        self.again: list[Retry] = []
        """Events that will be retried."""
        self.deliveries: list[Delivery] = []
        self.beside: list[int] = []
        """Completed events whose payload is stored as a blob."""
        self.dropped = Counter[FunctionKey]()
        """Events that were dropped, by function."""

    def conclude(self, ended: AttemptEnded) -> None:
        """Decide what follows from an attempt."""
        event = ended.event
        configuration = self._configuration(event)
        policy = policy_for(configuration)
        step = after_attempt(event, ended.outcome, policy, self._settings, self._now)
        if isinstance(step, Retry):
            self.again.append(step)
        else:
            self._end(step, ended.outcome, ended.function, configuration, ended.trace_id)

    def without_expired(self, events: Iterable[AsyncEvent]) -> Sequence[AsyncEvent]:
        """Claimed events, with the time when they expire; those that have are concluded."""
        fresh = []
        for event in events:
            configuration = self._configuration(event)
            expires_at = event.accepted_at + policy_for(configuration).age_max_s
            if self._now < expires_at:
                event.expires_at = expires_at
                fresh.append(event)
                continue
            route = self._tx.route(event.key, event.qualifier or LATEST)
            if event.is_offloaded:
                payload = self._payloads.get(str(event.id))
                event = dataclasses.replace(event, payload=payload)
            function = None if route is None else route.version
            self._end(Done(event, "EventAgeExceeded"), None, function, configuration)
        return fresh

    def write(self) -> None:
        """Write it all down."""
        self._tx.async_events.claims.forget(self._over)
        self._tx.async_events.reschedule((again.event, again.due_at) for again in self.again)
        self._tx.deliveries.add(self.deliveries)

    def _end(
        self,
        over: Done,
        outcome: Outcome | None,
        function: FunctionVersion | None,
        configuration: Mapping[str, Any] | None,
        trace_id: str = "",
    ) -> None:
        event = over.event
        self._over.append(event.id)
        if event.is_offloaded:
            self.beside.append(event.id)
        if over.condition != "Success":
            self.dropped[event.key] += 1
        if over.condition != "FunctionGone":
            for delivery in deliveries_of(
                over, outcome, function, configuration, self._now, trace_id
            ):
                self.deliveries.append(dataclasses.replace(delivery, id=next(self._ids)))

    def _configuration(self, event: AsyncEvent) -> Mapping[str, Any] | None:
        which = event.key, event.qualifier or LATEST
        if which not in self._configurations:
            found = self._tx.settings.get(Kind.EVENT_INVOKE, *which)
            self._configurations[which] = found
        return self._configurations[which]
