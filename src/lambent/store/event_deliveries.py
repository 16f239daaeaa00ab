"""Events of rules and schedules on their way to targets: a lane for each target."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.events.delivery import EventDelivery
from lambent.store.tables import event_deliveries
from lambent.store.target_lanes import TargetLanes

_IN_DOCUMENT = (
    *("service", "source_arn", "role", "parameters", "attributes", "dead_letter", "trace_id"),
    *("attempts_max", "age_s_max"),
)
_AS_THEY_ARE = ("id", "target", "body", "created_at", "due_at", "attempts")


class EventDeliveryRows(TargetLanes[EventDelivery]):
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection, event_deliveries, _to_delivery)

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
        self.insert(rows)


def _to_delivery(row: sa.Row[Any]) -> EventDelivery:
    document = dict(row.document)
    account, region = document.pop("scope")
    return EventDelivery(
        scope=Scope(AccountId(account), Region(region)),
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
        **document,
    )
