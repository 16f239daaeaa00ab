"""Reads the routing tables of a host, and writes those of a box.

Netlink by hand: only the standard library is imported here, as the launcher runs this as root.
"""

import errno
import functools
import os
import socket
import struct
from ipaddress import IPv6Address, IPv6Network

_LOCAL_TABLE, _IPV6_TABLE = 255, 100
_LOOPBACK = 1
"""The number of lo in every namespace."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")


def _attribute(kind: int, value: bytes) -> bytes:
    padding = bytes(-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def _request(kind: int, body: bytes) -> bytes:
    request_acknowledge_create = 0x1 | 0x4 | 0x400
    return _message(kind, request_acknowledge_create, body)


def _local_route(family: int, table: int, source: bytes) -> bytes:
    boot_protocol, host_scope, local_type = 3, 254, 2
    about = (family, 0, 0, 0, table, boot_protocol, host_scope, local_type, 0)
    return (
        struct.pack("=BBBBBBBBI", *about)
        + _attribute(4, struct.pack("=i", _LOOPBACK))  # RTA_OIF
        + _attribute(7, source)  # RTA_PREFSRC
    )


def _rule(family: int, table: int, *, priority: int, prefix_length: int = 0) -> bytes:
    to_table = 1
    about = (family, prefix_length, 0, 0, table, 0, 0, to_table, 0)
    return struct.pack("=BBBBBBBBI", *about) + _attribute(6, struct.pack("=I", priority))


_OVER_TCP = _attribute(22, bytes([socket.IPPROTO_TCP]))  # FRA_IP_PROTO
_OVER_UDP = _attribute(22, bytes([socket.IPPROTO_UDP]))
_IPV4_LOOPBACK, _IPV6_LOOPBACK = socket.inet_aton("127.0.0.1"), IPv6Address("::1").packed
_NEW_LINK, _NEW_ROUTE, _GET_ROUTE, _NEW_RULE, _DELETE_RULE = 16, 24, 26, 32, 33

_LEAD_IPV4 = (
    _request(_NEW_LINK, struct.pack("=BxHiII", 0, 0, _LOOPBACK, 1, 1)),  # IFF_UP
    _request(_NEW_ROUTE, _local_route(socket.AF_INET, _LOCAL_TABLE, _IPV4_LOOPBACK)),
)
_LIMIT_IPV4 = (
    _request(
        _NEW_RULE,
        _rule(socket.AF_INET, _LOCAL_TABLE, priority=0, prefix_length=8)
        + _attribute(1, _IPV4_LOOPBACK),  # FRA_DST
    ),
    _request(_NEW_RULE, _rule(socket.AF_INET, _LOCAL_TABLE, priority=1) + _OVER_TCP),
    _request(_NEW_RULE, _rule(socket.AF_INET, _LOCAL_TABLE, priority=2) + _OVER_UDP),
    # The kernel's own has priority 0 too, and comes first.
    _request(_DELETE_RULE, _rule(socket.AF_INET, _LOCAL_TABLE, priority=0)),
)
_REFUSE_UDP = (_request(_DELETE_RULE, _rule(socket.AF_INET, _LOCAL_TABLE, priority=2)),)
_LEAD_IPV6 = (
    _request(_NEW_ROUTE, _local_route(socket.AF_INET6, _IPV6_TABLE, _IPV6_LOOPBACK)),
    _request(_NEW_RULE, _rule(socket.AF_INET6, _IPV6_TABLE, priority=1) + _OVER_TCP),
)
_WAY_TO_IPV6 = _message(
    _GET_ROUTE,
    0x1,  # NLM_F_REQUEST
    struct.pack("=BBBBBBBBI", socket.AF_INET6, 128, *(0,) * 6, 0)
    + _attribute(1, IPv6Address("2000::1").packed),  # RTA_DST
)
"""Asks for the route of packets to some public address."""


@functools.cache
def routes_of_host() -> socket.socket:
    """Reads from the namespace in which the caller was at its first call, wherever it goes."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)


def host_has_ipv6() -> bool:
    """Whether the host can reach the IPv6 Internet: it has a route, from one of its addresses.

    Private addresses with a default route do not count: name resolution on the host itself would
    prefer IPv4.
    """
    unicast = 1
    netlink = routes_of_host()
    try:
        netlink.send(_WAY_TO_IPV6)
        reply = netlink.recv(4096)
    except OSError:
        return False
    length, kind = struct.unpack_from("=IH", reply)
    if kind != _NEW_ROUTE or reply[16 + 7] != unicast:
        return False
    at = 16 + 12
    while at + 4 <= length:
        size, attribute = struct.unpack_from("=HH", reply, at)
        if attribute == 7 and size == 20:  # RTA_PREFSRC
            return IPv6Address(reply[at + 4 : at + 20]) in _GLOBAL_UNICAST
        at += max(4, size + 3 & ~3)
    return False


def configure_loopback(*, wants_ipv6: bool) -> bool:
    """Bring lo of the thread's namespace up, and make every address local: IPv4 for TCP and UDP,
    IPv6 for TCP.

    Returns whether the latter was wanted and worked. Raises OSError, its message naming the step.

    The preferred source keeps a connection's two ends apart: without it the source would be the
    destination, and a client port equal to the server's would connect to itself.

    Nothing serves other protocols, so rules restrict them to loopback: the tables for them are
    empty, and the sender gets ENETUNREACH. For IPv4 the rules replace the kernel's own rule, which
    uses the local table for everything; IPv4 looks for the source of a response in that table. A
    kernel without rules drops what nothing serves.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        _check("lead IPv4 to loopback", _apply(netlink, _LEAD_IPV4))
        _check("limit IPv4 to TCP and UDP", _apply(netlink, _LIMIT_IPV4), errno.EOPNOTSUPP)
        if not wants_ipv6:
            return False
        # Namespaces may have no IPv6, though the host has it.
        codes = _apply(netlink, _LEAD_IPV6)
        return not any(codes)


def refuse_udp() -> None:
    """Restrict UDP of the thread's namespace to loopback. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        _check("limit IPv4 to TCP", _apply(netlink, _REFUSE_UDP), errno.EOPNOTSUPP)


def _apply(netlink: socket.socket, requests: tuple[bytes, ...]) -> list[int]:
    """The result of each request: 0 or an error."""
    netlink.send(b"".join(requests))
    return [-struct.unpack_from("=i", netlink.recv(4096), 16)[0] for _ in requests]


def _check(step: str, codes: list[int], tolerated: int = 0) -> None:
    for code in codes:
        if code not in (0, tolerated):
            raise OSError(code, f"cannot {step}: {os.strerror(code)}")
