"""Events of rules and schedules on their way to targets: a lane for each target."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.events.delivery import EventDelivery
from lambent.store.claims import Claims
from lambent.store.tables import event_deliveries

_IN_DOCUMENT = (
    *("service", "source_arn", "role", "parameters", "attributes", "dead_letter", "trace_id"),
    *("attempts_max", "age_s_max"),
)
_AS_THEY_ARE = ("id", "target", "body", "created_at", "due_at", "attempts")


class EventDeliveryRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.claims = Claims(connection, event_deliveries, ("target",))

    def add(self, new: Iterable[EventDelivery]) -> None:
        """Store deliveries that have not been attempted."""
        rows = [
            {
                **{name: getattr(entry, name) for name in _AS_THEY_ARE},
                "document": {
                    **{name: getattr(entry, name) for name in _IN_DOCUMENT},
                    "scope": list(entry.scope),
                },
            }
            for entry in new
        ]
        if rows:
            self._connection.execute(sa.insert(event_deliveries), rows)

    def claim(
        self, target: str, *, by: str, now: float, limit: int
    ) -> tuple[Sequence[EventDelivery], float | None]:
        """See `Claims.take`."""
        rows, next_due = self.claims.take((target,), by=by, now=now, limit=limit)
        return [_to_delivery(row) for row in rows], next_due

    def reschedule(self, failed: Iterable[tuple[EventDelivery, float]]) -> None:
        """Release claims after attempts that the deliveries count."""
        rows = [
            {"which": entry.id, "when": due_at, "failures": entry.attempts}
            for entry, due_at in failed
        ]
        if rows:
            self._connection.execute(
                sa.update(event_deliveries)
                .where(event_deliveries.c.id == sa.bindparam("which"))
                .values(
                    claimed_by=None,
                    due_at=sa.bindparam("when"),
                    attempts=sa.bindparam("failures"),
                ),
                rows,
            )

    def lanes(self) -> Iterator[tuple[str, float]]:
        """See `Claims.lanes`."""
        for (target,), due_at in self.claims.lanes():
            yield target, due_at

    def count(self) -> int:
        """The number of deliveries, in any state."""
        return self._connection.execute(
            sa.select(sa.func.count()).select_from(event_deliveries)
        ).scalar_one()


def _to_delivery(row: sa.Row[Any]) -> EventDelivery:
    document = dict(row.document)
    account, region = document.pop("scope")
    return EventDelivery(
        scope=Scope(AccountId(account), Region(region)),
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
        **document,
    )
