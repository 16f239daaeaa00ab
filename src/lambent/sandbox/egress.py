"""Egress of a box over TCP, and the policy for UDP.

All connections of a box, whatever their destination, arrive at its `egress` listeners, and
`getsockname()` of an accepted socket is the destination (see launcher/network.py). Here each
destination is judged, connected from the host's network, and copied in both directions. The ports
of `FRONT_PORTS` of 127.0.0.1 are the platform itself: it takes those connections over.

Plain sockets and loop callbacks: an idle box costs one registered descriptor and no task, and
neither does a connection. A direction holds at most one chunk; its source is not read again before
the sink has accepted that chunk.
"""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from lambent.sandbox.datagrams import BoxDatagrams
from lambent.sandbox.egress_policy import Address, EgressPolicy, EgressSettings, is_host_address
from lambent.sandbox.ports import Traffic

FRONT_ADDRESS, FRONT_PORTS = "127.0.0.1", (80, 443)
"""Where a box reaches the platform by the usual ports of HTTP and HTTPS."""
_CHUNK_BYTES = 64 * 1024
_ACCEPTS_AT_ONCE = 32
_REFUSALS_LOGGED_PER_BOX = 16
_PAUSE_WITHOUT_DESCRIPTORS_S = 0.2

_logger = logging.getLogger(__name__)

Front = Callable[[socket.socket, int], None]
"""Takes over a connection of a box to one of `FRONT_PORTS`, given by its number."""


class Egress:
    """Egress of every box of this host."""

    def __init__(
        self,
        settings: EgressSettings,
        is_host_address: Callable[[Address], bool] = is_host_address,
    ) -> None:
        """Raises ValueError for invalid settings."""
        self.settings = settings
        self.policy = EgressPolicy(settings, is_host_address)
        self.connections = 0
        """Open connections of all boxes, and flows of datagrams."""

    def may_use_ipv6(self, listeners: Sequence[socket.socket]) -> bool:
        """Whether the box that has these listeners can reach IPv6 addresses, and may."""
        leads_ipv6 = any(listener.family == socket.AF_INET6 for listener in listeners)
        return leads_ipv6 and self.policy.may_use_ipv6

    def open(
        self,
        listeners: Sequence[socket.socket],
        box: str,
        datagrams: tuple[socket.socket, socket.socket] | None = None,
        front: Front | None = None,
    ) -> "BoxEgress":
        """Serve a box's listeners on the running loop until the result is closed, and its datagrams
        if it has sockets for them.

        `box` names the box in log lines. The sockets are non-blocking and still belong to the
        caller. `front` serves connections to the platform; without it they are refused.
        """
        return BoxEgress(self, listeners, box, datagrams, front)


class BoxEgress:
    """Egress of one box."""

    def __init__(
        self,
        egress: Egress,
        listeners: Sequence[socket.socket],
        box: str,
        datagrams: tuple[socket.socket, socket.socket] | None,
        front: Front | None,
    ) -> None:
        self._egress = egress
        self._box = box
        self._front = front
        self.traffic = Traffic()
        """Over TCP."""
        self._loop = asyncio.get_running_loop()
        self._listeners = list(listeners)
        self._connections: set[_Connection] = set()
        self._refusals_logged = 0
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        for listener in self._listeners:
            self._loop.add_reader(listener, self._accept, listener)
        self._datagrams = None
        if datagrams is not None:
            self._datagrams = BoxDatagrams(
                *datagrams, self._refusal_by_host, self._log_refusal, self._count
            )

    def close(self) -> None:
        """Stop serving and reset open connections. Idempotent."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        for pause in self._pauses.values():
            pause.cancel()
        self._listeners.clear()
        self._pauses.clear()
        for connection in list(self._connections):
            connection.reset()
        if self._datagrams is not None:
            self._datagrams.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._pause(listener, error)
                return
            self._admit(client)

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Out of descriptors: try again shortly instead of immediately and forever."""
        _logger.warning("cannot accept a connection of box %s: %s", self._box, error)
        self._loop.remove_reader(listener)

        def resume() -> None:
            del self._pauses[listener]
            self._loop.add_reader(listener, self._accept, listener)

        self._pauses[listener] = self._loop.call_later(_PAUSE_WITHOUT_DESCRIPTORS_S, resume)

    def _admit(self, client: socket.socket) -> None:
        client.setblocking(False)
        host, port, *_ = client.getsockname()
        if self._front is not None and host == FRONT_ADDRESS and port in FRONT_PORTS:
            self._front(client, port)
            return
        # The part after % is an interface of the box.
        address = ip_address(host.partition("%")[0])
        try:
            reason = self._refusal(address)
            if reason is None:
                upstream = socket.socket(client.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            reason = f"the platform has no socket for it: {error}"
        if reason is not None:
            destination = f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
            self._log_refusal(destination, reason)
            _reset(client)
            return
        settings = self._egress.settings
        connection = _Connection(self._loop, client, upstream, settings, self.traffic, self._forget)
        self._connections.add(connection)
        self._count(1)
        connection.connect((str(address), port))

    def _refusal(self, address: Address) -> str | None:
        settings = self._egress.settings
        if len(self._connections) >= settings.connections_per_box_max:
            return "the box has too many connections"
        return self._refusal_by_host(address)

    def _refusal_by_host(self, address: Address) -> str | None:
        settings = self._egress.settings
        if self._egress.connections >= settings.connections_max:
            return "the host has too many connections"
        return self._egress.policy.refusal(address)

    def _forget(self, connection: "_Connection") -> None:
        self._connections.discard(connection)
        self._count(-1)

    def _count(self, change: int) -> None:
        self._egress.connections += change

    def _log_refusal(self, destination: str, reason: str) -> None:
        """Log one line per refusal, up to a limit per box."""
        if self._refusals_logged > _REFUSALS_LOGGED_PER_BOX:
            return
        self._refusals_logged += 1
        if self._refusals_logged > _REFUSALS_LOGGED_PER_BOX:
            _logger.warning("further refusals of box %s are not logged", self._box)
        else:
            _logger.warning(
                "refused a connection of box %s to %s: %s", self._box, destination, reason
            )


class _Connection:
    """A box's socket, the host's socket, and the two directions between them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: socket.socket,
        upstream: socket.socket,
        settings: EgressSettings,
        traffic: Traffic,
        on_end: Callable[["_Connection"], None],
    ) -> None:
        self._loop = loop
        self._client = client
        self._upstream = upstream
        self._idle_timeout_s = settings.idle_timeout_s
        self.traffic = traffic
        self._on_end = on_end
        self._flows: tuple[_Flow, ...] = ()
        self._timer = loop.call_later(settings.connect_timeout_s, self.reset)
        self.active_at = 0.0
        """Loop time of the latest byte."""

    def connect(self, destination: tuple[str, int]) -> None:
        """Begin; the box's bytes wait in its socket until the remote end has responded."""
        code = self._upstream.connect_ex(destination)
        if code == errno.EINPROGRESS:
            self._loop.add_writer(self._upstream, self._connected)
        elif code == 0:
            self._connected()
        else:
            self.reset()

    def reset(self) -> None:
        """End both sides abruptly: something failed, or the time is over."""
        self._stop()
        _reset(self._client)
        _reset(self._upstream)

    def flow_ended(self) -> None:
        """One direction is done; with both, the connection is."""
        if all(flow.is_done for flow in self._flows):
            self._stop()
            self._client.close()
            self._upstream.close()

    def _connected(self) -> None:
        self._loop.remove_writer(self._upstream)
        if self._upstream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            self.reset()
            return
        for side in (self._client, self._upstream):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._flows = (
            _Flow(self._loop, self, self._client, self._upstream, is_sent=True),
            _Flow(self._loop, self, self._upstream, self._client, is_sent=False),
        )
        self._timer.cancel()
        self.active_at = self._loop.time()
        self._timer = self._loop.call_later(self._idle_timeout_s, self._check_idle)
        for flow in self._flows:
            flow.start()

    def _check_idle(self) -> None:
        remaining_s = self.active_at + self._idle_timeout_s - self._loop.time()
        if remaining_s <= 0:
            self.reset()
        else:
            self._timer = self._loop.call_later(remaining_s, self._check_idle)

    def _stop(self) -> None:
        self._timer.cancel()
        for side in (self._client, self._upstream):
            self._loop.remove_reader(side)
            self._loop.remove_writer(side)
        self._on_end(self)


class _Flow:
    """One direction: read a chunk, write all of it, read the next. An end of stream is passed
    on."""

    __slots__ = (
        "_connection",
        "_is_blocked",
        "_is_sent",
        "_loop",
        "_pending",
        "_sink",
        "_source",
        "is_done",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: _Connection,
        source: socket.socket,
        sink: socket.socket,
        *,
        is_sent: bool,
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._source = source
        self._sink = sink
        self._is_sent = is_sent
        """Whether the box sends."""
        self._pending = memoryview(b"")
        self._is_blocked = False
        self.is_done = False

    def start(self) -> None:
        self._loop.add_reader(self._source, self._read)

    def _read(self) -> None:
        try:
            self._pending = memoryview(self._source.recv(_CHUNK_BYTES))
            if not self._pending:
                self._loop.remove_reader(self._source)
                self._sink.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            self._connection.reset()
            return
        if self._pending:
            traffic = self._connection.traffic
            if self._is_sent:
                traffic.sent += len(self._pending)
            else:
                traffic.received += len(self._pending)
            self._send()
        else:
            self.is_done = True
            self._connection.flow_ended()

    def _send(self) -> None:
        try:
            self._pending = self._pending[self._sink.send(self._pending) :]
        except BlockingIOError:
            pass
        except OSError:
            self._connection.reset()
            return
        self._connection.active_at = self._loop.time()
        if self._pending and not self._is_blocked:
            self._is_blocked = True
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._send)
        elif self._is_blocked and not self._pending:
            self._is_blocked = False
            self._loop.remove_writer(self._sink)
            self._loop.add_reader(self._source, self._read)


def _reset(side: socket.socket) -> None:
    """Close with a reset instead of an orderly end."""
    try:
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        side.close()
