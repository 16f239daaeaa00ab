"""Event source mappings in the database."""

from typing import Any

import sqlalchemy as sa

from lambent.model.arn import Scope
from lambent.model.mapping import EventSourceMapping, MappingState
from lambent.model.sources.registry import SOURCE_KINDS
from lambent.store.tables import event_source_mappings, mapping_positions
from lambent.store.upserts import upsert

_mappings = event_source_mappings.c
_MEMBERS = ("function_arn", "state_reason", "last_modified", "last_result", "configuration")
"""Members of a mapping that have their own keys in the document."""


class MappingRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[str]) -> None:
        self._connection = connection
        self._changed = changed
        """The UUIDs of mappings that were changed."""

    def get(self, scope: Scope, uuid: str) -> EventSourceMapping | None:
        """The mapping, or None if there is none."""
        found = self._select(_is_in(scope), _mappings.uuid == uuid)
        return found[0] if found else None

    def find(self, uuid: str) -> EventSourceMapping | None:
        """The mapping, in any account; None if there is none."""
        found = self._select(_mappings.uuid == uuid)
        return found[0] if found else None

    def everywhere(self) -> list[EventSourceMapping]:
        """All mappings, in all accounts."""
        return self._select()

    def list_in(
        self,
        scope: Scope,
        *,
        function_name: str | None = None,
        source_id: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> list[EventSourceMapping]:
        """The mappings of a function, of a source, of both, or all, with UUIDs after `after`, by
        UUID."""
        where = [_is_in(scope), _mappings.uuid > after]
        if function_name is not None:
            where.append(_mappings.function_name == function_name)
        if source_id is not None:
            where.append(_mappings.source_id == source_id)
        return self._select(*where, limit=limit)

    def put(self, mapping: EventSourceMapping) -> None:
        """Add a mapping, or replace it."""
        self._changed.add(mapping.uuid)
        document = {name: getattr(mapping, name) for name in _MEMBERS}
        document["source"] = mapping.kind.name
        document["state"] = mapping.state.value
        upsert(
            self._connection,
            event_source_mappings,
            {"uuid": mapping.uuid},
            {
                **mapping.scope._asdict(),
                "function_name": mapping.function_name,
                "source_id": mapping.source_id,
                "document": document,
            },
        )

    def delete(self, uuid: str) -> None:
        """Delete a mapping and its positions."""
        self._changed.add(uuid)
        self._connection.execute(sa.delete(event_source_mappings).where(_mappings.uuid == uuid))
        self._connection.execute(
            sa.delete(mapping_positions).where(mapping_positions.c.uuid == uuid)
        )

    def _select(
        self, *where: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[EventSourceMapping]:
        rows = self._connection.execute(
            sa.select(event_source_mappings).where(*where).order_by(_mappings.uuid).limit(limit)
        )
        return [_to_mapping(row) for row in rows]


def _is_in(scope: Scope) -> sa.ColumnElement[bool]:
    return sa.and_(_mappings.account == scope.account, _mappings.region == scope.region)


def _to_mapping(row: sa.Row[Any]) -> EventSourceMapping:
    document = dict(row.document)
    return EventSourceMapping(
        uuid=row.uuid,
        scope=Scope(row.account, row.region),
        function_name=row.function_name,
        source_id=row.source_id,
        kind=SOURCE_KINDS[document.pop("source")],
        state=MappingState(document.pop("state")),
        **document,
    )
