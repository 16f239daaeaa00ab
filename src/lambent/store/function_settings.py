"""The settings of a function outside its configuration: URL, concurrency, policy and so on.

Each is one document per function, kind and qualifier. The qualifier `$LATEST` also stands for the
function as a whole. They are deleted with the function.
"""

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from lambent.model.arn import Scope
from lambent.model.function import LATEST, FunctionKey
from lambent.store.tables import function_settings
from lambent.store.upserts import upsert

_settings = function_settings.c


class Kind(enum.StrEnum):
    """The kind of a document. The values are in the database."""

    CODE_SIGNING = "code-signing"
    CONCURRENCY = "concurrency"
    EVENT_INVOKE = "event-invoke"
    POLICY = "policy"
    PROVISIONED_CONCURRENCY = "provisioned-concurrency"
    RECURSION = "recursion"
    RUNTIME_MANAGEMENT = "runtime-management"
    URL = "url"


class SettingRow(NamedTuple):
    """A document, and the function and qualifier it belongs to."""

    key: FunctionKey
    qualifier: str
    document: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """The function's ARN with the qualifier, unless that is `$LATEST`."""
        return self.key.arn if self.qualifier == LATEST else f"{self.key.arn}:{self.qualifier}"


class FunctionSettings:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[FunctionKey]) -> None:
        self._connection = connection
        self._changed = changed

    def get(
        self, kind: Kind, key: FunctionKey, qualifier: str = LATEST
    ) -> Mapping[str, Any] | None:
        """The document, or None if nothing is configured."""
        found: Mapping[str, Any] | None = self._connection.execute(
            sa.select(_settings.document).where(_is(kind, key, qualifier))
        ).scalar()
        return found

    def list_of(self, kind: Kind, key: FunctionKey) -> list[SettingRow]:
        """All documents of a function, by qualifier."""
        return self._select(_belongs_to(key), _settings.kind == kind)

    def list_in(self, kind: Kind, scope: Scope) -> list[SettingRow]:
        """All documents of one account and region."""
        return self._select(
            _settings.account == scope.account,
            _settings.region == scope.region,
            _settings.kind == kind,
        )

    def list_everywhere(self, kind: Kind) -> list[SettingRow]:
        """All documents."""
        return self._select(_settings.kind == kind)

    def find(self, kind: Kind, reference: str) -> list[SettingRow]:
        """The documents that were stored under this reference."""
        return self._select(_settings.kind == kind, _settings.reference == reference)

    def put(
        self,
        kind: Kind,
        key: FunctionKey,
        document: Mapping[str, Any],
        *,
        qualifier: str = LATEST,
        reference: str | None = None,
    ) -> None:
        """Store the document; replaces an existing one."""
        upsert(
            self._connection,
            function_settings,
            {**key._asdict(), "kind": kind.value, "qualifier": qualifier},
            {"reference": reference, "document": document},
        )
        self._changed.add(key)

    def delete(self, kind: Kind, key: FunctionKey, qualifier: str = LATEST) -> bool:
        """Delete the document; returns whether it existed."""
        done = self._connection.execute(
            sa.delete(function_settings).where(_is(kind, key, qualifier))
        )
        self._changed.add(key)
        return done.rowcount > 0

    def delete_qualifier(self, key: FunctionKey, qualifier: str) -> None:
        """Delete what belongs to a version or alias that is being deleted. Its URL stays
        configured, as in AWS, and responds with 403."""
        self._connection.execute(
            sa.delete(function_settings).where(
                _belongs_to(key), _settings.qualifier == qualifier, _settings.kind != Kind.URL.value
            )
        )
        self._changed.add(key)

    def _select(self, *where: sa.ColumnElement[bool]) -> list[SettingRow]:
        rows = self._connection.execute(
            sa.select(function_settings)
            .where(*where)
            .order_by(_settings.account, _settings.region, _settings.name, _settings.qualifier)
        )
        return [
            SettingRow(FunctionKey(row.account, row.region, row.name), row.qualifier, row.document)
            for row in rows
        ]


def _belongs_to(key: FunctionKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        _settings.account == key.account,
        _settings.region == key.region,
        _settings.name == key.name,
    )


def _is(kind: Kind, key: FunctionKey, qualifier: str) -> sa.ColumnElement[bool]:
    return sa.and_(_belongs_to(key), _settings.kind == kind.value, _settings.qualifier == qualifier)
