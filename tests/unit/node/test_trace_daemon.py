"""The UDP port for traces: what arrives is kept for the box's account, within limits, until the box
is gone."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import anyio
import anyio.lowlevel
import pytest

from lambent.model.arn import AccountId, Region, Scope
from lambent.node.apis.trace_daemon import TraceDaemon, document_in
from lambent.telemetry.traces.store import Recorded

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
HEADER = b'{"format": "json", "version": 1}\n'


class Sink:
    """Takes everything."""

    def __init__(self) -> None:
        self.taken: list[tuple[Scope, Recorded]] = []

    def record(self, scope: Scope, recorded: Recorded) -> bool:
        self.taken.append((scope, recorded))
        return True


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
async def sender(listener: socket.socket) -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(listener.getsockname())
        yield out


async def test_what_was_sent_is_read_even_at_the_end(
    listener: socket.socket, sender: socket.socket
) -> None:
    """The processes may be frozen or dead by then."""
    sink = Sink()
    daemon = TraceDaemon(listener, SCOPE, sink, lambda _: True)
    for number in range(50):
        sender.send(HEADER + b'{"number": %d}' % number)
    daemon.close()
    assert [scope for scope, _ in sink.taken] == [SCOPE] * 50


async def test_a_foreign_sender_is_ignored(listener: socket.socket, sender: socket.socket) -> None:
    """Where no namespace separates boxes, the sender is judged."""
    sink = Sink()
    asked: list[tuple[str, int]] = []

    def admits(address: tuple[str, int]) -> bool:
        asked.append(address)
        return False

    daemon = TraceDaemon(listener, SCOPE, sink, admits)
    sender.send(HEADER + b"{}")
    daemon.close()
    assert asked == [sender.getsockname()]
    assert sink.taken == []


async def test_a_flood_is_not_read(listener: socket.socket, sender: socket.socket) -> None:
    """At most a thousand at once: the kernel drops what has no room, and the loop has others to
    serve."""
    sink, loop = Sink(), asyncio.get_running_loop()
    began = loop.time()
    daemon = TraceDaemon(listener, SCOPE, sink, lambda _: True)
    for _ in range(40):
        for _ in range(100):
            sender.send(HEADER + b"{}")
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
    daemon.close()
    assert 100 < len(sink.taken) <= 1_001 + 500 * (loop.time() - began)


@pytest.mark.parametrize(
    ("data", "document"),
    [
        (HEADER + b'{"id": 1}', '{"id": 1}'),
        (b'{"format":"json","version":1}\n{}', "{}"),
        (HEADER, None),
        (b"", None),
        (b"\n", None),
        (b"{}\n{}", None),
        (b"[1]\n{}", None),
        (b'{"format": "json", "version": 2}\n{}', None),
        (b"[" * 200 + b"\n{}", None),
        (b"x" * 300 + b"\n{}", None),
        (HEADER + b"\xff", None),
        (HEADER + b"x" * 70_000, None),
    ],
)
def test_documents_in_datagrams(data: bytes, document: str | None) -> None:
    """A header of the protocol comes first; everything else is dropped."""
    assert document_in(data) == document
