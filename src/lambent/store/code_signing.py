"""Code signing configurations in the database."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import Scope
from lambent.store.tables import code_signing_configs
from lambent.store.upserts import upsert

_configs = code_signing_configs.c


class CodeSigningConfigs:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, scope: Scope, config_id: str) -> Mapping[str, Any] | None:
        """The document, or None if there is none."""
        document: Mapping[str, Any] | None = self._connection.execute(
            sa.select(_configs.document).where(_is(scope, config_id))
        ).scalar()
        return document

    def list_in(
        self, scope: Scope, *, after: str, limit: int
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """Ids and documents after the id `after`, by id."""
        rows = self._connection.execute(
            sa.select(_configs.id, _configs.document)
            .where(
                _configs.account == scope.account,
                _configs.region == scope.region,
                _configs.id > after,
            )
            .order_by(_configs.id)
            .limit(limit)
        )
        return [(row.id, row.document) for row in rows]

    def put(self, scope: Scope, config_id: str, document: Mapping[str, Any]) -> None:
        """Add a configuration, or replace it."""
        upsert(
            self._connection,
            code_signing_configs,
            {**scope._asdict(), "id": config_id},
            {"document": document},
        )

    def delete(self, scope: Scope, config_id: str) -> None:
        """Delete a configuration."""
        self._connection.execute(sa.delete(code_signing_configs).where(_is(scope, config_id)))


def _is(scope: Scope, config_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        _configs.account == scope.account,
        _configs.region == scope.region,
        _configs.id == config_id,
    )
