"""Calls between nodes: the links, and the choice of the node that runs a call."""

import dataclasses
import os
from collections.abc import Callable, Mapping

from lambent.assembly.api import Api
from lambent.assembly.storage import Storage
from lambent.cluster.call_frames import NodeLoad
from lambent.cluster.handshake import PATH, SECRET
from lambent.cluster.link_server import LinkServer
from lambent.cluster.links import Links
from lambent.gateway.fronts import Front
from lambent.invocation.admission import Admission
from lambent.invocation.invoker import Invoker
from lambent.invocation.placement import Placement
from lambent.invocation.ports import Node
from lambent.invocation.provisioning import Provisioning
from lambent.kit.tasks import start_loop
from lambent.store.membership import Membership

_PROCESSORS = len(os.sched_getaffinity(0))
"""Of this machine, as far as this process may use them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CallsBetweenNodes:
    """See the module."""

    membership: Membership
    secret: bytes
    links: Links
    placement: Placement
    running: Callable[[], int]
    """How many invocations run on this node."""

    def load(self, taken: int) -> NodeLoad:
        """How busy this node is. `taken` is how many calls others have sent it."""
        return NodeLoad(self.running(), _PROCESSORS, taken, self.links.sent)

    async def follow_nodes(self) -> None:
        """Choose among the nodes that take on work, until cancelled."""
        while True:
            self.placement.note_nodes(self.membership.live())
            await self.membership.wait_changed()


async def open_calls_between_nodes(
    storage: Storage,
    membership: Membership,
    node: Node,
    admission: Admission,
    provisioning: Provisioning,
) -> CallsBetweenNodes:
    """Choose a node for each call, from now on; until `serve_links` it is this one."""
    store, clock = storage.store, storage.clock
    secret = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    links = Links(membership, secret, clock)
    placement = Placement(
        *(node, links.find, clock, membership.number),
        load=lambda: admission.running / _PROCESSORS,
        provisioned=provisioning.wanted,
    )
    await store.follow(placement)
    return CallsBetweenNodes(
        membership=membership,
        secret=secret,
        links=links,
        placement=placement,
        running=lambda: admission.running,
    )


def serve_links(
    calls: CallsBetweenNodes, storage: Storage, api: Api, invoker: Invoker
) -> Callable[[], Mapping[int, NodeLoad]]:
    """Take calls of other nodes, and keep links to them. Returns a function that says how busy each
    node is, by number."""
    number, clock, tasks = calls.membership.number, storage.clock, storage.tasks
    server: LinkServer = LinkServer(
        *(number, calls.secret, invoker.run_sent, lambda: calls.load(server.taken), clock)
    )
    # Requests for any host are taken: a page in a browser has no proof.
    front = Front(handle=server.handle, is_open=True, has_own_names=True)
    api.gateway.fronts.add_path(PATH, front)
    start_loop(tasks, clock, server.run)
    start_loop(tasks, clock, calls.links.run)
    start_loop(tasks, clock, calls.follow_nodes)
    return lambda: {**calls.links.loads(), number: calls.load(server.taken)}
