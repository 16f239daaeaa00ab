"""Calls between nodes: the links, and the choice of the node that runs a call."""

import os
from collections.abc import Mapping

from lambent.assembly.api import Api
from lambent.assembly.storage import Storage
from lambent.cluster.call_frames import NodeLoad
from lambent.cluster.handshake import PATH, SECRET
from lambent.cluster.link_server import LinkServer
from lambent.cluster.links import Links
from lambent.gateway.fronts import Front
from lambent.invocation.admission import Admission
from lambent.invocation.placement import Placement
from lambent.invocation.ports import Node
from lambent.invocation.provisioning import Provisioning
from lambent.invocation.settings import InvocationSettings
from lambent.kit.tasks import start_loop
from lambent.store.membership import Membership


class CallsBetweenNodes:
    """See the module. Until `serve`, this node runs every call itself."""

    def __init__(
        self,
        storage: Storage,
        membership: Membership,
        secret: bytes,
        node: Node,
        admission: Admission,
        provisioning: Provisioning,
        settings: InvocationSettings,
        cells: int,
    ) -> None:
        """`cells` is how many nodes are on this machine."""
        clock, number = storage.clock, membership.number
        self._storage = storage
        self._membership = membership
        self._admission = admission
        self._processors = processors = max(len(os.sched_getaffinity(0)) // cells, 1)
        self.links = Links(membership, secret, clock)
        self.placement = Placement(
            *(node, self.links.find, clock, number),
            copy_after_calls=settings.copy_after_calls,
            load=lambda: admission.running / processors,
            provisioned=provisioning.wanted,
        )
        self.server = LinkServer(number, secret, self._own_load, clock)

    def serve(self, api: Api) -> None:
        """Take calls of other nodes, and keep links to them."""
        # Requests for any host are taken: a page in a browser has no proof.
        front = Front(handle=self.server.handle, is_open=True, has_own_names=True)
        api.gateway.fronts.add_path(PATH, front)
        clock, tasks = self._storage.clock, self._storage.tasks
        start_loop(tasks, clock, self.server.tell_load)
        start_loop(tasks, clock, self.links.run)
        start_loop(tasks, clock, self._follow_nodes)

    def loads(self) -> Mapping[int, NodeLoad]:
        """How busy each node is, by number."""
        return {**self.links.loads(), self._membership.number: self._own_load()}

    def _own_load(self) -> NodeLoad:
        return NodeLoad(
            self._admission.running, self._processors, self.server.taken, self.links.sent
        )

    async def _follow_nodes(self) -> None:
        """Choose among the nodes that take on work, until cancelled."""
        while True:
            self.placement.note_nodes(self._membership.live())
            await self._membership.wait_changed()


async def open_calls_between_nodes(
    storage: Storage,
    membership: Membership,
    node: Node,
    admission: Admission,
    provisioning: Provisioning,
    settings: InvocationSettings,
    cells: int,
) -> CallsBetweenNodes:
    """Prepare them; see `CallsBetweenNodes`."""
    secret = await storage.store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    calls = CallsBetweenNodes(
        *(storage, membership, secret, node, admission, provisioning, settings, cells)
    )
    await storage.store.follow(calls.placement)
    return calls
