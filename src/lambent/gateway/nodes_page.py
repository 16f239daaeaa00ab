"""Pages about the nodes on one database.

| request | does | needs |
|---|---|---|
| `GET /_lambent/nodes` | list | `lambent:ListNodes` |
| `POST /_lambent/nodes/NUMBER/drain` | have a node take on no more | `lambent:DrainNode` |
| `POST /_lambent/nodes/NUMBER/resume` | have it take on work again | `lambent:DrainNode` |
"""

import re
from collections.abc import Sequence, Set
from typing import Any

from lambent.gateway.pages import check_method, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange
from lambent.model.errors import not_found
from lambent.model.nodes import Node, NodeState
from lambent.model.peers import Peers
from lambent.store.membership import Membership

PATH = "/_lambent/nodes"
BELOW = "/_lambent/nodes/"
_CHANGE = re.compile(r"([1-9][0-9]{0,17})/(drain|resume)")


class NodesPage:
    """See the module."""

    def __init__(self, authorizer: Authorizer, membership: Membership | None, peers: Peers) -> None:
        """Without `membership` the platform has its database for itself, and there are no nodes."""
        self._peers = peers
        peers.serve("nodes/answer", _answer)
        self._authorizer = authorizer
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
        await self._require(caller, "lambent:DrainNode")
        found = _CHANGE.fullmatch(exchange.path.removeprefix(BELOW))
        if found is None:
            raise not_found(f"There is no page {exchange.path[:100]!r}.")
        number = int(found[1])
        state = NodeState.DRAINING if found[2] == "drain" else NodeState.LIVE
        if self._membership is None or not await self._membership.set_state(number, state):
            raise not_found(f"There is no node {number}.")
        respond(exchange, {"node": number, "state": state})

    @property
    def _nodes(self) -> Sequence[Node]:
        return () if self._membership is None else self._membership.nodes

    async def _require(self, caller: Caller, action: str) -> None:
        await self._authorizer.check(caller, Access(action, "*", caller.scope.account))

    def _describe(self, node: Node, silent: Set[int]) -> dict[str, Any]:
        own = self._membership is not None and node.number == self._membership.number
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
        }


async def _answer(_: Any) -> bool:
    """To be asked is all that it is about."""
    return True
