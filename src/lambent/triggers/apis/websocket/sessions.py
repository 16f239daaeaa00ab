"""The clients that are connected to WebSocket APIs: a value and a socket for each, and one loop
that watches them all."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from websockets.frames import Close

from lambent.kit.clock import Clock
from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import ByteStream
from lambent.model.changes import Changes
from lambent.triggers.apis.websocket.events import Connection
from lambent.triggers.apis.websocket.limits import SocketLimits
from lambent.triggers.apis.websocket.socket import GOING_AWAY, NORMAL, WebSocket

HasStage = Callable[[str, str], Awaitable[bool]]
"""Whether an API, given by its id, serves a stage."""
_WATCH_S = 1.0
_HELD_BYTES_MAX = 256 << 20
_SESSIONS_MAX = 6144
_LIMITS = SocketLimits()


class Routes(Protocol):
    """What serves the events of connections."""

    def message(self, session: "Session", text: str) -> None:
        """Serve a message; it is under way until `session.done` is called."""
        ...

    def disconnected(self, connection: Connection, how: Close) -> None:
        """Serve the end of a connection."""
        ...


class Session:
    """A client that is connected."""

    __slots__ = ("_sessions", "connection", "last_active_at", "socket")

    socket: WebSocket

    def __init__(self, sessions: "Sessions", connection: Connection) -> None:
        self._sessions = sessions
        self.connection = connection
        self.last_active_at = connection.connected_at
        """Epoch seconds."""

    def open(self, stream: ByteStream) -> WebSocket:
        """Take over the client's connection; see `Exchange.upgrade`."""
        sessions = self._sessions
        self.socket = WebSocket(stream, self, sessions.clock, sessions.held, sessions.limits)
        sessions.by_id[self.connection.id] = self
        return self.socket

    @property
    def is_open(self) -> bool:
        """Whether the client has been connected, and is not gone."""
        return self._sessions.by_id.get(self.connection.id) is self

    @property
    def connected_at(self) -> float:
        """Epoch seconds."""
        return self.connection.connected_at

    @property
    def source_ip(self) -> str:
        """The client's address."""
        return self.connection.source_ip

    @property
    def user_agent(self) -> str:
        """As the client said; may be empty."""
        return self.connection.user_agent

    def send(self, text: bytes) -> bool:
        """Send a message; see `WebSocket.send`."""
        self.last_active_at = self._sessions.clock.now()
        return self.socket.send(text)

    def received(self, text: str) -> None:
        """See `Listener`."""
        self.last_active_at = self._sessions.clock.now()
        self._sessions.routes.message(self, text)

    def done(self) -> None:
        """A message is no longer under way."""
        self.socket.done()

    def ended(self, how: Close) -> None:
        """See `Listener`."""
        self._sessions.by_id.pop(self.connection.id, None)
        self._sessions.routes.disconnected(self.connection, how)


class Sessions:
    """See the module."""

    routes: Routes
    """Set before the first client comes."""

    def __init__(
        self,
        clock: Clock,
        *,
        limits: SocketLimits = _LIMITS,
        held_bytes_max: int = _HELD_BYTES_MAX,
        sessions_max: int = _SESSIONS_MAX,
        node: int = 0,
    ) -> None:
        """`node` is the number of this platform among several nodes."""
        self.node = node
        self.clock = clock
        self.limits = limits
        self.held = Budget(held_bytes_max)
        self.by_id: dict[str, Session] = {}
        """Those that are open, and those that are being closed."""
        self.pending = 0
        """Clients that are connecting."""
        self._sessions_max = sessions_max
        self._changed: set[str] = set()
        """APIs that have changed since their stages were looked up."""

    @property
    def has_room(self) -> bool:
        """Whether one more client may connect."""
        return len(self.by_id) + self.pending < self._sessions_max

    # -- one of them ---------------------------------------------------------------------------

    def status_of(self, api_id: str, stage: str, id: str) -> Session | None:
        """A connection that is open; None if there is no such one here."""
        return self._find(api_id, stage, id)

    def post(self, api_id: str, stage: str, id: str, text: bytes) -> bool | None:
        """Send a message, which is UTF-8; see `WebSocket.send`. None if the connection is not open
        here."""
        session = self._find(api_id, stage, id)
        return None if session is None else session.send(text)

    def disconnect(self, api_id: str, stage: str, id: str) -> bool:
        """Close a connection; returns whether it was open here."""
        session = self._find(api_id, stage, id)
        if session is not None:
            session.socket.close(NORMAL)
        return session is not None

    def _find(self, api_id: str, stage: str, id: str) -> Session | None:
        session = self.by_id.get(id)
        if session is None or not session.socket.is_open:
            return None
        connection = session.connection
        is_it = (connection.api_id, connection.stage) == (api_id, stage)
        return session if is_it else None

    # -- all of them ---------------------------------------------------------------------------

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`. The stages of connections may be gone."""
        if changes.is_everything:
            self._changed |= {session.connection.api_id for session in self.by_id.values()}
        self._changed |= {root.id for root in changes.documents if root.service == "apigatewayv2"}

    async def watch(self, has_stage: HasStage) -> None:
        """Enforce the deadlines of all connections, and close those whose stage is gone."""
        while True:
            await self.clock.sleep(_WATCH_S)
            now = self.clock.monotonic()
            for session in list(self.by_id.values()):
                session.socket.check(now)
            if self._changed:
                await self._close_orphans(has_stage)

    async def _close_orphans(self, has_stage: HasStage) -> None:
        changed, self._changed = self._changed, set()
        stages = {
            (session.connection.api_id, session.connection.stage)
            for session in self.by_id.values()
            if session.connection.api_id in changed
        }
        try:
            gone = {stage for stage in stages if not await has_stage(*stage)}
        except BaseException:
            self._changed |= changed
            raise
        for session in list(self.by_id.values()):
            if (session.connection.api_id, session.connection.stage) in gone:
                session.socket.close(GOING_AWAY)
