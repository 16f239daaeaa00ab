"""A small HTTP/1.1 server for the hot paths.

| module | what it does |
|---|---|
| `protocol.py`, `events.py`, `framing.py` | bytes of requests to events; no I/O |
| `responses.py` | responses to bytes; no I/O |
| `exchange.py` | one request and its response, as handlers see them (`messages.py`) |
| `connection.py` | one client; joins the next three |
| `intake.py` | the request that arrives: events to an exchange with its body |
| `line.py` | complete requests, in their order |
| `wire.py` | its transport: flow control, and how it ends |
| `budget.py` | the memory that servers hold |
| `upgraded.py` | a connection that a handler has taken over |
| `connections.py` | all connections of a server: memory, deadlines, the end |
| `server.py` | the listening socket |
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import Callable, Collection

from lambent.kit.clock import Clock, SystemClock
from lambent.kit.http.budget import Budget
from lambent.kit.http.connection import Connection
from lambent.kit.http.connections import Connections, HttpLimits, OpenConnection, Service
from lambent.kit.http.messages import BodyReader, Exchange, Handler
from lambent.kit.http.responses import DateLine

__all__ = ["HttpLimits", "HttpServer"]

_HANDSHAKE_S = 10.0
_DEFAULT_LIMITS = HttpLimits()


class HttpServer:
    """Serves one listening socket."""

    def __init__(
        self,
        handler: Handler,
        limits: HttpLimits = _DEFAULT_LIMITS,
        *,
        oversized: Handler | None = None,
        streamed: Callable[[Exchange], BodyReader | None] | None = None,
        screened: Callable[[Exchange], Handler | None] | None = None,
        budget: Budget | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`oversized` responds to a request whose body is larger than allowed; its exchange has no
        body and its connection is closed afterwards. `streamed` is called when the head of a
        request with a body has arrived: it returns the reader of the body, or None if the body is
        to be complete first. `screened` is called before a body of more than a few KB is read: it
        returns a handler that responds without the body, or None if the body is to be read. It also
        marks the exchanges whose sender it knows (`Exchange.is_vouched_for`).

        `budget` limits what is held of requests that have no response yet, and of responses that
        clients have not taken. When it is spent, a request that is still arriving is refused with
        503: of those whose sender is unknown, the one that holds most. A client that leaves too
        much of its responses is cut off."""
        self._service = Service(
            handler=handler,
            oversized=oversized or _refuse_oversized,
            streamed=streamed,
            screened=screened,
            limits=limits,
            date=DateLine(clock or SystemClock()),
        )
        self._connections = Connections(budget or Budget(sys.maxsize))
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> Collection[OpenConnection]:
        """Those that are open."""
        return self._connections.open

    @property
    def budget(self) -> Budget:
        """What is held."""
        return self._connections.budget

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._connections.is_closing

    async def start(
        self,
        sock: socket.socket,
        tls: ssl.SSLContext | None = None,
        *,
        admits: Callable[[socket.socket], bool] | None = None,
    ) -> None:
        """Serve a bound socket on the running loop, with TLS if a context is given. A client that
        does not finish its handshake in time is disconnected; one that is not admitted gets 403."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._service, self._connections, admits),
            sock=sock,
            backlog=1024,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
        )
        limits = self._service.limits
        if limits.request_deadline_s is not None or limits.idle_deadline_s is not None:
            self._connections.watch_deadlines()

    async def close(self, grace_s: float = 0.0) -> None:
        """Accept no more connections, give requests in progress `grace_s` seconds, end the rest.

        May be called again while it waits; then it waits no longer than the second call says.
        """
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._connections.close(grace_s)


def _refuse_oversized(exchange: Exchange) -> None:
    exchange.respond(413)
