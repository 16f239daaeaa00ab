"""Packets that go into boxes, and how many datagrams a box may send."""

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from lambent.sandbox.datagrams import Allowance
from lambent.sandbox.packets import port_unreachable, udp_header

BOX, FAR = ("127.0.0.1", 40000), ("198.51.100.2", 53)


def test_an_answer_comes_from_where_the_datagram_went() -> None:
    """The headers contain the length, the remote end as the source, and the box as the
    destination."""
    header = udp_header(FAR, BOX, 5)
    assert len(header) == 28
    assert struct.unpack("!BxH5xB2x4s4s", header[:20]) == (
        *(0x45, 33, socket.IPPROTO_UDP),
        *(socket.inet_aton(FAR[0]), socket.inet_aton(BOX[0])),
    )
    assert struct.unpack("!HHHH", header[20:]) == (53, 40000, 13, 0)


def test_the_largest_datagram_fits() -> None:
    """65,507 bytes, as UDP over IPv4 has it."""
    assert struct.unpack("!H", udp_header(FAR, BOX, 65507)[2:4]) == (65535,)


ports = st.integers(0, 65535)
addresses = st.ip_addresses(v=4).map(str)


@given(st.tuples(addresses, ports), st.tuples(addresses, ports))
def test_a_refusal_quotes_the_datagram(source: tuple[str, int], far: tuple[str, int]) -> None:
    """It comes from the remote end, its checksum is right, and it contains the headers that were
    sent."""
    packet = port_unreachable(source, far)
    assert packet[9] == socket.IPPROTO_ICMP
    assert packet[12:20] == socket.inet_aton(far[0]) + socket.inet_aton(source[0])
    message = packet[20:]
    assert message[:2] == bytes([3, 3])
    assert message[8:] == udp_header(source, far, 0)
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_an_allowance_is_saved_up_and_used() -> None:
    """Three at once at the start, then two a second, and never more than three saved."""
    allowance = Allowance(per_s=2, at_once=3, now=10.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.take(10.5) for _ in range(2)] == [True, False]
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]
