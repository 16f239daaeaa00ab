"""The connections of all nodes, as the management API sees them.

The id of a connection says which node has it, so one question to that node is all it takes.
"""

from typing import Any, NamedTuple

from lambent.model.errors import ApiError
from lambent.model.peers import NoAnswer, NodeGone, Peers
from lambent.triggers.apis.websocket.handshake import node_of
from lambent.triggers.apis.websocket.sessions import Session, Sessions


class Status(NamedTuple):
    """What is known of a connection of another node."""

    connected_at: float
    """Epoch seconds."""
    last_active_at: float
    """Epoch seconds."""
    source_ip: str
    user_agent: str


class Connections:
    """See the module. It is the `Connections` of the management API."""

    def __init__(self, sessions: Sessions, peers: Peers) -> None:
        self._sessions = sessions
        self._peers = peers
        peers.serve("websockets/status", self._serve_status)
        peers.serve("websockets/post", self._serve_post)
        peers.serve("websockets/disconnect", self._serve_disconnect)

    async def status_of(self, api_id: str, stage: str, id: str) -> Status | Session | None:
        """See `Connections`."""
        if self._is_here(id):
            return self._sessions.status_of(api_id, stage, id)
        found = await self._ask("websockets/status", api_id, stage, id)
        return None if found is None else Status(*found)

    async def post(self, api_id: str, stage: str, id: str, text: bytes) -> bool | None:
        """See `Connections`."""
        if self._is_here(id):
            return self._sessions.post(api_id, stage, id, text)
        sent: bool | None = await self._ask("websockets/post", api_id, stage, id, text.decode())
        return sent

    async def disconnect(self, api_id: str, stage: str, id: str) -> bool:
        """See `Connections`."""
        if self._is_here(id):
            return self._sessions.disconnect(api_id, stage, id)
        return bool(await self._ask("websockets/disconnect", api_id, stage, id))

    def _is_here(self, id: str) -> bool:
        """Whether only this node can have a connection."""
        return node_of(id) in (0, self._peers.number)

    async def _ask(self, question: str, api_id: str, stage: str, id: str, *more: str) -> Any:
        """What the node of a connection answers; None if that node is gone, and with it the
        connection."""
        node = node_of(id)
        try:
            return await self._peers.ask_one(node, question, [api_id, stage, id, *more])
        except NodeGone:
            return None
        except NoAnswer as error:
            raise ApiError(
                "ServiceUnavailableException",
                f"Node {node}, which has the connection, does not answer. Try again.",
                status=503,
            ) from error

    async def _serve_status(self, value: Any) -> Any:
        found = self._sessions.status_of(*value)
        if found is None:
            return None
        return [found.connected_at, found.last_active_at, found.source_ip, found.user_agent]

    async def _serve_post(self, value: Any) -> Any:
        api_id, stage, id, text = value
        return self._sessions.post(api_id, stage, id, text.encode())

    async def _serve_disconnect(self, value: Any) -> Any:
        return self._sessions.disconnect(*value)
