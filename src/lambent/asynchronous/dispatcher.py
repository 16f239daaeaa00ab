"""Delivering events: claim what is due, invoke, and write down what came of it.

Attempts that ended and new claims go into one transaction. An event is forgotten only when it
was delivered or its attempts are used up; one whose function has a destination or a dead-letter
queue for that case is kept until those are served.
"""

import dataclasses
import logging
import uuid
from collections.abc import Sequence

import anyio
import anyio.abc

from lambent.asynchronous.retries import after_function_error, after_system_error, policy_of
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.invocation.door import Door
from lambent.kit.clock import Clock
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError
from lambent.model.function import LATEST
from lambent.model.invocation import Invocation, Outcome, Refused, Succeeded
from lambent.model.limits import TIMEOUT_S_MAX
from lambent.store.function_settings import Kind
from lambent.store.store import Store, Transaction

_log = logging.getLogger(__name__)
_CLAIM_S = TIMEOUT_S_MAX + 120
"""Longer than any attempt takes."""
_IDLE_S = 60.0
"""How often to look although nothing is expected: another platform may have left something."""


class Dispatcher:
    """Delivers events of one database."""

    def __init__(
        self, store: Store, door: Door, settings: AsynchronousSettings, clock: Clock
    ) -> None:
        self._store = store
        self._door = door
        self._settings = settings
        self._clock = clock
        self._name = str(uuid.uuid4())
        self._in_flight = 0
        self._ended: list[tuple[AsyncEvent, Outcome]] = []
        self._bell = anyio.Event()

    def ring(self) -> None:
        """There may be something to do."""
        self._bell.set()

    async def run(self) -> None:
        """Deliver, for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._bell = anyio.Event()
                claimed, next_due = await self._turn()
                for event in claimed:
                    self._in_flight += 1
                    tasks.start_soon(self._attempt, event)
                await self._wait(next_due)

    async def _turn(self) -> tuple[Sequence[AsyncEvent], float | None]:
        """Write down what has ended and claim what is due."""
        ended, self._ended = self._ended, []
        room = self._settings.in_flight_max - self._in_flight
        now = self._clock.now()

        def run(tx: Transaction) -> tuple[Sequence[AsyncEvent], float | None]:
            for event, outcome in ended:
                self._conclude(tx, event, outcome, now)
            claimed: Sequence[AsyncEvent] = []
            if room > 0:
                claimed = tx.async_events.claim(
                    self._name, now=now, until=now + _CLAIM_S, limit=room
                )
            return claimed, tx.async_events.next_due()

        return await self._store.transact(run)

    async def _wait(self, next_due: float | None) -> None:
        """Until somebody rings or the next event is due."""
        delay_s = _IDLE_S
        if next_due is not None and self._in_flight < self._settings.in_flight_max:
            delay_s = min(delay_s, max(0.0, next_due - self._clock.now()))
        async with anyio.create_task_group() as tasks:

            async def sleep() -> None:
                await self._clock.sleep(delay_s)
                tasks.cancel_scope.cancel()

            tasks.start_soon(sleep)
            await self._bell.wait()
            tasks.cancel_scope.cancel()

    async def _attempt(self, event: AsyncEvent) -> None:
        try:
            function = await self._door.resolve(event.key, event.qualifier)
            self._door.invoke(
                Invocation(
                    request_id=event.request_id,
                    function=function,
                    invoked_arn=event.arn,
                    event=event.payload,
                    trace_id=event.trace_id,
                    tenant_id=event.tenant_id,
                    on_done=lambda outcome: self._end(event, outcome),
                )
            )
        except ApiError as error:
            self._end(event, Refused(error))

    def _end(self, event: AsyncEvent, outcome: Outcome) -> None:
        self._in_flight -= 1
        self._ended.append((event, outcome))
        self._bell.set()

    def _conclude(self, tx: Transaction, event: AsyncEvent, outcome: Outcome, now: float) -> None:
        if isinstance(outcome, Succeeded):
            tx.async_events.conclude(event.request_id)
            return
        if isinstance(outcome, Refused) and outcome.error.status == 404:
            _log.warning("dropped an event of %s: the function is gone", event.arn)
            tx.async_events.conclude(event.request_id)
            return
        configuration = tx.settings.get(Kind.EVENT_INVOKE, event.key, event.qualifier or LATEST)
        policy = policy_of(configuration)
        if isinstance(outcome, Refused):
            event = dataclasses.replace(event, system_errors=event.system_errors + 1)
            due_at = after_system_error(event, policy, self._settings, now)
        else:
            event = dataclasses.replace(event, function_errors=event.function_errors + 1)
            due_at = after_function_error(event, policy, self._settings, now)
        if due_at is not None or self._is_wanted_elsewhere(tx, event):
            tx.async_events.reschedule(event, due_at=due_at)
        else:
            _log.warning("dropped an event of %s: its attempts are used up", event.arn)
            tx.async_events.conclude(event.request_id)

    def _is_wanted_elsewhere(self, tx: Transaction, event: AsyncEvent) -> bool:
        """Whether a destination or dead-letter queue is to get what could not be delivered."""
        configuration = tx.settings.get(Kind.EVENT_INVOKE, event.key, event.qualifier or LATEST)
        destinations = (configuration or {}).get("DestinationConfig") or {}
        route = tx.route(event.key, event.qualifier or LATEST)
        has_queue = route is not None and "DeadLetterConfig" in route.version.other
        return has_queue or bool((destinations.get("OnFailure") or {}).get("Destination"))
