"""The user at the other end of a loopback connection, or who sent a datagram, where no namespace
separates environments: looked up in `/proc`."""

import re
import socket
import struct
from pathlib import Path


def user_of(connection: socket.socket) -> int | None:
    """Return the user whose process opened the other end of an IPv4 connection of this host; None
    if that is unknown: it may be closed."""
    try:
        theirs, ours = _spell(connection.getpeername()), _spell(connection.getsockname())
        table = Path("/proc/net/tcp").read_text()
    except OSError:
        return None
    found = re.search(rf"^ *\d+: {theirs} {ours} (?:\S+ ){{4}} *(\d+)", table, re.MULTILINE)
    return int(found[1]) if found is not None else None


def user_of_socket(address: tuple[str, int]) -> int | None:
    """Return the user who has a UDP socket of this host with a port, bound to an address or to
    all; None if that is unknown: it may be closed."""
    host, port = _spell(address).split(":")
    try:
        table = Path("/proc/net/udp").read_text()
    except OSError:
        return None
    pattern = rf"^ *\d+: (?:{host}|00000000):{port} (?:\S+ ){{5}} *(\d+)"
    users = set(re.findall(pattern, table, re.MULTILINE))
    return int(users.pop()) if len(users) == 1 else None


def _spell(address: tuple[str, int]) -> str:
    """The address as in the kernel's table: in the host's byte order."""
    number = struct.unpack("=I", socket.inet_aton(address[0]))[0]
    return f"{number:08X}:{address[1]:04X}"
