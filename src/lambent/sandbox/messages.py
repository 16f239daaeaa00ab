"""The wire format between platform and launcher: a SEQPACKET socket pair, JSON, descriptors.

A request is `{"id": n, "op": "…", …}`; its reply `{"id": n, "ok": {…}}` or `{"id": n, "error":
"…"}`, with descriptors attached. Facts that the platform did not ask for are `{"exited": {…}}`.
Both sides import this module; it uses only the standard library.
"""

import array
import contextlib
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

MESSAGE_BYTES_MAX = 128 * 1024
DESCRIPTORS_MAX = 64


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Create both ends of a connection, close-on-exec."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in pair:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, 4 * MESSAGE_BYTES_MAX)
    return pair


def encode(message: dict[str, Any]) -> bytes:
    """Encode a message. Raises ValueError if it is too long."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MESSAGE_BYTES_MAX:
        raise ValueError(f"cannot send a message of {len(data)} bytes, {MESSAGE_BYTES_MAX} at most")
    return data


def send(end: socket.socket, data: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send encoded bytes and descriptors. Raises BlockingIOError if the socket is full."""
    ancillary = []
    if descriptors:
        rights = array.array("i", descriptors)
        ancillary.append((socket.SOL_SOCKET, socket.SCM_RIGHTS, rights))
    end.sendmsg([data], ancillary)


def receive(end: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next message with its descriptors, which then belong to the caller; None at the
    end.

    Raises BlockingIOError if there is none yet and ValueError if it cannot be read.
    """
    space = socket.CMSG_SPACE(DESCRIPTORS_MAX * array.array("i").itemsize)
    data, ancillary, flags, _ = end.recvmsg(MESSAGE_BYTES_MAX + 1, space, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            usable = len(content) - len(content) % descriptors.itemsize
            descriptors.frombytes(content[:usable])
    try:
        if not data:
            return None
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ValueError("it was cut")
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError("it is not an object")
    except (ValueError, RecursionError) as error:
        close_all(descriptors)
        raise ValueError(f"cannot read a message: {error}") from error
    return message, list(descriptors)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that are not needed."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
