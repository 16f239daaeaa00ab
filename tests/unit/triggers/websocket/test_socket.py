"""One client's WebSocket: messages, limits, and clients that misbehave."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode

from lambent.triggers.apis.websocket.limits import SocketLimits
from lambent.triggers.apis.websocket.socket import NORMAL
from tests.unit.triggers.websocket.peers import Peer

KB = 1024


def test_messages_go_both_ways() -> None:
    """Text in one frame or in several arrives as one message."""
    peer = Peer()
    peer.client.send_text(b"whole")
    peer.client.send_text(b"in ", fin=False)
    peer.client.send_ping(b"between")
    peer.client.send_continuation(b"two", fin=True)
    peer.say()
    assert peer.messages == ["whole", "in two"]
    assert [(frame.opcode, bytes(frame.data)) for frame in peer.heard()] == [
        (Opcode.PONG, b"between")
    ]
    assert peer.socket.send("hällo".encode())
    assert peer.texts() == ["hällo"]


def test_a_large_message_is_sent_in_frames_of_32_kb() -> None:
    """No frame is larger than a client of AWS ever sees."""
    peer = Peer()
    assert peer.socket.send(b"x" * 100 * KB)
    frames = peer.heard()
    assert [len(frame.data) for frame in frames] == [32 * KB, 32 * KB, 32 * KB, 4 * KB]
    assert [frame.fin for frame in frames] == [False, False, False, True]


@pytest.mark.slow
@given(st.lists(st.text(max_size=300), min_size=1, max_size=20), st.data())
def test_bytes_may_arrive_in_any_chunks(texts: list[str], data: st.DataObject) -> None:
    """The messages are the same, whatever the network does."""
    peer = Peer()
    for text in texts:
        peer.client.send_text(text.encode())
    sent = b"".join(peer.client.data_to_send())
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        peer.say(sent[:size])
        sent = sent[size:]
    assert peer.messages == texts


@given(st.binary(max_size=400))
def test_any_bytes_leave_the_socket_in_order(data: bytes) -> None:
    """Garbage ends the connection or waits for more; nothing raises, nothing stays charged."""
    peer = Peer()
    peer.say(data)
    peer.socket.ended()
    assert len(peer.how) == 1
    assert not peer.socket.is_open
    assert peer.budget.held == 0


def test_a_message_above_the_limit_ends_the_connection() -> None:
    """Code 1009, for a message in many frames and for one frame, before its data has arrived."""
    peer = Peer()
    peer.client.send_text(b"x" * 32 * KB, fin=False)
    for _ in range(3):
        peer.client.send_continuation(b"x" * 32 * KB, fin=False)
    peer.say()
    assert peer.stream.end is None
    peer.client.send_continuation(b"x", fin=True)
    peer.say()
    assert (peer.close_code(), peer.stream.end, peer.messages) == (1009, "linger", [])

    peer = Peer()
    peer.say(b"\x81\xff" + struct.pack("!Q", 1 << 40))
    assert (peer.close_code(), peer.stream.end) == (1009, "linger")


def test_the_largest_message_arrives() -> None:
    """128 KB in frames of 32 KB."""
    peer = Peer()
    peer.client.send_text(b"x" * 32 * KB, fin=False)
    for number in range(3):
        peer.client.send_continuation(b"x" * 32 * KB, fin=number == 2)
    peer.say()
    assert peer.messages == ["x" * 128 * KB]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xc1\x82\0\0\0\0hi", 1002),  # a reserved bit: compression was not agreed on
        (b"\x80\x81\0\0\0\0x", 1002),  # a continuation of nothing
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in several frames
        (b"\x83\x80\0\0\0\0", 1002),  # no opcode
        (b"\x01\x81\0\0\0\0a\x81\x81\0\0\0\0b", 1002),  # a message inside another
        (b"\x81\x81\0\0\0\0\xff", 1007),  # text that is not UTF-8
        (b"\x82\x81\0\0\0\0a", 1003),  # binary
        (b"\x02\x81\0\0\0\0a", 1003),  # binary in several frames
    ],
)
def test_wrong_frames_end_the_connection(data: bytes, code: int) -> None:
    """With the code that the protocol has for it. What follows is not served."""
    peer = Peer()
    peer.say(data)
    peer.say(b"\x81\x81\0\0\0\0c")
    assert (peer.close_code(), peer.stream.end, peer.messages) == (code, "linger", [])
    peer.socket.ended()
    assert peer.how[0].code == code


def test_characters_may_be_split_between_frames() -> None:
    """UTF-8 is checked when a message is complete."""
    peer = Peer()
    first, second = "é".encode()[:1], "é".encode()[1:]
    peer.client.send_text(first, fin=False)
    peer.client.send_continuation(second, fin=True)
    peer.say()
    assert peer.messages == ["é"]


def test_messages_before_a_close_are_served() -> None:
    """A client may send and close at once."""
    peer = Peer(SocketLimits(under_way_max=1), holds=True)
    for text in (b"a", b"b", b"c"):
        peer.client.send_text(text)
    peer.client.send_close(4001, "done here")
    peer.say()
    assert peer.messages == ["a"]
    peer.socket.ended()
    assert peer.how == []
    peer.socket.done()
    peer.socket.done()
    assert peer.messages == ["a", "b", "c"]
    assert peer.how == [Close(4001, "done here")]
    peer.socket.done()
    assert len(peer.how) == 1


def test_the_close_code_says_which_side_closed() -> None:
    """The client with its own code, the client without one, the platform, neither."""
    peer = Peer()
    peer.client.send_close(1000, "bye")
    peer.say()
    assert (peer.stream.end, peer.close_code()) == ("close", 1000)
    peer.socket.ended()
    assert peer.how == [Close(1000, "bye")]

    peer = Peer()
    peer.client.send_close()
    peer.say()
    peer.socket.ended()
    assert peer.how == [Close(1005, "Client-side close frame status not set")]

    peer = Peer()
    peer.socket.close(NORMAL)
    assert peer.close_code() == 1000
    peer.say()
    assert peer.stream.end == "close"
    peer.socket.ended()
    assert peer.how == [NORMAL]

    peer = Peer()
    peer.socket.ended()
    assert peer.how[0].code == 1006


def test_a_flood_is_held_back() -> None:
    """No more than so many messages are under way; meanwhile the client is not read."""
    peer = Peer(SocketLimits(under_way_max=4), holds=True)
    for number in range(10_000):
        peer.client.send_text(str(number).encode())
    peer.say()
    assert len(peer.messages) == 4
    assert peer.stream.is_paused
    for _ in range(9_996):
        peer.socket.done()
    assert peer.messages == [str(number) for number in range(10_000)]
    assert peer.stream.is_paused
    peer.socket.done()
    assert not peer.stream.is_paused
    assert peer.budget.held == 0


def test_ten_thousand_messages_in_one_chunk_do_not_nest() -> None:
    """Messages that end at once are served by a loop, not by recursion."""
    peer = Peer()
    for number in range(10_000):
        peer.client.send_text(str(number).encode())
    peer.say()
    assert len(peer.messages) == 10_000
    assert not peer.stream.is_paused


def test_pings_of_a_client_that_does_not_read_are_held_back() -> None:
    """A pong waits for the client like everything else, and so does the next ping."""
    peer = Peer()
    peer.stream.is_stuck = True
    for _ in range(10_000):
        peer.client.send_ping(b"x" * 100)
    peer.say()
    assert peer.stream.is_paused
    assert len(peer.stream.written) < 8 * KB
    peer.stream.unstick()
    assert not peer.stream.is_paused
    assert len(peer.heard()) == 10_000


def test_little_waits_for_a_client_that_does_not_read() -> None:
    """128 KB wait; then messages are refused, and after 30 s the connection is cut."""
    peer = Peer()
    peer.stream.is_stuck = True
    sent = 0
    while peer.socket.send(b"x" * KB):
        sent += 1
        assert sent < 1000
    assert 126 <= sent <= 129
    peer.socket.check(peer.clock.monotonic() + 29)
    assert peer.stream.end is None
    peer.clock.advance(20)
    assert not peer.socket.send(b"x" * KB)
    peer.socket.check(peer.clock.monotonic() + 11)
    assert peer.stream.end == "abort"


def test_a_client_that_reads_again_gets_everything() -> None:
    """In order, and then further messages."""
    peer = Peer()
    peer.stream.is_stuck = True
    texts = [str(number) for number in range(100)]
    assert all(peer.socket.send(text.encode()) for text in texts)
    peer.stream.unstick()
    assert peer.socket.send(b"last")
    assert peer.texts() == [*texts, "last"]
    assert peer.budget.held == 0


def test_one_message_may_always_wait() -> None:
    """A message of the maximum size for a client that is behind."""
    peer = Peer()
    peer.stream.is_stuck = True
    assert peer.socket.send(b"a")
    assert peer.socket.send(b"x" * 128 * KB)
    assert not peer.socket.send(b"b")


def test_silent_and_old_connections_are_closed() -> None:
    """After ten minutes without a byte, and after two hours in any case."""
    peer = Peer()
    peer.clock.advance(599)
    peer.socket.check(peer.clock.monotonic())
    assert peer.socket.is_open
    peer.client.send_ping(b"")
    peer.say()
    peer.clock.advance(599)
    peer.socket.check(peer.clock.monotonic())
    assert peer.socket.is_open
    peer.clock.advance(2)
    peer.socket.check(peer.clock.monotonic())
    assert peer.close_code() == 1001

    peer = Peer()
    for _ in range(13):
        peer.clock.advance(590)
        peer.socket.send(b"x")
        peer.socket.check(peer.clock.monotonic())
    assert peer.close_code() == 1001


def test_a_client_that_ignores_the_close_is_cut() -> None:
    """Half-open connections last ten seconds."""
    peer = Peer()
    peer.socket.close(NORMAL)
    peer.clock.advance(9)
    peer.socket.check(peer.clock.monotonic())
    assert peer.stream.end is None
    peer.clock.advance(2)
    peer.socket.check(peer.clock.monotonic())
    assert peer.stream.end == "abort"


def test_nothing_is_served_after_the_platform_closes() -> None:
    """Messages that arrive between the two close frames are dropped, without an error."""
    peer = Peer()
    peer.socket.close(NORMAL)
    peer.client.send_text(b"late")
    peer.say()
    assert peer.messages == []
    assert peer.socket.send(b"late")
    assert peer.texts() == []


def test_all_sockets_share_what_they_may_hold() -> None:
    """A client that leaves messages incomplete is cut when the memory of all is spent."""
    peer = Peer(held=64 * KB)
    for number in range(3):
        frame = Frame(Opcode.CONT if number else Opcode.TEXT, b"x" * 30 * KB, fin=False)
        peer.say(frame.serialize(mask=True))
    assert peer.stream.end == "abort"
    peer.socket.ended()
    assert peer.budget.held == 0


def test_the_client_of_these_tests_refuses_what_is_wrong() -> None:
    """So that what arrives there was right."""
    peer = Peer()
    peer.client.send_text(b"x", fin=False)
    with pytest.raises(ProtocolError):
        peer.client.send_text(b"y")
