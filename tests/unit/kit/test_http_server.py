"""The HTTP server over real sockets: its promises, and clients that break theirs."""

import asyncio
import functools
import logging
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httptools
import pytest

from lambent.kit.clock import Clock, ManualClock
from lambent.kit.http import connection
from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import Exchange, Handler
from lambent.kit.http.server import HttpLimits, HttpServer

pytestmark = pytest.mark.anyio

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Recorder:
    """A handler that remembers what it was given and says the path and body back."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        exchange.respond(200, body=exchange.path.encode() + b"|" + exchange.body)

    @property
    def paths(self) -> list[str]:
        return [exchange.path for exchange in self.exchanges]


class HoldingHandler(Recorder):
    """A handler that does not answer by itself."""

    def __call__(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


@asynccontextmanager
async def serving(
    handler: Handler,
    *,
    oversized: Handler | None = None,
    clock: Clock | None = None,
    screened: Callable[[Exchange], Handler | None] | None = None,
    held_bytes_max: int = 1 << 40,
    **limits: object,
) -> AsyncIterator[tuple[HttpServer, int]]:
    """A server on its own port; yields both."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port: int = sock.getsockname()[1]
    server = HttpServer(
        handler,
        HttpLimits(**limits),  # type: ignore[arg-type]
        oversized=oversized,
        clock=clock,
        screened=screened,
        budget=Budget(held_bytes_max),
    )
    await server.start(sock)
    try:
        yield server, port
    finally:
        await server.close()


@asynccontextmanager
async def connected(
    port: int, limit: int = 1 << 24
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(port: int, data: bytes) -> bytes:
    """Send, and read until the server closes."""
    async with connected(port) as (reader, writer):
        writer.write(data)
        return await until_closed(reader)


async def until_closed(reader: asyncio.StreamReader, deadline_s: float = 10) -> bytes:
    received = bytearray()
    try:
        async with asyncio.timeout(deadline_s):
            while data := await reader.read(1 << 16):
                received += data
    except ConnectionError:
        pass
    return bytes(received)


async def wait_until(condition: Callable[[], object], deadline_s: float = 10) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - what is polled notifies no listener
            await asyncio.sleep(0.005)


def answers(data: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer in a stream."""
    found: list[tuple[int, bytes]] = []
    bodies: list[bytes] = []

    class Collector:
        def on_message_begin(self) -> None:
            bodies.clear()

        def on_body(self, body: bytes) -> None:
            bodies.append(body)

        def on_message_complete(self) -> None:
            found.append((parser.get_status_code(), b"".join(bodies)))

    parser = httptools.HttpResponseParser(Collector())
    parser.feed_data(data)
    return found


# -- what every client may count on ------------------------------------------------------------


async def test_responses_on_a_connection_are_in_order() -> None:
    """The second of two pipelined requests is handled only after the response to the first."""
    keeper = HoldingHandler()
    async with serving(keeper) as (_, port), connected(port) as (reader, writer):
        writer.write(GET + LAST)
        await wait_until(lambda: keeper.exchanges)
        await asyncio.sleep(0)
        assert keeper.paths == ["/a"]
        keeper.exchanges[0].respond(200, body=b"one")
        await wait_until(lambda: len(keeper.exchanges) == 2)
        keeper.exchanges[1].respond(201, body=b"two")
        assert answers(await until_closed(reader)) == [(200, b"one"), (201, b"two")]


async def test_thousands_of_waiting_requests_need_no_recursion() -> None:
    """However many requests wait behind a slow one, responding to them takes no stack."""
    recorder = Recorder()
    slow: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        if exchange.path == "/slow":
            slow.append(exchange)
        else:
            recorder(exchange)

    async with serving(handler) as (server, port), connected(port) as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await wait_until(lambda: slow)
        writer.write(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n" * 5000 + LAST)
        await wait_until(lambda: any(each._line.waiting for each in server.connections))
        slow[0].respond(200, body=b"slow")
        got = answers(await until_closed(reader))
    assert len(got) == 5002
    assert got[0] == (200, b"slow")
    assert got[-1] == (200, b"/last|")


async def test_a_request_may_arrive_byte_by_byte() -> None:
    """Where the network cuts a request makes no difference."""
    recorder = Recorder()
    request = (
        b"POST /p%20q?x=1&y HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n"
    )
    async with serving(recorder) as (_, port), connected(port) as (reader, writer):
        writer.transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        for byte in request:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert answers(await until_closed(reader)) == [(200, b"/p%20q|abcdefg")]
    exchange = recorder.exchanges[0]
    assert (exchange.method, exchange.path, exchange.query) == ("POST", "/p%20q", "x=1&y")
    assert exchange.headers["x-a"] == "1,2"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://example.com:80/a/b?c=d", "/a/b", "c=d"),
        (b"http://example.com", "/", ""),
        (b"//double", "//double", ""),
        (b"/?", "/", ""),
        (b"/a?b?c", "/a", "b?c"),
    ],
)
async def test_targets(target: bytes, path: str, query: str) -> None:
    """A target may be absolute, as clients behind a proxy send it."""
    recorder = Recorder()
    async with serving(recorder) as (_, port):
        await said(port, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (recorder.exchanges[0].path, recorder.exchanges[0].query) == (path, query)


async def test_a_client_that_asks_first_gets_100_continue() -> None:
    """`Expect: 100-continue` gets its response when the head has arrived."""
    recorder = Recorder()
    async with serving(recorder) as (_, port), connected(port) as (reader, writer):
        writer.write(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
        )
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert answers(await until_closed(reader)) == [(200, b"/|body")]


async def test_going_on_is_not_said_in_the_middle_of_another_answer() -> None:
    """A request that waits behind another gets no 100 Continue: it would be mistaken for the
    other's response."""
    keeper = HoldingHandler()
    async with serving(keeper) as (_, port), connected(port) as (reader, writer):
        writer.write(
            GET + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\nbody"
        )
        await wait_until(lambda: keeper.exchanges)
        keeper.exchanges[0].respond(200, body=b"one")
        await wait_until(lambda: len(keeper.exchanges) == 2)
        keeper.exchanges[1].respond(200, body=b"two")
        assert answers(await until_closed(reader)) == [(200, b"one"), (200, b"two")]


@pytest.mark.parametrize("body", [b"", b"body"])
async def test_an_offer_to_upgrade_is_ignored(body: bytes) -> None:
    """Clients that offer HTTP/2 (`Upgrade: h2c`) get an ordinary response, and continue."""
    recorder = Recorder()
    length = b"Content-Length: 4\r\n" if body else b""
    offer = (
        b"POST /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n" + length + b"\r\n" + body
    )
    async with serving(recorder) as (_, port):
        got = answers(await said(port, offer + GET + LAST))
    assert got == [(200, b"/up|" + body), (200, b"/a|"), (200, b"/last|")]


async def test_http_1_0_gets_a_response_and_is_closed() -> None:
    """A client of the old protocol gets one answer."""
    async with serving(Recorder()) as (_, port):
        received = await said(port, b"GET /old HTTP/1.0\r\n\r\n")
    assert answers(received) == [(200, b"/old|")]
    assert b"Connection: close" in received


async def test_an_answer_cannot_be_split() -> None:
    """Instead of header values with line breaks, 500 is sent; the handler does not notice."""
    for value in ("a\r\nX: y", "a\nb", "a\0b"):
        for streams in (False, True):

            def handler(exchange: Exchange, value: str = value, streams: bool = streams) -> None:
                headers = [("X-Bad", value)]
                if streams:
                    exchange.start(200, headers)
                    exchange.write(b"a piece")
                    exchange.finish()
                else:
                    exchange.respond(200, headers, b"an answer")

            async with serving(handler) as (_, port):
                received = await said(port, GET + LAST)
            assert answers(received) == [(500, b"")] * 2
            assert b"X-Bad" not in received
    async with serving(lambda exchange: exchange.respond(200, [("X-Good", "bücher €")])) as (
        _,
        port,
    ):
        assert "X-Good: bücher ?".encode("latin-1") in await said(port, LAST)


async def test_an_answer_that_was_begun_is_cut_when_another_would_follow() -> None:
    """So the client sees that it is not complete, and takes no head for a part of it."""

    def handler(exchange: Exchange) -> None:
        exchange.start(200, length=100)
        exchange.write(b"the first of it")
        asyncio.get_running_loop().call_soon(exchange.respond, 500)

    async with serving(handler) as (_, port):
        received = await said(port, GET)
    assert b"500" not in received


async def test_only_the_first_answer_counts() -> None:
    """A second answer to the same exchange does nothing."""

    def handler(exchange: Exchange) -> None:
        assert exchange.is_open
        exchange.respond(200, body=b"first")
        assert not exchange.is_open
        exchange.respond(500, body=b"second")

    async with serving(handler) as (_, port):
        assert answers(await said(port, GET + LAST)) == [(200, b"first")] * 2


async def test_a_client_that_leaves_is_noticed() -> None:
    """The owner of an exchange learns that the peer is gone; answering then does nothing."""
    keeper = HoldingHandler()
    gone: list[str] = []
    async with serving(keeper) as (server, port):
        async with connected(port) as (_, writer):
            writer.write(GET)
            await wait_until(lambda: keeper.exchanges)
            keeper.exchanges[0].on_disconnect(lambda: gone.append("gone"))
        await wait_until(lambda: gone)
        assert not keeper.exchanges[0].is_open
        keeper.exchanges[0].respond(200)
        assert not server.connections
    assert gone == ["gone"]


async def test_a_handler_that_raises_is_logged_and_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug in a handler is our error, not the client's."""

    def handler(exchange: Exchange) -> None:
        raise KeyError("a bug")

    async with serving(handler) as (_, port):
        with caplog.at_level(logging.ERROR, "lambent"):
            assert answers(await said(port, GET + LAST))[1][0] == 500
    assert "a bug" in caplog.text


@pytest.mark.slow
async def test_a_slow_reader_holds_its_own_line_only() -> None:
    """Responses that a client does not read hold back its own further requests, and no others."""
    handled: list[str] = []

    def handler(exchange: Exchange) -> None:
        handled.append(exchange.path)
        exchange.respond(200, body=b"x" * (4 << 20))

    async with serving(handler) as (_, port), connected(port, limit=1 << 14) as (reader, writer):
        writer.write(GET * 20 + LAST)
        await wait_until(lambda: handled)
        assert len(answers(await said(port, LAST))) == 1
        held = handled.count("/a")
        assert held < 20
        assert len(answers(await until_closed(reader, deadline_s=30))) == 21
    assert handled.count("/a") == 20


async def test_answers_have_a_date() -> None:
    """However they are sent: once, and the current one; a handler may set its own."""
    clock = ManualClock(now=784_111_777.5)
    answers_ = [
        lambda exchange: exchange.respond(200),
        lambda exchange: exchange.respond_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        lambda exchange: (exchange.start(200), exchange.finish()),
        lambda exchange: exchange.respond(200, [("date", "Tue, 15 Nov 1994 08:12:31 GMT")]),
    ]

    def handle(exchange: Exchange) -> None:
        answers_[int(exchange.path[1:])](exchange)

    async with serving(handle, clock=clock) as (_, port):
        for number in range(3):
            received = await said(port, _get(f"/{number}"))
            assert received.count(b"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == 1
        clock.advance(1)
        assert b"\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n" in await said(port, _get("/0"))
        received = await said(port, _get("/3"))
        assert received.lower().count(b"\r\ndate:") == 1
        assert b"1994 08:12:31" in received
        assert b"\r\nDate: " in await said(port, b"nonsense\r\n\r\n")


@pytest.mark.parametrize("is_started", [False, True])
async def test_answers_to_head(is_started: bool) -> None:
    """They have the length of the omitted body, a reason, and no more."""

    def handle(exchange: Exchange) -> None:
        if is_started:
            exchange.start(200, length=4)
            exchange.write(b"body")
            exchange.finish()
        else:
            exchange.respond(200, body=b"body")

    async with serving(handle) as (_, port):
        head = b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
        received = await said(
            port, head + head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert received.count(b"Content-Length: 4\r\n") == 2
    assert b"body" not in received


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


# -- clients that break their promises ---------------------------------------------------------

_POST = b"POST /bad HTTP/1.1\r\nHost: x\r\n"
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
MALFORMED = {
    "noise": b"\x00\x01\x02\x03\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "no version": b"GET /\r\n\r\n",
    "wrong version": b"GET / HTTP/9.9\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "unknown method": b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "bad absolute target": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "the same host twice": b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no host, with a body": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    "two signatures": _POST + b"Authorization: a\r\nauthorization: b\r\n\r\n",
    "space before colon": _POST + b"Content-Length : 4\r\n\r\nbody",
    "no colon": _POST + b"Content-Length 4\r\n\r\n",
    "NUL in value": _POST + b"X: a\x00b\r\n\r\n",
    "bare CR in value": _POST + b"X: a\rContent-Length: 4\r\n\r\nbody",
    "folded length": _POST + b"X: a\r\n Content-Length: 4\r\n\r\nbody",
    "two lengths": _POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!",
    "same length twice": _POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
    "list of lengths": _POST + b"Content-Length: 4, 4\r\n\r\nbody",
    "signed length": _POST + b"Content-Length: +4\r\n\r\nbody",
    "negative length": _POST + b"Content-Length: -4\r\n\r\nbody",
    "hexadecimal length": _POST + b"Content-Length: 0x4\r\n\r\nbody",
    "empty length": _POST + b"Content-Length:\r\n\r\nbody",
    "endless length": _POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "length and chunks": _POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + _SMUGGLED,
    "chunks and length": _POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
    + _SMUGGLED,
    "chunked twice": _POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, chunked": _POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "compressed": _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding with a tab": _POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /bad HTTP/1.0\r\nConnection: keep-alive\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "negative chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "prefixed chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "chunk size with a sign": _POST + b"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
    "chunk size with an underscore": _POST
    + b"Transfer-Encoding: chunked\r\n\r\n1_0\r\n"
    + b"a" * 16
    + b"\r\n0\r\n\r\n",
    "endless chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n",
    "chunk too long": _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_request_is_refused(name: str) -> None:
    """Malformed and ambiguous requests get 400 and a closed connection; no handler sees them
    or anything hidden in them."""
    recorder = Recorder()
    async with serving(recorder) as (_, port):
        received = await said(port, MALFORMED[name])
    assert recorder.paths == []
    assert answers(received) == [(400, b"")]


async def test_http_1_0_needs_no_host() -> None:
    """It did not require one."""
    async with serving(Recorder()) as (_, port):
        assert answers(await said(port, b"GET /old HTTP/1.0\r\n\r\n")) == [(200, b"/old|")]


async def test_what_follows_the_last_request_is_not_handled() -> None:
    """After `Connection: close` nothing is accepted, and nothing is added to the response."""
    recorder = Recorder()
    async with serving(recorder) as (_, port):
        received = await said(port, LAST + GET)
    assert recorder.paths == ["/last"]
    assert answers(received) == [(200, b"/last|")]


async def test_nonsense_after_a_request_does_not_cost_its_answer() -> None:
    """A request in progress gets its response although the next one is refused."""
    keeper = HoldingHandler()
    async with serving(keeper) as (_, port), connected(port) as (reader, writer):
        writer.write(GET + b"GARBAGE\r\n\r\n" + GET)
        await wait_until(lambda: keeper.exchanges)
        keeper.exchanges[0].respond(200, body=b"one")
        assert answers(await until_closed(reader))[0] == (200, b"one")
    assert keeper.paths == ["/a"]


@pytest.mark.parametrize(
    "request_", [GET[:-2], _POST + b"Content-Length: 10\r\n\r\nhalf", _POST + b"Content-Le"]
)
async def test_half_a_request_is_not_handled(request_: bytes) -> None:
    """A client that leaves in the middle of a request has requested nothing."""
    recorder = Recorder()
    async with serving(recorder) as (server, port):
        async with connected(port) as (_, writer):
            writer.write(request_)
            await wait_until(lambda: any(each._intake.is_arriving for each in server.connections))
        await wait_until(lambda: not server.connections)
    assert recorder.paths == []


async def test_half_a_chunked_body_is_not_handled() -> None:
    """The same for a body without a length, with the peer's end properly closed."""
    recorder = Recorder()
    async with serving(recorder) as (_, port), connected(port) as (reader, writer):
        writer.write(_POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        writer.write_eof()
        assert await until_closed(reader) == b""
    assert recorder.paths == []


async def test_trailers_are_not_headers_of_the_next_request() -> None:
    """Fields after a chunked body are dropped: they could forge the next request's."""
    recorder = Recorder()
    chunked = (
        b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        b"Authorization: forged\r\n\r\n"
    )
    async with serving(recorder) as (_, port):
        got = answers(await said(port, chunked + LAST))
    assert got == [(200, b"/c|a"), (200, b"/last|")]
    assert "authorization" not in recorder.exchanges[1].headers


@pytest.mark.parametrize(
    "endless",
    [
        b"0\r\n" + b"X-Trailer: aaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 40_000,
        b"0\r\nX: " + b"a" * 1_500_000,
        b"1;" + b"a" * 1_500_000,
    ],
)
async def test_trailers_and_extensions_end(endless: bytes) -> None:
    """What surrounds a chunked body is limited like a head."""
    async with serving(Recorder(), head_bytes_max=100_000) as (_, port):
        received = await said(port, _POST + b"Transfer-Encoding: chunked\r\n\r\n" + endless)
    assert answers(received) in ([(431, b"")], [(400, b"")])


async def test_heads_may_be_large_but_not_larger() -> None:
    """Sixty kilobytes of request line and headers are read, more gets a 431."""
    recorder = Recorder()
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 1000) for number in range(60))
    async with serving(recorder) as (_, port):
        fits = await said(port, LAST[:-2] + lines + b"\r\n")
        assert answers(fits) == [(200, b"/last|")]
        assert recorder.exchanges[0].headers["x-59"] == "v" * 1000
        for request in (
            b"GET / HTTP/1.1\r\nHost: x\r\n" + lines * 3,
            b"GET /" + b"a" * (3 << 20),
            b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (3 << 20),
        ):
            assert answers(await said(port, request)) in ([(431, b"")], [])
    assert len(recorder.exchanges) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5000000\r\n\r\n" + b"x" * 5_000_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n",
        b"Content-Length: 5000000\r\nExpect: 100-continue\r\n\r\n",
    ],
)
async def test_a_body_too_large_is_refused_before_it_was_read(body: bytes) -> None:
    """The client sees the answer even if it sends on regardless; nothing after it is handled."""
    recorder = Recorder()
    refused: list[Exchange] = []

    def oversized(exchange: Exchange) -> None:
        refused.append(exchange)
        exchange.respond(413, body=b"too large")

    async with (
        serving(recorder, oversized=oversized, body_bytes_max=1000) as (_, port),
        connected(port) as (reader, writer),
    ):
        writer.write(_POST + body + _POST + b"Content-Length: 5000000\r\n\r\n" + GET)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(9) == b"too large"
            await writer.drain()
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"Connection: close" in head
        assert await until_closed(reader) == b""
    assert [exchange.path for exchange in refused] == ["/bad"]
    assert recorder.paths == []


async def test_the_limit_of_a_body_may_depend_on_the_head() -> None:
    """A limit may be a function of method, path and headers."""

    def limit(exchange: Exchange) -> int:
        return 10 if exchange.path == "/small" else 100

    async with serving(Recorder(), body_bytes_max=limit) as (_, port):
        for path, status in ((b"/small", 413), (b"/large", 200)):
            received = await said(
                port,
                b"POST "
                + path
                + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nConnection: close\r\n\r\n"
                b"hello world",
            )
            assert answers(received)[0][0] == status


@pytest.mark.parametrize(
    "start", [b"G", GET[:-2], _POST + b"Content-Length: 10\r\n\r\nhalf"], ids=str
)
async def test_slow_requests_end(start: bytes) -> None:
    """A request that does not get on is given up."""
    recorder = Recorder()
    async with serving(recorder, request_deadline_s=0.05) as (_, port):
        assert answers(await said(port, start)) == [(408, b"")]
    assert recorder.paths == []


async def test_idle_connections_end_and_busy_ones_do_not() -> None:
    """Only a connection without a request is idle: a long-running request is left alone."""
    keeper = HoldingHandler()
    async with (
        serving(keeper, idle_deadline_s=0.05, request_deadline_s=0.05) as (server, port),
        connected(port) as (busy, writer),
    ):
        writer.write(GET)
        await wait_until(lambda: keeper.exchanges)
        async with connected(port) as (idle, _):
            assert await until_closed(idle) == b""
        assert len(server.connections) == 1
        keeper.exchanges[0].respond(200, body=b"late")
        assert answers(await until_closed(busy)) == [(200, b"late")]


async def test_one_connection_too_many_is_turned_away() -> None:
    """The excess gets 503; when a client leaves, there is space again."""
    async with serving(Recorder(), connections_max=1) as (server, port):
        async with connected(port) as (_, first):
            first.write(GET)
            await wait_until(lambda: server.connections)
            assert answers(await said(port, b"")) == [(503, b"")]
        await wait_until(lambda: not server.connections)
        assert answers(await said(port, LAST)) == [(200, b"/last|")]


def _big(size: int, path: str = "/big") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()


async def test_requests_are_bounded_together() -> None:
    """When arriving requests are too large in total, the largest is given up; the others continue,
    and memory for a request is released with its response."""
    recorder = Recorder()
    async with serving(recorder, held_bytes_max=150_000) as (server, port):
        async with connected(port) as (large, writer), connected(port) as (small, other):
            writer.write(_big(100_000) + b"a" * 99_999)
            await wait_until(lambda: server.budget.held == 99_999)
            other.write(_big(70_000) + b"b" * 40_000)
            await wait_until(lambda: server.budget.held == 139_999)
            other.write(b"b" * 29_999)
            refused = await until_closed(large)
            assert answers(refused) == [(503, b"")]
            assert b"Retry-After: 1\r\n" in refused
            await wait_until(lambda: server.budget.held == 69_999)
            # Small requests get through whatever the others hold.
            assert answers(await said(port, LAST)) == [(200, b"/last|")]
            other.write(b"b" + LAST)
            found = answers(await until_closed(small))
            assert found == [(200, b"/big|" + b"b" * 70_000), (200, b"/last|")]
        await wait_until(lambda: server.budget.held == 0)


async def test_requests_are_held_until_their_response() -> None:
    """While a handler keeps large ones, there is no space for others; small ones are not
    counted."""
    keeper = HoldingHandler()
    async with (
        serving(keeper, held_bytes_max=150_000) as (server, port),
        connected(port) as (reader, writer),
        connected(port) as (_, third),
    ):
        writer.write(_big(100_000) + b"a" * 100_000)
        await wait_until(lambda: keeper.exchanges)
        assert server.budget.held == 100_000
        assert answers(await said(port, _big(60_000) + b"b" * 60_000)) == [(503, b"")]
        third.write(GET)
        await wait_until(lambda: len(keeper.exchanges) == 2)
        keeper.exchanges[0].respond(200)
        await reader.readuntil(b"\r\n\r\n")
        assert server.budget.held == 0


async def test_budgets_within_a_budget() -> None:
    """Each server has its own, and all together have one."""
    whole = Budget(150_000)
    first, second = Budget(100_000, within=whole), Budget(100_000, within=whole)
    first.change(90_000)
    second.change(50_000)
    assert not first.is_spent
    second.change(20_000)
    assert first.is_spent
    assert second.is_spent
    first.change(-90_000)
    second.change(40_000)
    assert (first.is_spent, second.is_spent, whole.held) == (False, True, 110_000)


async def test_heads_are_screened_before_bodies_are_read() -> None:
    """What need not be read gets its response and is dropped; signed requests are given up last."""
    recorder = Recorder()
    seen: list[str] = []

    def turn_away(exchange: Exchange) -> None:
        exchange.respond(403, body=b"who?")

    def screen(exchange: Exchange) -> Handler | None:
        seen.append(exchange.path)
        exchange.is_vouched_for = exchange.path == "/known"
        return turn_away if exchange.path == "/unknown" else None

    async with serving(recorder, screened=screen, held_bytes_max=150_000) as (server, port):
        assert answers(await said(port, _big(50_000, "/unknown"))) == [(403, b"who?")]
        chunked = b"POST /unknown HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert answers(await said(port, chunked)) == [(403, b"who?")]
        assert server.budget.held == 0
        async with connected(port) as (known, writer), connected(port) as (other, stranger):
            writer.write(_big(100_000, "/known") + b"a" * 99_999)
            await wait_until(lambda: server.budget.held == 99_999)
            stranger.write(_big(70_000) + b"b" * 69_999)
            assert answers(await until_closed(other)) == [(503, b"")]
            writer.write(b"a")
            assert (await known.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert answers(await said(port, _big(4, "/small") + b"abcd" + LAST))[0][0] == 200
    assert seen == ["/unknown", "/unknown", "/known", "/big"]


@pytest.mark.parametrize("target", ["/" + "a" * 20_000, "/?" + "a&" * 1001])
async def test_targets_that_take_long_to_read(target: str) -> None:
    """They are refused before they are parsed."""
    async with serving(Recorder()) as (_, port):
        assert answers(await said(port, _get(target))) == [(400, b"")]


async def test_untaken_responses_are_bounded_together() -> None:
    """A client that reads too little is cut off, others are not; bytes that were read are
    released."""
    size = 32 << 20

    def large(exchange: Exchange) -> None:
        exchange.respond(200, body=bytes(size))

    async with serving(large, held_bytes_max=size + (1 << 20)) as (server, port):
        async with connected(port, limit=1024) as (reader, first):
            first.write(LAST)
            await wait_until(lambda: server.budget.held > 1 << 20)
            async with connected(port, limit=1024) as (_, second):
                second.write(LAST)
                await wait_until(lambda: len(server.connections) == 1)
            assert len(await until_closed(reader)) > size
        await wait_until(lambda: server.budget.held == 0)


async def test_an_answer_of_which_nothing_is_taken_ends() -> None:
    """After the deadline for idle connections."""

    def large(exchange: Exchange) -> None:
        exchange.respond(200, body=bytes(12 << 20))

    async with serving(large, idle_deadline_s=0.1) as (server, port):
        async with connected(port, limit=1024) as (_, writer):
            writer.write(GET)
            await wait_until(lambda: server.budget.held > 1 << 20)
            await wait_until(lambda: not server.connections)
        assert server.budget.held == 0


async def test_a_body_in_tiny_chunks_arrives_whole() -> None:
    """Whatever the chunks."""
    pieces = b"".join(b"2\r\n%02d\r\n" % (number % 100) for number in range(500))
    request = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces
    async with serving(Recorder()) as (_, port):
        found = answers(await said(port, request + b"0\r\n\r\n" + LAST))
    assert found[0] == (200, b"/a|" + b"".join(b"%02d" % (n % 100) for n in range(500)))


async def test_too_many_headers_are_refused() -> None:
    """However small: they take more memory than their bytes."""
    async with serving(Recorder()) as (_, port):
        head = b"GET /a HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 5000 + b"\r\n"
        assert answers(await said(port, head)) == [(431, b"")]


async def test_a_thousand_idle_connections_delay_no_request() -> None:
    """Idle and half-started clients cost no more than their socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 4096) if hard != resource.RLIM_INFINITY else 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    opened: list[asyncio.StreamWriter] = []
    try:
        async with serving(Recorder()) as (server, port):
            for number in range(1000):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                opened.append(writer)
                if number % 2:
                    writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhal")
            await wait_until(lambda: len(server.connections) == 1000)
            for _ in range(20):
                assert answers(await said(port, LAST)) == [(200, b"/last|")]
            for writer in opened:
                writer.transport.abort()
            await wait_until(lambda: not server.connections)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- the end -----------------------------------------------------------------------------------


async def test_closing_finishes_what_is_in_progress() -> None:
    """Idle connections end, requests in progress are finished, new ones are refused."""
    keeper = HoldingHandler()
    async with (
        serving(keeper) as (server, port),
        connected(port) as (idle, _),
        connected(port) as (busy, writer),
    ):
        writer.write(GET)
        await wait_until(lambda: keeper.exchanges and len(server.connections) == 2)
        async with asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(server.close(grace_s=10))
            assert await until_closed(idle) == b""
            with pytest.raises(OSError):  # noqa: PT011 - refused or reset, as the system likes
                await asyncio.open_connection("127.0.0.1", port)
            assert not closing.done()
            keeper.exchanges[0].respond(200, body=b"done")
            received = await until_closed(busy)
        assert answers(received) == [(200, b"done")]
        assert b"Connection: close" in received


async def test_closing_serves_requests_that_are_on_their_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client may send on an idle connection at the moment when the server closes: it gets its
    response, and learns that the connection ends. Nor is a connection cut whose client has not
    sent its first request yet."""
    monkeypatch.setattr(connection, "IDLE_S", 60.0)
    keeper = HoldingHandler()
    async with serving(keeper) as (server, port), connected(port) as (used, writer):
        writer.write(GET)
        await wait_until(lambda: keeper.exchanges)
        keeper.exchanges[0].respond(200, body=b"first")
        assert await used.readuntil(b"first")
        async with connected(port) as (new, new_writer), asyncio.TaskGroup() as tasks:
            await wait_until(lambda: len(server.connections) == 2)
            tasks.create_task(server.close(grace_s=900))
            await wait_until(lambda: server.is_closing)
            writer.write(GET)
            new_writer.write(GET)
            await wait_until(lambda: len(keeper.exchanges) == 3)
            for exchange in keeper.exchanges[1:]:
                exchange.respond(200, body=b"last")
            for reader in (used, new):
                received = await until_closed(reader)
                assert answers(received) == [(200, b"last")]
                assert b"Connection: close" in received


async def test_leaving_ends_connections_with_their_next_response() -> None:
    """New ones are served, too."""
    keeper = HoldingHandler()
    async with serving(keeper) as (server, port), connected(port) as (old, old_writer):
        await wait_until(lambda: server.connections)
        server.leave()
        async with connected(port) as (new, new_writer):
            for reader, writer in ((old, old_writer), (new, new_writer)):
                keeper.exchanges.clear()
                writer.write(GET)
                await wait_until(lambda: keeper.exchanges)
                keeper.exchanges[0].respond(200, body=b"done")
                assert b"Connection: close" in await until_closed(reader)


async def test_closing_ends_what_does_not_finish() -> None:
    """When the grace period is over, connections are cut and their exchanges notified."""
    keeper = HoldingHandler()
    gone: list[str] = []
    async with serving(keeper) as (server, port), connected(port) as (reader, writer):
        writer.write(GET)
        await wait_until(lambda: keeper.exchanges)
        keeper.exchanges[0].on_disconnect(functools.partial(gone.append, "gone"))
        async with asyncio.timeout(5):
            await server.close(grace_s=0.05)
        await wait_until(lambda: gone)
        assert await until_closed(reader) == b""


async def test_closing_waits_for_no_late_client() -> None:
    """A client that does not send the rest of a request is given up after its deadline, as always,
    however long the grace period is."""
    async with (
        serving(HoldingHandler(), request_deadline_s=0.05) as (server, port),
        connected(port) as (reader, writer),
    ):
        writer.write(GET[:-2])
        await wait_until(
            lambda: any(connection.unfinished_bytes for connection in server.connections)
        )
        async with asyncio.timeout(60):
            await server.close(grace_s=900)
        assert answers(await until_closed(reader))[0][0] == 408


async def test_closing_waits_for_no_client_that_takes_no_response() -> None:
    """Who leaves an answer lying is cut off after the deadline for idle connections."""
    keeper = HoldingHandler()
    async with (
        serving(keeper, idle_deadline_s=0.05) as (server, port),
        connected(port, limit=1024) as (_, writer),
    ):
        writer.write(GET)
        await wait_until(lambda: keeper.exchanges)
        keeper.exchanges[0].respond(200, body=bytes(64 << 20))
        async with asyncio.timeout(60):
            await server.close(grace_s=900)


async def test_closing_can_be_hurried() -> None:
    """A second close waits no longer than asked, and ends the first."""
    keeper = HoldingHandler()
    async with serving(keeper) as (server, port), connected(port) as (_, writer):
        writer.write(GET)
        await wait_until(lambda: keeper.exchanges)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(server.close(grace_s=900))
            await wait_until(lambda: server.is_closing)
            await server.close()
