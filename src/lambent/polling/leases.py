"""Which node polls a mapping, where several share the database.

Each mapping prefers one of the nodes, by a hash over both, so that mappings are spread evenly and
few of them move when a node comes or goes. The preferred node begins when no other one holds the
lease. A node that is not preferred any more stops, and then drops the lease.
"""

from typing import Protocol

from lambent.model.nodes import preferred
from lambent.store.membership import Membership
from lambent.store.store import Store


class Leases(Protocol):
    """Who polls."""

    async def take(self, uuid: str) -> bool:
        """Whether this node may poll a mapping now. False as well if another node still does;
        when it has stopped, the mapping counts as changed. Raises `StoreUnavailable`."""
        ...

    async def drop(self, uuid: str) -> None:
        """This node has stopped polling a mapping. Raises `StoreUnavailable`."""
        ...


class Alone:
    """The leases of a platform that has its database for itself."""

    async def take(self, uuid: str) -> bool:
        """See `Leases`."""
        return True

    async def drop(self, uuid: str) -> None:
        """See `Leases`."""


class SharedLeases:
    """The leases of one node of several."""

    def __init__(self, store: Store, membership: Membership) -> None:
        self._store = store
        self._membership = membership
        self._held: set[str] = set()

    async def take(self, uuid: str) -> bool:
        """See `Leases`."""
        number = self._membership.number
        if preferred(uuid, self._membership.live()) != number:
            return False
        if uuid not in self._held:
            if not await self._store.transact(lambda tx: tx.nodes.take_lease(uuid, number)):
                return False
            self._held.add(uuid)
        return True

    async def drop(self, uuid: str) -> None:
        """See `Leases`."""
        if uuid in self._held:
            number = self._membership.number
            await self._store.transact(lambda tx: tx.nodes.drop_lease(uuid, number))
            self._held.discard(uuid)
