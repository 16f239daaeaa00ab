"""The caller's end of a link: sends calls to another node, and takes what comes up."""

import asyncio
import logging
import socket
import ssl
from typing import cast
from urllib.parse import urlsplit

import anyio

from lambent.cluster import handshake
from lambent.cluster.call_frames import (
    BYTES_MAX,
    NodeLoad,
    decode_load,
    decode_outcome,
    encode_call,
    encode_version,
    is_small,
)
from lambent.cluster.frames import Frame, FrameError, FrameReader, Kind, encode, encode_number
from lambent.cluster.handshake import HandshakeError
from lambent.cluster.outbox import Outbox
from lambent.cluster.serving import SILENT_S, SLOTS
from lambent.kit.clock import Clock
from lambent.kit.tls.binding import binding_of
from lambent.model.concurrency import no_capacity
from lambent.model.function import FunctionVersion
from lambent.model.invocation import NOT_RUN, InvocationRequest, Outcome, Reply, RunReport
from lambent.model.placement import NODE_LOST

logger = logging.getLogger(__name__)

QUIET_S = 1.5
"""A node that has said nothing for so long gets no more calls."""
_WINDOW = 512 * 1024
"""Bytes of a streamed response that may be under way."""
_CREDIT_BYTES = 128 * 1024
"""Credit is given in such portions."""
_CONNECT_S = 5.0
_UNACKNOWLEDGED_MS = 5000
"""The kernel ends a connection whose other end has acknowledged nothing for so long."""
_CALLS_MAX = 1 << 32
NOT_SENT = no_capacity()
"""The outcome of a call that has certainly not begun."""


class _Sent:
    """A call that has no outcome yet."""

    __slots__ = ("chunks", "has_begun", "is_held", "reply", "size", "untold", "wants_stream")

    def __init__(self, reply: Reply, *, wants_stream: bool) -> None:
        self.reply = reply
        self.wants_stream = wants_stream
        self.chunks: list[bytes] = []
        """Of a large result."""
        self.size = 0
        self.has_begun = False
        """Whether the response is streamed."""
        self.is_held = False
        """Whether the reply takes nothing more for now."""
        self.untold = 0
        """Bytes that the reply has taken since the last credit."""


class CallingLink(asyncio.Protocol):
    """See the module. It is the protocol of its connection."""

    def __init__(self, caller: int, callee: int, secret: bytes, host: str, clock: Clock) -> None:
        self.callee = callee
        """Number of the node."""
        self.load = NodeLoad()
        """What the node has said last of how busy it is."""
        self.sent_since = 0
        """Calls that were sent since then."""
        self.sent = 0
        """Calls that were sent."""
        self.lost = 0
        """Of these, the calls whose outcome is not known."""
        self.ready = anyio.Event()
        """Set when calls may be sent, or the connection has ended."""
        self.over = anyio.Event()
        """Set when the connection has ended."""
        self.error: Exception | None = None
        """Why it ended, if that is the other end's fault."""
        self._caller = caller
        self._secret = secret
        self._host = host
        self._clock = clock
        self._nonce = handshake.make_nonce()
        self._head: bytes | None = b""
        """Of the response to the request; None when it is complete."""
        self._is_closing = False
        self._reader = FrameReader()
        self._heard_at = clock.monotonic()
        self._numbers = 0
        self._pending: dict[int, _Sent] = {}
        self._slots: dict[int, tuple[int, FunctionVersion]] = {}
        """By the identity of a version: its number on this link. The version is kept, so that no
        other gets its identity."""

    # -- for those who call ------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Whether the node takes calls, as far as is known."""
        return (
            self._head is None
            and not self._is_closing
            and self._outbox.can_write
            and self._clock.monotonic() - self._heard_at < QUIET_S
        )

    @property
    def busy(self) -> float:
        """Invocations per processor that run on the node."""
        return (self.load.running + self.sent_since) / self.load.processors

    def call(self, request: InvocationRequest, reply: Reply) -> None:
        """Have the node run a request. The link must be usable. The reply gets the outcome:
        `NOT_SENT` or `NODE_LOST` if the link breaks."""
        slot = self._slot_of(request.function)
        number = self._numbers = (self._numbers + 1) % _CALLS_MAX
        frame = encode_call(number, slot, request, _WINDOW)
        self._pending[number] = _Sent(reply, wants_stream=request.wants_stream)
        self.sent += 1
        self.sent_since += 1
        self._outbox.send(frame)
        if not is_small(request.event):
            self._outbox.send_large(number, request.event)

    def _slot_of(self, function: FunctionVersion) -> int:
        known = self._slots.get(id(function))
        if known is not None:
            return known[0]
        slot = len(self._slots)
        if slot >= SLOTS:
            # The oldest one: calls that have named it are ahead of its next definition.
            oldest = next(iter(self._slots))
            slot, _ = self._slots.pop(oldest)
        self._slots[id(function)] = slot, function
        self._outbox.send(encode_version(slot, function))
        return slot

    def beat(self) -> None:
        """Say that this node is there. To be called several times in `SILENT_S`; also ends a link
        whose other end is silent."""
        if self._head is None and not self._transport.is_closing():
            self._outbox.send(encode(Kind.BEAT, 0))
        if self._clock.monotonic() - self._heard_at > SILENT_S:
            self.abort()

    def abort(self) -> None:
        """End the connection. Calls without an outcome end."""
        self._transport.abort()

    # -- the connection ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self._outbox = Outbox(self._write)
        self._can_write = True
        self._tls = binding_of(transport)
        self._transport.write(handshake.request(self._host, self._caller, self._nonce))

    def _write(self, data: bytes) -> bool:
        if not self._transport.is_closing():
            self._transport.write(data)
        return self._can_write

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._can_write = False

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._can_write = True
        self._outbox.note_writable()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._heard_at = self._clock.monotonic()
        try:
            if self._head is not None:
                data = self._shake_hands(self._head + data)
            for frame in self._reader.feed(data):
                self._take(frame)
        except (FrameError, HandshakeError) as error:
            self.error = error
            self._transport.abort()
        except Exception as error:
            logger.exception("the link to node %d fails", self.callee)
            self.error = error
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        pending, self._pending = self._pending, {}
        for number, sent in pending.items():
            is_sent = not self._outbox.is_sending(number)
            self.lost += is_sent
            self._finish(sent, NODE_LOST if is_sent else NOT_SENT)
        self._is_closing = True
        self.ready.set()
        self.over.set()

    def _shake_hands(self, received: bytes) -> bytes:
        head, end, rest = received.partition(b"\r\n\r\n")
        if len(head) > handshake.HEAD_BYTES_MAX:
            raise HandshakeError("its response has no end")
        self._head = None if end else received
        if not end:
            return b""
        secured = handshake.read_response(
            head,
            self._secret,
            caller=self._caller,
            callee=self.callee,
            nonce=self._nonce,
            tls=self._tls,
        )
        self._outbox.send(encode(Kind.PROOF, 0, secured.prove(self._secret, "caller").encode()))
        self.ready.set()
        return rest

    # -- frames ------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        kind, number, payload = frame
        if kind == Kind.OUTCOME:
            sent = self._pending.get(number)
            if sent is None:
                raise FrameError(f"there is no call {number} that an outcome belongs to")
            outcome, report = decode_outcome(payload, sent.chunks)
            del self._pending[number]
            self._finish(sent, outcome, report)
        elif kind in (Kind.DATA, Kind.BEGIN):
            sent = self._pending.get(number)
            if sent is None:
                raise FrameError(f"there is no call {number} that a response belongs to")
            if kind == Kind.BEGIN:
                self._begin(number, sent, payload.decode("latin-1"))
            else:
                self._take_data(number, sent, payload)
        elif kind == Kind.LOAD:
            self.load = decode_load(payload)
            self.sent_since = 0
        elif kind == Kind.CLOSING:
            self._is_closing = True

    def _begin(self, number: int, sent: _Sent, content_type: str) -> None:
        if sent.has_begun or not sent.wants_stream:
            raise FrameError(f"the response of call {number} begins twice, or is not streamed")

        def resume() -> None:
            sent.is_held = False
            self._give_credit(number, sent)

        sent.has_begun = True
        sent.reply.begin(content_type, resume)

    def _take_data(self, number: int, sent: _Sent, data: bytes) -> None:
        if not sent.has_begun:
            sent.size += len(data)
            if sent.size > BYTES_MAX:
                raise FrameError(f"the result of call {number} is too long")
            sent.chunks.append(data)
            return
        sent.untold += len(data)
        sent.is_held = not sent.reply.write(data)
        if not sent.is_held and sent.untold >= _CREDIT_BYTES:
            self._give_credit(number, sent)

    def _give_credit(self, number: int, sent: _Sent) -> None:
        if number in self._pending and sent.untold:
            self._outbox.send(encode(Kind.CREDIT, number, encode_number(sent.untold)))
            sent.untold = 0

    def _finish(self, sent: _Sent, outcome: Outcome, report: RunReport = NOT_RUN) -> None:
        try:
            sent.reply.finish(outcome, report)
        except Exception:  # The other calls of the link have to go on.
            logger.exception("the outcome of a call of node %d cannot be delivered", self.callee)


async def dial(url: str, caller: int, callee: int, secret: bytes, clock: Clock) -> CallingLink:
    """A link to a node at `http://…`, `https://…` or `unix:/path`. Raises OSError, TimeoutError, or
    HandshakeError if it is not the node `callee` of the same database."""
    parts = urlsplit(url)
    link = CallingLink(caller, callee, secret, parts.netloc or "localhost", clock)
    loop = asyncio.get_running_loop()
    with anyio.fail_after(_CONNECT_S):
        if parts.scheme == "unix":
            await loop.create_unix_connection(lambda: link, parts.path)
        else:
            is_tls = parts.scheme == "https"
            transport, _ = await loop.create_connection(
                lambda: link,
                parts.hostname or "",
                parts.port or (443 if is_tls else 80),
                ssl=_tls() if is_tls else None,
                server_hostname=parts.hostname if is_tls else None,
            )
            sock: socket.socket = transport.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        try:
            await link.ready.wait()
        except BaseException:
            link.abort()
            raise
    if link.over.is_set():
        raise link.error or ConnectionError("the connection ended")
    return link


def _tls() -> ssl.SSLContext:
    """The proofs say who responds, whatever the certificate says."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
