"""Tables of what is on its way to targets: a lane for each target, in any form."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import sqlalchemy as sa

from lambent.store.claims import Claims


class _Attempted(Protocol):
    @property
    def id(self) -> int: ...

    @property
    def attempts(self) -> int: ...


D = TypeVar("D", bound=_Attempted)


class TargetLanes(Generic[D]):
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(
        self, connection: sa.Connection, table: sa.Table, read: Callable[[sa.Row[Any]], D]
    ) -> None:
        """`read` makes a delivery of its row."""
        self._connection = connection
        self._table = table
        self._read = read
        self.claims = Claims(connection, table, ("target",))

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store deliveries that have not been attempted, as rows."""
        if rows:
            self._connection.execute(sa.insert(self._table), rows)

    def claim(
        self, target: str, *, by: str, now: float, limit: int
    ) -> tuple[Sequence[D], float | None]:
        """See `Claims.take`."""
        rows, next_due = self.claims.take((target,), by=by, now=now, limit=limit)
        return [self._read(row) for row in rows], next_due

    def reschedule(self, failed: Iterable[tuple[D, float]]) -> None:
        """Release claims after attempts that the deliveries count."""
        rows = [
            {"which": entry.id, "when": due_at, "failures": entry.attempts}
            for entry, due_at in failed
        ]
        if rows:
            self._connection.execute(
                sa.update(self._table)
                .where(self._table.c.id == sa.bindparam("which"))
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
            sa.select(sa.func.count()).select_from(self._table)
        ).scalar_one()
