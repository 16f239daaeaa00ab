"""Name resolution for boxes: a forwarder on 127.0.0.1:53 of each box to the host's name servers.

Queries are forwarded unchanged, each from a separate socket, to one name server after another. If
none responds, the box gets SERVFAIL. The forwarder itself returns an empty result for IPv6
addresses if the box has no IPv6, and 127.0.0.1 for the names that lead to the platform. It drops
everything except a single well-formed question.

As in egress.py, plain sockets and loop callbacks: an idle box has no task.
"""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address

from lambent.sandbox.egress_policy import EgressSettings

_RESOLV_CONF = "/etc/resolv.conf"
_PORT = 53
_HEADER_BYTES = 12
_MESSAGE_BYTES_MAX = 65535
_TYPE_A, _TYPE_AAAA, _CLASS_INTERNET = 1, 28, 1
_OWN_ADDRESS, _OWN_SECONDS = bytes([127, 0, 0, 1]), 5
_SERVER_FAILURE, _REFUSED = 2, 5
_ATTEMPT_TIMEOUT_S = 2.0
_ATTEMPTS_MAX = 3
_QUERIES_PER_BOX_MAX = 64
_TCP_CLIENTS_PER_BOX_MAX = 16
_TCP_IDLE_TIMEOUT_S = 10.0
_PAUSE_S = 0.2

_logger = logging.getLogger(__name__)

NameServer = tuple[str, int]
"""Address and port."""
IsOurs = Callable[[str], bool]
"""Whether a host name, in lower case and without a dot at its end, leads to the platform."""


def question_of(message: bytes) -> bytes | None:
    """Return the question section of a query, or None for anything except one well-formed
    question."""
    if not _HEADER_BYTES + 5 <= len(message) <= _MESSAGE_BYTES_MAX:
        return None
    _, flags, questions = struct.unpack_from("!HHH", message)
    is_standard_query = flags & 0xF800 == 0
    if not is_standard_query or questions != 1:
        return None
    end = _HEADER_BYTES
    while (length := message[end]) != 0:
        end += 1 + length
        if length > 63 or end > _HEADER_BYTES + 254 or end >= len(message):
            return None
    end += 5
    return message[_HEADER_BYTES:end] if end <= len(message) else None


def name_in(question: bytes) -> str | None:
    """The host name of a question, in lower case; None if it cannot be one."""
    labels, at = [], 0
    while (length := question[at]) != 0:
        labels.append(question[at + 1 : at + 1 + length])
        at += 1 + length
    name = b".".join(labels)
    # A dot in a label would make another name of it.
    is_plain = name.isascii() and name.count(b".") == len(labels) - 1
    return name.decode("ascii").lower() if labels and is_plain else None


def answer_with_own_address(query: bytes, question: bytes) -> bytes:
    """Build the response for a name that leads to the platform: one address, of IPv4."""
    kind, class_ = struct.unpack("!HH", question[-4:])
    answer = answer_without_records(query, question, 0)
    if kind != _TYPE_A or class_ != _CLASS_INTERNET:
        return answer
    name_of_question = 0xC000 | _HEADER_BYTES
    length = len(_OWN_ADDRESS)
    record = struct.pack("!HHHIH", name_of_question, _TYPE_A, _CLASS_INTERNET, _OWN_SECONDS, length)
    return answer[:6] + struct.pack("!H", 1) + answer[8:] + record + _OWN_ADDRESS


def answer_without_records(query: bytes, question: bytes, code: int) -> bytes:
    """Build a response with the response code and nothing else."""
    identifier, flags = struct.unpack_from("!HH", query)
    is_response, recursion_available, kept = 0x8000, 0x0080, flags & 0x0100
    flags = is_response | recursion_available | kept | code
    return struct.pack("!HHHHHH", identifier, flags, 1, 0, 0, 0) + question


def is_reply(message: bytes, query: bytes, question: bytes) -> bool:
    """Whether a message from a name server responds to the query."""
    if len(message) < _HEADER_BYTES or message[:2] != query[:2] or not message[2] & 0x80:
        return False
    echoed = message[_HEADER_BYTES : _HEADER_BYTES + len(question)]
    # Failures may come without the question.
    return message[4:6] == b"\0\0" or echoed.lower() == question.lower()


def parse_nameservers(resolv_conf: str) -> list[NameServer]:
    """Return the name servers of a resolv.conf(5), in order; unreadable ones are left out."""
    found = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                ip_address(words[1])
            except ValueError:
                continue
            found.append((words[1], _PORT))
    return found


class Resolver:
    """The forwarder of every box of this host."""

    def __init__(
        self, settings: EgressSettings, nameservers: Callable[[], list[NameServer]] | None = None
    ) -> None:
        """`nameservers` is called for each query; the default returns those of the settings, or
        else those of /etc/resolv.conf at that time. Raises ValueError for invalid settings."""
        configured = [(str(ip_address(text)), _PORT) for text in settings.nameservers]
        self.is_enabled = settings.enabled
        self.nameservers = nameservers or (lambda: configured or self._of_host())
        self._host_nameservers: list[NameServer] = []
        self._host_file_version = (0, 0)

    def open(
        self,
        udp: socket.socket,
        tcp: socket.socket,
        *,
        uses_ipv6: bool,
        is_ours: IsOurs = lambda name: False,
    ) -> "BoxResolver":
        """Serve a box's resolver sockets on the running loop until the result is closed.

        The sockets are non-blocking and still belong to the caller. `uses_ipv6` says whether the
        box gets IPv6 addresses, `is_ours` which names lead to the platform.
        """
        return BoxResolver(self, udp, tcp, uses_ipv6, is_ours)

    def _of_host(self) -> list[NameServer]:
        try:
            status = os.stat(_RESOLV_CONF)
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._host_file_version:
                with open(_RESOLV_CONF, encoding="utf-8", errors="replace") as file:
                    self._host_nameservers = parse_nameservers(file.read())
                self._host_file_version = version
        except OSError as error:
            _logger.warning("cannot read %s: %s", _RESOLV_CONF, error)
        return self._host_nameservers


class BoxResolver:
    """The forwarder of one box."""

    def __init__(
        self,
        resolver: Resolver,
        udp: socket.socket,
        tcp: socket.socket,
        uses_ipv6: bool,
        is_ours: IsOurs,
    ) -> None:
        self._resolver = resolver
        self._is_ours = is_ours
        self._uses_ipv6 = uses_ipv6
        self._udp = udp
        self._tcp = tcp
        self._loop = asyncio.get_running_loop()
        self._exchanges: set[_Exchange] = set()
        self._clients: set[_TcpClient] = set()
        self._is_open = True
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(udp, self._receive)
        self._loop.add_reader(tcp, self._accept)

    def close(self) -> None:
        """Stop serving and drop the queries in progress. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._udp)
        self._loop.remove_reader(self._tcp)
        if self._pause is not None:
            self._pause.cancel()
        for exchange in list(self._exchanges):
            exchange.end(None)
        for client in list(self._clients):
            client.close()

    def ask(self, query: bytes, *, is_tcp: bool, reply: Callable[[bytes], None]) -> bool:
        """Respond to a query now or later through `reply`; False drops it."""
        question = question_of(query)
        if question is None or len(self._exchanges) >= _QUERIES_PER_BOX_MAX:
            return False
        (kind,) = struct.unpack("!H", question[-4:-2])
        name = name_in(question)
        if name is not None and self._is_ours(name):
            reply(answer_with_own_address(query, question))
        elif not self._resolver.is_enabled:
            reply(answer_without_records(query, question, _REFUSED))
        elif kind == _TYPE_AAAA and not self._uses_ipv6:
            reply(answer_without_records(query, question, 0))
        else:

            def ended(exchange: _Exchange, answer: bytes | None) -> None:
                self._exchanges.discard(exchange)
                if self._is_open:
                    failure = answer_without_records(query, question, _SERVER_FAILURE)
                    reply(answer or failure)

            nameservers = self._resolver.nameservers()
            exchange = _Exchange(self._loop, query, question, nameservers, is_tcp, ended)
            self._exchanges.add(exchange)
            exchange.attempt()
        return True

    def forget(self, client: "_TcpClient") -> None:
        """A TCP client has ended."""
        self._clients.discard(client)

    def _receive(self) -> None:
        try:
            query, sender = self._udp.recvfrom(4096)
        except OSError:
            return

        def reply(answer: bytes) -> None:
            try:
                self._udp.sendto(answer, sender)
            except OSError as error:
                # The client asks again, as after any lost datagram.
                _logger.debug("cannot answer a query: %s", error)

        self.ask(query, is_tcp=False, reply=reply)

    def _accept(self) -> None:
        try:
            client, _ = self._tcp.accept()
        except BlockingIOError:
            return
        except OSError as error:
            # Out of descriptors: try again shortly instead of immediately and forever.
            _logger.warning("cannot accept a box's query: %s", error)
            self._loop.remove_reader(self._tcp)
            self._pause = self._loop.call_later(_PAUSE_S, self._resume)
            return
        if len(self._clients) >= _TCP_CLIENTS_PER_BOX_MAX:
            client.close()
            return
        client.setblocking(False)
        self._clients.add(_TcpClient(self, self._loop, client))

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._tcp, self._accept)


class _Exchange:
    """One query and its response; `on_end` is called once, with None for a failure."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        query: bytes,
        question: bytes,
        nameservers: list[NameServer],
        is_tcp: bool,
        on_end: Callable[["_Exchange", bytes | None], None],
    ) -> None:
        self._loop = loop
        self._query = query
        self._question = question
        self._is_tcp = is_tcp
        self._on_end = on_end
        # A single name server is asked twice, in case a datagram was lost.
        self._left = (nameservers * 2 if len(nameservers) == 1 else nameservers)[:_ATTEMPTS_MAX]
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._received = bytearray()

    def attempt(self) -> None:
        """Ask the next name server; without one the exchange has failed."""
        self._stop()
        if not self._left:
            self._on_end(self, None)
            return
        (address, port), *self._left = self._left
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_STREAM if self._is_tcp else socket.SOCK_DGRAM
        self._timer = self._loop.call_later(_ATTEMPT_TIMEOUT_S, self.attempt)
        try:
            self._socket = upstream = socket.socket(family, kind | socket.SOCK_NONBLOCK)
            host, _, scope = address.partition("%")
            scope_id = socket.if_nametoindex(scope) if scope else 0
            target = (host, port, 0, scope_id) if family == socket.AF_INET6 else (host, port)
            upstream.connect(target)
        except BlockingIOError:
            pass
        except OSError:
            self._fail_soon()
            return
        self._loop.add_writer(upstream, self._send)

    def end(self, answer: bytes | None) -> None:
        """Finish with a response or without."""
        self._stop()
        self._on_end(self, answer)

    def _send(self) -> None:
        assert self._socket is not None
        self._loop.remove_writer(self._socket)
        framed = struct.pack("!H", len(self._query)) + self._query if self._is_tcp else self._query
        try:
            # Fits into the empty buffer of a new socket.
            self._socket.send(framed)
        except OSError:
            self._fail_soon()
            return
        self._received.clear()
        self._loop.add_reader(self._socket, self._receive)

    def _receive(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_MESSAGE_BYTES_MAX + 2)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not self._is_tcp and data:
            if is_reply(data, self._query, self._question):
                self.end(data)
            return
        self._received += data
        answer = _framed_message(self._received)
        if answer is not None and is_reply(answer, self._query, self._question):
            self.end(answer)
        elif answer is not None or not data:
            self._fail_soon()

    def _fail_soon(self) -> None:
        """Try the next name server; from the loop, so that failures do not recurse."""
        self._stop()
        self._timer = self._loop.call_later(0, self.attempt)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None


class _TcpClient:
    """A connection of the box to the forwarder: one query at a time."""

    def __init__(
        self, box: BoxResolver, loop: asyncio.AbstractEventLoop, client: socket.socket
    ) -> None:
        self._box = box
        self._loop = loop
        self._socket = client
        self._received = bytearray()
        self._is_open = True
        self._is_asking = False
        self._timer = loop.call_later(_TCP_IDLE_TIMEOUT_S, self.close)
        loop.add_reader(client, self._receive)

    def close(self) -> None:
        """End the connection. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._timer.cancel()
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._box.forget(self)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if not data:
            self.close()
        else:
            self._ask_next()

    def _ask_next(self) -> None:
        if not self._is_open or self._is_asking:
            return
        query = _framed_message(self._received)
        if query is None:
            return
        del self._received[: 2 + len(query)]
        self._is_asking = True
        self._loop.remove_reader(self._socket)
        if not self._box.ask(query, is_tcp=True, reply=self._reply):
            self.close()

    def _reply(self, answer: bytes) -> None:
        if not self._is_open:
            return
        framed = struct.pack("!H", len(answer)) + answer
        try:
            is_sent = self._socket.send(framed) == len(framed)
        except OSError:
            is_sent = False
        if not is_sent:
            # It does not read its responses.
            self.close()
            return
        self._timer.cancel()
        self._timer = self._loop.call_later(_TCP_IDLE_TIMEOUT_S, self.close)
        self._is_asking = False
        self._loop.add_reader(self._socket, self._receive)
        self._loop.call_soon(self._ask_next)


def _framed_message(received: bytearray) -> bytes | None:
    """Return the first message of a stream of length-prefixed messages, if it is complete."""
    if len(received) < 2:
        return None
    length = int.from_bytes(received[:2], "big")
    return bytes(received[2 : 2 + length]) if len(received) >= 2 + length else None
