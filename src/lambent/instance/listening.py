"""Listening sockets, which may be older than the process that serves them.

The kernel queues connections for as long as any process has the socket, so a restart refuses none
if the socket is passed on: by systemd (`lambent.socket`), or by the platform that is replaced
(`lambent up --replace`).
"""

import os
import socket
from collections.abc import Iterable, Mapping, MutableMapping

FRONT, TLS = "front", "tls"
"""Names of sockets: the port for clients, and that of `server.tls = "auto"`."""
BACKLOG = 1024
"""Connections that wait to be accepted."""
_FIRST_DESCRIPTOR = 3
_SOCKETS_MAX = 16

Sockets = Mapping[str, socket.socket]
"""Listening sockets by name."""


class ListeningError(Exception):
    """A socket cannot be used; the message says why."""


def bind(host: str, port: int) -> socket.socket:
    """A new listening socket. Raises OSError or OverflowError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def inherited(environment: MutableMapping[str, str] | None = None) -> Sockets:
    """The sockets that systemd has passed to this process (sd_listen_fds(3)). One that is named
    `tls` (`FileDescriptorName=`) is that of `server.tls = "auto"`, another one is the front's.
    Removes the variables from the environment. Raises ListeningError."""
    environment = os.environ if environment is None else environment
    pid, count, names = (
        environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if pid != str(os.getpid()):
        return {}  # They were meant for another process.
    if not (count.isascii() and count.isdigit() and int(count) <= _SOCKETS_MAX):
        raise ListeningError(f"LISTEN_FDS is {count!r}, and no number up to {_SOCKETS_MAX}")
    numbers = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count))
    given = [*names.split(":"), *([""] * len(numbers))]
    named = [TLS if name == TLS else FRONT for name in given[: len(numbers)]]
    return sockets_of(named, numbers)


def sockets_of(names: Iterable[str], descriptors: Iterable[int]) -> Sockets:
    """Sockets that another process has passed to this one. Raises ListeningError if any of them
    is no listening socket of TCP, or if two have the same name; then all of them are closed."""
    passed = list(descriptors)
    found: dict[str, socket.socket] = {}
    try:
        for name, descriptor in zip(names, list(passed), strict=True):
            os.set_inheritable(descriptor, False)
            opened = socket.socket(fileno=descriptor)
            passed.remove(descriptor)
            if name in found:
                opened.close()
                raise ListeningError(f"there are two sockets for {name!r}")
            found[name] = opened
            if not _is_listening(opened):
                raise ListeningError(f"the socket for {name!r} is no listening socket of TCP")
    except (ListeningError, OSError, ValueError) as error:
        for opened in found.values():
            opened.close()
        for descriptor in passed:
            _close(descriptor)
        raise ListeningError(str(error)) from error
    return found


def serves(listener: socket.socket, host: str, port: int) -> bool:
    """Whether a socket listens at an address; port 0 means any port."""
    address, own_port = listener.getsockname()[:2]
    if port not in (0, own_port):
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(at[0] == address for *_, at in found)


def _is_listening(opened: socket.socket) -> bool:
    return (
        opened.family in (socket.AF_INET, socket.AF_INET6)
        and opened.type == socket.SOCK_STREAM
        and bool(opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    )


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass
