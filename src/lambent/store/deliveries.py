"""Records and events on their way to destinations and dead-letter queues: a lane for each
target."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from lambent.model.delivery import Delivery, DeliveryKind, object_prefix
from lambent.model.function import FunctionKey
from lambent.store.tables import deliveries
from lambent.store.target_lanes import TargetLanes


class DeliveryRows(TargetLanes[Delivery]):
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection, deliveries, _to_delivery)

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
        self.insert(rows)


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
