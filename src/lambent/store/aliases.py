"""Aliases in the database."""

from typing import Any

import sqlalchemy as sa

from lambent.model.alias import Alias
from lambent.model.function import LATEST, FunctionKey
from lambent.model.names import version_number
from lambent.store.tables import aliases
from lambent.store.upserts import upsert

_aliases = aliases.c


class AliasRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[FunctionKey]) -> None:
        self._connection = connection
        self._changed = changed

    def get(self, key: FunctionKey, name: str) -> Alias | None:
        """The alias, or None if there is none of that name."""
        row = self._connection.execute(sa.select(aliases).where(_is(key, name))).first()
        return None if row is None else _to_alias(row)

    def list_of(
        self, key: FunctionKey, *, after: str = "", limit: int | None = None
    ) -> list[Alias]:
        """The function's aliases whose names sort after `after`, by name."""
        rows = self._connection.execute(
            sa.select(aliases)
            .where(_belongs_to(key), _aliases.alias > after)
            .order_by(_aliases.alias)
            .limit(limit)
        )
        return [_to_alias(row) for row in rows]

    def pointing_to(self, key: FunctionKey, version: str) -> list[Alias]:
        """The aliases that send invocations to a version."""
        return [
            alias
            for alias in self.list_of(key)
            if version == alias.version or version in alias.weights
        ]

    def put(self, alias: Alias) -> None:
        """Add the alias, or replace it."""
        number = version_number(alias.version)
        assert number is not None
        self._changed.add(alias.key)
        upsert(
            self._connection,
            aliases,
            {**alias.key._asdict(), "alias": alias.name},
            {
                "version": number,
                "description": alias.description,
                "weights": dict(alias.weights),
                "revision_id": alias.revision_id,
            },
        )

    def delete(self, key: FunctionKey, name: str) -> bool:
        """Delete the alias; returns whether it existed."""
        done = self._connection.execute(sa.delete(aliases).where(_is(key, name)))
        self._changed.add(key)
        return done.rowcount > 0


def _belongs_to(key: FunctionKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        _aliases.account == key.account, _aliases.region == key.region, _aliases.name == key.name
    )


def _is(key: FunctionKey, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(_belongs_to(key), _aliases.alias == name)


def _to_alias(row: sa.Row[Any]) -> Alias:
    return Alias(
        key=FunctionKey(row.account, row.region, row.name),
        name=row.alias,
        version=str(row.version) if row.version else LATEST,
        description=row.description,
        weights=row.weights,
        revision_id=row.revision_id,
    )
