"""Rows that become due in lanes, and are claimed by the platform that works on them.

A claim lasts until it is released. When a platform starts, it releases the claims of platforms that
no longer run. So nothing is lost when a platform ends, and a row may be processed twice.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa


class Claims:
    """The columns `id`, `due_at` and `claimed_by` of a table, in one transaction.

    Some columns together identify a row's lane; `lane` below is their values.
    """

    def __init__(self, connection: sa.Connection, table: sa.Table, lane: Sequence[str]) -> None:
        self._connection = connection
        self._table = table
        self._lane = [table.c[name] for name in lane]

    def take(
        self, lane: Sequence[str], *, by: str, now: float, limit: int
    ) -> tuple[Sequence[sa.Row[Any]], float | None]:
        """Claim up to `limit` due rows for `by`, the longest due first. Returns them, and the time
        at which the next row is due, if there is one."""
        columns = self._table.c
        is_free = sa.and_(self._is_in(lane), columns.claimed_by.is_(None))
        rows = self._connection.execute(
            sa.select(self._table)
            .where(is_free, columns.due_at <= now)
            .order_by(columns.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        if rows:
            self._connection.execute(
                sa.update(self._table)
                .where(columns.id == sa.bindparam("which"))
                .values(claimed_by=by),
                [{"which": row.id} for row in rows],
            )
        next_due: float | None = self._connection.execute(
            sa.select(sa.func.min(columns.due_at)).where(is_free)
        ).scalar()
        return rows, next_due

    def forget(self, ids: Iterable[int]) -> None:
        """Delete rows."""
        which = [{"which": entry} for entry in ids]
        if which:
            query = sa.delete(self._table).where(self._table.c.id == sa.bindparam("which"))
            self._connection.execute(query, which)

    def release_until(self, due: Iterable[tuple[int, float]]) -> None:
        """Release claims: each row, by id, becomes due at its time."""
        which = [{"which": id_, "when": at} for id_, at in due]
        if which:
            self._connection.execute(
                sa.update(self._table)
                .where(self._table.c.id == sa.bindparam("which"))
                .values(claimed_by=None, due_at=sa.bindparam("when")),
                which,
            )

    def release(self, claims: Collection[str]) -> None:
        """Release the rows claimed by any of `by`."""
        if claims:
            claimed_by = self._table.c.claimed_by
            query = sa.update(self._table).where(claimed_by.in_(claims))
            self._connection.execute(query.values(claimed_by=None))

    def release_left(self, is_running: Callable[[int], bool], now: float) -> None:
        """Make all rows due that are claimed by platforms that no longer run. A claim begins with
        the count of its platform's start and a dot; older claims have only a number."""
        claimed_by = self._table.c.claimed_by
        query = sa.select(claimed_by).where(claimed_by.is_not(None)).distinct()
        claims = list(self._connection.execute(query).scalars())
        owners = {int(claim.partition(".")[0]) for claim in claims if "." in claim}
        running = tuple(f"{owner}." for owner in owners if is_running(owner))
        left = [claim for claim in claims if not claim.startswith(running)]
        if left:
            release = sa.update(self._table).where(claimed_by.in_(left))
            self._connection.execute(release.values(claimed_by=None, due_at=now))

    def lanes(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """All lanes with waiting rows, each with the time at which its first row is due."""
        after: tuple[str, ...] | None = None
        due_at = self._table.c.due_at
        query = (
            sa.select(*self._lane, due_at)
            .where(self._table.c.claimed_by.is_(None))
            .order_by(*self._lane, due_at)
            .limit(1)
        )
        while True:
            beyond = query
            if after is not None:
                beyond = query.where(sa.tuple_(*self._lane) > sa.tuple_(*after))
            row = self._connection.execute(beyond).one_or_none()
            if row is None:
                return
            after = tuple(row)[:-1]
            yield after, row.due_at

    def depth(self, lane: Sequence[str], now: float) -> tuple[int, int, int, int | None]:
        """How many rows of a lane are due, due later, and claimed; and the id of the oldest
        unclaimed row."""
        columns = self._table.c
        waiting = self._connection.execute(
            sa.select(
                sa.func.count(sa.case((columns.due_at <= now, 1))),
                sa.func.count(sa.case((columns.due_at > now, 1))),
                sa.func.min(columns.id),
            ).where(self._is_in(lane), columns.claimed_by.is_(None))
        ).one()
        claimed = self._connection.execute(
            sa.select(sa.func.count())
            .select_from(self._table)
            .where(self._is_in(lane), columns.claimed_by.is_not(None))
        ).scalar_one()
        return waiting[0], waiting[1], claimed, waiting[2]

    def _is_in(self, lane: Sequence[str]) -> sa.ColumnElement[bool]:
        return sa.and_(*(column == value for column, value in zip(self._lane, lane, strict=True)))
