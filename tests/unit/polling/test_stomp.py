"""Frames of STOMP, and connections on which nothing arrives."""

import math
from collections.abc import Sequence

import anyio
import pytest
from anyio.abc import ByteStream
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import SystemClock
from lambent.polling.sources.mq.stomp import Connection, ConnectionEnded, Frame, FrameReader

pytestmark = pytest.mark.anyio
BODY_BYTES_MAX = 200_000

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


class Chunks(ByteStream):
    """A stream that returns these chunks, and then its end, or nothing."""

    def __init__(self, chunks: Sequence[bytes], *, ends: bool = True) -> None:
        self._chunks = list(chunks)
        self._ends = ends
        self.sent = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self._chunks:
            chunk = self._chunks.pop(0)
            if len(chunk) > max_bytes:
                self._chunks.insert(0, chunk[max_bytes:])
            return chunk[:max_bytes]
        if not self._ends:
            await anyio.sleep(math.inf)
        raise anyio.EndOfStream

    async def send(self, item: bytes) -> None:
        self.sent += item

    async def send_eof(self) -> None:
        """Never called."""

    async def aclose(self) -> None:
        """Nothing is open."""


async def frames_of(*chunks: bytes) -> list[Frame]:
    """All that is in a stream that ends."""
    reader = FrameReader(Chunks(chunks), body_bytes_max=BODY_BYTES_MAX)
    found: list[Frame] = []
    while True:
        try:
            found.append(await reader.read())
        except ConnectionEnded:
            return found


@given(st.dictionaries(texts, texts), st.binary(max_size=2000), st.integers(1, 99), st.booleans())
def test_frames_come_as_they_were_sent(
    headers: dict[str, str], body: bytes, size: int, has_length: bool
) -> None:
    """However the bytes arrive: all characters in headers, all bytes where their number is given,
    all but NUL where it is not."""
    headers.pop("content-length", None)
    if has_length:
        headers["content-length"] = str(len(body))
    else:
        body = body.replace(b"\0", b"")
    frame = Frame("MESSAGE", headers, body)
    sent = b"\n" + frame.encode() + b"\r\n\n" + frame.encode()
    chunks = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert anyio.run(frames_of, *chunks) == [frame, frame]


async def test_large_bodies_are_skipped() -> None:
    """What is larger than wanted is read and forgotten, whichever way it ends."""
    large, small = b"x" * (BODY_BYTES_MAX + 1), b"y" * BODY_BYTES_MAX
    sent = b""
    for body in (large, small):
        for headers in ({}, {"content-length": str(len(body))}):
            sent += Frame("MESSAGE", headers, body).encode()
    found = await frames_of(*(sent[at : at + 1500] for at in range(0, len(sent), 1500)))
    assert [frame.body for frame in found] == [None, None, small, small]


async def test_the_first_of_two_headers_counts() -> None:
    """As the protocol has it; lines may end with a carriage return."""
    (frame,) = await frames_of(b"MESSAGE\r\na:1\r\na:2\r\nb:x\\c\\\\\\r\r\n\r\nbody\0")
    assert frame == Frame("MESSAGE", {"a": "1", "b": "x:\\\r"}, b"body")


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",
    [
        b"MESSAGE\ncontent-length:-1\n\n\0",
        b"MESSAGE\ncontent-length:two\n\n\0",
        b"MESSAGE\ncontent-length:1\n\nxx\0",
        b"MESSAGE\n\xff:1\n\n\0",
        b"MESSAGE\n" + b"a:1\n" * 100_000 + b"\n\0",
        b"MESSAGE" * 100_000,
        b"MESSAGE\n\nhal",
    ],
)
async def test_nonsense_ends_the_connection(sent: bytes) -> None:
    """It is neither waited for nor stored."""
    assert await frames_of(sent) == []


async def test_a_silent_server_is_noticed() -> None:
    """It promised heart-beats, and sends none; ours continue meanwhile."""
    stream = Chunks([b"CONNECTED\nheart-beat:10,20\n\n\0", b"\n"], ends=False)
    connection = Connection(stream, SystemClock(), body_bytes_max=1, heartbeat_s=0.02)
    assert (await connection.log_in("h", "u", "p")).command == "CONNECTED"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.beat)
        with anyio.fail_after(10), pytest.raises(ConnectionEnded):
            await connection.read()
        tasks.cancel_scope.cancel()
    assert stream.sent.startswith(b"CONNECT\naccept-version:1.2\nhost:h\nlogin:u\npasscode:p\n")
    assert stream.sent.endswith(b"\0\n") or stream.sent.endswith(b"\n\n")


async def test_a_server_without_heart_beats() -> None:
    """Is not expected to send any, and gets none."""
    stream = Chunks([b"CONNECTED\nheart-beat:0,0\n\n\0"], ends=False)
    connection = Connection(stream, SystemClock(), body_bytes_max=1, heartbeat_s=0.01)
    await connection.log_in("h", "u", "p")
    with anyio.fail_after(10):
        await connection.beat()
    with anyio.move_on_after(0.1) as scope:
        await connection.read()
    assert scope.cancelled_caught
    assert stream.sent.endswith(b"\0")


def test_frames_do_not_show_what_is_in_them() -> None:
    """A password is a header."""
    assert "hush" not in repr(Frame("CONNECT", {"passcode": "hush"}, b"hush"))
