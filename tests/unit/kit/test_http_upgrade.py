"""Connections that a handler takes over after `101 Switching Protocols`, over real sockets."""

import asyncio
import logging
from collections.abc import Iterable

import pytest

from lambent.kit.http.messages import ByteStream, Exchange
from tests.unit.kit.test_http_server import (
    GET,
    LAST,
    Recorder,
    answers,
    connected,
    said,
    serving,
    until_closed,
    wait_until,
)

pytestmark = pytest.mark.anyio

OFFER = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
DEADLINE_S = 10.0


class Echo:
    """A protocol that sends back what it receives, and ends after `bye`."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.received = bytearray()
        self.ends = 0
        self.is_closing = False
        stream.on_writable(stream.resume_reading)

    def data(self, data: bytes) -> None:
        self.received += data
        if not self.stream.write(data):
            self.stream.pause_reading()
        if self.received.endswith(b"bye"):
            self.stream.close()

    def closing(self) -> None:
        self.is_closing = True
        self.stream.write(b"closing")
        self.stream.close()

    def ended(self) -> None:
        self.ends += 1


class Switch(Recorder):
    """A handler that accepts offers of `echo` and handles all else as a `Recorder`."""

    def __init__(
        self, kind: type = Echo, headers: Iterable[tuple[str, str]] = (), idle_s: float = 60
    ) -> None:
        super().__init__()
        self.kind = kind
        self.opened: list[Echo] = []
        self._headers = headers
        self._idle_s = idle_s

    def __call__(self, exchange: Exchange) -> None:
        if exchange.upgrade_offer == "echo":
            exchange.upgrade("echo", self.open, self._headers, idle_deadline_s=self._idle_s)
            assert not exchange.is_open
        else:
            super().__call__(exchange)

    def open(self, stream: ByteStream) -> Echo:
        self.opened.append(self.kind(stream))
        return self.opened[-1]


async def head_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(DEADLINE_S):
        return await reader.readuntil(b"\r\n\r\n")


async def exactly(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(DEADLINE_S):
        return await reader.readexactly(count)


async def test_a_handler_takes_over_a_connection() -> None:
    """After 101 both sides send bytes as they like, until one ends."""
    switch = Switch(headers=[("Sec-Echo", "yes")])
    async with serving(switch) as (server, port), connected(port) as (reader, writer):
        writer.write(GET + OFFER)
        assert answers(await head_of(reader) + await exactly(reader, 3)) == [(200, b"/a|")]
        head = await head_of(reader)
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        for line in (b"Connection: Upgrade", b"Upgrade: echo", b"Sec-Echo: yes", b"Date: "):
            assert b"\r\n" + line in head
        assert b"Content-Length" not in head
        for data in (b"one", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256))):
            writer.write(data)
            assert await exactly(reader, len(data)) == data
        assert len(server.connections) == 1
        writer.write(b"bye")
        assert await until_closed(reader) == b"bye"
        await wait_until(lambda: not server.connections)
    assert [echo.ends for echo in switch.opened] == [1]
    assert switch.paths == ["/a"]


@pytest.mark.parametrize("place", [1, len(OFFER) - 1, len(OFFER), len(OFFER) + 2])
async def test_bytes_that_come_with_the_request_are_not_lost(place: int) -> None:
    """A client may not wait for 101; however its bytes are cut, the receiver gets them."""
    switch = Switch()
    sent = OFFER + b"first" + GET
    async with serving(switch) as (_, port), connected(port) as (reader, writer):
        writer.write(sent[:place])
        await asyncio.sleep(0.02)
        writer.write(sent[place:])
        await head_of(reader)
        assert await exactly(reader, 5 + len(GET)) == b"first" + GET
    assert switch.paths == []


async def test_an_offer_may_be_accepted_later() -> None:
    """While the handler thinks, what arrives is kept, and no more than a little of it."""
    kept: list[Exchange] = []
    switch = Switch()
    async with serving(kept.append) as (server, port), connected(port) as (reader, writer):
        writer.write(OFFER)
        await wait_until(lambda: kept)
        writer.write(b"y" * (8 << 20))
        await wait_until(lambda: server.budget.held)
        await asyncio.sleep(0.05)
        assert server.budget.held < 1 << 20
        switch(kept[0])
        await head_of(reader)
        assert await exactly(reader, 8 << 20) == b"y" * (8 << 20)
        assert server.budget.held == 0


async def test_early_bytes_that_are_dropped_are_not_passed_over() -> None:
    """When memory is short, they may be dropped; then the offer is not accepted any more: the
    other protocol would begin in the middle."""
    kept: list[Exchange] = []
    switch = Switch()
    async with serving(kept.append, held_bytes_max=1000) as (server, port):
        async with connected(port) as (reader, writer):
            writer.write(OFFER)
            await wait_until(lambda: kept)
            writer.write(b"y" * 3000)
            await wait_until(lambda: any(each._wire.is_discarding for each in server.connections))
            switch(kept[0])
            assert await until_closed(reader) == b""
        await wait_until(lambda: not server.connections)
    assert switch.opened == []


@pytest.mark.slow
async def test_an_offer_that_is_not_accepted_is_an_ordinary_request() -> None:
    """Requests that follow it in the same read, also other offers, are handled after it, in their
    order, however many there are."""
    recorder = Recorder()
    slow: list[Exchange] = []

    def handler(exchange: Exchange) -> None:
        if exchange.path == "/slow":
            slow.append(exchange)
        else:
            recorder(exchange)

    offer = OFFER.replace(b"echo", b"h2c")
    async with serving(handler) as (_, port):
        got = answers(await said(port, (offer + GET) * 2000 + LAST))
        assert got == [(200, b"/h2c|"), (200, b"/a|")] * 2000 + [(200, b"/last|")]
        async with connected(port) as (reader, writer):
            writer.write(offer.replace(b"/h2c", b"/slow") + GET + offer + LAST)
            await wait_until(lambda: slow)
            slow[0].respond(200, body=b"slow")
            got = answers(await until_closed(reader))
    assert got == [(200, b"slow"), (200, b"/a|"), (200, b"/h2c|"), (200, b"/last|")]


async def test_half_a_request_after_an_offer_that_is_declined() -> None:
    """It is completed by what arrives later."""
    async with serving(Recorder()) as (_, port), connected(port) as (reader, writer):
        writer.write(OFFER + LAST[:20])
        assert answers(await head_of(reader) + await exactly(reader, 6)) == [(200, b"/echo|")]
        writer.write(LAST[20:])
        assert answers(await until_closed(reader)) == [(200, b"/last|")]


@pytest.mark.parametrize(
    "request_",
    [
        OFFER[:-2] + b"Content-Length: 4\r\n\r\nbody",
        OFFER[:-2] + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        OFFER.replace(b"Connection: Upgrade", b"Connection: keep-alive"),
        OFFER.replace(b"1.1", b"1.0").replace(b"Upgrade\r\n", b"Upgrade, keep-alive\r\n"),
        OFFER.replace(b"Upgrade: echo", b"Upgrade: h2c"),
        OFFER.replace(b"Upgrade: echo", b"Upgrade: "),
        OFFER.replace(b"Upgrade: echo", b"Upgrade: echoes"),
    ],
)
async def test_requests_that_cannot_be_upgraded(request_: bytes) -> None:
    """Their offer is ignored or the handler's attempt to accept it fails; the connection goes on
    with HTTP, and nothing of a body is taken for the other protocol."""
    refused: list[str] = []

    def handler(exchange: Exchange) -> None:
        if exchange.path == "/echo":
            try:
                exchange.upgrade("echo", Echo, idle_deadline_s=1)
            except ValueError as error:
                refused.append(str(error))
        exchange.respond(200, body=exchange.body)

    async with serving(handler) as (_, port):
        got = answers(await said(port, request_ + GET + LAST))
    body = b"body" if b"body" in request_ else b""
    assert got == [(200, body), (200, b""), (200, b"")]
    assert refused == ["the client does not offer to switch to 'echo'"]


async def test_one_of_several_offers_is_accepted() -> None:
    """A client may list what it speaks."""

    def handler(exchange: Exchange) -> None:
        exchange.upgrade("Echo", Echo, idle_deadline_s=1)

    offer = OFFER.replace(b"Upgrade: echo", b"Upgrade: h2c, echo\r\nUpgrade: other")
    async with serving(handler) as (_, port), connected(port) as (reader, writer):
        writer.write(offer)
        assert b"\r\nUpgrade: Echo\r\n" in await head_of(reader)


async def test_a_client_that_leaves_ends_the_stream() -> None:
    """Once; what is written afterwards is dropped."""
    switch = Switch()
    async with serving(switch) as (server, port):
        async with connected(port) as (reader, writer):
            writer.write(OFFER)
            await head_of(reader)
        await wait_until(lambda: switch.opened[0].ends)
        stream = switch.opened[0].stream
        assert stream.write(b"to nobody")
        stream.pause_reading()
        stream.resume_reading()
        stream.close()
        stream.abort()
        await asyncio.sleep(0)
        assert not server.connections
    assert switch.opened[0].ends == 1


async def test_a_client_that_left_before_the_offer_was_accepted() -> None:
    """Nothing is opened."""
    kept: list[Exchange] = []
    async with serving(kept.append) as (server, port):
        async with connected(port) as (_, writer):
            writer.write(OFFER)
            await wait_until(lambda: kept)
        await wait_until(lambda: not server.connections)
        switch = Switch()
        kept[0].upgrade("echo", switch.open, idle_deadline_s=1)
        assert switch.opened == []
        assert server.budget.held == 0


async def test_closing_the_server_lets_streams_say_goodbye() -> None:
    """They are notified, and are waited for within the grace."""
    switch = Switch()
    async with serving(switch) as (server, port), connected(port) as (reader, writer):
        writer.write(OFFER)
        await head_of(reader)
        async with asyncio.timeout(DEADLINE_S):
            await server.close(grace_s=900)
        assert await until_closed(reader) == b"closing"
    assert switch.opened[0].ends == 1


async def test_closing_the_server_ends_streams_that_go_on() -> None:
    """After the grace they are cut."""

    class Deaf(Echo):
        def closing(self) -> None:
            self.is_closing = True

    switch = Switch(Deaf)
    async with serving(switch) as (server, port), connected(port) as (reader, writer):
        writer.write(OFFER)
        await head_of(reader)
        async with asyncio.timeout(DEADLINE_S):
            await server.close(grace_s=0.05)
        assert await until_closed(reader) == b""
        await wait_until(lambda: switch.opened[0].ends)
    assert switch.opened[0].is_closing


async def test_a_stream_that_opens_while_the_server_closes() -> None:
    """It is notified at once."""
    kept: list[Exchange] = []
    switch = Switch()
    async with serving(kept.append) as (server, port), connected(port) as (reader, writer):
        writer.write(OFFER)
        await wait_until(lambda: kept)
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(server.close(grace_s=900))
            await wait_until(lambda: server.is_closing)
            switch(kept[0])
        assert (await until_closed(reader)).endswith(b"\r\n\r\nclosing")


async def test_a_stream_without_traffic_is_cut() -> None:
    """After its deadline, which traffic in either direction begins again; no other deadline of the
    server counts, even if it has none."""
    async with serving(Switch(idle_s=0.1)) as (server, port):
        async with connected(port) as (reader, writer):
            writer.write(OFFER)
            await head_of(reader)
            assert await until_closed(reader) == b""
        await wait_until(lambda: not server.connections)
    switch = Switch(idle_s=2)
    limits = {"idle_deadline_s": 0.01, "request_deadline_s": 0.01}
    async with serving(switch, **limits) as (server, port), connected(port) as (reader, writer):
        writer.write(OFFER)
        await head_of(reader)
        for _ in range(15):  # A sweep comes every second, here at least twice.
            await asyncio.sleep(0.2)
            switch.opened[0].stream.write(b"x")
        assert await exactly(reader, 15) == b"x" * 15


async def test_a_client_that_takes_nothing_is_cut() -> None:
    """After the deadline, whatever it sends."""

    class Flood(Echo):
        def __init__(self, stream: ByteStream) -> None:
            super().__init__(stream)
            stream.write(bytes(32 << 20))

    switch = Switch(Flood, idle_s=0.1)
    async with (
        serving(switch) as (server, port),
        connected(port, limit=1024) as (_, writer),
    ):
        writer.write(OFFER)
        await wait_until(lambda: switch.opened)
        assert server.budget.held > 1 << 20
        await wait_until(lambda: not server.connections)
        assert server.budget.held == 0
    assert switch.opened[0].ends == 1


async def test_what_streams_leave_untaken_is_within_the_budget() -> None:
    """A client that leaves too much is cut off."""

    class Flood(Echo):
        def data(self, data: bytes) -> None:
            self.stream.write(bytes(32 << 20))

    switch = Switch(Flood)
    async with (
        serving(switch, held_bytes_max=8 << 20) as (server, port),
        connected(port, limit=1024) as (reader, writer),
    ):
        writer.write(OFFER)
        await head_of(reader)
        writer.write(b"now")
        await wait_until(lambda: switch.opened[0].ends)
        assert server.budget.held == 0


@pytest.mark.slow
async def test_both_directions_are_held_back() -> None:
    """An echo of more than all buffers hold: while the client does not read, it is not read."""
    switch = Switch()
    size = 64 << 20
    async with (
        serving(switch) as (server, port),
        connected(port, limit=1 << 16) as (
            reader,
            writer,
        ),
    ):
        writer.write(OFFER)
        await head_of(reader)
        writer.write(b"z" * size)
        await wait_until(lambda: switch.opened[0].received)
        await asyncio.sleep(0.2)
        assert len(switch.opened[0].received) < size
        received = 0
        async with asyncio.timeout(30):
            while received < size:
                received += len(await reader.read(1 << 20))
        await wait_until(lambda: server.budget.held == 0)


@pytest.mark.parametrize("where", ["open", "data", "closing", "ended", "writable"])
async def test_a_receiver_that_raises_ends_its_connection_only(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug is logged; the connection is cut; the server goes on."""

    def fail(*_: object) -> None:
        raise KeyError("a bug")

    class Broken(Echo):
        def __init__(self, stream: ByteStream) -> None:
            super().__init__(stream)
            if where == "open":
                fail()
            elif where == "writable":
                stream.on_writable(fail)
                stream.write(bytes(8 << 20))
            else:
                setattr(self, where, fail)

    switch = Switch(Broken)
    async with serving(switch) as (server, port), connected(port) as (reader, writer):
        with caplog.at_level(logging.ERROR, "lambent"):
            writer.write(OFFER + b"x")
            await head_of(reader)
            if where == "closing":
                await server.close(grace_s=5)
            elif where == "ended":
                writer.write_eof()
            await until_closed(reader)
            await wait_until(lambda: not server.connections)
        if where != "closing":
            assert answers(await said(port, LAST)) == [(200, b"/last|")]
    assert "a bug" in caplog.text


async def test_an_upgrade_cannot_be_split() -> None:
    """Instead of header values with line breaks, 500 is sent, and the connection stays HTTP."""
    switch = Switch(headers=[("X-Bad", "a\r\nX: y")])
    async with serving(switch) as (_, port):
        assert answers(await said(port, OFFER + LAST)) == [(500, b""), (200, b"/last|")]
    assert switch.opened == []


class Refusing(Echo):
    """Says why it ends, while the client is still sending."""

    def data(self, data: bytes) -> None:
        self.received += data
        self.stream.write(b"too much")
        self.stream.linger()


async def test_a_client_that_still_sends_reads_why_the_connection_ends() -> None:
    """A connection with unread data would be reset, and the last bytes be lost. What arrives after
    the end is discarded, not passed on."""
    switch = Switch(kind=Refusing)
    async with serving(switch) as (server, port), connected(port) as (reader, writer):
        writer.write(OFFER)
        await head_of(reader)
        writer.write(b"x" * (8 << 20))
        assert await until_closed(reader) == b"too much"
        await writer.drain()
        writer.close()
        await wait_until(lambda: not server.connections)
    assert [echo.ends for echo in switch.opened] == [1]
    assert len(switch.opened[0].received) <= 1 << 20
