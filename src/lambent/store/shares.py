"""The nodes' shares of limits of concurrency: see `model/shares.py`."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from lambent.model.shares import FREED_S, Grant, grant
from lambent.store.tables import concurrency_shares
from lambent.store.upserts import upsert

CHANNEL = "lambent_shares"
"""PostgreSQL's notification channel: signalled, with its number, when a node needs what others do
not use."""
_shares = concurrency_shares.c
_NOW_OF = {
    "postgresql": "extract(epoch from clock_timestamp())",
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
}
"""The time of the server, in seconds since the epoch."""


class ShareRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        """Whether transactions do not overlap, and nodes signal each other by other means."""
        self._now = _NOW_OF[connection.dialect.name]

    def take(self, purse: str, node: int, *, limit: int, needed: int, nodes: int) -> Grant:
        """Raise a node's share to `needed` and some more, as far as the limit allows. If that is
        not far enough, the others are asked for what they do not use."""
        self._lock(purse)
        self._connection.execute(
            sa.delete(concurrency_shares).where(
                _shares.purse == purse, _shares.free_at <= sa.text(self._now)
            )
        )
        rows = self._connection.execute(
            sa.select(_shares.node, _shares.number).where(_shares.purse == purse)
        )
        held = {row.node: row.number for row in rows}
        before = held.pop(node, 0)
        others = sum(held.values())
        granted = grant(limit, others, before, needed, nodes)
        self._set(purse, node, granted.share)
        if granted.usable < min(needed, limit) and others:
            self._connection.execute(
                sa.update(concurrency_shares)
                .where(_shares.purse == purse, _shares.node != node, _shares.number > 0)
                .values(asked=True)
            )
            if not self._is_sqlite:
                self._connection.exec_driver_sql(f"NOTIFY {CHANNEL}, '{node}'")
        return granted

    def lower(self, node: int, shares: Mapping[str, int]) -> None:
        """Lower a node's shares to these numbers, by purse. Purses are locked in one order."""
        for purse in sorted(shares):
            self._lock(purse)
            self._set(purse, node, shares[purse])

    def asked(self, node: int) -> Sequence[str]:
        """The purses of a node of which another one needs what is not used."""
        query = sa.select(_shares.purse).where(_shares.node == node, _shares.asked)
        return self._connection.execute(query).scalars().all()

    def leave(self, node: int, *, has_ended: bool) -> None:
        """A node is gone. If what it ran may not have ended, its shares are free a while later."""
        which = _shares.node == node
        if has_ended:
            self._connection.execute(sa.delete(concurrency_shares).where(which))
        else:
            free_at = sa.text(f"{self._now} + {FREED_S}")
            self._connection.execute(
                sa.update(concurrency_shares).where(which).values(free_at=free_at)
            )

    def of(self, purse: str) -> Mapping[int, int]:
        """The shares of one purse, by node."""
        query = sa.select(_shares.node, _shares.number).where(_shares.purse == purse)
        return {row.node: row.number for row in self._connection.execute(query)}

    def _set(self, purse: str, node: int, number: int) -> None:
        key = {"purse": purse, "node": node}
        if number > 0:
            values = {"number": number, "asked": False}
            upsert(self._connection, concurrency_shares, key, values)
            return
        which = sa.and_(*(_shares[name] == value for name, value in key.items()))
        self._connection.execute(sa.delete(concurrency_shares).where(which))

    def _lock(self, purse: str) -> None:
        if self._is_sqlite:
            return
        self._connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:purse, 1))"), {"purse": purse}
        )
