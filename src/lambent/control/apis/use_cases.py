"""Use cases on documents, driven by a table of kinds."""

import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from lambent.control.apis.collection import Collection, Kinds, locate
from lambent.control.apis.kinds import Kind, Params, Place
from lambent.control.apis.paging import read_size, read_token, write_token
from lambent.model.arn import Scope
from lambent.model.document import Document, Root
from lambent.store.store import Store, Transaction

UseCase = Callable[[Scope, Params], Awaitable[Params]]
"""Takes account, region and input members; returns output members."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a model calls the members that all of its list operations have."""

    service: str
    """botocore's name: `apigatewayv2`."""
    size: str
    """Input: how many documents a page has."""
    token_in: str
    token_out: str
    items: str
    page_default: int
    page_max: int


Changed = Callable[[Transaction, Root], None]
"""Runs in the transaction of a change of an API's documents, after it."""


def _nothing(_: Transaction, __: Root) -> None:
    return


class Resources:
    """Create, get, list, update and delete, for every kind in a table. Each method returns the use
    case of one operation. All raise `ApiError`."""

    def __init__(
        self, store: Store, dialect: Dialect, kinds: Kinds, changed: Changed = _nothing
    ) -> None:
        self._store = store
        self._dialect = dialect
        self._kinds = kinds
        self._changed = changed

    def create(self, name: str) -> UseCase:
        """Add a document."""
        kind = self._kinds[name]

        def run(tx: Transaction, documents: Collection, params: Params) -> Document:
            is_chosen = kind.id_length is None and kind.place is not Place.ROOT
            chosen = params[kind.path[-1]] if is_chosen else None
            return documents.create(chosen, _given(kind, params))

        return self._writing(kind, run)

    def get(self, name: str) -> UseCase:
        """Read a document."""
        kind = self._kinds[name]

        async def use_case(scope: Scope, params: Params) -> Params:
            def run(tx: Transaction) -> Params:
                found = self.collection(tx, kind.name, scope, params).require(params[kind.path[-1]])
                return kind.shown(found)

            return await self._store.read(run)

        return use_case

    def list(self, name: str) -> UseCase:
        """A page of documents, by id."""
        kind, words = self._kinds[name], self._dialect

        async def use_case(scope: Scope, params: Params) -> Params:
            size = read_size(
                params.get(words.size),
                default=words.page_default,
                maximum=words.page_max,
                member=words.size,
            )
            after = read_token(params.get(words.token_in), words.token_in)
            found = await self._store.read(
                lambda tx: self._page(tx, kind, scope, params, after, size + 1)
            )
            shown: dict[str, object] = {
                words.items: [kind.shown(document) for document in found[:size]]
            }
            if len(found) > size:
                shown[words.token_out] = write_token(found[size - 1].id)
            return shown

        return use_case

    def update(self, name: str) -> UseCase:
        """Change the members that are given: see `collection.changed_body`."""
        kind = self._kinds[name]

        def run(tx: Transaction, documents: Collection, params: Params) -> Document:
            return documents.update(params[kind.path[-1]], _given(kind, params))

        return self._writing(kind, run)

    def delete(self, name: str) -> UseCase:
        """Delete a document with what belongs to it."""
        kind = self._kinds[name]

        def run(tx: Transaction, documents: Collection, params: Params) -> None:
            documents.delete(params[kind.path[-1]])

        return self._writing(kind, run)

    def collection(self, tx: Transaction, name: str, scope: Scope, params: Params) -> Collection:
        """The documents of a kind that an operation's input names."""
        return locate(tx, self._kinds, self._kinds[name], self._dialect.service, scope, params)

    def _writing(
        self, kind: Kind, change: Callable[[Transaction, Collection, Params], Document | None]
    ) -> UseCase:
        async def use_case(scope: Scope, params: Params) -> Params:
            def run(tx: Transaction) -> Params:
                documents = self.collection(tx, kind.name, scope, params)
                tx.locks.root(documents.root)
                document = change(tx, documents, params)
                if documents.root.id:
                    self._changed(tx, documents.root)
                if document is None:
                    return {}
                # What has changed since may have changed the document: a stage's deployment.
                stored = tx.documents.get(document.root, document.kind, document.id)
                return kind.shown(stored or document)

            return await self._store.transact(run)

        return use_case

    def _page(
        self,
        tx: Transaction,
        kind: Kind,
        scope: Scope,
        params: Params,
        after: str,
        limit: int,
    ) -> Sequence[Document]:
        if kind.place is Place.ROOT:
            service = self._dialect.service
            return tx.documents.list_in(service, scope, kind.name, after=after, limit=limit)
        found = self.collection(tx, kind.name, scope, params).list()
        # Databases compare texts in several ways.
        rest = [document for document in found if document.id > after]
        return sorted(rest, key=lambda document: document.id)[:limit]


def _given(kind: Kind, params: Params) -> Params:
    """The input members that are not there to say which document."""
    return {name: value for name, value in params.items() if name not in kind.path}
