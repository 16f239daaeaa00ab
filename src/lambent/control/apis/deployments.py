"""Deployments: copies of an API. What runs is compiled from a copy, never from the API itself."""

from collections.abc import Set
from typing import Any

from lambent.model.document import Root
from lambent.store.store import Transaction

SNAPSHOT = "Snapshot"
"""The member of a deployment's body that no operation shows."""
LEFT_OUT: Set[str] = frozenset({"stage", "deployment"})
"""Kinds that are no part of a copy: stages take effect at once."""


def take_snapshot(tx: Transaction, root: Root, *, left_out: Set[str] = LEFT_OUT) -> list[Any]:
    """All documents of an API, as a list of [kind, id, body]."""
    return [
        [document.kind, document.id, dict(document.body)]
        for document in tx.documents.all_of(root)
        if document.kind not in left_out
    ]
