"""Rows that are added if they do not exist."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
) -> None:
    """Set the `values` of the row whose primary key is `key`. A row keeps its identity, so that
    another transaction that waits for its lock sees the new values. Transactions that may add the
    same row at the same time hold a lock (see `locks.py`)."""
    which = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if not connection.execute(sa.update(table).where(which).values(**values)).rowcount:
        connection.execute(sa.insert(table).values(**key, **values))


def insert_new(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Add a row unless there is one with its key. A transaction that adds the same row at the same
    time is waited for."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())
