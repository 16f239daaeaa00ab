"""The documents of one kind in one place, within a transaction."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from lambent.control.apis.errors import bad_request, conflict, not_found, too_many
from lambent.control.apis.ids import new_api_id, new_id
from lambent.control.apis.kinds import Draft, Kind, Params, Place
from lambent.model.arn import Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

Kinds = Mapping[str, Kind]
_ID_LENGTH_MAX = 256
"""As the database stores it."""
_NAME_LENGTH_MAX = 128


@dataclasses.dataclass(frozen=True, slots=True)
class Collection:
    """The documents of a kind below one parent. Its methods block, as those of a transaction do."""

    tx: Transaction
    kinds: Kinds
    kind: Kind
    root: Root
    parent_id: str = ""
    """The id of the parent, of kinds that have one."""

    @property
    def prefix(self) -> str:
        """What the ids of its documents begin with."""
        return f"{self.parent_id}/" if self.kind.parent else ""

    def require_parents(self) -> Body:
        """Check that the API and the parent exist; returns the API's body, which is empty in the
        account's root. Raises `NotFoundException`."""
        if self.kind.place is not Place.INSIDE:
            api: Body = {}
        else:
            top = next(kind for kind in self.kinds.values() if kind.place is Place.ROOT)
            api = _require(self.tx, self.root, top, self.root.id).body
        if self.kind.parent:
            _require(self.tx, self.root, self.kinds[self.kind.parent], self.parent_id)
        return api

    def require(self, own_id: str) -> Document:
        """The document with this id. Raises `NotFoundException`, also for what it belongs to."""
        self.require_parents()
        return _require(self.tx, self.root, self.kind, self.prefix + own_id)

    def list(self) -> Sequence[Document]:
        """All of them, by id. Raises `NotFoundException` for what they belong to."""
        self.require_parents()
        return self._siblings()

    def create(self, own_id: str | None, given: Body) -> Document:
        """Add a document with the given members, as far as the kind's rules allow it. `own_id` is
        the caller's choice, None for kinds whose ids are made here. Raises `ApiError`."""
        return self.create_all([(own_id, given)])[0]

    def create_all(self, entries: Iterable[tuple[str | None, Body]]) -> Sequence[Document]:
        """As `create`, several times: what is there already is read once."""
        api, siblings = self.require_parents(), [*self._siblings()]
        start = len(siblings)
        for own_id, given in entries:
            siblings.append(self._create(own_id, given, api, siblings))
        return siblings[start:]

    def _create(
        self, own_id: str | None, given: Body, api: Body, siblings: Sequence[Document]
    ) -> Document:
        kind = self.kind
        if kind.count_max is not None and len(siblings) >= kind.count_max:
            raise _full(kind, kind.count_max)
        if own_id is not None and not _is_name(own_id):
            raise bad_request(f"Invalid {kind.noun} name specified.")
        id = self.prefix + (own_id if own_id is not None else self._new_id(siblings))
        if any(sibling.id == id for sibling in siblings):
            raise self._taken(id, own_id or id)
        body = {**kind.defaults, **given, kind.id_member: id.removeprefix(self.prefix)}
        return self._store(id, body, None, api, siblings)

    def update(self, own_id: str, given: Body) -> Document:
        """Change the given members: see `changed_body`. Raises `ApiError`."""
        api = self.require_parents()
        before = _require(self.tx, self.root, self.kind, self.prefix + own_id)
        body = changed_body(self.kind, before.body, given)
        return self._store(before.id, body, before.body, api, self._siblings())

    def replace(self, own_id: str, body: Body) -> Document:
        """Store another body for a document that exists, after the kind's checks. Raises
        `ApiError`."""
        api = self.require_parents()
        before = _require(self.tx, self.root, self.kind, self.prefix + own_id)
        return self._store(before.id, body, before.body, api, self._siblings())

    def delete(self, own_id: str) -> Document:
        """Delete a document with what belongs to it; returns it. Raises `ApiError`."""
        document = self.require(own_id)
        if self.kind.check_delete is not None:
            self.kind.check_delete(self.tx, document)
        self._check_unused(document)
        if self.kind.place is Place.ROOT:
            self.tx.documents.delete_all(self.root)
        else:
            self._delete_tree(self.kind, document.id)
        return document

    def _store(
        self, id: str, body: Body, before: Body | None, api: Body, siblings: Sequence[Document]
    ) -> Document:
        kind = self.kind
        body = kind.check(Draft(self.tx, self.root, id, body, before, api))
        for reference in kind.references:
            target = reference.target_in(body)
            if target is not None and (
                not target or self.tx.documents.get(self.root, reference.kind, target) is None
            ):
                raise reference.missing(str(body[reference.member]))
        if kind.unique is not None:
            value = body.get(kind.unique)
            for sibling in siblings:
                if sibling.id != id and sibling.body.get(kind.unique) == value:
                    raise self._taken(sibling.id, str(value))
        return self.tx.documents.put(self.root, kind.name, id, body)

    def _taken(self, id: str, value: str) -> ApiError:
        if self.kind.taken is not None:
            return self.kind.taken(id, value)
        return conflict(f"{self.kind.noun} already exists: {value}")

    def _siblings(self) -> Sequence[Document]:
        documents = self.tx.documents.list_of(self.root, self.kind.name)
        return [document for document in documents if document.id.startswith(self.prefix)]

    def _new_id(self, siblings: Sequence[Document]) -> str:
        if self.kind.place is Place.ROOT:
            return self.root.id
        assert self.kind.id_length is not None
        taken = {sibling.id for sibling in siblings}
        while True:
            candidate = new_id(self.kind.id_length)
            if self.prefix + candidate not in taken:
                return candidate

    def _check_unused(self, document: Document) -> None:
        for kind in self.kinds.values():
            for reference in kind.references:
                if reference.kind != self.kind.name or reference.in_use is None:
                    continue
                users = [
                    user.id
                    for user in self.tx.documents.list_of(self.root, kind.name)
                    if reference.target_in(user.body) == document.id
                ]
                if users:
                    raise reference.in_use(document.id, users)

    def _delete_tree(self, kind: Kind, id: str) -> None:
        self.tx.documents.delete(self.root, kind.name, id)
        for child in self.kinds.values():
            if child.parent == kind.name:
                for document in self.tx.documents.list_of(self.root, child.name):
                    if document.id.startswith(f"{id}/"):
                        self._delete_tree(child, document.id)


def locate(
    tx: Transaction, kinds: Kinds, kind: Kind, service: str, scope: Scope, params: Params
) -> Collection:
    """The collection that an operation's input names; a new API gets a root with a new id."""
    path = kind.path
    if kind.place is Place.ROOT:
        id = params[path[0]] if path[0] in params else new_api_id(tx)
        return Collection(tx, kinds, kind, Root(service, *scope, id))
    if kind.place is Place.ACCOUNT:
        parent = "/".join(params[member] for member in path[:-1])
        return Collection(tx, kinds, kind, Root(service, *scope, ""), parent)
    parent = "/".join(params[member] for member in path[1:-1])
    return Collection(tx, kinds, kind, Root(service, *scope, params[path[0]]), parent)


def changed_body(kind: Kind, before: Body, given: Body) -> Body:
    """A body after an update: given members replace what was there, an empty text removes a
    member, and of maps in `Kind.merged` entries are replaced and removed in the same way."""
    body = dict(before)
    for name, value in given.items():
        if name in kind.merged:
            entries = {**(before.get(name) or {}), **value}
            value = {key: entry for key, entry in entries.items() if entry not in ("", {}, None)}
        body[name] = value
    return {name: value for name, value in body.items() if value not in ("", None)}


def _require(tx: Transaction, root: Root, kind: Kind, id: str) -> Document:
    document = tx.documents.get(root, kind.name, id) if len(id) <= _ID_LENGTH_MAX else None
    if document is not None:
        return document
    shown = id.rpartition("/")[2][:_NAME_LENGTH_MAX]
    if kind.missing is not None:
        raise kind.missing(root, shown)
    raise not_found(f"Unable to find {kind.noun} by ID {shown}", ResourceType=kind.noun)


def _full(kind: Kind, count: int) -> ApiError:
    if kind.full is not None:
        return kind.full(count)
    return too_many(f"Maximum number of {kind.noun} resources reached: {count}.")


def _is_name(own_id: str) -> bool:
    """Whether the caller may choose this id: a slash would make it another document's."""
    return 0 < len(own_id) <= _NAME_LENGTH_MAX and own_id.isprintable() and "/" not in own_id
