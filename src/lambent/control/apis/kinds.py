"""Kinds of documents, as data."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

Params = Mapping[str, Any]
"""Input or output members by API name."""


class Place(Enum):
    """Where the documents of a kind are."""

    ROOT = auto()
    """The document is an API: the root has its id."""
    INSIDE = auto()
    """Inside an API, which the first member of `Kind.path` names."""
    ACCOUNT = auto()
    """In the account's root, which has no id."""


class Reference(NamedTuple):
    """A member that names another document of the same root, which must exist."""

    member: str
    kind: str
    missing: Callable[[str], ApiError]
    """The error for a value that leads nowhere."""
    in_use: Callable[[str, Sequence[str]], ApiError] | None
    """The error when the other document is deleted: its id, and those that refer to it. None if
    it may be deleted."""
    prefix: str = ""
    """What the value begins with: `integrations/`."""

    def target_in(self, body: Body) -> str | None:
        """The id that a body refers to; None if it refers to nothing, empty if it is malformed."""
        value = body.get(self.member)
        if not value:
            return None
        return str(value).removeprefix(self.prefix) if value.startswith(self.prefix) else ""


@dataclasses.dataclass(frozen=True, slots=True)
class Draft:
    """A document before it is stored: what a check is about."""

    tx: Transaction
    root: Root
    id: str
    body: Body = dataclasses.field(repr=False)
    """With defaults, and changed as the caller wants."""
    before: Body | None = dataclasses.field(repr=False)
    """What is stored now; None for a new document."""
    api: Body
    """The API that it belongs to; empty for what belongs to the account."""


Check = Callable[[Draft], Body]
"""Checks a draft and returns the body to store. Raises `ApiError`."""


def accept(draft: Draft) -> Body:
    """The check of kinds that have no rules."""
    return draft.body


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of document: a row of the table that drives the use cases."""

    name: str
    """As documents have it: `route`."""
    noun: str
    """As errors call it: `Route`."""
    path: tuple[str, ...]
    """The input members that say which document: `("ApiId", "RouteId")`. The last is its own id;
    of kinds in `Place.INSIDE` the first is the API's. The id of the document is what is left of
    them, joined by `/`."""
    place: Place = Place.INSIDE
    parent: str | None = None
    """The kind of the document whose id is `path` without its last member, if that is not the API:
    this document is deleted with it."""
    shown_id: str = ""
    """The output member with the document's own id, if it is not the last of `path`."""
    id_length: int | None = None
    """Characters of ids that are made here. None if the caller chooses, with the last of `path`."""
    defaults: Body = dataclasses.field(default_factory=dict)
    """Members of new documents that the caller does not give."""
    merged: frozenset[str] = frozenset()
    """Members that are maps, of which an update changes entries: an empty value removes one."""
    references: tuple[Reference, ...] = ()
    unique: str | None = None
    """A member whose value no other document of the kind may have in the same place."""
    taken: Callable[[str, str], ApiError] | None = None
    """The error for a value of `unique` or an id that is taken: id of the other, value."""
    count_max: int | None = None
    """How many there may be in one root, or below one parent."""
    missing: Callable[[Root, str], ApiError] | None = None
    """The error for an id of which there is no document, if it is not the usual one."""
    full: Callable[[int], ApiError] | None = None
    """The error for more than `count_max`, if it is not the usual one."""
    check: Check = accept
    check_delete: Callable[[Transaction, Document], None] | None = None
    """Raises `ApiError` if a document may not be deleted, for reasons beyond `references`."""
    hidden: frozenset[str] = frozenset()
    """Members that are stored and never shown."""

    @property
    def id_member(self) -> str:
        """The output member with the document's own id."""
        return self.shown_id or self.path[-1]

    def shown(self, document: Document) -> dict[str, Any]:
        """The output members of a document."""
        return {name: value for name, value in document.body.items() if name not in self.hidden}


def by_name(*kinds: Kind) -> Mapping[str, Kind]:
    """A table of kinds."""
    return {kind.name: kind for kind in kinds}
