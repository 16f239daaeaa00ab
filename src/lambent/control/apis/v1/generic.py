"""Use cases that differ in nothing but the kind of document."""

from collections.abc import Callable, Sequence
from typing import Any

from lambent.control.apis.kinds import Params
from lambent.control.apis.paging import read_size, read_token, write_token
from lambent.control.apis.v1.kinds import KINDS, PATCHES
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document

PAGE_DEFAULT, PAGE_MAX = 25, 500
_TAGGED = frozenset({"api", "api_key", "usage_plan"})
"""Kinds of which AWS shows tags even if there are none, except when they are created or listed."""


def shown(document: Document, *, is_listed: bool = False) -> dict[str, Any]:
    """The output members of a document."""
    members = KINDS[document.kind].shown(document)
    if document.kind in _TAGGED and not is_listed:
        members.setdefault("tags", {})
    return members


def get(kind: str) -> Function:
    """Read a document."""

    def use_case(work: Work, params: Params) -> Params:
        return shown(work.collection(kind, params).require(params[KINDS[kind].path[-1]]))

    return use_case


def create(kind: str) -> Function:
    """Add a document with the members of the request."""
    path = KINDS[kind].path

    def use_case(work: Work, params: Params) -> Params:
        given = {name: value for name, value in params.items() if name not in path}
        return shown(work.collection(kind, params).create(None, given), is_listed=True)

    return use_case


def patch(kind: str) -> Function:
    """Change a document as patch operations say."""

    def use_case(work: Work, params: Params) -> Params:
        return shown(patched(work, kind, params))

    return use_case


def patched(work: Work, kind: str, params: Params, **more: Any) -> Document:
    """A document after the patch operations of a request; `more` are members to set as well."""
    documents, own_id = work.collection(kind, params), params[KINDS[kind].path[-1]]
    before = documents.require(own_id)
    body = PATCHES[kind].apply(before.body, read_patches(params.get("patchOperations")))
    return documents.replace(own_id, {**body, **more})


def delete(kind: str) -> Function:
    """Delete a document with what belongs to it."""

    def use_case(work: Work, params: Params) -> Params:
        work.collection(kind, params).delete(params[KINDS[kind].path[-1]])
        return {}

    return use_case


def listing(kind: str) -> Function:
    """A page of documents, by id."""

    def use_case(work: Work, params: Params) -> Params:
        return page(work.collection(kind, params).list(), params)

    return use_case


def _id(document: Document) -> str:
    return document.id


def page(
    found: Sequence[Document],
    params: Params,
    *,
    key: Callable[[Document], str] = _id,
    show: Callable[[Document], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A page of documents in the order of `key`, which must be printable ASCII without spaces."""
    size = read_size(params.get("limit"), default=PAGE_DEFAULT, maximum=PAGE_MAX, member="limit")
    after = read_token(params.get("position"), "position")
    rest = sorted((document for document in found if key(document) > after), key=key)
    items = [
        show(document) if show is not None else shown(document, is_listed=True)
        for document in rest[:size]
    ]
    members: dict[str, Any] = {"items": items}
    if len(rest) > size:
        members["position"] = write_token(key(rest[size - 1]))
    return members
