"""Egress of a box over UDP.

All datagrams of a box, whatever their destination, arrive at one socket, with the destination as
ancillary data (see launcher/network.py). A flow is one socket of the box and one destination. It
has a connected socket in the host's network, so only the destination can respond. Responses enter
the box through a raw socket, from the destination's address and port.

As in egress.py, plain sockets and loop callbacks. A box that floods is not read for a while, and
the kernel drops what its socket has no room for, as a network does.
"""

import asyncio
import logging
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address

from lambent.sandbox.egress_policy import Address
from lambent.sandbox.packets import Endpoint, port_unreachable, udp_header

_IP_RECVORIGDSTADDR = 20
_DATAGRAM_BYTES_MAX = 65535
_READS_AT_ONCE = 16
_FLOWS_PER_BOX_MAX = 128
_IDLE_TIMEOUT_S = 60.0
_DATAGRAMS_PER_S, _DATAGRAMS_AT_ONCE = 10_000.0, 1_000.0
_DESTINATIONS_PER_S, _DESTINATIONS_AT_ONCE = 100.0, 200.0
_PAUSE_S = 0.02

_logger = logging.getLogger(__name__)

_Key = tuple[Endpoint, Endpoint]
"""The box's socket, and the destination."""


class Allowance:
    """A rate limit per second, which also allows a burst of saved tokens."""

    def __init__(self, per_s: float, at_once: float, now: float) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._left = at_once
        self._at = now

    def take(self, now: float, count: float = 1.0) -> bool:
        """Use tokens, if there are so many at `now`, in seconds."""
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < count:
            return False
        self._left -= count
        return True


class BoxDatagrams:
    """Egress of one box over UDP."""

    def __init__(
        self,
        out: socket.socket,
        answers: socket.socket,
        refusal: Callable[[Address], str | None],
        log_refusal: Callable[[str, str], None],
        count: Callable[[int], None],
    ) -> None:
        """Serve the sockets, which still belong to the caller, on the running loop until closed.

        `refusal` judges a destination, `log_refusal` receives what was refused and why, and `count`
        the change of the number of flows.
        """
        self._loop = asyncio.get_running_loop()
        self._out = out
        self._answers = answers
        self._refusal = refusal
        self._log_refusal = log_refusal
        self._count = count
        self._flows: OrderedDict[_Key, _Flow] = OrderedDict()
        """The one used last is at the end."""
        self._buffer = memoryview(bytearray(_DATAGRAM_BYTES_MAX))
        now = self._loop.time()
        self._datagrams = Allowance(_DATAGRAMS_PER_S, _DATAGRAMS_AT_ONCE, now)
        self._destinations = Allowance(_DESTINATIONS_PER_S, _DESTINATIONS_AT_ONCE, now)
        self._pause: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        out.setsockopt(socket.IPPROTO_IP, _IP_RECVORIGDSTADDR, 1)
        self._loop.add_reader(out, self._receive)

    def close(self) -> None:
        """Stop serving and drop the flows. Idempotent."""
        self._loop.remove_reader(self._out)
        for timer in (self._pause, self._expiry):
            if timer is not None:
                timer.cancel()
        while self._flows:
            self._end_oldest()

    def answer(self, flow: "_Flow", size: int) -> None:
        """Forward what `flow` has put into the buffer."""
        source, destination = flow.key
        header = udp_header(destination, source, size)
        self._send_into_box([header, self._buffer[:size]], source)
        self._use(flow)

    def refuse(self, key: _Key) -> None:
        """Report to the box's socket that nothing listens there."""
        self._send_into_box([port_unreachable(*key)], key[0])

    def read_answer(self, upstream: socket.socket) -> int:
        """Fill the buffer; returns the size. Raises OSError."""
        return upstream.recv_into(self._buffer)

    def _receive(self) -> None:
        for _ in range(_READS_AT_ONCE):
            if not self._datagrams.take(self._loop.time()):
                self._loop.remove_reader(self._out)
                self._pause = self._loop.call_later(_PAUSE_S, self._resume)
                return
            try:
                size, ancillary, _, source = self._out.recvmsg_into(
                    [self._buffer], socket.CMSG_SPACE(16)
                )
            except OSError:
                return
            for _, kind, address in ancillary:
                if kind == _IP_RECVORIGDSTADDR:
                    _, port, number = struct.unpack_from("!HH4s", address)
                    self._pass_on((source, (socket.inet_ntoa(number), port)), size)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._out, self._receive)

    def _pass_on(self, key: _Key, size: int) -> None:
        flow = self._flows.get(key) or self._open(key)
        if flow is not None:
            flow.send(self._buffer[:size])
            self._use(flow)

    def _open(self, key: _Key) -> "_Flow | None":
        address, port = key[1]
        destination = f"{address}:{port} over UDP"
        if not self._destinations.take(self._loop.time()):
            self._log_refusal(destination, "the box sends to too many destinations")
            return None
        if len(self._flows) >= _FLOWS_PER_BOX_MAX:
            self._end_oldest()
        upstream = None
        try:
            reason = self._refusal(IPv4Address(address))
            if reason is None:
                kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
                upstream = socket.socket(socket.AF_INET, kind)
                upstream.connect(key[1])
        except OSError as error:
            reason = f"the platform has no socket for it: {error}"
        if reason is not None or upstream is None:
            if upstream is not None:
                upstream.close()
            self._log_refusal(destination, reason or "")
            self.refuse(key)
            return None
        flow = self._flows[key] = _Flow(self, key, upstream)
        self._count(1)
        self._loop.add_reader(upstream, flow.receive)
        return flow

    def _use(self, flow: "_Flow") -> None:
        if flow.key not in self._flows:
            return
        self._flows.move_to_end(flow.key)
        flow.used_at = self._loop.time()
        if self._expiry is None:
            self._expiry = self._loop.call_later(_IDLE_TIMEOUT_S, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now = self._loop.time()
        while self._flows:
            oldest = next(iter(self._flows.values()))
            remaining_s = oldest.used_at + _IDLE_TIMEOUT_S - now
            if remaining_s > 0:
                self._expiry = self._loop.call_later(remaining_s, self._expire)
                return
            self._end_oldest()

    def _end_oldest(self) -> None:
        _, flow = self._flows.popitem(last=False)
        self._loop.remove_reader(flow.upstream)
        flow.upstream.close()
        self._count(-1)

    def _send_into_box(self, packet: list[bytes | memoryview], to: Endpoint) -> None:
        try:
            self._answers.sendmsg(packet, [], 0, (to[0], 0))
        except OSError as error:
            # Lost, as in any network: the box does not read, or sent from a foreign address.
            _logger.debug("cannot send into a box: %s", error)


class _Flow:
    """A socket of the box, a destination, and the host's socket between them."""

    __slots__ = ("_box", "key", "upstream", "used_at")

    def __init__(self, box: BoxDatagrams, key: _Key, upstream: socket.socket) -> None:
        self._box = box
        self.key = key
        self.upstream = upstream
        self.used_at = 0.0

    def send(self, datagram: memoryview) -> None:
        """Forward a datagram to the destination."""
        for _ in range(2):
            try:
                self.upstream.send(datagram)
            except ConnectionRefusedError:
                # The error of an earlier datagram.
                self._box.refuse(self.key)
                continue
            except BlockingIOError:
                pass
            except OSError:
                self._box.refuse(self.key)
            return

    def receive(self) -> None:
        """Forward one response; the loop has others to serve before the next."""
        try:
            size = self._box.read_answer(self.upstream)
        except BlockingIOError:
            return
        except OSError:
            self._box.refuse(self.key)
            return
        self._box.answer(self, size)
