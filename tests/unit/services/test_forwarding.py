"""Passing requests on, to servers that do not do as they should."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import anyio
import pytest

from lambent.aws.clients import AwsClients
from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.identity.authorizer import Authorizer
from lambent.kit.clock import SystemClock
from lambent.kit.http.messages import Exchange
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.model.errors import ApiError
from lambent.services.forwarder import open_forwarder
from lambent.services.local_services import LocalServices
from lambent.services.settings import ServicesSettings
from tests.unit.services.foreign import caller

pytestmark = pytest.mark.anyio
RELAXED = cast(Authorizer, SimpleNamespace(is_strict=False))
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def passing_on(serve: Serve, *, deadline_s: float = 5) -> AsyncIterator[int]:
    """A front that passes all on to a server; returns its port."""
    upstream = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = upstream.sockets[0].getsockname()[1]
    service = ServiceSettings(endpoint_url=f"http://127.0.0.1:{port}", deadline_s=deadline_s)
    settings = AwsSettings(sqs=service)
    clients = AwsClients(settings)
    async with open_forwarder(settings, clients, RELAXED, None, ("lambda", "logs")) as forwarder:

        def handle(exchange: Exchange) -> None:
            def refuse(error: ApiError) -> None:
                exchange.respond(error.status, body=error.code.encode())

            try:
                assert forwarder.handle(exchange, caller(), "sqs", refuse)
            except ApiError as error:
                refuse(error)

        front = HttpServer(handle, HttpLimits())
        sock = socket.create_server(("127.0.0.1", 0))
        await front.start(sock)
        yield sock.getsockname()[1]
        await front.close()
    upstream.close()


async def ask(port: int, head: str = "POST / HTTP/1.1", *headers: str, body: bytes = b"") -> bytes:
    """Send a request and read to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [head, "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    await writer.wait_closed()
    return answer


async def _patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that never answers, and goes when it is left."""
    await reader.read()
    writer.close()
    await writer.wait_closed()


def answering(*chunks: bytes) -> Serve:
    """A server that reads a head, writes chunks and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
        writer.close()
        await writer.wait_closed()

    return serve


async def test_an_answer_without_a_length_comes_in_chunks() -> None:
    """And with its own headers."""
    async with passing_on(
        answering(b"HTTP/1.1 201 X\r\nA: b\r\nConnection: close\r\n\r\nhello")
    ) as port:
        answer = await ask(port)
    assert answer.startswith(b"HTTP/1.1 201 ")
    assert b"\r\nA: b\r\n" in answer
    assert answer.endswith(b"5\r\nhello\r\n0\r\n\r\n")


async def test_an_answer_that_breaks_off_is_seen_to() -> None:
    """A client must not take half of an object for the whole."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    async with passing_on(answering(head, b"x" * 400_000)) as port:
        answer = await ask(port)
    assert b"Content-Length: 1000000" in answer
    assert 0 < len(answer.partition(b"\r\n\r\n")[2]) < 1_000_000


@pytest.mark.parametrize(
    "chunks", [(), (b"nonsense\r\n\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",)]
)
async def test_servers_that_do_not_answer(chunks: tuple[bytes, ...]) -> None:
    """The client learns that the service is not available."""
    async with passing_on(answering(*chunks)) as port:
        answer = await ask(port)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"ServiceUnavailable")


async def test_servers_that_think_for_too_long() -> None:
    """The deadline is the service's."""

    async with passing_on(_patient, deadline_s=0.2) as port:
        with anyio.fail_after(10):
            assert (await ask(port)).startswith(b"HTTP/1.1 503 ")


async def test_a_client_that_leaves_ends_its_request() -> None:
    """The server's end of it is closed."""
    came, left = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await _patient(reader, writer)
        left.set()

    async with passing_on(serve) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with anyio.fail_after(10):
            await came.wait()
            writer.close()
            await writer.wait_closed()
            await left.wait()


async def test_what_leads_back_is_refused() -> None:
    """By a header that proxies add."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(next(line for line in head.splitlines() if line.lower().startswith(b"via:")))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with passing_on(serve) as port:
        assert b" 200 " in await ask(port, "POST / HTTP/1.1", "Via: 1.1 somebody")
        assert b"1.1 somebody, 1.1 lambent-" in seen[0]
        again = await ask(port, "POST / HTTP/1.1", seen[0].decode())
    assert again.startswith(b"HTTP/1.1 508 ")
    assert again.endswith(b"LoopDetected")


@pytest.mark.slow
async def test_a_local_services_that_cannot_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform continues, the program's output is in its log, and it is started again."""
    settings = ServicesSettings(enabled=True, start_deadline_s=6.0)
    local_services = LocalServices(
        settings, SystemClock(), packages=tmp_path, data=tmp_path, directory=tmp_path / "own"
    )
    with caplog.at_level(logging.WARNING), anyio.fail_after(30):
        async with local_services.running(("127.0.0.1", 1), {"PATH": "/usr/bin"}):
            assert not await local_services.wait_ready(0)
    local_services.close()
    text = caplog.text
    assert "No module named 'ministack'" in text
    assert text.count("has ended") >= 2
    assert "goes on without the emulator" in text
