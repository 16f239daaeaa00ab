"""Clients that send what they should not, over real connections, and many clients."""

import asyncio
import random
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from lambent.kit.clock import SystemClock
from lambent.triggers.apis.throttling import Throttles
from tests.lengths import IS_LONG
from tests.unit.triggers.websocket.chat import ANSWERS, API, GOOD, Chat, chatting, text_of

KB = 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    # A fast machine would meet the limits of an account first.
    unlimited = Throttles(SystemClock(), rate=1e9, burst=1_000_000_000)
    with chatting(tmp_path_factory.mktemp("hostile"), throttles=unlimited) as chat:
        function = chat.function("f", lambda event: GOOD | {"body": event["body"][:4096]})
        chat.deploy({"$default": {"IntegrationUri": function, **ANSWERS}})
        yield chat


@pytest.fixture
def chat(running: Chat) -> Iterator[Chat]:
    running.until(lambda: not running.sessions.by_id)
    running.events.clear()
    yield running
    running.until(lambda: not running.sessions.by_id)
    assert running.sessions.held.held == 0
    with running.client() as client:
        client.send("as before")
        assert text_of(client) == "as before"


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A frame as clients send it."""
    return Frame(opcode, data, fin).serialize(mask=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\xff" + struct.pack("!Q", 1 << 62), 1009),
        (masked(Opcode.TEXT, b"x" * (32 * KB + 1)), 1009),
        (
            masked(Opcode.TEXT, b"x" * 32 * KB, fin=False)
            + masked(Opcode.CONT, b"x" * 32 * KB, fin=False) * 4,
            1009,
        ),
        (masked(Opcode.BINARY, b"x"), 1003),
        (masked(Opcode.TEXT, b"\xc3\x28"), 1007),
        (b"\x81\x02hi", 1002),
        (random.Random(7).randbytes(64 * KB), None),
    ],
    ids=["exabytes", "long frame", "long message", "bytes", "no UTF-8", "no mask", "noise"],
)
def test_a_client_learns_what_it_did_wrong(chat: Chat, data: bytes, code: int | None) -> None:
    """Even if it continues to send. No other client notices."""
    with chat.client() as client:
        client.socket.sendall(data)
        try:
            client.socket.sendall(masked(Opcode.PING, b"x" * 100) * 40_000)
        except OSError:
            pass  # It has been cut off.
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        if code is not None:
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code


@pytest.mark.slow
def test_ten_thousand_messages(chat: Chat) -> None:
    """All are served, and the client gets an answer to each."""
    with chat.client() as client:
        data = b"".join(masked(Opcode.TEXT, str(number).encode()) for number in range(10_000))
        client.socket.settimeout(20)
        got: list[str] = []

        def read() -> None:
            got.extend(text_of(client) for _ in range(10_000))

        reader = chat.thread(read)
        client.socket.sendall(data)
        reader.join(60)
        assert sorted(got, key=int) == [str(number) for number in range(10_000)]


@pytest.mark.slow
def test_a_message_in_many_empty_frames(chat: Chat) -> None:
    """It is a message like any other once it ends."""
    with chat.client() as client:
        client.socket.sendall(
            masked(Opcode.TEXT, b"a", fin=False)
            + masked(Opcode.CONT, b"", fin=False) * 50_000
            + masked(Opcode.CONT, b"b")
        )
        assert text_of(client) == "ab"


def test_responses_that_the_client_does_not_read(chat: Chat) -> None:
    """A client that sends and does not read is not read either: little of it is held."""
    with socket.create_connection(("127.0.0.1", chat.served.port)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.sendall(_offer())
        raw.recv(4096)
        raw.settimeout(0.5)
        message, sent = masked(Opcode.TEXT, b"x" * 16 * KB) * 4, 0
        try:
            while sent < 256 << 20:
                # What is left of a message comes first: else the next would be no message.
                sent += raw.send(message[sent % len(message) :])
        except TimeoutError:
            pass
        assert sent < 128 << 20
        assert chat.sessions.held.held < 1 << 20


def test_half_an_offer_and_half_a_frame(chat: Chat) -> None:
    """Clients that stop in the middle hold nothing when they are gone."""
    for data in (_offer()[:50], _offer(), _offer() + b"\x81", _offer() + b"\x01\x85\0\0\0\0abc"):
        with socket.create_connection(("127.0.0.1", chat.served.port)) as raw:
            raw.sendall(data)
            if data.endswith(b"\r\n\r\n"):
                assert raw.recv(4096).startswith(b"HTTP/1.1 101 ")
    chat.until(lambda: not chat.sessions.by_id)


KEY = b"Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\n"


@pytest.mark.parametrize(
    ("path", "more", "status"),
    [
        ("test", KEY, 400),
        ("test", b"Sec-WebSocket-Version: 8\r\n", 426),
        ("test", b"Content-Length: 1\r\n\r\nx", 426),
        ("test", b"Transfer-Encoding: chunked\r\n\r\n0\r\n", 426),
        ("test", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
        ("test", b"a: b\r\n" * 5000, 431),
        ("test", b"a: " + b"b" * 100_000 + b"\r\n", 431),
        ("test", b"Sec-WebSocket-Protocol: " + b"a," * 4000 + b"\r\n", 101),
        ("test?%zz&%ff=%00&=&%", b"", 101),
        ("te%73t", b"", 403),
        ("other/../test", b"", 403),
        ("test/..", b"", 403),
        ("test/%40connections/../x", b"", 400),
        ("test%2f@connections", b"", 403),
    ],
)
def test_offers_that_are_tricks(chat: Chat, path: str, more: bytes, status: int) -> None:
    """Repeated and large headers, bodies, paths that lead elsewhere when they are resolved, and
    broken encodings: each has one response."""
    offer = _offer().replace(b"/test", f"/{path}".encode())
    with socket.create_connection(("127.0.0.1", chat.served.port)) as raw:
        raw.settimeout(20)
        try:
            raw.sendall(offer[:-2] + more + b"\r\n")
            received = raw.recv(4096)
        except ConnectionError:
            received = b"HTTP/1.1 431 "  # It was cut off while it was still sending.
        assert int(received.split()[1]) == status


def _offer() -> bytes:
    return (
        f"GET /_lambent/api/{API}/test HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    ).encode() + b"%s\r\n" % KEY


def _resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_idle_clients_are_cheap(chat: Chat) -> None:
    """Less than 20 KB each, so 5,000 take less than 100 MB. None has a task or a timer."""
    count = 5_000 if IS_LONG else 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        tasks, before = chat.served.portal.call(_count_tasks), _resident_bytes()
        command = [sys.executable, "-m", f"{__package__}.crowd", str(chat.served.port)]
        with subprocess.Popen(
            [*command, f"/_lambent/api/{API}/test", str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as crowd:
            assert crowd.stdout is not None
            assert int(crowd.stdout.readline()) == count
            chat.until(lambda: len(chat.sessions.by_id) == count)
            grown = _resident_bytes() - before
            assert grown < count * 20 * KB, f"{grown / count / KB:.1f} KB each"
            assert chat.served.portal.call(_count_tasks) <= tasks + 1
            began = time.perf_counter()
            chat.served.portal.call(_check_all, chat.sessions)
            assert time.perf_counter() - began < 0.1
            crowd.communicate()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _count_tasks() -> int:
    return len(asyncio.all_tasks())


async def _check_all(sessions: Any) -> None:
    for session in sessions.by_id.values():
        session.socket.check(sessions.clock.monotonic())
