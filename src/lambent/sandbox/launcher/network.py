"""The network of a box: a namespace with nothing in it but loopback and our listeners.

There is no virtual cable to the host. Sockets are made inside the namespace and handed to the
platform, whose event loop serves them from outside:

- `runtime_api` 127.0.0.1:9001 and `endpoint` 127.0.0.1:9002, TCP;
- `resolver_udp` and `resolver_tcp` 127.0.0.1:53;
- `egress` 127.0.0.1:15001, TCP: gets every outbound connection.

The route `local 0.0.0.0/0 dev lo` makes every IPv4 address one of the namespace's own, so a
connection to anywhere arrives here, and `sk_lookup` gives it to `egress`. Rules keep that route
from all but TCP: a datagram to anywhere but 127.0.0.0/8 fails with ENETUNREACH. IPv6 has only ::1.
Where the kernel refuses the BPF program (a rootless launcher, Linux before 5.9), listeners on
the ports of `_PORTS_WITHOUT_STEERING` stand in for it: `egress_80`, `egress_443`, and so on.

Only the standard library is imported here: the launcher runs this as root.
"""

import ctypes
import dataclasses
import errno
import functools
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from lambent.sandbox.launcher import sk_lookup

_CLONE_NEWNET = 0x40000000
_LOCAL_TABLE = 255

# Clear of the ports web applications listen on: a function's own listener comes first.
_PORTS_WITHOUT_STEERING = (80, 443, 465, 587, 3306, 5432, 6379)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(slots=True, kw_only=True)
class Network:
    """A network namespace and what listens in it. It ends when this is closed, the sockets'
    duplicates are closed and the processes in it are gone."""

    namespace_fd: int
    """For `setns`."""
    sockets: dict[str, socket.socket]
    """By the names in the module's docstring; non-blocking. Every name that begins with
    `egress` is served the same way."""
    limitation: str | None
    """Why only some ports lead out, or None when all do."""
    link_fd: int | None
    """Keeps the BPF program attached. Closed with the network, not before."""

    @property
    def redirects_all_ports(self) -> bool:
        """Whether TCP to any port leads out."""
        return self.limitation is None

    def hand_over(self) -> None:
        """Close what is in other hands by now: the listeners, and the namespace, which the
        processes in it keep."""
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


def create_network() -> Network:
    """Make a network in a new namespace; the caller's thread is back in its own afterwards.

    Costs about half a millisecond of kernel time: make networks ahead of need. A launcher that
    may not return to the host's namespace (rootless) moves, once, to an empty one of its own.
    Raises OSError, its message naming the step.
    """
    with _new_namespace() as namespace_fd:
        sockets: dict[str, socket.socket] = {}
        try:
            _configure_loopback()
            for name, kind, address in (
                ("runtime_api", socket.SOCK_STREAM, ("127.0.0.1", 9001)),
                ("endpoint", socket.SOCK_STREAM, ("127.0.0.1", 9002)),
                ("resolver_udp", socket.SOCK_DGRAM, ("127.0.0.1", 53)),
                ("resolver_tcp", socket.SOCK_STREAM, ("127.0.0.1", 53)),
                ("egress", socket.SOCK_STREAM, ("127.0.0.1", 15001)),
            ):
                sockets[name] = _bound_socket(kind, address)
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
    """Lead outbound connections to `egress`; returns what limits that, and the link."""
    try:
        return None, sk_lookup.steer_connections(sockets["egress"], namespace_fd)
    except OSError as refusal:
        # Out of descriptors or memory says nothing about what the host can do.
        if refusal.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise
        reason = str(refusal)
    for port in _PORTS_WITHOUT_STEERING:
        sockets[f"egress_{port}"] = _bound_socket(socket.SOCK_STREAM, ("0.0.0.0", port))
    ports = ", ".join(map(str, _PORTS_WITHOUT_STEERING))
    return f"outbound TCP only to the ports {ports}: {reason}", None


def _bound_socket(kind: socket.SocketKind, address: tuple[str, int]) -> socket.socket:
    bound = socket.socket(socket.AF_INET, kind)
    try:
        bound.setblocking(False)
        if kind == socket.SOCK_STREAM:
            # Connections of a finished client in TIME_WAIT are no reason to fail.
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
    """A new network namespace for the thread, as long as the context lasts."""
    home_fd = home_namespace()
    _check(_libc.unshare(_CLONE_NEWNET), "make a network namespace")
    try:
        yield _current_namespace()
    finally:
        _check(_libc.setns(home_fd, _CLONE_NEWNET), "return to the launcher's network namespace")


@functools.cache
def home_namespace() -> int:
    """The launcher's own network namespace; found once and kept open."""
    home_fd = _current_namespace()
    if _libc.setns(home_fd, _CLONE_NEWNET) == 0:
        return home_fd
    os.close(home_fd)
    _check(_libc.unshare(_CLONE_NEWNET), "move to an empty network namespace")
    return _current_namespace()


def _current_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _configure_loopback() -> None:
    """Bring lo up, and make every IPv4 address local for TCP.

    The preferred source keeps a connection's two ends apart: without it the source would be
    the destination, and a client port equal to the server's would connect to itself.

    The rules replace the kernel's own, which asks the local table about everything. Nobody
    serves what is not TCP, so it gets no further than 127.0.0.0/8: the tables that are asked
    next are empty, and the sender gets ENETUNREACH. A kernel without rules loses it.
    """
    up = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 1, 1, 1)  # interface 1, IFF_UP
    boot_protocol, host_scope, local_type = 3, 254, 2
    loopback = socket.inet_aton("127.0.0.1")
    route = (
        struct.pack(
            "=BBBBBBBBI",
            socket.AF_INET,
            *(0, 0, 0),
            _LOCAL_TABLE,
            boot_protocol,
            host_scope,
            local_type,
            0,
        )
        + _attribute(4, struct.pack("=i", 1))  # RTA_OIF: lo
        + _attribute(7, loopback)  # RTA_PREFSRC
    )
    to_loopback = _rule(priority=0, prefix_length=8) + _attribute(1, loopback)  # FRA_DST
    over_tcp = _rule(priority=1) + _attribute(22, bytes([socket.IPPROTO_TCP]))  # FRA_IP_PROTO
    create = 0x400  # NLM_F_CREATE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        _request(netlink, 16, 0, up, "bring up loopback")  # RTM_NEWLINK
        _request(netlink, 24, create, route, "add the local route")  # RTM_NEWROUTE
        try:
            # The kernel's own has priority 0 too, and is first there. It goes last, so that
            # loopback is never without a rule.
            _request(netlink, 32, create, to_loopback, "add the rule for loopback")  # RTM_NEWRULE
            _request(netlink, 32, create, over_tcp, "add the rule for TCP")
            _request(netlink, 33, 0, _rule(priority=0), "delete the kernel's rule")  # RTM_DELRULE
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise


def _rule(*, priority: int, prefix_length: int = 0) -> bytes:
    """A routing rule, but for what it is about: ask the local table."""
    to_table = 1
    header = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, prefix_length, *(0, 0), _LOCAL_TABLE, *(0, 0), to_table, 0
    )
    return header + _attribute(6, struct.pack("=I", priority))  # FRA_PRIORITY


def _attribute(kind: int, value: bytes) -> bytes:
    padding = bytes(-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def _request(netlink: socket.socket, kind: int, flags: int, body: bytes, step: str) -> None:
    request_and_acknowledge = 0x1 | 0x4
    netlink.send(
        struct.pack("=IHHII", 16 + len(body), kind, flags | request_and_acknowledge, 1, 0) + body
    )
    (code,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if code != 0:
        raise OSError(-code, f"cannot {step}: {os.strerror(-code)}")


def _check(result: int, step: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {step}: {os.strerror(code)}")
