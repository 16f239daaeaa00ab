"""One use case that is being performed."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.apis.collection import Collection, locate
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1.kinds import KINDS, SERVICE
from lambent.model.arn import Scope
from lambent.model.document import Root
from lambent.store.store import Transaction


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A transaction, and what it is about."""

    tx: Transaction
    scope: Scope
    now: int
    """Seconds since 1970."""
    domain: str
    """What the host names of APIs end with."""

    def collection(self, kind: str, params: Params) -> Collection:
        """The documents of a kind that an operation's input names."""
        return locate(self.tx, KINDS, KINDS[kind], SERVICE, self.scope, params)

    def root(self, api: str = "") -> Root:
        """The root of an API; without id, the account's."""
        return Root(SERVICE, *self.scope, api)


Function = Callable[[Work, Params], Mapping[str, Any]]
"""A use case within its transaction: takes input members, returns output members."""
