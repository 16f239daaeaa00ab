"""The links from this node to all others."""

import logging
from collections.abc import Mapping

import anyio

from lambent.cluster.call_frames import NodeLoad
from lambent.cluster.calling import CallingLink, dial
from lambent.cluster.contact import leads_to
from lambent.cluster.handshake import HandshakeError
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_part
from lambent.model.nodes import Node
from lambent.store.membership import Membership

logger = logging.getLogger(__name__)

_BEAT_S = 0.5
_AGAIN_S_MIN, _AGAIN_S_MAX = 0.2, 2.0


class Links:
    """Keeps a link to each node that is there, so that a call never waits for a connection."""

    def __init__(self, membership: Membership, secret: bytes, clock: Clock) -> None:
        self._membership = membership
        self._secret = secret
        self._clock = clock
        self._links: dict[int, CallingLink] = {}
        self._sent_before = 0
        self._lost_before = 0

    def find(self, number: int) -> CallingLink | None:
        """The link to a node that takes calls; None if there is none, or it does not respond."""
        link = self._links.get(number)
        return link if link is not None and link.is_usable else None

    def loads(self) -> Mapping[int, NodeLoad]:
        """What the other nodes have said last of how busy they are."""
        return {number: link.load for number, link in self._links.items()}

    @property
    def sent(self) -> int:
        """Calls that were sent to other nodes."""
        return self._sent_before + sum(link.sent for link in self._links.values())

    @property
    def lost(self) -> int:
        """Of these, the calls whose outcome is not known."""
        return self._lost_before + sum(link.lost for link in self._links.values())

    async def run(self) -> None:
        """Keep the links, until cancelled."""
        async with anyio.create_task_group() as tasks:
            start_part(tasks, self._beat)
            kept = set[int]()
            while True:
                there = {node.number for node in self._membership.nodes}
                for number in set(self._links) - there:
                    self._links[number].abort()
                kept &= there
                for node in self._membership.nodes:
                    if node.number not in kept and node.url and node.seen is not None:
                        kept.add(node.number)
                        if self._takes_calls(node):
                            start_part(tasks, self._keep, node)
                await self._membership.wait_changed()

    def _takes_calls(self, node: Node) -> bool:
        """Whether calls may be sent to a node. Definitions of functions differ from release to
        release, so during an upgrade each node runs its calls itself."""
        number, nodes = self._membership.number, self._membership.nodes
        releases = [known.release for known in nodes if known.number == number]
        return node.number != number and node.release in releases and leads_to(node)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(_BEAT_S)
            for link in list(self._links.values()):
                link.beat()

    async def _keep(self, node: Node) -> None:
        """Keep a link to a node until the node has gone."""
        number, pause_s, logged = node.number, _AGAIN_S_MIN, ""
        while any(other.number == number for other in self._membership.nodes):
            try:
                link = await dial(
                    node.url, self._membership.number, number, self._secret, self._clock
                )
            except (OSError, TimeoutError, HandshakeError) as error:
                if repr(error) != logged:
                    logged = repr(error)
                    logger.info("there is no link to node %d at %s: %r", number, node.url, error)
                await self._clock.sleep(pause_s)
                pause_s = min(2 * pause_s, _AGAIN_S_MAX)
                continue
            pause_s, logged = _AGAIN_S_MIN, ""
            self._links[number] = link
            try:
                await link.over.wait()
            finally:
                link.abort()
                del self._links[number]
                self._sent_before += link.sent
                self._lost_before += link.lost
            if link.error is not None:
                logger.warning("the link to node %d ended: %s", number, link.error)
            await self._clock.sleep(pause_s)
