"""The callee's end of a link: runs the calls of another node, and sends what comes up.

Whatever the caller's end does, a call that has begun ends as any other. If the link breaks, its
outcome is lost, as for a client that has disconnected.
"""

import logging
from collections.abc import Callable

from lambent.cluster.call_frames import (
    ArrivingCall,
    NodeLoad,
    decode_version,
    encode_load,
    encode_outcome,
    is_small,
    payload_of,
)
from lambent.cluster.frames import (
    CHUNK_BYTES,
    Frame,
    FrameError,
    FrameReader,
    Kind,
    decode_number,
    encode,
)
from lambent.cluster.handshake import PROOF_BYTES, Secured
from lambent.cluster.outbox import Outbox
from lambent.kit.clock import Clock
from lambent.kit.http.messages import ByteStream
from lambent.model.errors import service_failure
from lambent.model.function import FunctionVersion
from lambent.model.invocation import NOT_RUN, InvocationRequest, Outcome, Refused, Reply, RunReport

logger = logging.getLogger(__name__)

SLOTS = 4096
"""Versions of functions that a link knows at the same time."""
SILENT_S = 10.0
"""A caller that has sent nothing for so long has gone."""
_PROOF_S = 5.0
"""Seconds within which the caller must prove who it is."""
_LOAD_S = 0.5
"""The load is sent so often, even if it has not changed."""

Run = Callable[[InvocationRequest, Reply], None]
"""Runs a call on this node."""


class ServedLink:
    """See the module. It is the `ByteReceiver` of its connection."""

    def __init__(
        self,
        stream: ByteStream,
        secured: Secured,
        secret: bytes,
        run: Run,
        clock: Clock,
        ended: "Callable[[ServedLink], None]",
    ) -> None:
        self._stream = stream
        self._secured = secured
        self._secret = secret
        self._run = run
        self._clock = clock
        self._ended = ended
        self.is_proven = False
        """Whether the caller has proven that it is a node."""
        self.taken = 0
        """Calls that have come over this link."""
        self._reader = FrameReader(PROOF_BYTES)
        self._outbox = Outbox(stream.write)
        self._versions: dict[int, FunctionVersion] = {}
        self._arriving: dict[int, ArrivingCall] = {}
        self._running: dict[int, _RemoteReply] = {}
        self._is_closing = False
        self._is_over = False
        self._heard_at = self._began_at = clock.monotonic()
        self._load: NodeLoad | None = None
        """What the caller knows."""
        self._load_at = 0.0
        stream.on_writable(self._note_writable)

    # -- the connection --------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """See `ByteReceiver`."""
        self._heard_at = self._clock.monotonic()
        try:
            for frame in self._reader.feed(data):
                if self._is_over:
                    return
                self._take(frame)
        except FrameError as error:
            if self.is_proven:
                logger.warning("the link from node %d ends: %s", self._secured.caller, error)
            self._stream.abort()

    def closing(self) -> None:
        """See `ByteReceiver`."""
        self._is_closing = True
        self._outbox.send(encode(Kind.CLOSING, 0))
        self._close_if_done()

    def ended(self) -> None:
        """See `ByteReceiver`."""
        self._is_over = True
        running, self._running = self._running, {}
        self._arriving.clear()
        for reply in running.values():
            reply.drop()
        self._ended(self)

    def tell(self, load: NodeLoad) -> None:
        """Send how busy this node is if the caller does not know it. To be called several times a
        second; also ends a link whose caller has gone."""
        now = self._clock.monotonic()
        if now - self._heard_at > SILENT_S or not (
            self.is_proven or now - self._began_at < _PROOF_S
        ):
            self._stream.abort()
        elif self.is_proven and (load != self._load or now - self._load_at >= _LOAD_S):
            self._load, self._load_at = load, now
            self._outbox.send(encode_load(load))

    def _note_writable(self) -> None:
        self._outbox.note_writable()
        self._close_if_done()

    # -- frames ----------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        kind, number, payload = frame
        if not self.is_proven:
            self._check_proof(kind, payload)
        elif kind == Kind.CALL:
            if number in self._running or number in self._arriving:
                raise FrameError(f"call {number} begins twice")
            self._begin(number, ArrivingCall(payload, self._versions.get))
        elif kind == Kind.DATA:
            call = self._arriving.pop(number, None)
            if call is None:
                raise FrameError(f"there is no call {number} that an event belongs to")
            call.take(payload)
            self._begin(number, call)
        elif kind == Kind.DEFINE:
            if number >= SLOTS:
                raise FrameError(f"version {number} is one too many")
            self._versions[number] = decode_version(payload)
        elif kind == Kind.CREDIT and number in self._running:
            self._running[number].take_credit(decode_number(payload))

    def _check_proof(self, kind: int, payload: bytes) -> None:
        proof = payload.decode("latin-1")
        if kind != Kind.PROOF or not self._secured.is_proof(self._secret, "caller", proof):
            raise FrameError("the caller has not proven that it is a node")
        self.is_proven = True
        self._reader.allow_all()

    def _begin(self, number: int, call: ArrivingCall) -> None:
        if not call.is_complete:
            self._arriving[number] = call
            return
        request = call.request()
        self.taken += 1
        reply = self._running[number] = _RemoteReply(self, number, call.window)
        try:
            self._run(request, reply)
        except Exception:
            logger.exception("a call of node %d cannot be run", self._secured.caller)
            if self._running.get(number) is reply:
                reply.finish(Refused(service_failure()), NOT_RUN)

    # -- replies ---------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Send a small frame."""
        self._outbox.send(frame)

    def finish(self, number: int, outcome: Outcome, report: RunReport) -> None:
        """A call has ended."""
        if self._running.pop(number, None) is None:
            return
        frame = encode_outcome(number, outcome, report)
        payload = payload_of(outcome)
        if is_small(payload):
            self._outbox.send(frame)
        else:
            self._outbox.send_large(number, payload, frame)
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._is_closing and not (self._running or self._arriving or self._outbox.is_busy):
            self._stream.close()


class _RemoteReply:
    """Sends what comes up from a call to the caller's node."""

    __slots__ = ("_credit", "_is_dropped", "_link", "_number", "_resume")

    def __init__(self, link: ServedLink, number: int, window: int) -> None:
        self._link = link
        self._number = number
        self._credit = window
        self._resume: Callable[[], None] | None = None
        self._is_dropped = False

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `ResponseSink`."""
        self._resume = resume
        if not self._is_dropped:
            self._link.send(encode(Kind.BEGIN, self._number, content_type.encode()))

    def write(self, data: bytes) -> bool:
        """See `ResponseSink`."""
        if self._is_dropped:
            return True
        for at in range(0, len(data), CHUNK_BYTES):
            self._link.send(encode(Kind.DATA, self._number, data[at : at + CHUNK_BYTES]))
        self._credit -= len(data)
        return self._credit > 0

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        self._resume = None
        self._link.finish(self._number, outcome, report)

    def take_credit(self, number: int) -> None:
        """The caller takes so many more bytes."""
        was_short = self._credit <= 0
        self._credit += number
        if was_short and self._credit > 0 and self._resume is not None:
            self._resume()

    def drop(self) -> None:
        """The caller has gone: what still comes up is dropped."""
        self._is_dropped = True
        if self._credit <= 0 and self._resume is not None:
            self._resume()
