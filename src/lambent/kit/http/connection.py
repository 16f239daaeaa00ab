"""One client's connection: it joins what arrives (`intake.py`), what waits for its response
(`line.py`) and the transport (`wire.py`).

The connection hands a complete request to the handler and reads on. Requests that arrive before the
response wait in line; while any wait, the connection is not read.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from lambent.kit.http.connections import Connections, Service
from lambent.kit.http.exchange import HttpExchange
from lambent.kit.http.intake import Intake
from lambent.kit.http.line import Line, call
from lambent.kit.http.messages import ByteReceiver, ByteStream
from lambent.kit.http.upgraded import UpgradedConnection
from lambent.kit.http.wire import Wire
from lambent.kit.tls.binding import binding_of

IDLE_S = 1.0
"""Seconds that a connection must have been idle when a server that closes ends it. If it ended
sooner, many clients would be sending a request at that moment."""


class Connection(asyncio.Protocol):
    """See the module. It is the `Channel` of its exchanges and an `OpenConnection` of its
    server."""

    _wire: Wire
    _intake: Intake

    def __init__(
        self,
        service: Service,
        connections: Connections,
        admits: Callable[[socket.socket], bool] | None,
    ) -> None:
        self._service = service
        self._connections = connections
        self._admits = admits
        self.date = service.date
        self._loop = asyncio.get_running_loop()
        self._line = Line()
        self._is_handing_out = False
        self._is_declined = False
        """The request at which the protocol is paused has its response: there is no upgrade."""

    # -- the transport ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connections = self._connections
        self._wire = Wire(cast(asyncio.Transport, transport), connections.budget)
        self._intake = Intake(self, self._service, connections, self._wire, self._line)
        is_full = len(connections.open) >= self._service.limits.connections_max
        if connections.is_over or is_full:
            self._turn_away(503)
        elif self._admits is not None and not self._admits(transport.get_extra_info("socket")):
            self._turn_away(403)
        else:
            connections.add(self)
            if connections.is_closing:
                self.finish()

    def _turn_away(self, status: int) -> None:
        self._intake.refuse(status)
        self._wire.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost()
        self._connections.remove(self)
        self._intake.lost()
        self._line.disconnect()

    def data_received(self, data: bytes) -> None:
        self._intake.receive(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._wire.pause_writing()

    def resume_writing(self) -> None:
        self._wire.resume_writing()
        if self._line.current is not None:
            self._line.current.writable()
        self._go_on()

    def _go_on(self) -> None:
        """Hand out what waits. Handlers may respond at once, which leads here again: the loop is
        entered once."""
        if self._is_handing_out:
            return
        self._is_handing_out = True
        while self._line.current is None and self._wire.can_write:
            if self._line.waiting:
                call(self._line.take_next(), self._service.handler)
            elif self._is_declined:
                self._is_declined = False
                self._intake.resume()
            else:
                break
        self._is_handing_out = False
        self._intake.read_or_pause()

    # -- the channel of its exchanges --------------------------------------------------------

    @property
    def peer(self) -> object:
        return self._wire.peer

    @property
    def is_secure(self) -> bool:
        return self._wire.is_secure

    @property
    def tls_binding(self) -> str:
        return binding_of(self._wire.transport)

    def send(self, exchange: HttpExchange, head: bytes, body: bytes) -> None:
        line, wire, intake = self._line, self._wire, self._intake
        if exchange is not line.current:
            return
        if intake.reader is not None:
            intake.stop_body()
            exchange.keep_alive = False
        line.current = None
        if exchange.held_bytes:
            line.release(exchange)
            intake.note_held()
        intake.since = self._loop.time()
        wire.send(head, body)
        if not exchange.keep_alive:
            if wire.is_discarding:
                wire.linger()
            else:
                wire.close()
        elif line.waiting or exchange.head.upgrade:
            self._is_declined = bool(exchange.head.upgrade)
            self._go_on()

    def send_part(self, exchange: HttpExchange, *parts: bytes) -> bool:
        if exchange is not self._line.current:
            return True
        self._intake.since = self._loop.time()
        return self._wire.write(*parts)

    def switch(
        self,
        exchange: HttpExchange,
        head: bytes,
        open_stream: Callable[[ByteStream], ByteReceiver],
        idle_deadline_s: float,
    ) -> None:
        if exchange is not self._line.current:
            return
        if self._wire.is_discarding:
            self.abort()  # Memory was short, so what came after the request has been dropped.
            return
        self._line.current = None
        self._line.release(exchange)
        received = self._intake.take_over()
        stream = UpgradedConnection(self._wire, self._connections, idle_deadline_s)
        self._connections.add(stream)
        self._connections.remove(self)
        stream.open(head, open_stream, received)

    def pause_body(self, exchange: HttpExchange) -> None:
        if exchange is self._line.current:
            self._intake.pause_body()

    def resume_body(self, exchange: HttpExchange) -> None:
        if exchange is self._line.current:
            self._intake.resume_body()

    # -- the server ------------------------------------------------------------------------

    @property
    def unfinished_bytes(self) -> int:
        return self._intake.unfinished_bytes

    @property
    def drop_order(self) -> tuple[bool, int]:
        return self._intake.drop_order

    def drop_request(self) -> None:
        self._intake.drop()

    def finish(self) -> None:
        last = self._intake.arriving or self._line.last
        if last is not None:
            last.keep_alive = False
        elif self._wire.is_discarding:
            self._wire.close()
        elif not self._intake.is_arriving:
            idle_s = self._loop.time() - self._intake.since
            if idle_s < IDLE_S:
                self._loop.call_later(IDLE_S - idle_s, self._finish_again)
            else:
                self._wire.close()

    def _finish_again(self) -> None:
        if self in self._connections.open:  # It may have ended, or been taken over.
            self.finish()

    def abort(self) -> None:
        self._wire.transport.abort()

    def check_deadlines(self, now: float) -> None:
        limits = self._service.limits
        if not self._wire.can_write:
            if self._wire.is_stuck(now, limits.idle_deadline_s):
                self.abort()
            return
        if not self._line.is_empty or self._wire.is_discarding:
            return
        elapsed = now - self._intake.since
        if self._intake.is_arriving:
            if limits.request_deadline_s is not None and elapsed > limits.request_deadline_s:
                self._intake.refuse(408)
        elif limits.idle_deadline_s is not None and elapsed > limits.idle_deadline_s:
            self._wire.close()
