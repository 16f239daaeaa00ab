"""Events of asynchronous invocations in the database: a queue that survives.

Whoever claims an event may work on it until the claim ends; then anybody may. So an event is never
lost with who was working on it, and may be delivered twice.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from lambent.model.async_event import AsyncEvent
from lambent.model.function import FunctionKey
from lambent.store.tables import async_events

_events = async_events.c


class AsyncEvents:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, events: Iterable[AsyncEvent]) -> None:
        """Keep accepted events."""
        self._connection.execute(
            sa.insert(async_events),
            [
                {
                    "request_id": event.request_id,
                    **event.key._asdict(),
                    "qualifier": event.qualifier,
                    "payload": event.payload,
                    "trace_id": event.trace_id,
                    "tenant_id": event.tenant_id,
                    "accepted_at": event.accepted_at,
                    "due_at": event.due_at,
                    "function_errors": event.function_errors,
                    "system_errors": event.system_errors,
                }
                for event in events
            ],
        )

    def claim(self, by: str, *, now: float, until: float, limit: int) -> Sequence[AsyncEvent]:
        """Up to `limit` events whose time has come, the longest due first; they are `by`'s until
        `until`."""
        rows = self._connection.execute(
            sa.select(async_events)
            .where(_events.due_at <= now)
            .order_by(_events.due_at)
            .limit(limit)
        ).all()
        if rows:
            self._connection.execute(
                sa.update(async_events)
                .where(_events.request_id.in_([row.request_id for row in rows]))
                .values(claimed_by=by, due_at=until)
            )
        return [_to_event(row) for row in rows]

    def next_due(self) -> float | None:
        """When the next event's time comes; None if there are none."""
        due: float | None = self._connection.execute(
            sa.select(sa.func.min(_events.due_at))
        ).scalar()
        return due

    def count(self) -> int:
        """How many events there are, in whatever state."""
        return self._connection.execute(
            sa.select(sa.func.count()).select_from(async_events)
        ).scalar_one()

    def conclude(self, request_id: str) -> None:
        """Forget an event: it was delivered, or nobody wants to know that it was not."""
        self._connection.execute(sa.delete(async_events).where(_events.request_id == request_id))

    def reschedule(self, event: AsyncEvent, *, due_at: float | None) -> None:
        """Let go of a claim: the event's next attempt is due then, or never."""
        self._connection.execute(
            sa.update(async_events)
            .where(_events.request_id == event.request_id)
            .values(
                claimed_by=None,
                due_at=due_at,
                function_errors=event.function_errors,
                system_errors=event.system_errors,
            )
        )

    def release_all(self, now: float) -> None:
        """Make everything that anybody has claimed due, since nobody is there any more."""
        self._connection.execute(
            sa.update(async_events)
            .where(_events.claimed_by.is_not(None))
            .values(claimed_by=None, due_at=now)
        )


def _to_event(row: sa.Row[Any]) -> AsyncEvent:
    return AsyncEvent(
        request_id=row.request_id,
        key=FunctionKey(row.account, row.region, row.name),
        qualifier=row.qualifier,
        payload=row.payload,
        trace_id=row.trace_id,
        tenant_id=row.tenant_id,
        accepted_at=row.accepted_at,
        due_at=row.due_at,
        function_errors=row.function_errors,
        system_errors=row.system_errors,
    )
