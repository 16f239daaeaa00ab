"""IPv4 packets that go into a box, as its remote ends would have sent them."""

import socket
import struct

Endpoint = tuple[str, int]
"""Address and port."""

_TTL = 64
_UNREACHABLE, _PORT_UNREACHABLE = 3, 3


def udp_header(source: Endpoint, destination: Endpoint, length: int) -> bytes:
    """Return the headers of IP and UDP for `length` bytes of a datagram, without checksums."""
    ports = struct.pack("!HHHH", source[1], destination[1], 8 + length, 0)
    return _ip_header(source[0], destination[0], socket.IPPROTO_UDP, 8 + length) + ports


def port_unreachable(source: Endpoint, destination: Endpoint) -> bytes:
    """Build the ICMP message that `destination` sends for a datagram from `source` to a closed
    port.

    A connected socket gets ECONNREFUSED from it.
    """
    quoted = udp_header(source, destination, 0)
    kind = struct.pack("!BB", _UNREACHABLE, _PORT_UNREACHABLE)
    checksum = _checksum(kind + bytes(6) + quoted)
    message = kind + struct.pack("!HI", checksum, 0) + quoted
    header = _ip_header(destination[0], source[0], socket.IPPROTO_ICMP, len(message))
    return header + message


def _ip_header(source: str, destination: str, protocol: int, length: int) -> bytes:
    """The kernel fills in the checksum."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, _TTL, protocol, 0) + addresses


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
