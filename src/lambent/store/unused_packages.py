"""Packages that nothing referred to when they were looked at.

A package is marked first and deleted later, if it is still unused. A transaction that begins to
refer to a package removes the mark, or makes sure that no other transaction can add one before it
has ended: the lock on the row keeps it and a deletion apart, on whichever platform each of them
runs.
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

    def hold(self, code_key: str) -> None:
        """The transaction is about to refer to this one: nobody deletes it meanwhile. Waits for a
        deletion that is under way."""
        self._connection.execute(
            sa.text(
                "INSERT INTO unused_packages (code_key, since) VALUES (:key, 0)"
                " ON CONFLICT (code_key) DO UPDATE SET since = 0"
            ),
            {"key": code_key},
        )
        # To others the row is there, and locked, until the transaction ends.
        self.unmark(code_key)

    def unmark(self, code_key: str) -> None:
        """It has been looked at again."""
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
