"""The user at the other end of a loopback connection, where no namespace separates environments:
looked up in `/proc`."""

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


def _spell(address: tuple[str, int]) -> str:
    """The address as in the kernel's table: in the host's byte order."""
    number = struct.unpack("=I", socket.inet_aton(address[0]))[0]
    return f"{number:08X}:{address[1]:04X}"
