"""Documents whose secrets only a platform can read.

Values of parameters with NoEcho, keys and generated passwords are parts of what an engine must
remember. They are encrypted with a key of the platform. The key is in the same database: an excerpt
of documents or a log of queries shows no secret, the whole database does.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambent.kit.sealing import Sealing
from lambent.model.arn import Scope
from lambent.model.document import Body, Document, Root
from lambent.store.store import Transaction

SECRET: Final = "stacks"
"""Of the platform: the key."""
_SEALED: Final = "sealed"


class SealedDocuments:
    """As `store/documents.py: DocumentRows`. `sealed` names the members of a kind that are
    encrypted; None stands for all of them."""

    def __init__(self, tx: Transaction, sealed: Mapping[str, Sequence[str] | None]) -> None:
        self._tx = tx
        self._rows = tx.documents
        self._sealed = sealed
        self._sealing: Sealing | None = None

    def get(self, root: Root, kind: str, id: str) -> Document | None:
        """A document, or None if there is none."""
        found = self._rows.get(root, kind, id)
        return None if found is None else self._opened(found)

    def find(self, service: str, kind: str, id: str) -> Document | None:
        """A document of any account; None if there is none."""
        found = self._rows.find(service, kind, id)
        return None if found is None else self._opened(found)

    def list_of(
        self, root: Root, kind: str, *, after: str = "", limit: int | None = None
    ) -> list[Document]:
        """The documents of one kind with ids after `after`, by id."""
        found = self._rows.list_of(root, kind, after=after, limit=limit)
        return [self._opened(document) for document in found]

    def list_in(self, service: str, scope: Scope, kind: str) -> list[Document]:
        """The documents of one kind in an account and region, under any root."""
        return [self._opened(each) for each in self._rows.list_in(service, scope, kind)]

    def everywhere(self, service: str, kind: str) -> list[Document]:
        """The documents of one kind in all accounts."""
        return [self._opened(document) for document in self._rows.everywhere(service, kind)]

    def put(self, root: Root, kind: str, id: str, body: Body) -> None:
        """Add a document, or replace it."""
        if kind in self._sealed:
            names = self._sealed[kind]
            hidden = {n: v for n, v in body.items() if names is None or n in names}
            if hidden:
                rest = {name: value for name, value in body.items() if name not in hidden}
                body = {**rest, _SEALED: self._seal(hidden, _place(root, kind, id))}
        self._rows.put(root, kind, id, body)

    def delete(self, root: Root, kind: str, id: str) -> bool:
        """Delete a document; returns whether it existed."""
        return self._rows.delete(root, kind, id)

    def delete_all(self, root: Root) -> None:
        """Delete all documents of a root."""
        self._rows.delete_all(root)

    def _opened(self, document: Document) -> Document:
        if document.kind not in self._sealed or _SEALED not in document.body:
            return document
        body = dict(document.body)
        place = _place(document.root, document.kind, document.id)
        try:
            hidden: Any = json.loads(self._cipher().open(body.pop(_SEALED), place))
        except ValueError:
            raise ValueError(f"{document} cannot be read with the key of this database") from None
        return dataclasses.replace(document, body={**body, **hidden})

    def _seal(self, hidden: Body, place: str) -> str:
        return self._cipher().seal(json.dumps(hidden, separators=(",", ":")).encode(), place)

    def _cipher(self) -> Sealing:
        if self._sealing is None:
            self._sealing = Sealing(self._tx.identities.platform_secret(SECRET))
        return self._sealing


def _place(root: Root, kind: str, id: str) -> str:
    """Where a document belongs: its secrets cannot be put elsewhere."""
    return json.dumps([*root, kind, id])
