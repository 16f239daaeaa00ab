"""Rows that a writer holds until its transaction ends, so that what it has read stays true.

On PostgreSQL several platforms write at the same time. A use case that reads a function and then
changes it locks the function's row first; one that checks a sum over an account locks the account's
row. Where both are needed, the account comes first, which avoids deadlocks. SQLite has one writer
and needs no locks: there the methods only read.
"""

import sqlalchemy as sa

from lambent.model.arn import Scope
from lambent.model.document import Root
from lambent.model.function import FunctionKey
from lambent.store.tables import accounts, event_source_mappings, functions

_GLOBAL = ""
"""The region of resources without one: users, roles and keys."""


class Locks:
    """The locks of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._is_needed = connection.dialect.name != "sqlite"

    def account(self, account: str, region: str = _GLOBAL) -> None:
        """Lock an account's sums and names in a region; without a region, its identities."""
        if not self._is_needed:
            return
        which = {"account": account, "region": region}
        row = sa.select(accounts.c.account).where(
            accounts.c.account == account, accounts.c.region == region
        )
        if self._connection.execute(row.with_for_update()).first() is None:
            self._connection.execute(
                sa.text(
                    "INSERT INTO accounts (account, region) VALUES (:account, :region)"
                    " ON CONFLICT DO NOTHING"
                ),
                which,
            )
            self._connection.execute(row.with_for_update())

    def scope(self, scope: Scope) -> None:
        """As `account`."""
        self.account(*scope)

    def function(self, key: FunctionKey) -> None:
        """Lock a function with its versions, aliases and settings; does nothing if there is
        none."""
        if self._is_needed:
            self._connection.execute(
                sa.select(functions.c.name)
                .where(
                    functions.c.account == key.account,
                    functions.c.region == key.region,
                    functions.c.name == key.name,
                )
                .with_for_update()
            )

    def root(self, root: Root) -> None:
        """Lock all documents of a root, whether it exists or not."""
        if self._is_needed:
            self._connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:root, 0))"),
                {"root": ":".join(root)},
            )

    def mapping(self, uuid: str) -> None:
        """Lock an event source mapping; does nothing if there is none."""
        if self._is_needed:
            columns = event_source_mappings.c
            self._connection.execute(
                sa.select(columns.uuid).where(columns.uuid == uuid).with_for_update()
            )
