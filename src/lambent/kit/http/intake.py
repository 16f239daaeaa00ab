"""The request that is arriving on a connection: bytes become an exchange with its body.

When the head is complete, the server's handlers decide: the body is collected, is read chunk by
chunk by a `BodyReader`, or is not read at all because the response is known already.

If a client sends what is no acceptable request, it gets a response and the connection is half
closed. What it still sends is discarded for a while: closing at once could destroy the response on
its way.
"""

import asyncio
import logging
from collections.abc import Iterable

from lambent.kit.http.connections import Connections, Service
from lambent.kit.http.events import SMALL_BYTES, EndOfRequest, Event, RequestHead
from lambent.kit.http.exchange import Channel, HttpExchange
from lambent.kit.http.line import Line, call
from lambent.kit.http.messages import BodyReader, Handler
from lambent.kit.http.protocol import RequestProtocol
from lambent.kit.http.responses import CONTINUE, encode_refusal
from lambent.kit.http.wire import Wire

logger = logging.getLogger(__name__)

_HEADER_COST_BYTES = 128
"""Memory of a header besides its bytes."""


class Intake:
    """See the module. Complete requests join the line of their connection."""

    def __init__(
        self, channel: Channel, service: Service, connections: Connections, wire: Wire, line: Line
    ) -> None:
        self._channel = channel
        self._service = service
        self._connections = connections
        self._wire = wire
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._protocol = RequestProtocol(service.limits.head_bytes_max)
        self.is_arriving = False
        """Whether a request has begun, be it with half a head."""
        self.since = self._loop.time()
        """When it began or made progress, or when idleness began."""
        self.arriving: HttpExchange | None = None
        """Its head is complete, its body is not."""
        self._body: bytes | bytearray = b""
        """Its body so far. Not a list of chunks: tiny ones would take many times their size."""
        self._body_bytes_max = 0
        self.reader: BodyReader | None = None
        """Reads the body of `arriving`, which is then the current exchange, chunk by chunk."""
        self._is_body_paused = False
        """That reader has asked to wait. The pause ends with its body."""
        self._held_bytes = 0
        """What the budget is charged with for requests."""

    def receive(self, data: bytes) -> None:
        """Bytes have arrived."""
        if self._wire.is_discarding:
            self._wire.discard(data)
            return
        if not self.is_arriving:
            self.is_arriving = True
            self.since = self._loop.time()
        self._take(self._protocol.receive(data))
        if not self._wire.is_discarding:
            # Before a call is made: most requests hold nothing that counts.
            is_held = self._protocol.pending_bytes or self._body or self._line.held_bytes
            if (is_held or self._held_bytes) and self.note_held():
                self._make_room()
            self.read_or_pause()

    def resume(self) -> None:
        """A request that offers an upgrade has its response: HTTP follows."""
        self._take(self._protocol.resume())

    def take_over(self) -> bytes:
        """A request that offers an upgrade is accepted. Returns what has arrived after it."""
        received = self._protocol.take_over()
        self.note_held()
        self.read_or_pause()
        return received

    def read_or_pause(self) -> None:
        """Read, unless requests wait, or the reader of a body has asked to wait, or the response
        decides which protocol is read. No pause outlives its cause: this looks at all of them."""
        self._wire.read(not (self._line.waiting or self._is_body_paused or self._protocol.unparsed))

    def lost(self) -> None:
        """The connection has ended."""
        self._protocol.close()
        self.arriving = None
        self._body = b""
        self._connections.budget.change(-self._held_bytes)
        self._held_bytes = 0
        del self._channel  # It refers to this, and would stay until the garbage collector runs.
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.cut()

    # -- events ----------------------------------------------------------------------------

    def _take(self, events: Iterable[Event]) -> None:
        wire = self._wire
        try:
            for event in events:
                if wire.is_discarding:
                    return
                if isinstance(event, RequestHead):
                    self._begin(event)
                elif isinstance(event, EndOfRequest):
                    self._complete(event)
                elif isinstance(event, bytes):
                    self._add_body(event)
                elif self.reader is not None:
                    wire.transport.abort()  # The reader hears that its body is cut.
                else:
                    self.refuse(event.status)
        except Exception:
            logger.exception("a request was not read")
            if self.reader is not None:
                self._wire.transport.abort()
            else:
                self.refuse(500)

    def _begin(self, head: RequestHead) -> None:
        keep_alive = head.keep_alive and not self._connections.is_leaving
        self.arriving = exchange = HttpExchange(self._channel, head, keep_alive)
        if head.size > SMALL_BYTES:
            exchange.held_bytes = head.size + len(head.headers) * _HEADER_COST_BYTES
        length, service = head.body_length, self._service
        if length == 0:
            return
        limit = service.limits.body_bytes_max
        self._body_bytes_max = limit if isinstance(limit, int) else limit(exchange)
        is_next = self._line.is_empty
        if is_next and self._wire.can_write and service.streamed is not None:
            self.reader = service.streamed(exchange)
            if self.reader is not None:
                self._line.start(exchange)
                return
        if length is not None and length > self._body_bytes_max:
            self._skip_body(exchange, service.oversized)
            return
        is_small = length is not None and length <= SMALL_BYTES
        if is_next and not is_small and service.screened is not None:
            handler = service.screened(exchange)
            if handler is not None:
                self._skip_body(exchange, handler)
                return
        if is_next and head.expects_continue:
            self._wire.write(CONTINUE)

    def _add_body(self, data: bytes) -> None:
        exchange, reader = self.arriving, self.reader
        if reader is not None:
            reader.data(data)
            return
        if exchange is None:
            return
        before = len(self._body)
        if not before:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body) + data
        now = len(self._body)
        if now > self._body_bytes_max:
            self._skip_body(exchange, self._service.oversized)
        elif now >> 16 != before >> 16:
            self.since = self._loop.time()

    def _complete(self, end: EndOfRequest) -> None:
        exchange, reader, size = self.arriving, self.reader, len(self._body)
        if exchange is None:
            return
        # A body that came all at once has not been charged yet, and may be dropped.
        if size > SMALL_BYTES and self.note_held() and not self._make_room():
            return
        self.arriving = None
        self.is_arriving = self._protocol.pending_bytes > 0
        self.since = self._loop.time()
        if reader is not None:
            self.reader = None
            self.resume_body()
            call(exchange, lambda _: reader.end(end.trailers))
            return
        if size:
            exchange.body, self._body = bytes(self._body), b""
            if size > SMALL_BYTES:
                exchange.held_bytes += size
        line = self._line
        if line.current is None and not line.waiting and self._wire.can_write:
            line.start(exchange)
            call(exchange, self._service.handler)
        else:
            line.add(exchange)

    # -- bodies that are not collected -----------------------------------------------------

    def pause_body(self) -> None:
        """The reader of the body asks to wait."""
        if self.reader is not None:
            self._is_body_paused = True
            self.read_or_pause()

    def resume_body(self) -> None:
        """It wants to read on, or the body has ended."""
        self._is_body_paused = False
        self.read_or_pause()

    def stop_body(self) -> None:
        """The response comes before the end of the body: the rest is not read."""
        self.reader = self.arriving = None
        self.resume_body()
        self._wire.is_discarding = True

    def _skip_body(self, exchange: HttpExchange, handler: Handler) -> None:
        """Have `handler` respond to a request whose body is not read."""
        self._forget()
        if not self._line.is_empty:
            # Its response would come before that of an earlier request.
            self._end_after_responses()
            return
        self._wire.is_discarding = True
        exchange.keep_alive = False
        self._line.start(exchange)
        call(exchange, handler)

    def drop(self) -> None:
        """Refuse the request that is arriving: memory is short."""
        if self.reader is not None:
            self._wire.transport.abort()
            return
        self._forget()
        self.refuse(503)

    def _forget(self) -> None:
        """Free what is held of the request that is arriving; nothing more is parsed."""
        self.arriving = None
        self._body = b""
        self._protocol.close()
        self.note_held()

    def refuse(self, status: int) -> None:
        """Respond to what is no acceptable request or is too much, and end."""
        if self._wire.transport.is_closing():
            return
        if not self._line.is_empty:
            self._end_after_responses()
            return
        self._wire.send(encode_refusal(status, self._service.date), b"")
        self._wire.linger()

    def _end_after_responses(self) -> None:
        """Read nothing more, and end after the last response."""
        self._wire.is_discarding = True
        if self._line.last is not None:
            self._line.last.keep_alive = False

    # -- memory ----------------------------------------------------------------------------

    @property
    def unfinished_bytes(self) -> int:
        """What is held of a request that has not arrived completely. A reader's body is not."""
        return self._protocol.pending_bytes + len(self._body)

    @property
    def drop_order(self) -> tuple[bool, int]:
        """See `OpenConnection`."""
        exchange = self.arriving
        return exchange is None or not exchange.is_vouched_for, self.unfinished_bytes

    def note_held(self) -> bool:
        """Charge what is held for requests. Returns whether it is more than before."""
        held = self._protocol.pending_bytes + len(self._body) + self._line.held_bytes
        more = held - self._held_bytes
        if more:
            self._connections.budget.change(more)
            self._held_bytes = held
        return more > 0

    def _make_room(self) -> bool:
        """More is held than before. Returns False if the arriving request was dropped for it."""
        if self._connections.budget.is_spent and self.unfinished_bytes:
            self._connections.make_room()
        return not self._wire.is_discarding
