"""Events of asynchronous invocations in the database: a queue that survives, a lane for each
function."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.async_event import AsyncEvent
from lambent.model.function import FunctionKey
from lambent.store.claims import Claims
from lambent.store.tables import async_events

_events = async_events.c


class AsyncEvents:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.claims = Claims(connection, async_events, ("account", "region", "name"))

    def add(self, events: Iterable[tuple[AsyncEvent, str | None]]) -> None:
        """Store accepted events, each with who has claimed it."""
        rows = [
            {
                "id": event.id,
                "request_id": event.request_id,
                "account": event.key.account,
                "region": event.key.region,
                "name": event.key.name,
                "qualifier": event.qualifier,
                "payload": event.payload,
                "is_beside": event.is_offloaded,
                "trace_id": event.trace_id,
                "tenant_id": event.tenant_id,
                "accepted_at": event.accepted_at,
                "due_at": event.due_at,
                "claimed_by": by,
                "function_errors": event.function_errors,
                "system_errors": event.system_errors,
            }
            for event, by in events
        ]
        if rows:
            self._connection.execute(sa.insert(async_events), rows)

    def claim(
        self, key: FunctionKey, *, by: str, now: float, limit: int
    ) -> tuple[Sequence[AsyncEvent], float | None]:
        """See `Claims.take`."""
        rows, next_due = self.claims.take(key, by=by, now=now, limit=limit)
        return [_to_event(row) for row in rows], next_due

    def reschedule(self, events: Iterable[tuple[AsyncEvent, float]]) -> None:
        """Release claims after attempts that the events count; each event is due at its time."""
        rows = [
            {
                "which": event.id,
                "when": due_at,
                "of_function": event.function_errors,
                "of_system": event.system_errors,
            }
            for event, due_at in events
        ]
        if rows:
            self._connection.execute(
                sa.update(async_events)
                .where(_events.id == sa.bindparam("which"))
                .values(
                    claimed_by=None,
                    due_at=sa.bindparam("when"),
                    function_errors=sa.bindparam("of_function"),
                    system_errors=sa.bindparam("of_system"),
                ),
                rows,
            )

    def lanes(self) -> Iterator[tuple[FunctionKey, float]]:
        """See `Claims.lanes`."""
        for lane, due_at in self.claims.lanes():
            account, region, name = lane
            yield FunctionKey(AccountId(account), Region(region), name), due_at

    def count(self) -> int:
        """The number of events, in any state."""
        return self._connection.execute(
            sa.select(sa.func.count()).select_from(async_events)
        ).scalar_one()

    def names(self, scope: Scope) -> Sequence[str]:
        """The functions of an account and region that have events, by name."""
        is_here = sa.and_(_events.account == scope.account, _events.region == scope.region)
        names = {lane.name for lane, _ in self.lanes() if lane.scope == scope} | set(
            self._connection.execute(
                sa.select(_events.name).where(is_here, _events.claimed_by.is_not(None)).distinct()
            ).scalars()
        )
        return sorted(names)

    def accepted_at(self, id_: int) -> float:
        """When an event was accepted."""
        found: float = self._connection.execute(
            sa.select(_events.accepted_at).where(_events.id == id_)
        ).scalar_one()
        return found

    def beside(self) -> set[int]:
        """The events whose payload is stored next to the database."""
        return set(
            self._connection.execute(sa.select(_events.id).where(_events.is_beside)).scalars()
        )

    def purge(self, key: FunctionKey, limit: int) -> Sequence[tuple[int, bool]]:
        """Delete up to `limit` unclaimed events of a function; returns their ids, and whether each
        payload is stored next to the database."""
        rows = self._connection.execute(
            sa.select(_events.id, _events.is_beside)
            .where(
                _events.account == key.account,
                _events.region == key.region,
                _events.name == key.name,
                _events.claimed_by.is_(None),
            )
            .limit(limit)
        ).all()
        self.claims.forget(row.id for row in rows)
        return [(row.id, row.is_beside) for row in rows]


def _to_event(row: sa.Row[Any]) -> AsyncEvent:
    return AsyncEvent(
        id=row.id,
        request_id=row.request_id,
        key=FunctionKey(row.account, row.region, row.name),
        qualifier=row.qualifier,
        payload=row.payload,
        is_offloaded=row.is_beside,
        trace_id=row.trace_id,
        tenant_id=row.tenant_id,
        accepted_at=row.accepted_at,
        due_at=row.due_at,
        function_errors=row.function_errors,
        system_errors=row.system_errors,
    )
