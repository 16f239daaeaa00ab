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
| `acceptor.py` | a listening socket for TLS |
| `server.py` | the listening sockets |
"""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable, Collection

import anyio.abc

from lambent.kit.clock import Clock, SystemClock
from lambent.kit.http.acceptor import Acceptor
from lambent.kit.http.budget import Budget
from lambent.kit.http.connection import Connection
from lambent.kit.http.connections import Connections, HttpLimits, OpenConnection, Service
from lambent.kit.http.messages import BodyReader, Exchange, Handler
from lambent.kit.http.responses import DateLine
from lambent.kit.tasks import start_task

__all__ = ["HttpLimits", "HttpServer"]

_HANDSHAKE_S = 10.0
_NAME_REFUSED = "CALLBACK_FAILED"
"""OpenSSL's reason when a context has no certificate for the name."""
_UNRECOGNIZED_NAME = bytes([21, 3, 3, 0, 2, 2, 112])
"""The record of TLS that says so: a fatal alert."""
_DEFAULT_LIMITS = HttpLimits()


class HttpServer:
    """Serves listening sockets, and connections that others have accepted."""

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
        self._servers: list[asyncio.Server | Acceptor] = []

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
        *,
        admits: Callable[[socket.socket], bool] | None = None,
    ) -> None:
        """Serve a bound socket on the running loop. A client that is not admitted gets 403."""
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._service, self._connections, admits),
            sock=sock,
            backlog=1024,
        )
        self._servers.append(server)
        self._watch_deadlines()

    def start_tls(
        self, sock: socket.socket, tls: ssl.SSLContext, tasks: anyio.abc.TaskGroup
    ) -> None:
        """Serve a bound socket with TLS on the running loop; handshakes are tasks of `tasks`."""
        self._servers.append(
            Acceptor(
                sock,
                lambda connection: self.take_over(connection, tasks, tls),
            )
        )
        self._watch_deadlines()

    def _watch_deadlines(self) -> None:
        limits = self._service.limits
        if limits.request_deadline_s is not None or limits.idle_deadline_s is not None:
            self._connections.watch_deadlines()

    def take_over(
        self,
        connection: socket.socket,
        tasks: anyio.abc.TaskGroup,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Serve a connection that another component has accepted; its handshake, if there is one,
        is a task of `tasks`. A client that does not finish it in time is disconnected, and so are
        those beyond the limit of handshakes. The server must have been started."""
        connections = self._connections
        if connections.handshakes >= self._service.limits.handshakes_max or connections.is_over:
            connection.close()
            return
        connections.handshakes += 1
        start_task(tasks, None, self._take_over, connection, tls)

    async def _take_over(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        try:
            # asyncio closes the socket of a client that it refuses, and does not say why.
            client = connection.dup()
        except OSError:
            connection.close()  # There are no more descriptors.
            self._connections.end_handshake()
            return
        with client:
            try:
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: Connection(self._service, self._connections, None),
                    connection,
                    ssl=tls,
                    ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
                )
            except ssl.SSLError as error:
                if error.reason == _NAME_REFUSED:
                    with contextlib.suppress(OSError):
                        client.send(_UNRECOGNIZED_NAME)
            except OSError:
                pass  # The client has broken off, or takes too long.
            finally:
                self._connections.end_handshake()

    def leave(self) -> None:
        """Serve on, but end connections with their next response: clients go elsewhere."""
        self._connections.is_leaving = True

    async def close(self, grace_s: float = 0.0) -> None:
        """Accept no more connections, give requests in progress `grace_s` seconds, end the rest.

        May be called again while it waits; then it waits no longer than the second call says.
        """
        while self._servers:
            self._servers.pop().close()
        await self._connections.close(grace_s)


def _refuse_oversized(exchange: Exchange) -> None:
    exchange.respond(413)
