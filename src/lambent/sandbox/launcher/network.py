"""The network of a box: a namespace with only loopback and Lambent's listeners.

There is no virtual cable to the host. Sockets are created inside the namespace and handed to the
platform, whose event loop serves them from outside:

- `runtime_api` 127.0.0.1:9001 and `endpoint` 127.0.0.1:9002, TCP;
- `resolver_udp` and `resolver_tcp` 127.0.0.1:53;
- `trace_daemon` 127.0.0.1:2000, UDP;
- `egress` 127.0.0.1:15001, TCP: gets every outbound connection, and those to the ports 80 and 443
  of 127.0.0.1, which lead to the platform;
- `egress_ipv6` [::1]:15001, TCP: the same for IPv6, if the host has IPv6;
- `datagrams` 127.0.0.1:15001, UDP: gets every outbound datagram of IPv4;
- `answers`, raw: sends packets into the namespace, with any source address.

The route `local 0.0.0.0/0 dev lo` makes every IPv4 address local to the namespace, so every packet
arrives here, and `sk_lookup` assigns it to `egress` or `datagrams`. Rules restrict that route to
TCP and UDP: anything else fails with ENETUNREACH. IPv6 works in the same way, without UDP, or has
only ::1. Where the kernel refuses the BPF program (a rootless launcher, Linux before 5.9),
listeners on the ports of `_PORTS_WITHOUT_STEERING` replace it: `egress_80`, `egress_443`,
`egress_ipv6_80`, and so on. UDP then fails with ENETUNREACH.

Only the standard library is imported here: the launcher runs this as root.
"""

import contextlib
import ctypes
import dataclasses
import errno
import functools
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lambent.sandbox.launcher import routing, sk_lookup

_CLONE_NEWNET = 0x40000000

# Not among the ports that web applications listen on: a function's own listener has precedence.
_PORTS_WITHOUT_STEERING = (80, 443, 465, 587, 3306, 5432, 6379)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(slots=True, kw_only=True)
class Network:
    """A network namespace and its listeners. It ends when this is closed, the sockets' duplicates
    are closed and the processes in it are gone."""

    namespace_fd: int
    """For `setns`."""
    sockets: dict[str, socket.socket]
    """By the names in the module's docstring; non-blocking. Every name that starts with `egress` is
    served in the same way."""
    limitation: str | None
    """Why only some ports work, or None if all do."""
    link_fd: int | None
    """Keeps the BPF program attached. Closed with the network, not before."""

    def hand_over(self) -> None:
        """Close what other processes hold by now: the listeners, and the namespace, which the
        processes in it keep alive."""
        for listener in self.sockets.values():
            listener.close()
        self.sockets.clear()
        if self.namespace_fd >= 0:
            os.close(self.namespace_fd)
            self.namespace_fd = -1

    def close(self) -> None:
        """Close every descriptor. Call once."""
        self.hand_over()
        if self.link_fd is not None:
            os.close(self.link_fd)


def create_network(has_ipv6: Callable[[], bool] = routing.host_has_ipv6) -> Network:
    """Create a network in a new namespace; the caller's thread is back in its own namespace
    afterwards.

    `has_ipv6` says whether the network supports IPv6.

    It costs about half a millisecond of kernel time: create networks in advance. A launcher that
    may not return to the host's namespace (rootless) moves, once, to an empty one of its own.
    Raises OSError, its message naming the step.
    """
    home_namespace()
    wants_ipv6 = has_ipv6()
    with _new_namespace() as namespace_fd:
        sockets: dict[str, socket.socket] = {}
        try:
            leads_ipv6 = routing.configure_loopback(wants_ipv6=wants_ipv6)
            for name, kind, address in (
                ("runtime_api", socket.SOCK_STREAM, ("127.0.0.1", 9001)),
                ("endpoint", socket.SOCK_STREAM, ("127.0.0.1", 9002)),
                ("resolver_udp", socket.SOCK_DGRAM, ("127.0.0.1", 53)),
                ("resolver_tcp", socket.SOCK_STREAM, ("127.0.0.1", 53)),
                ("egress", socket.SOCK_STREAM, ("127.0.0.1", 15001)),
                ("trace_daemon", socket.SOCK_DGRAM, ("127.0.0.1", 2000)),
            ):
                sockets[name] = _bound_socket(kind, address)
            if leads_ipv6:
                sockets["egress_ipv6"] = _bound_socket(socket.SOCK_STREAM, ("::1", 15001))
            limitation, link_fd = _steer(sockets, namespace_fd)
        except BaseException:
            for listener in sockets.values():
                listener.close()
            os.close(namespace_fd)
            raise
    return Network(
        namespace_fd=namespace_fd, sockets=sockets, limitation=limitation, link_fd=link_fd
    )


def _steer(sockets: dict[str, socket.socket], namespace_fd: int) -> tuple[str | None, int | None]:
    """Redirect outbound connections to `egress`; returns what limits that, and the link."""
    try:
        _add_datagram_sockets(sockets)
        listeners = sockets["egress"], sockets.get("egress_ipv6"), sockets.get("datagrams")
        return None, sk_lookup.steer(*listeners, namespace_fd)
    except OSError as refusal:
        # Out of descriptors or memory does not mean that the host cannot do it.
        if refusal.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise
        reason = str(refusal)
    _refuse_datagrams(sockets)
    for port in _PORTS_WITHOUT_STEERING:
        sockets[f"egress_{port}"] = _bound_socket(socket.SOCK_STREAM, ("0.0.0.0", port))
        if "egress_ipv6" in sockets:
            sockets[f"egress_ipv6_{port}"] = _bound_socket(socket.SOCK_STREAM, ("::", port))
    ports = ", ".join(map(str, _PORTS_WITHOUT_STEERING))
    limitation = f"outbound TCP only to the ports {ports}, and no UDP: {reason}"
    _tell_once(limitation)
    return limitation, None


@functools.cache
def _tell_once(limitation: str) -> None:
    needs = "all ports need Linux 5.9 (BPF sk_lookup) and CAP_BPF or CAP_SYS_ADMIN of the host"
    print(f"launcher: {limitation}; {needs}", file=sys.stderr)


def _add_datagram_sockets(sockets: dict[str, socket.socket]) -> None:
    try:
        answers = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError:
        # Root in a container without CAP_NET_RAW.
        _refuse_datagrams(sockets)
        return
    answers.setblocking(False)
    sockets["answers"] = answers
    sockets["datagrams"] = _bound_socket(socket.SOCK_DGRAM, ("127.0.0.1", 15001))


def _refuse_datagrams(sockets: dict[str, socket.socket]) -> None:
    for name in ("answers", "datagrams"):
        if name in sockets:
            sockets.pop(name).close()
    with contextlib.suppress(FileNotFoundError):  # already refused
        routing.refuse_udp()


def _bound_socket(kind: socket.SocketKind, address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            # Connections of a finished client in TIME_WAIT must not prevent this.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        if kind == socket.SOCK_STREAM:
            bound.listen(256)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot bind {address[0]}:{address[1]}: {error}") from error
    return bound


@contextmanager
def _new_namespace() -> Iterator[int]:
    """Enter a new network namespace with this thread, for the duration of the context."""
    home_fd = home_namespace()
    _check(_libc.unshare(_CLONE_NEWNET), "make a network namespace")
    try:
        yield _current_namespace()
    finally:
        _check(_libc.setns(home_fd, _CLONE_NEWNET), "return to the launcher's network namespace")


@functools.cache
def home_namespace() -> int:
    """The launcher's own network namespace; found once and kept open."""
    routing.routes_of_host()
    home_fd = _current_namespace()
    if _libc.setns(home_fd, _CLONE_NEWNET) == 0:
        return home_fd
    os.close(home_fd)
    _check(_libc.unshare(_CLONE_NEWNET), "move to an empty network namespace")
    return _current_namespace()


def _current_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int, step: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {step}: {os.strerror(code)}")
