"""The API keys of accounts, in memory as far as they are used."""

from collections.abc import Mapping

from lambent.model.arn import Scope
from lambent.model.changes import Changes
from lambent.model.document import Root
from lambent.store.store import Store, Transaction
from lambent.triggers.apis.rest.usage import ApiKey, keys_by_value

_SCOPES_MAX = 1_024
_SERVICE = "apigateway"


class KeyDirectory:
    """Reads an account's keys when one is first asked for, and drops them when its documents
    change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Scope, Mapping[str, ApiKey]] = {}
        self._changes = 0

    def get_nowait(self, scope: Scope) -> Mapping[str, ApiKey] | None:
        """The keys of an account in a region by value; None if they are not in memory."""
        return self._known.get(scope)

    async def get(self, scope: Scope) -> Mapping[str, ApiKey]:
        """As `get_nowait`, reading what is missing."""
        known = self._known.get(scope)
        if known is not None:
            return known
        changes = self._changes
        found = await self._store.read(lambda tx: _load(tx, scope))
        if changes == self._changes:
            if len(self._known) >= _SCOPES_MAX:
                self._known.clear()
            self._known[scope] = found
        return found

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything:
            self._changes += 1
            self._known.clear()
        for root in changes.documents:
            if root.service == _SERVICE and not root.id:
                self._changes += 1
                self._known.pop(root.scope, None)


def _load(tx: Transaction, scope: Scope) -> Mapping[str, ApiKey]:
    root = Root(_SERVICE, scope.account, scope.region, "")
    keys = {document.id: document.body for document in tx.documents.list_of(root, "api_key")}
    plans = {document.id: document.body for document in tx.documents.list_of(root, "usage_plan")}
    members = tx.documents.list_of(root, "usage_plan_key")
    memberships = {document.id: document.body for document in members}
    return keys_by_value(keys, plans, memberships)
