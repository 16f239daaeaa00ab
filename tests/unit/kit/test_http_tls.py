"""The HTTP server with TLS, whose transports cannot be half closed."""

import asyncio
import contextlib
import datetime
import errno
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lambent.kit.http.messages import Exchange
from lambent.kit.http.server import HttpLimits, HttpServer
from tests.unit.kit.test_http_server import LAST, Recorder, answers, until_closed, wait_until
from tests.unit.kit.test_http_upgrade import OFFER, Switch, exactly, head_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@asynccontextmanager
async def connected_tls(
    certificate: Path, handler: Recorder
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of a server with TLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    sock = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(handler)
    async with anyio.create_task_group() as tasks:
        server.start_tls(sock, tls, tasks)
        client = ssl.create_default_context(cafile=str(certificate))
        reader, writer = await asyncio.open_connection(*sock.getsockname()[:2], ssl=client)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            await server.close()


async def test_handshakes_are_bounded(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of clients that begin none, only some are held, and not for long."""
    monkeypatch.setattr("lambent.kit.http.server._HANDSHAKE_S", 0.3)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    sock = socket.create_server(("127.0.0.1", 0))
    address = sock.getsockname()[:2]
    server = HttpServer(Recorder(), HttpLimits(handshakes_max=3))
    async with anyio.create_task_group() as tasks:
        server.start_tls(sock, tls, tasks)
        silent = [await asyncio.open_connection(*address) for _ in range(5)]
        ends: list[int] = []

        async def wait_for_end(number: int) -> None:
            with contextlib.suppress(ConnectionError):
                assert await silent[number][0].read() == b""
            ends.append(number)

        async with anyio.create_task_group() as readers:
            for number in range(5):
                readers.start_soon(wait_for_end, number)
        assert set(ends[:2]) == {3, 4}, "those beyond the limit end at once"
        client = ssl.create_default_context(cafile=str(certificate))
        reader, writer = await asyncio.open_connection(*address, ssl=client)
        writer.write(LAST)
        assert answers(await until_closed(reader)) == [(200, b"/last|")]
        for _, each in [*silent, (reader, writer)]:
            each.transport.abort()
        await server.close()


class Unduplicable(socket.socket):
    """A socket of a process that has no more descriptors."""

    def dup(self) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")


async def test_a_connection_without_descriptors_is_closed() -> None:
    """It takes no room from those that follow."""
    server = HttpServer(Recorder(), HttpLimits(handshakes_max=1))
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            accepted, client = socket.socketpair()
            server.take_over(Unduplicable(fileno=accepted.detach()), tasks)
            reader, writer = await asyncio.open_connection(sock=client)
            assert await reader.read() == b""
            writer.transport.abort()
        accepted, client = socket.socketpair()
        accepted.setblocking(False)
        server.take_over(accepted, tasks)
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(LAST)
        assert answers(await until_closed(reader)) == [(200, b"/last|")]
        writer.transport.abort()
        await server.close()


async def test_requests_over_tls(certificate: Path) -> None:
    """They are as others, and say that they are secure."""
    recorder = Recorder()
    async with connected_tls(certificate, recorder) as (reader, writer):
        writer.write(LAST)
        assert answers(await until_closed(reader)) == [(200, b"/last|")]
    assert recorder.exchanges[0].is_secure


async def test_what_is_no_request_is_refused_over_tls(certificate: Path) -> None:
    """The client gets the response, although the connection cannot be half closed."""
    async with connected_tls(certificate, Recorder()) as (reader, writer):
        writer.write(b"nonsense\r\n\r\n")
        assert (await head_of(reader)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_handler_takes_over_a_connection_with_tls(certificate: Path) -> None:
    """Bytes that come with the request included, until the stream is closed."""
    seen: list[bool] = []

    class Remember(Switch):
        def __call__(self, exchange: Exchange) -> None:
            seen.append(exchange.is_secure)
            super().__call__(exchange)

    switch = Remember()
    async with connected_tls(certificate, switch) as (reader, writer):
        writer.write(OFFER + b"first")
        await head_of(reader)
        assert await exactly(reader, 5) == b"first"
        writer.write(b"z" * (4 << 20) + b"bye")
        assert len(await until_closed(reader)) == (4 << 20) + 3
        await wait_until(lambda: switch.opened[0].ends)
    assert seen == [True]
