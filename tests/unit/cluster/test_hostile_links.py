"""What strangers can do to the links of nodes: nothing."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.cluster import handshake
from lambent.cluster.call_frames import encode_call, encode_outcome, encode_version
from lambent.cluster.calling import CallingLink, dial
from lambent.cluster.frames import PAYLOAD_BYTES_MAX, Kind, encode
from lambent.cluster.handshake import HandshakeError, Secured
from lambent.kit.clock import SystemClock
from lambent.model.invocation import NOT_RUN, Succeeded
from lambent.model.placement import NODE_LOST
from tests.unit.cluster.linked import (
    CALLEE,
    CALLER,
    SECRET,
    Callee,
    Taken,
    callee,
    request,
    until,
)
from tests.unit.kit.test_http_tls import certificate

__all__ = ["certificate"]
pytestmark = pytest.mark.anyio
A_CALL = encode_version(0, request().function) + encode_call(1, 0, request(), 0)


class Stranger:
    """A client that has opened a connection and asked for a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.head = ""

    async def ask(self, query: str | None = None, upgrade: str = handshake.PROTOCOL) -> str:
        """Ask for a link; returns the first line of the response."""
        query = query or f"version=1&node={CALLER}&nonce={'0' * 32}"
        self.send(
            f"GET {handshake.PATH}?{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            f"Upgrade: {upgrade}\r\n\r\n".encode()
        )
        with anyio.fail_after(20):
            self.head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        return self.head.partition("\r\n")[0]

    def secured(self) -> Secured:
        """What the callee has said."""
        value = self.head.lower().split("x-lambent-link: ")[1].partition("\r\n")[0]
        fields = dict(field.split("=") for field in value.split("&"))
        return Secured(1, CALLER, CALLEE, "0" * 32, fields["nonce"], "")

    @property
    def callee_proof(self) -> str:
        """The callee's."""
        return self.head.lower().split("proof=")[1].partition("\r\n")[0]

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def is_cut(self) -> bool:
        """Wait for the end of the connection; returns that it came, after loads at most."""
        with anyio.fail_after(20):
            try:
                await self._reader.read()
            except ConnectionError:
                pass
        return True


@asynccontextmanager
async def stranger(there: Callee) -> AsyncIterator[Stranger]:
    """A client of a node."""
    port = int(there.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Stranger(reader, writer)
    writer.transport.abort()


def proof(text: str) -> bytes:
    """A frame with a proof."""
    return encode(Kind.PROOF, 0, text.encode())


async def test_who_has_no_proof_is_cut_off() -> None:
    """Without a proof, with a wrong one, with that of the callee, or of another role or link."""
    async with callee() as there:
        for make in (
            lambda _: A_CALL,
            lambda _: proof("0" * 64) + A_CALL,
            lambda _: proof("") + A_CALL,
            lambda _: encode(Kind.PROOF, 0, b"\xff" * 64) + A_CALL,
            lambda asked: proof(asked.callee_proof) + A_CALL,
            lambda asked: proof(asked.secured().prove(b"another", "caller")) + A_CALL,
            lambda asked: proof(asked.secured().prove(SECRET, "callee")) + A_CALL,
            lambda asked: (
                proof(asked.secured()._replace(caller=9).prove(SECRET, "caller")) + A_CALL
            ),
            lambda _: (PAYLOAD_BYTES_MAX).to_bytes(4) + b"\1" + bytes(100),
        ):
            async with stranger(there) as asking:
                assert "101" in await asking.ask()
                asking.send(make(asking))
                assert await asking.is_cut()
        assert there.calls == []


async def test_a_recorded_handshake_is_worth_nothing() -> None:
    """The same bytes are good once."""
    async with callee() as there:
        async with stranger(there) as first:
            await first.ask()
            recorded = proof(first.secured().prove(SECRET, "caller")) + A_CALL
            first.send(recorded)
            await there.wait_calls(1)
        async with stranger(there) as second:
            await second.ask()
            second.send(recorded)
            assert await second.is_cut()
        assert len(there.calls) == 1


@pytest.mark.parametrize(
    ("query", "upgrade"),
    [
        ("node=1", handshake.PROTOCOL),
        (f"version=0&node=1&nonce={'0' * 32}", handshake.PROTOCOL),
        (f"version=1&node=-1&nonce={'0' * 32}", handshake.PROTOCOL),
        (f"version=1&node=1&nonce={'0' * 33}", handshake.PROTOCOL),
        (f"version=1&node=1&nonce={'0' * 32}", "websocket"),
    ],
)
async def test_bad_requests_are_refused(query: str, upgrade: str) -> None:
    async with callee() as there, stranger(there) as asking:
        assert "400" in await asking.ask(query, upgrade)


async def test_a_newer_caller_is_taken() -> None:
    """The older of two versions counts."""
    async with callee() as there, stranger(there) as asking:
        assert "101" in await asking.ask(f"version=12&node={CALLER}&nonce={'0' * 32}")
        assert "version=1&" in asking.head


async def test_strangers_are_few_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambent.cluster.link_server._UNPROVEN_MAX", 1)
    async with callee() as there:
        async with stranger(there) as first, stranger(there) as second:
            assert "101" in await first.ask()
            assert "503" in await second.ask()
            monkeypatch.setattr("lambent.cluster.serving._PROOF_S", 0.0)
            assert await first.is_cut()
        link = await there.dial()
        assert link.is_usable
        link.abort()


@given(st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 5000), st.binary(max_size=64))))
async def test_a_node_that_sends_garbage_harms_itself_alone(
    frames: list[tuple[Kind, int, bytes]],
) -> None:
    """At most its link ends."""
    async with callee() as there:
        link = await there.dial()
        async with stranger(there) as odd:
            await odd.ask()
            odd.send(proof(odd.secured().prove(SECRET, "caller")))
            for frame in frames:
                odd.send(encode(*frame))
            odd.send((PAYLOAD_BYTES_MAX + 1).to_bytes(4) + b"\3" + bytes(4))
            assert await odd.is_cut()
        there.on_call = lambda _, reply: reply.finish(Succeeded(b"1"), NOT_RUN)
        taken = Taken()
        link.call(request(), taken)
        assert await taken.wait() == Succeeded(b"1")
        link.abort()


@pytest.mark.parametrize(
    "sent",
    [
        encode_outcome(99, Succeeded(b"1"), NOT_RUN),
        encode(Kind.OUTCOME, 1, b"\0\0\0\2{}"),
        encode(Kind.DATA, 99, b"x"),
        encode(Kind.BEGIN, 1, b"text/plain") * 2,
        encode(Kind.LOAD, 0, b'{"running": -1}'),
        encode(Kind.DATA, 1, bytes(PAYLOAD_BYTES_MAX)) * 65,
        (PAYLOAD_BYTES_MAX + 1).to_bytes(4) + b"\7\0\0\0\1",
    ],
    ids=["unknown call", "bad outcome", "unknown data", "begins twice", "load", "long", "giant"],
)
async def test_a_callee_that_sends_garbage_is_left(sent: bytes) -> None:
    """Its calls end, and the caller goes on."""
    async with callee() as there:
        link = await there.dial()
        taken = Taken()
        link.call(request(wants_stream=sent[4] == Kind.BEGIN), taken)
        await there.wait_calls(1)
        (served,) = there.links._links
        served.send(sent)
        assert await taken.wait() is NODE_LOST
        assert link.error is not None


async def test_silence_ends_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is connected and says nothing: first it gets no calls, then the link ends."""
    async with callee() as there:
        link = await there.dial()
        monkeypatch.setattr("lambent.cluster.calling.QUIET_S", 0.0)
        assert not link.is_usable
        monkeypatch.setattr("lambent.cluster.calling.SILENT_S", 0.0)
        link.beat()
        await until(link.over.is_set)
        link = await there.dial()
        monkeypatch.setattr("lambent.cluster.serving.SILENT_S", 0.0)
        await until(link.over.is_set)


async def test_a_machine_in_the_middle_cannot_pass_proofs_on(certificate: Path) -> None:
    """It ends TLS at itself, and passes on what both ends say."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    async with callee(certificate=certificate) as there:
        port = int(there.url.rpartition(":")[2])

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, ssl=unchecked)
            far_writer.write(await reader.readuntil(b"\r\n\r\n"))
            writer.write(await far_reader.readuntil(b"\r\n\r\n"))
            await reader.read()
            far_writer.transport.abort()

        middle = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=tls)
        async with middle:
            url = f"https://127.0.0.1:{middle.sockets[0].getsockname()[1]}"
            with pytest.raises(HandshakeError, match="a proxy is between"):
                await dial(url, CALLER, CALLEE, SECRET, SystemClock())
        link: CallingLink = await there.dial()
        link.abort()
