"""Packages that nothing referred to when they were looked at.

A package is marked first and deleted later, if it is still unused: a transaction that began to
refer to it meanwhile, on whichever platform, has ended by then. Whoever refers to a package takes
its mark away in the same transaction. The row's lock keeps that and a deletion apart.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from lambent.store.tables import unused_packages

_marks = unused_packages.c


class UnusedPackages:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def mark(self, code_keys: Iterable[str], now: float) -> None:
        """Nothing seems to refer to these since `now`; one that has a mark keeps it."""
        rows = [{"key": code_key, "since": now} for code_key in sorted(code_keys)]
        if rows:
            self._connection.execute(
                sa.text(
                    "INSERT INTO unused_packages (code_key, since) VALUES (:key, :since)"
                    " ON CONFLICT DO NOTHING"
                ),
                rows,
            )

    def unmark(self, code_key: str) -> None:
        """Something refers to this one, or it is deleted."""
        self._connection.execute(sa.delete(unused_packages).where(_marks.code_key == code_key))

    def take_due(self, until: float, limit: int) -> list[str]:
        """Those that were marked at or before `until`, locked; not those that somebody else has
        locked."""
        due = sa.select(_marks.code_key).where(_marks.since <= until).order_by(_marks.since)
        rows = self._connection.execute(due.limit(limit).with_for_update(skip_locked=True))
        return list(rows.scalars())

    def next_at(self) -> float | None:
        """When the oldest mark was made; None if there is none."""
        oldest: float | None = self._connection.execute(
            sa.select(sa.func.min(_marks.since))
        ).scalar()
        return oldest
