"""Distributions in memory, as far as they are used, and all aliases.

A distribution is read when a request first asks for it, and dropped when one of its documents, or a
policy or function of its account, changes. Invalidations are among its documents: they are carried
out when it is read again, before the next request is served.
"""

import enum
from collections.abc import Mapping
from typing import Literal

from lambent.model.arn import AccountId
from lambent.model.changes import Changes
from lambent.model.cloudfront.names import SERVICE
from lambent.store.store import Store
from lambent.triggers.edge.cache import EdgeCache, invalidation
from lambent.triggers.edge.distribution import Distribution
from lambent.triggers.edge.loading import Loaded, load_aliases, load_distribution

_MAX, _MISSING_MAX = 1024, 8192
Aliases = Mapping[str, tuple[str, AccountId]]


class Unread(enum.Enum):
    """What is not in memory: await the method without `_nowait`."""

    UNREAD = enum.auto()


UNREAD: Literal[Unread.UNREAD] = Unread.UNREAD


class EdgeDirectory:
    """See the module. It is a `ChangeListener`."""

    def __init__(self, store: Store, cache: EdgeCache, *, domain: str) -> None:
        self._store = store
        self._cache = cache
        self._domain = domain
        self._known: dict[str, Distribution] = {}
        self._missing: set[str] = set()
        self._aliases: Aliases | None = None
        self._carried_out: dict[str, frozenset[str]] = {}
        """The ids of invalidations by distribution."""
        self._changes = 0

    def get_nowait(self, id: str) -> Distribution | Literal[Unread.UNREAD] | None:
        """The distribution with an id, None if there is none, as far as it is in memory."""
        found = self._known.get(id)
        if found is not None:
            return found
        return None if id in self._missing else UNREAD

    async def get(self, id: str) -> Distribution | None:
        """The distribution with an id; None if there is none."""
        while True:
            known = self.get_nowait(id)
            if not isinstance(known, Unread):
                return known
            changes = self._changes
            loaded = await self._store.read(lambda tx: load_distribution(tx, id, self._domain))
            if changes == self._changes:
                # What is carried out now was read before anything else changed.
                self._keep(id, loaded)

    def _keep(self, id: str, loaded: Loaded | None) -> None:
        if loaded is None:
            self._cache.forget(id)
            self._carried_out.pop(id, None)
            if len(self._missing) >= _MISSING_MAX:
                self._missing.clear()
            self._missing.add(id)
            return
        done = self._carried_out.get(id, frozenset())
        for number, paths in loaded.invalidations.items():
            if number not in done:
                for path in paths:
                    self._cache.forget(id, invalidation(path))
        self._carried_out[id] = frozenset(loaded.invalidations)
        if len(self._known) >= _MAX:
            dropped = next(iter(self._known))
            self._known.pop(dropped).is_current = False
        self._known[id] = loaded.distribution

    # -- aliases -------------------------------------------------------------------------------

    def find_alias_nowait(self, host: str) -> str | Literal[Unread.UNREAD] | None:
        """The id of the distribution with an alias, in lower case and without port, or with the
        wildcard above it; None if there is none."""
        aliases = self._aliases
        if aliases is None:
            return UNREAD
        if not aliases:
            return None
        found = aliases.get(host) or aliases.get(f"*.{host.partition('.')[2]}")
        return None if found is None else found[0]

    async def read_aliases(self) -> None:
        """Have all aliases in memory."""
        while self._aliases is None:
            changes = self._changes
            found = await self._store.read(load_aliases)
            if changes == self._changes:
                self._aliases = found

    # -- changes -------------------------------------------------------------------------------

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything:
            self._drop(list(self._known))
            self._missing.clear()
            self._aliases = None
            self._changes += 1
        for root in changes.documents:
            if root.service != SERVICE:
                continue
            self._changes += 1
            if root.id:
                self._drop([root.id])
                self._missing.discard(root.id)
                self._aliases = None
            else:
                of_account = [
                    id for id, each in self._known.items() if each.account == root.account
                ]
                self._drop(of_account)

    def _drop(self, ids: list[str]) -> None:
        for id in ids:
            known = self._known.pop(id, None)
            if known is not None:
                known.is_current = False
