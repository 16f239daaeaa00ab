"""Records and events on their way to destinations and dead-letter queues: a lane for each
target."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from lambent.model.delivery import Delivery, DeliveryKind, object_prefix
from lambent.model.function import FunctionKey
from lambent.store.claims import Claims
from lambent.store.tables import deliveries


class DeliveryRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.claims = Claims(connection, deliveries, ("target",))

    def add(self, new: Iterable[Delivery]) -> None:
        """Store deliveries that have not been attempted."""
        rows = [
            {
                "id": entry.id,
                "target": entry.target,
                "document": {
                    "key": list(entry.key),
                    "arn": entry.arn,
                    "kind": entry.kind,
                    "attributes": dict(entry.attributes),
                    "object_prefix": entry.object_prefix,
                    "trace_id": entry.trace_id,
                    "role": entry.role,
                },
                "body": entry.body,
                "created_at": entry.created_at,
                "due_at": entry.due_at,
                "attempts": entry.attempts,
            }
            for entry in new
        ]
        if rows:
            self._connection.execute(sa.insert(deliveries), rows)

    def claim(
        self, target: str, *, by: str, now: float, limit: int
    ) -> tuple[Sequence[Delivery], float | None]:
        """See `Claims.take`."""
        rows, next_due = self.claims.take((target,), by=by, now=now, limit=limit)
        return [_to_delivery(row) for row in rows], next_due

    def reschedule(self, failed: Iterable[tuple[Delivery, float]]) -> None:
        """Release claims after attempts that the deliveries count."""
        rows = [
            {"which": entry.id, "when": due_at, "failures": entry.attempts}
            for entry, due_at in failed
        ]
        if rows:
            self._connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == sa.bindparam("which"))
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
            sa.select(sa.func.count()).select_from(deliveries)
        ).scalar_one()


def _to_delivery(row: sa.Row[Any]) -> Delivery:
    document = row.document
    return Delivery(
        id=row.id,
        key=FunctionKey(*document["key"]),
        arn=document["arn"],
        target=row.target,
        kind=DeliveryKind(document["kind"]),
        body=row.body,
        attributes=document["attributes"],
        object_prefix=document.get("object_prefix") or object_prefix(document["key"][-1]),
        trace_id=document["trace_id"],
        role=document["role"],
        created_at=row.created_at,
        due_at=row.due_at,
        attempts=row.attempts,
    )
