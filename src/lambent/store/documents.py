"""Documents in the database: see `model.document`."""

from typing import Any

import sqlalchemy as sa

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Body, Document, Root
from lambent.store.tables import documents
from lambent.store.upserts import upsert

_columns = documents.c


class DocumentRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[Root]) -> None:
        self._connection = connection
        self._changed = changed
        """The roots of the documents that were changed."""

    def get(self, root: Root, kind: str, id: str) -> Document | None:
        """A document, or None if there is none."""
        found = self._select(_is_below(root), _columns.kind == kind, _columns.id == id)
        return found[0] if found else None

    def find(self, service: str, kind: str, id: str) -> Document | None:
        """A document of any account; None if there is none. For ids that are unique across
        accounts, such as API ids."""
        found = self._select(
            _columns.service == service, _columns.kind == kind, _columns.id == id, limit=1
        )
        return found[0] if found else None

    def all_of(self, root: Root) -> list[Document]:
        """All documents of a root, by kind and id."""
        return self._select(_is_below(root))

    def list_of(
        self, root: Root, kind: str, *, after: str = "", limit: int | None = None
    ) -> list[Document]:
        """The documents of one kind with ids after `after`, by id."""
        return self._select(
            _is_below(root), _columns.kind == kind, _columns.id > after, limit=limit
        )

    def list_in(
        self, service: str, scope: Scope, kind: str, *, after: str = "", limit: int | None = None
    ) -> list[Document]:
        """The documents of one kind in an account and region, under any root, with ids after
        `after`, by id."""
        return self._select(
            _columns.service == service,
            _columns.account == scope.account,
            _columns.region == scope.region,
            _columns.kind == kind,
            _columns.id > after,
            limit=limit,
        )

    def everywhere(self, service: str, kind: str) -> list[Document]:
        """The documents of one kind in all accounts."""
        return self._select(_columns.service == service, _columns.kind == kind)

    def put(self, root: Root, kind: str, id: str, body: Body) -> Document:
        """Add a document, or replace it."""
        self._changed.add(root)
        upsert(
            self._connection,
            documents,
            {
                "service": root.service,
                "account": root.account,
                "region": root.region,
                "root": root.id,
                "kind": kind,
                "id": id,
            },
            {"body": dict(body)},
        )
        return Document(root, kind, id, body)

    def delete(self, root: Root, kind: str, id: str) -> bool:
        """Delete a document; returns whether it existed."""
        done = self._connection.execute(
            sa.delete(documents).where(_is_below(root), _columns.kind == kind, _columns.id == id)
        )
        if done.rowcount:
            self._changed.add(root)
        return bool(done.rowcount)

    def delete_all(self, root: Root) -> None:
        """Delete all documents of a root."""
        self._changed.add(root)
        self._connection.execute(sa.delete(documents).where(_is_below(root)))

    def _select(self, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[Document]:
        rows = self._connection.execute(
            sa.select(documents)
            .where(*where)
            .order_by(_columns.kind, _columns.id, _columns.root)
            .limit(limit)
        )
        return [_to_document(row) for row in rows]


def _is_below(root: Root) -> sa.ColumnElement[bool]:
    return sa.and_(
        _columns.service == root.service,
        _columns.account == root.account,
        _columns.region == root.region,
        _columns.root == root.id,
    )


def _to_document(row: sa.Row[Any]) -> Document:
    root = Root(row.service, AccountId(row.account), Region(row.region), row.root)
    return Document(root, row.kind, row.id, row.body)
