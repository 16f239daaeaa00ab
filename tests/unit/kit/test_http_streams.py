"""Streams through two servers: a runtime sends a body, a caller takes it at its own speed.

Back-pressure joins both connections: while the caller is behind, the runtime's is not read. A
connection that is paused and never read again stops the runtime forever, so every stream here is
followed by another request on the runtime's connection.
"""

import asyncio
import contextlib
import dataclasses
import os
import random
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from lambent.kit.http.messages import BodyReader, Exchange
from lambent.kit.http.server import HttpLimits, HttpServer

pytestmark = pytest.mark.anyio

STREAMS = int(os.environ.get("STREAMS", "1000"))
RUNTIMES = 8
DEADLINE_S = 10.0


class Relay:
    """Joins a runtime's request to its caller's: `/POST-id` to `/GET-id`, as the platform does."""

    def __init__(self) -> None:
        self.callers: dict[str, Exchange] = {}

    def runtime(self, exchange: Exchange) -> None:
        """What is not streamed is `/next`."""
        exchange.respond(200, body=b"next")

    def caller(self, exchange: Exchange) -> None:
        self.callers[exchange.path] = exchange
        exchange.start(200)

    def open(self, exchange: Exchange) -> BodyReader:
        return Stream(exchange, self.callers.pop(exchange.path))


class Stream:
    """Passes a body on, and pauses while the caller is behind."""

    def __init__(self, source: Exchange, sink: Exchange) -> None:
        self._source = source
        self._sink = sink
        sink.on_writable(source.resume_body)

    def data(self, data: bytes) -> None:
        if not self._sink.write(data):
            self._source.pause_body()

    def end(self, trailers: Mapping[str, str]) -> None:
        self._sink.finish()
        self._source.respond(202)

    def cut(self) -> None:
        self._sink.abort()


@dataclasses.dataclass
class Ports:
    runtime: int
    caller: int


@asynccontextmanager
async def relaying() -> AsyncIterator[Ports]:
    relay = Relay()
    servers = (
        HttpServer(relay.runtime, HttpLimits(body_bytes_max=1 << 30), streamed=relay.open),
        HttpServer(relay.caller),
    )
    ports = []
    for server in servers:
        sock = socket.create_server(("127.0.0.1", 0))
        # Small buffers: a caller is behind after few bytes, as it is after many over a network.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        ports.append(sock.getsockname()[1])
        await server.start(sock)
    try:
        yield Ports(*ports)
    finally:
        for server in servers:
            await server.close()


class Runtime:
    """A runtime's kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> "Runtime":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def stream(self, path: str, chunks: list[bytes], *, at_once: bool) -> None:
        """Send a body, in one write or chunk by chunk, and take the answer."""
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        parts = [head, *(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"]
        for part in [b"".join(parts)] if at_once else parts:
            self._writer.write(part)
            await self._writer.drain()
        assert await self._answer() == 202

    async def next(self) -> None:
        """Ask for more, as a runtime does that has answered."""
        self._writer.write(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await self._answer() == 200

    async def _answer(self) -> int:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        await self._reader.readexactly(length)
        return int(head.split()[1])

    def close(self) -> None:
        self._writer.close()


class Caller:
    """A client that takes an answer at its own speed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @classmethod
    async def connect(cls, port: int, path: str) -> "Caller":
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        caller = cls(sock)
        await caller._until(b"\r\n\r\n")
        return caller

    async def _until(self, end: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        data = b""
        while not data.endswith(end):
            got = await loop.sock_recv(self._sock, 1 if end == b"\r\n\r\n" else 65_536)
            assert got, "the answer was cut"
            data += got
        return data

    async def read(self, random_: random.Random, pauses: float) -> int:
        """Read everything; before each read it pauses with the given probability. Returns the
        number of bytes, framing included."""
        loop = asyncio.get_running_loop()
        tail, count = b"", 0
        while not tail.endswith(b"0\r\n\r\n"):
            if random_.random() < pauses:
                await asyncio.sleep(random_.choice((0, 0, 0.001)))
            data = await loop.sock_recv(self._sock, random_.choice((1_000, 16_384, 262_144)))
            assert data, "the answer was cut"
            count += len(data)
            tail = (tail + data)[-5:]
        return count

    def close(self) -> None:
        self._sock.close()


async def test_a_caller_that_is_behind_when_the_body_ends_does_not_stop_the_runtime() -> None:
    """The last of the body and its end come together, while the caller takes nothing: the
    runtime's connection is still read again."""
    async with relaying() as ports, asyncio.timeout(DEADLINE_S):
        caller = await Caller.connect(ports.caller, "/1")
        runtime = await Runtime.connect(ports.runtime)
        sending = asyncio.ensure_future(runtime.stream("/1", [b"x" * 100_000] * 4, at_once=True))
        await asyncio.sleep(0.05)
        assert await caller.read(random.Random(1), 0.0) > 400_000
        await sending
        await runtime.next()
        runtime.close()
        caller.close()


async def test_a_caller_that_leaves_while_it_is_behind_does_not_stop_the_runtime() -> None:
    """The rest of the response has no reader: the runtime may send it, and continues."""
    async with relaying() as ports, asyncio.timeout(DEADLINE_S):
        caller = await Caller.connect(ports.caller, "/1")
        runtime = await Runtime.connect(ports.runtime)
        sending = asyncio.ensure_future(runtime.stream("/1", [b"x" * 1000] * 20_000, at_once=False))
        await asyncio.sleep(0.05)
        assert not sending.done(), "the runtime was not made to wait"
        caller.close()
        await sending
        await runtime.next()
        runtime.close()


@pytest.mark.slow
async def test_streams_of_any_size_to_callers_of_any_speed_all_end() -> None:
    """Streams of random sizes and chunks to callers that pause, hurry or leave: each ends, and the
    runtime's connection serves the next. STREAMS says how many."""
    async with relaying() as ports:
        numbers = iter(range(STREAMS))

        async def run(seed: int) -> None:
            random_ = random.Random(seed)
            runtime = await Runtime.connect(ports.runtime)
            for number in numbers:
                async with asyncio.timeout(DEADLINE_S):
                    await _one_stream(random_, ports, runtime, f"/{number}")
            runtime.close()

        await asyncio.gather(*(run(seed) for seed in range(RUNTIMES)))


async def _one_stream(random_: random.Random, ports: Ports, runtime: Runtime, path: str) -> None:
    caller = await Caller.connect(ports.caller, path)
    size = int(10 ** random_.uniform(0, 5.7))
    chunk = max(1, int(size * 10 ** random_.uniform(-2, 0)))
    chunks = [b"x" * min(chunk, size - start) for start in range(0, size, chunk)]
    sending = asyncio.ensure_future(runtime.stream(path, chunks, at_once=random_.random() < 0.5))
    if random_.random() < 0.1:
        await asyncio.sleep(0)
        caller.close()
    else:
        if random_.random() < 0.3:
            await asyncio.sleep(0.002)
        assert await caller.read(random_, random_.choice((0.0, 0.3, 0.9))) > size
        caller.close()
    await sending
    await runtime.next()


@pytest.mark.parametrize("body", [b"3\r\nabc\r\n0\r\n\r\n", b"nonsense\r\n"])
async def test_a_body_that_cannot_be_read_on_is_cut(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The reader gets an error at once. If it was the reader's own fault, that is a bug, and
    it should be reported."""
    ends: list[str] = []

    class Broken:
        def data(self, data: bytes) -> None:
            raise KeyError("a bug")

        def end(self, trailers: Mapping[str, str]) -> None:
            ends.append("end")

        def cut(self) -> None:
            ends.append("cut")

    server = HttpServer(lambda exchange: exchange.respond(200), streamed=lambda _: Broken())
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    await server.start(listener)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
    finally:
        writer.transport.abort()
        await server.close()
    assert ends == ["cut"]
    assert ("KeyError: 'a bug'" in caplog.text) == body.startswith(b"3")
