"""Rows that are updated if they exist, and added if not."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa


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
