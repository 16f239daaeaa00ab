"""Packages that were found unused.

A package is marked first and deleted later, if it is still unused. A transaction that begins to
refer to a package removes the mark, or prevents other transactions from adding one until it has
ended. A lock on the row keeps it and a deletion apart, whichever platform each of them runs on.
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
        """Mark packages as unused since `now`; existing marks stay."""
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
        """The transaction is about to refer to this package: it cannot be deleted in the meantime.
        Waits for a deletion that is in progress."""
        self._connection.execute(
            sa.text(
                "INSERT INTO unused_packages (code_key, since) VALUES (:key, 0)"
                " ON CONFLICT (code_key) DO UPDATE SET since = 0"
            ),
            {"key": code_key},
        )
        # Others see the row, locked, until the transaction ends.
        self.unmark(code_key)

    def unmark(self, code_key: str) -> None:
        """Remove the mark: the package was checked again."""
        self._connection.execute(sa.delete(unused_packages).where(_marks.code_key == code_key))

    def take_due(self, until: float, limit: int) -> list[str]:
        """The packages marked at or before `until`, locked; skips those that another transaction
        has locked."""
        due = sa.select(_marks.code_key).where(_marks.since <= until).order_by(_marks.since)
        rows = self._connection.execute(due.limit(limit).with_for_update(skip_locked=True))
        return list(rows.scalars())

    def next_at(self) -> float | None:
        """The time of the oldest mark; None if there is none."""
        oldest: float | None = self._connection.execute(
            sa.select(sa.func.min(_marks.since))
        ).scalar()
        return oldest
