"""A small HTTP/1.1 server for the hot paths: httptools parses, the event loop carries.

A connection is one protocol object. It collects a request, hands it to the handler as an
`Exchange` and reads on; requests that arrive meanwhile wait in line, and when some do, the
connection is not read any more until they were answered. No task and no timer is made per
request or connection: one sweep per server looks for connections that take too long.

What cannot be understood is answered and the connection half closed; what the client still sends
is thrown away for a while, because closing at once could destroy the answer on its way.
"""

import asyncio
import dataclasses
import logging
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import httptools

from lambent.kit.clock import Clock, SystemClock
from lambent.kit.http.budget import Budget
from lambent.kit.http.framing import (
    BadRequestError,
    check_headers,
    check_target,
    check_version,
    origin_form,
)
from lambent.kit.http.heads import REASONS, DateLine, head_lines
from lambent.kit.http.messages import BodyReader, Exchange, Handler

logger = logging.getLogger(__name__)

_DRAIN_BYTES_MAX = 128 * 1024 * 1024
"""How much of a refused body is read and thrown away, so that the client sees the answer."""
_LINGER_S = 5.0
"""How long at most."""
_SWEEP_S = 1.0
_HANDSHAKE_S = 10.0
_HEADERS_MAX = 1000
"""Many small ones take much more memory than their bytes."""
_HEADER_COST_BYTES = 128
"""What one takes besides."""
_SMALL_BYTES = 4096
"""A head or body up to here is not counted while its request is served, nor screened."""
_RETRY_AFTER_S = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How much a client may send, and how slowly. None means: no limit."""

    head_bytes_max: int = 1 << 16
    """Bytes of request line and headers together; more is answered with 431."""
    body_bytes_max: int | Callable[[Exchange], int] = 8 << 20
    """Bytes of a body, or a function that says so when the head of a request is known; more is
    given to the server's `oversized` handler."""
    connections_max: int = 4096
    """Open connections; more are answered with 503 and closed."""
    request_deadline_s: float | None = None
    """Seconds a request may take to arrive, measured from its first byte and begun again with
    every further 64 KiB of its body."""
    idle_deadline_s: float | None = None
    """Seconds a connection may stay open without a request, or with an answer of which nothing
    more is taken."""


_DEFAULT_LIMITS = HttpLimits()
_NO_PARSER = httptools.HttpRequestParser(object())
"""Of a connection that is gone."""


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
        """`oversized` answers a request whose body is larger than allowed; its exchange has no
        body and its connection is closed afterwards. `streamed` is asked when the head of a
        request with a body has come: who reads the body, None if it is to be complete first.
        `screened` is asked before a body of more than a few KB is read: who answers without its
        being read, None if it is to be read. It also marks the exchanges it vouches for.

        `budget` is how much may be held of requests that have not been answered and of answers
        that have not been taken. When it is spent, the request that is given up, with 503, is the
        one that holds most of what has not arrived in full and that nobody vouches for; who leaves
        too much of answers lying is cut off."""
        self.handler = handler
        self.streamed = streamed
        self.screened = screened
        self.oversized = oversized or _answer_oversized
        self.limits = limits
        self.date = DateLine(clock or SystemClock())
        self.connections: set[_Connection] = set()
        self.budget = budget or Budget(sys.maxsize)
        self.is_closing = False
        self.admits: Callable[[socket.socket], bool] | None = None
        self._server: asyncio.Server | None = None
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._all_gone: asyncio.Event | None = None

    async def start(
        self,
        sock: socket.socket,
        tls: ssl.SSLContext | None = None,
        *,
        admits: Callable[[socket.socket], bool] | None = None,
    ) -> None:
        """Serve a bound socket on the running loop, with TLS if a context is given. Who does not
        finish a handshake in time is turned away, and whoever is not admitted."""
        self.admits = admits
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self),
            sock=sock,
            backlog=1024,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else _HANDSHAKE_S,
        )
        if self.limits.request_deadline_s is not None or self.limits.idle_deadline_s is not None:
            self._sweep_timer = loop.call_later(_SWEEP_S, self._sweep)

    async def close(self, grace_s: float = 0.0) -> None:
        """Accept nothing more, give requests in progress `grace_s` seconds, end the rest.

        May be called again while it waits, to wait no longer.
        """
        self.is_closing = True
        if self._server is not None:
            self._server.close()
            self._server = None
        self._all_gone = self._all_gone or asyncio.Event()
        for connection in list(self.connections):
            connection.finish()
        if self.connections and grace_s > 0:
            try:
                async with asyncio.timeout(grace_s):
                    await self._all_gone.wait()
            except TimeoutError:
                pass
        if self._sweep_timer is not None:
            # Until here: who does not send the rest, or take an answer, is not waited for.
            self._sweep_timer.cancel()
        for connection in list(self.connections):
            connection.abort()

    def forget(self, connection: "_Connection") -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections and self._all_gone is not None:
            self._all_gone.set()

    def make_room(self) -> None:
        """Give up requests until what is held is within the budget again, or none is arriving."""
        while self.budget.is_spent:
            arriving = (one for one in self.connections if one.unfinished_bytes)
            largest = max(arriving, key=lambda one: one.worth_giving_up, default=None)
            if largest is None:
                return
            largest.give_up()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self.connections):
            connection.check_deadlines(now)
        self._sweep_timer = loop.call_later(_SWEEP_S, self._sweep)


class _Exchange:
    """See `lambent.kit.http.messages.Exchange`."""

    __slots__ = (
        "_connection",
        "_has_body",
        "_has_started",
        "_headers",
        "_is_chunked",
        "_on_disconnect",
        "_on_writable",
        "_raw_headers",
        "body",
        "held_bytes",
        "is_open",
        "is_vouched_for",
        "keep_alive",
        "method",
        "path",
        "query",
    )

    def __init__(
        self, connection: "_Connection", method: str, url: bytes, raw: list[tuple[bytes, bytes]]
    ) -> None:
        self._connection = connection
        self._raw_headers = raw
        self._headers: dict[str, str] | None = None
        self._on_disconnect: Callable[[], None] | None = None
        self._on_writable: Callable[[], None] | None = None
        self._has_started = False
        self._is_chunked = False
        self._has_body = True
        """Whether an answer that was started has one."""
        self.method = method
        path, _, query = url.decode("latin-1").partition("?")
        self.path = path
        self.query = query
        self.body = b""
        self.is_open = True
        self.is_vouched_for = False
        self.keep_alive = True
        self.held_bytes = 0
        """What is held for it until it is answered; what is little is not counted."""

    @property
    def headers(self) -> Mapping[str, str]:
        headers = self._headers
        if headers is None:
            headers = self._headers = {}
            for raw_name, raw_value in self._raw_headers:
                name = raw_name.decode("latin-1").lower()
                value = raw_value.decode("latin-1")
                # By a comma alone, as AWS joins them, in events and in what is signed; cookies by
                # what separates them.
                joint = "; " if name == "cookie" else ","
                headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
        return headers

    @property
    def client_address(self) -> str:
        peer = self._connection.peer
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def is_secure(self) -> bool:
        return self._connection.is_secure

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        if self._has_started:
            self.abort()  # What came after would be taken for more of that answer.
            return
        try:
            lines = head_lines(status, headers, self._connection.date)
        except ValueError as error:
            logger.error("%s; the answer is 500", error)
            status, body = 500, b""
            lines = head_lines(status, (), self._connection.date)
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        self._answer(self._join(lines), b"" if self.method == "HEAD" else body)

    def respond_raw(self, head: bytes, body: bytes) -> None:
        self._answer(head[:-2] + self._connection.date.end, body)

    def _join(self, lines: list[str]) -> bytes:
        if not self.keep_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _answer(self, head: bytes, body: bytes) -> None:
        if self.is_open:
            self.is_open = False
            self._on_disconnect = None
            self._connection.answer(self, head, body)

    def start(
        self,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        *,
        length: int | None = None,
    ) -> None:
        if not self.is_open:
            return
        try:
            lines = head_lines(status, headers, self._connection.date)
        except ValueError as error:
            logger.error("%s; the answer is 500", error)
            self.respond(500)
            return
        self._has_started = True
        self._has_body = self.method != "HEAD" and status not in (204, 304)
        if length is not None and status != 204:
            lines.append(f"Content-Length: {length}")
        elif self._has_body and self._connection.takes_chunks:
            self._is_chunked = True
            lines.append("Transfer-Encoding: chunked")
        elif self._has_body:
            self.keep_alive = False
        self._connection.write_chunk(self, self._join(lines))

    def write(self, data: bytes) -> bool:
        if not self.is_open or not data or not self._has_body:
            return True
        if not self._is_chunked:
            return self._connection.write_chunk(self, data)
        size = f"{len(data):x}\r\n".encode()
        return self._connection.write_chunk(self, size, data, b"\r\n")

    def on_writable(self, callback: Callable[[], None]) -> None:
        self._on_writable = callback

    def writable(self) -> None:
        """The peer has caught up."""
        if self._on_writable is not None:
            self._on_writable()

    def finish(self) -> None:
        self._answer(b"0\r\n\r\n" if self._is_chunked else b"", b"")

    def abort(self) -> None:
        if self.is_open:
            self._connection.abort()

    def pause_body(self) -> None:
        self._connection.pause_body(self)

    def resume_body(self) -> None:
        self._connection.resume_body(self)

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        self._on_disconnect = callback

    def disconnected(self) -> None:
        """The peer has gone before it was answered."""
        self.is_open = False
        callback, self._on_disconnect = self._on_disconnect, None
        if callback is not None:
            callback()
        # Nobody takes the rest, so whoever waits for the peer to catch up need not wait any more.
        self.writable()


class _Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._current: _Exchange | None = None
        """The exchange that the handler has and has not answered yet."""
        self._waiting: deque[_Exchange] = deque()
        self._is_paused = False
        self._can_write = True
        self._is_handing_out = False
        self._reader: BodyReader | None = None
        """Takes the body that is arriving, if it is taken chunk by chunk."""
        self._is_body_paused = False
        """That reader has asked to wait. The pause ends with its body: the next request on this
        connection is another's."""
        self._trailers: dict[str, str] = {}
        self._is_discarding = False
        """Nothing that still arrives is read: the connection ends with its last answer."""
        self._discarded_bytes = 0
        # The request that is arriving.
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | bytearray = b""
        """What has arrived of it. Not a list of chunks: tiny ones would take many times their
        size."""
        self._held_bytes = 0
        self._in_progress_bytes = 0
        """Of requests that have arrived and have not been answered."""
        self._untaken_bytes = 0
        """Of answers, beyond what a transport holds before it says so."""
        self._answer_bytes = 0
        """Of the last answer: all of it stays in memory until its last byte is taken."""
        self._charged_bytes = 0
        self._untaken_since = 0.0
        self._arriving: _Exchange | None = None
        self._head_bytes = 0
        """Bytes of its head, then of what surrounds its body."""
        self._is_head_too_large = False
        self._body_bytes = 0
        self._body_bytes_max = 0
        self._unread_framing = b""
        """The header that delimits a body which the parser will not read, see `_feed`."""
        self._since = self._loop.time()
        """When the arriving request, or idleness, began."""
        self._is_arriving = False

    @property
    def peer(self) -> object:
        """The peer's address, as its kind of socket has it."""
        return None if self._transport is None else self._transport.get_extra_info("peername")

    @property
    def date(self) -> DateLine:
        """The date of answers."""
        return self._server.date

    @property
    def takes_chunks(self) -> bool:
        """Whether the client knows chunked bodies; HTTP/1.0 does not."""
        return self._parser.get_http_version() != "1.0"

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        transport = self._transport
        return transport is not None and transport.get_extra_info("sslcontext") is not None

    # -- transport -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        server = self._server
        if server.is_closing or len(server.connections) >= server.limits.connections_max:
            self._refuse(503)
            self._close()
        elif server.admits is not None and not server.admits(transport.get_extra_info("socket")):
            self._refuse(403)
            self._close()
        else:
            server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        # The parser and this refer to each other: what both hold would stay for a while.
        self._parser = _NO_PARSER
        self._body, self._url, self._headers = b"", b"", []
        self._server.budget.change(-self._held_bytes - self._charged_bytes)
        self._held_bytes = self._charged_bytes = 0
        self._server.forget(self)
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cut()
        waiting = [self._current, *self._waiting]
        self._current = None
        self._waiting.clear()
        for exchange in waiting:
            if exchange is not None:
                exchange.disconnected()

    def data_received(self, data: bytes) -> None:
        if self._is_discarding:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _DRAIN_BYTES_MAX:
                self.abort()
            return
        if not self._is_arriving:
            self._is_arriving = True
            self._since = self._loop.time()
        arriving, body_bytes = self._arriving, self._body_bytes
        if arriving is None:
            self._head_bytes += len(data)
        try:
            self._feed(data)
        except (httptools.HttpParserError, BadRequestError) as error:
            _log_bug(error)
            if self._reader is not None:
                self.abort()  # Its reader hears that the rest does not come.
            else:
                self._refuse(431 if self._is_head_too_large else 400)
            return
        if arriving is not None and arriving is self._arriving and body_bytes == self._body_bytes:
            self._head_bytes += len(data)
        if self._head_bytes > self._server.limits.head_bytes_max:
            self._refuse(431)
        else:
            if self._note_held() and self.unfinished_bytes and self._server.budget.is_spent:
                self._server.make_room()
            self._read_or_pause()

    def _read_or_pause(self) -> None:
        """Read the connection, unless requests wait in line or the reader of a body has asked to
        wait. The only place that pauses and resumes, so no reason to pause outlives its cause."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        pauses = bool(self._waiting) or self._is_body_paused
        if pauses and not self._is_paused:
            transport.pause_reading()
        elif self._is_paused and not pauses:
            transport.resume_reading()
        self._is_paused = pauses

    @property
    def unfinished_bytes(self) -> int:
        """What is held of a request that has not arrived in full."""
        return self._head_bytes + (
            self._body_bytes if self._arriving is not None and self._reader is None else 0
        )

    @property
    def worth_giving_up(self) -> tuple[bool, int]:
        """Of two, the greater is given up first."""
        exchange = self._arriving
        return exchange is None or not exchange.is_vouched_for, self.unfinished_bytes

    def give_up(self) -> None:
        """Refuse the request that is arriving."""
        self._forget_arriving()
        self._refuse(503)

    def _forget_arriving(self) -> None:
        self._arriving = None
        self._body, self._url, self._headers = b"", b"", []
        self._head_bytes = self._body_bytes = 0
        self._note_held()

    def _note_held(self) -> bool:
        """Write down what is held for requests; True if it is more than before."""
        held = self.unfinished_bytes + self._in_progress_bytes
        more = held - self._held_bytes
        if more:
            self._server.budget.change(more)
            self._held_bytes = held
        return more > 0

    def _feed(self, data: bytes) -> None:
        """Parse. An offer to upgrade is ignored, as a server may; the parser stops behind the
        head of such a request, so its body is read by a new one."""
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stopped:
                data = data[stopped.args[0] :]
                if self._unread_framing:
                    self._parser = httptools.HttpRequestParser(self)
                    self._parser.feed_data(
                        b"POST / HTTP/1.1\r\n" + self._unread_framing + b"\r\n\r\n"
                    )

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._can_write = False
        if self._transport is not None and self._note_untaken() and self._server.budget.is_spent:
            self.abort()

    def resume_writing(self) -> None:
        self._can_write = True
        self._note_untaken()
        if self._current is not None:
            self._current.writable()
        self._next()

    def _note_untaken(self) -> bool:
        """Write down how much of answers has not been taken; True if it is another amount."""
        left = self._transport.get_write_buffer_size() if self._transport is not None else 0
        untaken = 0 if self._can_write else left
        if untaken == self._untaken_bytes:
            return False
        charged = max(untaken, self._answer_bytes) if untaken else 0
        self._server.budget.change(charged - self._charged_bytes)
        self._charged_bytes = charged
        self._untaken_bytes = untaken
        self._untaken_since = self._loop.time()
        return True

    # -- parser ----------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._arriving is None:  # else it is a trailer: it must not reach the next request
            self._headers.append((name, value))
            if len(self._headers) > _HEADERS_MAX:
                self._is_head_too_large = True
                raise BadRequestError("the head has too many headers")
        elif self._reader is not None and len(self._trailers) < _HEADERS_MAX:
            self._trailers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._is_discarding or self._unread_framing:
            self._url, self._unread_framing = b"", b""
            return
        parser = self._parser
        url, headers = self._url, self._headers
        self._url, self._headers = b"", []
        size = self._head_bytes
        if size > _SMALL_BYTES:
            # What has come may be body too: only now is the head's own size known.
            size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
            if size > self._server.limits.head_bytes_max:
                self._is_head_too_large = True
                raise BadRequestError("the head is too large")
        check_target(url)
        if not url.startswith(b"/"):
            url = origin_form(url)
        exchange = _Exchange(self, parser.get_method().decode("latin-1"), url, headers)
        if size > _SMALL_BYTES:
            exchange.held_bytes = size + len(headers) * _HEADER_COST_BYTES
        exchange.keep_alive = parser.should_keep_alive() and not self._server.is_closing
        length, framing, has_host = check_headers(headers)
        # A version that is not welcome does not keep the connection.
        if length or not has_host or not exchange.keep_alive:
            check_version(parser.get_http_version(), framing, has_host=has_host)
        if framing and parser.should_upgrade():
            self._unread_framing = framing
        self._arriving = exchange
        self._head_bytes = 0
        self._body_bytes = 0
        limit = self._server.limits.body_bytes_max
        self._body_bytes_max = limit if isinstance(limit, int) else limit(exchange)
        if length and self._server.streamed is not None and self._read_chunkwise(exchange):
            return
        if length > self._body_bytes_max:
            self._give_up_body(exchange, self._server.oversized)
        elif length and self._screen_out(exchange, length, framing):
            pass
        elif (
            length
            and self._current is None
            and not self._waiting
            and exchange.headers.get("expect", "").lower() == "100-continue"
        ):
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _screen_out(self, exchange: _Exchange, length: int, framing: bytes) -> bool:
        """Whether a request is answered without its body being read."""
        screened = self._server.screened
        is_small = length <= _SMALL_BYTES and framing.startswith(b"content-length")
        if screened is None or is_small or self._current is not None or self._waiting:
            return False
        handler = screened(exchange)
        if handler is not None:
            self._give_up_body(exchange, handler)
        return handler is not None

    def _read_chunkwise(self, exchange: _Exchange) -> bool:
        """Give an arriving body to who wants its chunks; False if nobody does or it has to wait
        for other answers."""
        streamed = self._server.streamed
        if streamed is None or self._current is not None or self._waiting or not self._can_write:
            return False
        reader = streamed(exchange)
        if reader is None:
            return False
        self._reader, self._trailers = reader, {}
        self._current = exchange
        return True

    def pause_body(self, exchange: _Exchange) -> None:
        """Stop reading while the body of `exchange` arrives."""
        if self._reader is not None and exchange is self._current:
            self._is_body_paused = True
            self._read_or_pause()

    def resume_body(self, exchange: _Exchange) -> None:
        """Read on."""
        if self._reader is not None and exchange is self._current:
            self._end_body_pause()

    def _end_body_pause(self) -> None:
        self._is_body_paused = False
        self._read_or_pause()

    def on_body(self, body: bytes) -> None:
        exchange = self._arriving
        if exchange is None or self._is_discarding:
            return
        if self._reader is not None:
            self._body_bytes += len(body)
            self._reader.data(body)
            return
        before, self._body_bytes = self._body_bytes, self._body_bytes + len(body)
        if self._body_bytes > self._body_bytes_max:
            self._give_up_body(exchange, self._server.oversized)
            return
        if self._body_bytes >> 16 != before >> 16:
            self._since = self._loop.time()
        if not self._body:
            self._body = body
        elif isinstance(self._body, bytearray):
            self._body += body
        else:
            self._body = bytearray(self._body) + body

    def on_message_complete(self) -> None:
        if self._unread_framing:
            return
        if self._body_bytes > _SMALL_BYTES and self._note_held() and self._server.budget.is_spent:
            # It came all at once; it may be given up here, too.
            self._server.make_room()
        exchange, self._arriving = self._arriving, None
        if exchange is None or self._is_discarding:
            return
        self._head_bytes = 0
        reader, self._reader = self._reader, None
        if reader is not None:
            self._is_arriving = False
            self._end_body_pause()
            reader.end(self._trailers)
            return
        exchange.body, self._body = bytes(self._body), b""
        if self._body_bytes > _SMALL_BYTES:
            exchange.held_bytes += self._body_bytes
        self._in_progress_bytes += exchange.held_bytes
        self._is_arriving = False
        self._since = self._loop.time()
        if self._current is None and not self._waiting and self._can_write:
            self._hand_out(self._server.handler, exchange)
        else:
            self._waiting.append(exchange)

    def _give_up_body(self, exchange: _Exchange, handler: Handler) -> None:
        """Have a request answered whose body is not read."""
        self._forget_arriving()
        if self._current is not None or self._waiting:
            # Its answer would come before that of an earlier request.
            self._end_after_answers()
            return
        self._is_discarding = True
        exchange.keep_alive = False
        self._hand_out(handler, exchange)

    def _hand_out(self, handler: Handler, exchange: _Exchange) -> None:
        self._current = exchange
        try:
            handler(exchange)
        except Exception:
            # The last resort: handlers promise not to raise, and nobody above could help.
            logger.exception("the handler of %s failed", exchange.method)
            exchange.respond(500)

    # -- answers ---------------------------------------------------------------------------

    def answer(self, exchange: _Exchange, head: bytes, body: bytes) -> None:
        """Send the answer of the current exchange and go on with the next one."""
        if exchange is not self._current or self._transport is None:
            return
        if self._reader is not None:
            # Answered before its body has come: what follows is nobody's.
            self._reader = self._arriving = None
            self._end_body_pause()
            self._is_discarding = True
            exchange.keep_alive = False
        self._current = None
        if exchange.held_bytes:
            self._in_progress_bytes -= exchange.held_bytes
            exchange.held_bytes = 0
            self._note_held()
        self._since = self._loop.time()
        self._answer_bytes = len(head) + len(body)
        if len(body) < 65_536:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        if not exchange.keep_alive:
            if self._is_discarding:
                self._linger()
            else:
                self._close()
        elif self._waiting and not self._is_handing_out:
            self._next()

    def write_chunk(self, exchange: _Exchange, *chunks: bytes) -> bool:
        """Send a part of the answer of the current exchange; whether more may come now."""
        if exchange is not self._current or self._transport is None:
            return True
        self._since = self._loop.time()
        self._answer_bytes = 0
        self._transport.writelines(chunks)
        return self._can_write

    def _next(self) -> None:
        """Hand out what waits. Handlers may answer at once and so come back here: the loop is
        entered once."""
        self._is_handing_out = True
        while self._waiting and self._current is None and self._can_write:
            self._hand_out(self._server.handler, self._waiting.popleft())
        self._is_handing_out = False
        self._read_or_pause()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _refuse(self, status: int) -> None:
        """Answer what cannot be understood or is too much, and close."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._current is not None or self._waiting:
            self._end_after_answers()
            return
        head = f"HTTP/1.1 {status} {REASONS[status]}\r\n"
        if status == 503:
            head += f"Retry-After: {_RETRY_AFTER_S}\r\n"
        self._write(f"{head}Content-Length: 0\r\nConnection: close\r\n".encode() + self.date.end)
        self._linger()

    def _end_after_answers(self) -> None:
        """Answer what is in line, then close; read nothing more."""
        self._is_discarding = True
        last = self._waiting[-1] if self._waiting else self._current
        if last is not None:
            last.keep_alive = False

    def _linger(self) -> None:
        """Say that nothing more follows, and let the client read it before the end."""
        self._is_discarding = True
        if self._transport is not None:
            self._transport.write_eof()
            self._loop.call_later(_LINGER_S, self._close)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def finish(self) -> None:
        """The server closes: end now if nothing is in progress, else after it."""
        last = self._arriving or (self._waiting[-1] if self._waiting else self._current)
        if last is not None:
            last.keep_alive = False
        elif not self._is_arriving or self._is_discarding:
            self._close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def check_deadlines(self, now: float) -> None:
        """Close if the client takes too long."""
        limits = self._server.limits
        if not self._can_write:
            deadline_s = limits.idle_deadline_s
            is_moving = self._note_untaken()
            if not is_moving and deadline_s is not None and now - self._untaken_since > deadline_s:
                self.abort()
            return
        if self._current is not None or self._waiting or self._is_discarding:
            return
        elapsed = now - self._since
        if self._is_arriving:
            if limits.request_deadline_s is not None and elapsed > limits.request_deadline_s:
                self._refuse(408)
        elif limits.idle_deadline_s is not None and elapsed > limits.idle_deadline_s:
            self._close()


def _log_bug(error: Exception) -> None:
    """Whoever reads a body as it arrives is called by the parser, which makes an error of its own
    of whatever is raised there."""
    is_called = isinstance(error, httptools.HttpParserCallbackError)
    if is_called and not isinstance(error.__context__, BadRequestError):
        logger.error("a request was not read", exc_info=error.__context__)


def _answer_oversized(exchange: Exchange) -> None:
    exchange.respond(413)
