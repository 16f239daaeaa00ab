"""Pages about the nodes on one database.

| request | does | needs |
|---|---|---|
| `GET /_lambent/nodes` | list | `lambent:ListNodes` |
| `POST /_lambent/nodes/NUMBER/drain` | have a node take on no more | `lambent:DrainNode` |
| `POST /_lambent/nodes/NUMBER/resume` | have it take on work again | `lambent:DrainNode` |
| `POST /_lambent/nodes/NUMBER/remove` | have others take its work | `lambent:RemoveNode` |
"""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from lambent.cluster.call_frames import NodeLoad
from lambent.gateway.pages import check_method, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange
from lambent.model.errors import conflict, not_found
from lambent.model.nodes import SILENT_S, Node, NodeState
from lambent.model.peers import Peers
from lambent.store.membership import Membership

PATH = "/_lambent/nodes"
BELOW = "/_lambent/nodes/"
_CHANGE = re.compile(r"([1-9][0-9]{0,17})/(drain|resume|remove)")


class NodesPage:
    """See the module."""

    def __init__(
        self,
        authorizer: Authorizer,
        membership: Membership | None,
        loads: Callable[[], Mapping[int, NodeLoad]],
        peers: Peers,
    ) -> None:
        """Without `membership` the platform has its database for itself, and there are no nodes.
        `loads` returns how busy nodes are, by number."""
        self._peers = peers
        peers.serve("nodes/answer", _answer)
        self._authorizer = authorizer
        self._loads = loads
        self._membership = membership

    async def serve(self, exchange: Exchange, caller: Caller) -> None:
        """Serve one request. Raises `ApiError`."""
        if exchange.path == PATH:
            check_method(exchange, "GET")
            await self._require(caller, "lambent:ListNodes")
            silent = set((await self._peers.ask("nodes/answer")).missing)
            nodes = [self._describe(node, silent) for node in self._nodes]
            respond(exchange, {"nodes": nodes}, sorted(silent))
            return
        check_method(exchange, "POST")
        found = _CHANGE.fullmatch(exchange.path.removeprefix(BELOW))
        is_removal = found is not None and found[2] == "remove"
        await self._require(caller, "lambent:RemoveNode" if is_removal else "lambent:DrainNode")
        if found is None:
            raise not_found(f"There is no page {exchange.path[:100]!r}.")
        number = int(found[1])
        if is_removal:
            await self._remove(number)
            respond(exchange, {"node": number, "state": "removed"})
            return
        state = NodeState.DRAINING if found[2] == "drain" else NodeState.LIVE
        if self._membership is None or not await self._membership.set_state(number, state):
            raise not_found(f"There is no node {number}.")
        respond(exchange, {"node": number, "state": state})

    async def _remove(self, number: int) -> None:
        membership = self._membership
        if membership is None or all(node.number != number for node in self._nodes):
            raise not_found(f"There is no node {number}.")
        if not await membership.remove(number):
            raise conflict(
                f"Node {number} renews its row in the database, or did so a moment ago: only a node"
                f" that has been silent for {SILENT_S:g} s can be removed. Stop it, or drain it."
            )

    @property
    def _nodes(self) -> Sequence[Node]:
        return () if self._membership is None else self._membership.nodes

    async def _require(self, caller: Caller, action: str) -> None:
        await self._authorizer.check(caller, Access(action, "*", caller.scope.account))

    def _describe(self, node: Node, silent: Set[int]) -> dict[str, Any]:
        own = self._membership is not None and node.number == self._membership.number
        load = self._loads().get(node.number)
        return {
            "node": node.number,
            "state": "starting" if node.seen is None else node.state,
            "url": node.url,
            "host": node.host,
            "pid": node.pid,
            "data_dir": node.data_dir,
            "since": node.since,
            "release": node.release,
            "this": own,
            "answers": bool(node.url) and node.number not in silent,
            # None: it does not say, or there is no link to it.
            "running": None if load is None else load.running,
            "processors": None if load is None else load.processors,
            "calls_in": None if load is None else load.taken,
            "calls_out": None if load is None else load.sent,
        }


async def _answer(_: Any) -> bool:
    """To be asked is all that it is about."""
    return True
