"""The open connections of one server: what they share, their memory, their deadlines, their end.

No task and no timer is made per request or connection: one sweep per server looks for connections
that take too long.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Protocol

from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import BodyReader, Exchange, Handler
from lambent.kit.http.responses import DateLine

_SWEEP_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How much a client may send, and how slowly. None means: no limit."""

    head_bytes_max: int = 1 << 16
    """Bytes of request line and headers together; for more, the response is 431."""
    body_bytes_max: int | Callable[[Exchange], int] = 8 << 20
    """Bytes of a body, or a function that returns them when the head of a request is known. Larger
    ones go to the server's `oversized` handler."""
    handshakes_max: int = 32
    """Connections that have not finished their handshake of TLS; more are closed."""
    connections_max: int = 4096
    """Open connections; further ones get 503 and are closed."""
    request_deadline_s: float | None = None
    """Seconds a request may take to arrive, measured from its first byte and begun again with
    every further 64 KiB of its body."""
    idle_deadline_s: float | None = None
    """Seconds a connection may stay open without a request, or with a response of which the client
    takes nothing more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a server does with requests. `HttpServer` describes the handlers."""

    handler: Handler
    oversized: Handler
    streamed: Callable[[Exchange], BodyReader | None] | None
    screened: Callable[[Exchange], Handler | None] | None
    limits: HttpLimits
    date: DateLine


class OpenConnection(Protocol):
    """A connection as its server sees it."""

    @property
    def unfinished_bytes(self) -> int:
        """What is held of a request that has not arrived completely."""
        ...

    @property
    def drop_order(self) -> tuple[bool, int]:
        """Of two connections, the request of the greater one is dropped first."""
        ...

    def drop_request(self) -> None:
        """Refuse the request that is arriving: memory is short."""
        ...

    def check_deadlines(self, now: float) -> None:
        """Close if the client takes too long."""
        ...

    def finish(self) -> None:
        """The server closes: end after what is in progress. A connection that is idle ends when it
        has been idle for a moment: its client may be sending a request right now."""
        ...

    def abort(self) -> None:
        """End at once."""
        ...


class Connections:
    """See the module."""

    def __init__(self, budget: Budget) -> None:
        self.open: set[OpenConnection] = set()
        self.budget = budget
        self.is_leaving = False
        """Whether connections end with their next response."""
        self.is_closing = False
        self.is_over = False
        """Whether nothing more is served."""
        self.handshakes = 0
        """Connections that will be open soon."""
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._all_gone: asyncio.Event | None = None

    def add(self, connection: OpenConnection) -> None:
        """A connection is open."""
        self.open.add(connection)

    def remove(self, connection: OpenConnection) -> None:
        """A connection is gone."""
        self.open.discard(connection)
        self._note_gone()

    def end_handshake(self) -> None:
        """A handshake is over: the connection is open, or gone."""
        self.handshakes -= 1
        self._note_gone()

    def _note_gone(self) -> None:
        if not self.open and not self.handshakes and self._all_gone is not None:
            self._all_gone.set()

    def make_room(self) -> None:
        """Drop requests until what is held is within the budget again, or none is arriving."""
        while self.budget.is_spent:
            arriving = (connection for connection in self.open if connection.unfinished_bytes)
            first = max(arriving, key=lambda connection: connection.drop_order, default=None)
            if first is None:
                return
            first.drop_request()

    def watch_deadlines(self) -> None:
        """Check deadlines from now on, until all connections are closed. May be called again."""
        if self._sweep_timer is None:
            loop = asyncio.get_running_loop()
            self._sweep_timer = loop.call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self.open):
            connection.check_deadlines(now)
        self._sweep_timer = loop.call_later(_SWEEP_S, self._sweep)

    async def close(self, grace_s: float) -> None:
        """Give requests in progress `grace_s` seconds, then end all connections."""
        self.is_leaving = self.is_closing = True
        self._all_gone = self._all_gone or asyncio.Event()
        for connection in list(self.open):
            connection.finish()
        if grace_s > 0:
            await asyncio.sleep(0)  # The loop has accepted connections that are not open yet.
        if (self.open or self.handshakes) and grace_s > 0:
            try:
                async with asyncio.timeout(grace_s):
                    await self._all_gone.wait()
            except TimeoutError:
                pass
        self.is_over = True
        if self._sweep_timer is not None:
            # Not earlier: clients that do not send the rest, or take no response, still run into
            # their deadline.
            self._sweep_timer.cancel()
        for connection in list(self.open):
            connection.abort()
