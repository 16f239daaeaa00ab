"""Functions and their versions in the database.

A `Functions` lives as long as one transaction. Its writers note which functions they touched
so that the store can ring the bell once the transaction is committed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import Scope
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.function_documents import fields_of, to_document
from lambent.model.names import version_number
from lambent.store.tables import function_versions, functions

_COLUMNS = {"code_key", "code_size"}
_versions = function_versions.c


class FunctionRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[FunctionKey]) -> None:
        self._connection = connection
        self._changed = changed

    # Reading

    def get(self, key: FunctionKey, version: str = LATEST) -> FunctionVersion | None:
        """One version as last configured."""
        row = self._row(key, version)
        return None if row is None else _to_version(row)

    def serving(self, key: FunctionKey, version: str = LATEST) -> FunctionVersion | None:
        """One version as invocations see it: while an update of `$LATEST` is in progress, and after
        it failed, this is the state before the update."""
        row = self._row(key, version)
        if row is None:
            return None
        return _to_version(row) if row.serving is None else _to_serving(row)

    def last_published(self, key: FunctionKey) -> tuple[FunctionVersion, str] | None:
        """The highest published version, and what it was published from."""
        row = self._connection.execute(
            sa.select(function_versions)
            .where(_is_function(function_versions, key), _versions.number > 0)
            .order_by(_versions.number.desc())
            .limit(1)
        ).first()
        return None if row is None else (_to_version(row), row.published_from)

    def list_latest(self, scope: Scope, *, after: str, limit: int) -> list[FunctionVersion]:
        """The `$LATEST` of each function whose name sorts after `after`, by name."""
        return self._list(
            _is_in(function_versions, scope), _versions.number == 0, _versions.name > after,
            limit=limit,
        )  # fmt: skip

    def list_all(
        self, scope: Scope, *, after: tuple[str, int], limit: int
    ) -> list[FunctionVersion]:
        """All versions of all functions after the position `after`, by name and number."""
        name, number = after
        behind = sa.or_(
            _versions.name > name, sa.and_(_versions.name == name, _versions.number > number)
        )
        return self._list(_is_in(function_versions, scope), behind, limit=limit)

    def list_versions(self, key: FunctionKey, *, after: int, limit: int) -> list[FunctionVersion]:
        """`$LATEST` and the published versions with numbers above `after`, ascending."""
        return self._list(
            _is_function(function_versions, key), _versions.number > after, limit=limit
        )

    def list_everywhere(self, limit: int) -> list[FunctionVersion]:
        """The `$LATEST` of functions in all accounts."""
        return self._list(_versions.number == 0, limit=limit)

    def unsettled(self) -> list[FunctionVersion]:
        """All versions, in all accounts, that wait to be prepared."""
        return self._list(_versions.is_settled.is_(False))

    def code_size_total(self, scope: Scope) -> int:
        """Bytes of all versions' packages; each version counts its full copy."""
        total = sa.select(sa.func.coalesce(sa.func.sum(_versions.code_size), 0))
        return int(
            self._connection.execute(total.where(_is_in(function_versions, scope))).scalar_one()
        )

    def count(self, scope: Scope) -> int:
        """How many functions there are."""
        count = sa.select(sa.func.count()).select_from(functions)
        return self._connection.execute(count.where(_is_in(functions, scope))).scalar_one()

    def count_everywhere(self) -> int:
        """The number of functions in all accounts and regions."""
        return self._connection.execute(
            sa.select(sa.func.count()).select_from(functions)
        ).scalar_one()

    def code_keys(self) -> set[str]:
        """Every package any version refers to."""
        rows = self._connection.execute(
            sa.select(_versions.code_key).union(
                sa.select(_versions.serving_code_key).where(_versions.serving_code_key.is_not(None))
            )
        )
        return set(rows.scalars())

    def is_code_used(self, code_key: str) -> bool:
        """Whether any version refers to this package."""
        uses = sa.select(_versions.number).where(
            sa.or_(_versions.code_key == code_key, _versions.serving_code_key == code_key)
        )
        return self._connection.execute(uses.limit(1)).first() is not None

    def code_keys_of(self, key: FunctionKey) -> set[str]:
        """Every package the function's versions refer to."""
        rows = self._connection.execute(
            sa.select(_versions.code_key, _versions.serving_code_key).where(
                _is_function(function_versions, key)
            )
        )
        return {code_key for row in rows for code_key in row if code_key is not None}

    # Writing

    def create(self, latest: FunctionVersion) -> None:
        """Add a function; its first published version will be 1."""
        self._connection.execute(
            sa.insert(functions).values(**latest.key._asdict(), next_version=1)
        )
        self.add(latest)

    def take_version_number(self, key: FunctionKey) -> int:
        """The next version number, which is never assigned again."""
        number: int = self._connection.execute(
            sa.select(functions.c.next_version)
            .where(_is_function(functions, key))
            .with_for_update()
        ).scalar_one()
        self._connection.execute(
            sa.update(functions).where(_is_function(functions, key)).values(next_version=number + 1)
        )
        return number

    def add(self, version: FunctionVersion, *, published_from: str | None = None) -> None:
        """Add a version of an existing function."""
        self._connection.execute(
            sa.insert(function_versions).values(
                **version.key._asdict(),
                number=_number(version),
                published_from=published_from,
                **_columns(version),
            )
        )
        self._changed.add(version.key)

    def update(self, version: FunctionVersion, *, serving: FunctionVersion | None = None) -> None:
        """Replace a version. If `serving` is given, invocations run that instead."""
        self._connection.execute(
            sa.update(function_versions)
            .where(
                _is_function(function_versions, version.key), _versions.number == _number(version)
            )
            .values(
                serving=None if serving is None else _serving_document(serving),
                serving_code_key=None if serving is None else serving.code_key,
                **_columns(version),
            )
        )
        self._changed.add(version.key)

    def revise(self, version: FunctionVersion) -> None:
        """Replace a version by one that differs only in what invocations do not see."""
        self._connection.execute(
            sa.update(function_versions)
            .where(
                _is_function(function_versions, version.key), _versions.number == _number(version)
            )
            .values(**_columns(version))
        )
        self._changed.add(version.key)

    def delete(self, key: FunctionKey) -> None:
        """Delete the function with its versions, aliases and settings."""
        self._connection.execute(sa.delete(functions).where(_is_function(functions, key)))
        self._changed.add(key)

    def delete_version(self, key: FunctionKey, version: str) -> None:
        """Delete one published version."""
        self._connection.execute(
            sa.delete(function_versions).where(
                _is_function(function_versions, key), _versions.number == version_number(version)
            )
        )
        self._changed.add(key)

    # Helpers

    def _row(self, key: FunctionKey, version: str) -> sa.Row[Any] | None:
        number = version_number(version)
        if number is None:
            return None
        return self._connection.execute(
            sa.select(function_versions).where(
                _is_function(function_versions, key), _versions.number == number
            )
        ).first()

    def _list(
        self, *where: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[FunctionVersion]:
        rows: Iterable[sa.Row[Any]] = self._connection.execute(
            sa.select(function_versions)
            .where(*where)
            .order_by(_versions.account, _versions.region, _versions.name, _versions.number)
            .limit(limit)
        )
        return [_to_version(row) for row in rows]


def _is_in(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.account == scope.account, table.c.region == scope.region)


def _is_function(table: sa.Table, key: FunctionKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.account == key.account, table.c.region == key.region, table.c.name == key.name
    )


def _number(version: FunctionVersion) -> int:
    number = version_number(version.version)
    assert number is not None
    return number


def _columns(version: FunctionVersion) -> dict[str, Any]:
    return {
        "code_key": version.code_key,
        "code_size": version.code_size,
        "is_settled": version.is_settled,
        "configuration": _document(version),
    }


def _document(version: FunctionVersion) -> dict[str, Any]:
    document = to_document(version)
    return {name: value for name, value in document.items() if name not in _COLUMNS}


def _serving_document(version: FunctionVersion) -> dict[str, Any]:
    return {**_document(version), "code_size": version.code_size}


def _to_version(row: sa.Row[Any]) -> FunctionVersion:
    return _from_document(row, row.configuration, code_key=row.code_key, code_size=row.code_size)


def _to_serving(row: sa.Row[Any]) -> FunctionVersion:
    return _from_document(row, row.serving, code_key=row.serving_code_key)


def _from_document(row: sa.Row[Any], document: Mapping[str, Any], **fields: Any) -> FunctionVersion:
    return FunctionVersion(
        key=FunctionKey(row.account, row.region, row.name),
        version=str(row.number) if row.number else LATEST,
        **fields_of(document),
        **fields,
    )
