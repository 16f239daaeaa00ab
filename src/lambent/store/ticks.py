"""When scheduled rules and schedules are due next: a row for each that is enabled.

The use case that changes a schedule sets its row, and the transaction that sends the event of a
tick moves the row on. So each tick sends one event, whenever the platform ends.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Root
from lambent.store.tables import ticks
from lambent.store.upserts import upsert

_columns = ticks.c


class Tick(NamedTuple):
    """One schedule's next time."""

    root: Root
    id: str
    """Of the rule or schedule, below its root."""
    scheduled_at: float
    """What the expression says, in epoch seconds."""
    due_at: float
    """When the event is sent: later than `scheduled_at` in a flexible window."""


class TickRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, tick: Tick) -> None:
        """Set when a schedule is due next."""
        upsert(
            self._connection,
            ticks,
            _key(tick.root, tick.id),
            {"scheduled_at": tick.scheduled_at, "due_at": tick.due_at},
        )

    def delete(self, root: Root, id: str) -> None:
        """A schedule is never due again."""
        which = _key(root, id)
        self._connection.execute(
            sa.delete(ticks).where(*(_columns[name] == value for name, value in which.items()))
        )

    def due(self, now: float, limit: int) -> Sequence[Tick]:
        """Up to `limit` that are due, the longest due first. They stay locked until the
        transaction ends; another platform does not see them."""
        rows = self._connection.execute(
            sa.select(ticks)
            .where(_columns.due_at <= now)
            .order_by(_columns.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [_to_tick(row) for row in rows]

    def list_in(self, scope: Scope, limit: int) -> Sequence[Tick]:
        """Up to `limit` of an account and Region, the first due first."""
        rows = self._connection.execute(
            sa.select(ticks)
            .where(_columns.account == scope.account, _columns.region == scope.region)
            .order_by(_columns.due_at)
            .limit(limit)
        )
        return [_to_tick(row) for row in rows]

    def next_due(self) -> float | None:
        """When the first is due; None if there is none."""
        found: float | None = self._connection.execute(
            sa.select(sa.func.min(_columns.due_at))
        ).scalar()
        return found


def _to_tick(row: sa.Row[Any]) -> Tick:
    root = Root(row.service, AccountId(row.account), Region(row.region), row.root)
    return Tick(root, row.id, row.scheduled_at, row.due_at)


def _key(root: Root, id: str) -> dict[str, str]:
    return {
        "service": root.service,
        "account": root.account,
        "region": root.region,
        "root": root.id,
        "id": id,
    }
