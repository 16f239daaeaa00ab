"""One client's WebSocket: bytes to messages and back, within its limits.

The frames are those of `websockets`, without its I/O. There is no task and no timer for a
connection: `check` is called for all of them once a second.

| limit | what happens beyond it |
|---|---|
| size of a message, size of a frame | close 1009 |
| a binary message | close 1003; text that is not UTF-8: close 1007 |
| messages under way | the client is not read until one is finished |
| bytes that the client does not read | messages to it are refused; after a while it is cut |
| idle time, age | close 1001 |
"""

import logging
from collections import deque
from typing import Protocol

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from lambent.kit.clock import Clock
from lambent.kit.http.budget import Budget
from lambent.kit.http.messages import ByteStream
from lambent.triggers.apis.websocket.limits import SocketLimits
from lambent.triggers.apis.websocket.outgoing import Outgoing

_log = logging.getLogger("lambent.websockets")
_log.setLevel(logging.WARNING)  # The library reports the end of each connection as information.
_SLICE_BYTES = 4096
"""So much is parsed at once: what it contains is held even if no message may begin."""
_CLOSING_S = 10.0
"""How long a client may take to end a connection that is being closed."""
GOING_AWAY = Close(1001, "Going away")
NORMAL = Close(1000, "Connection Closed Normally")
_ABNORMAL = Close(1006, "Connection closed abnormally")
_NO_STATUS = "Client-side close frame status not set"


class Listener(Protocol):
    """What a socket reports, on the event loop."""

    def received(self, text: str) -> None:
        """A message has arrived. It is under way until `WebSocket.done` is called."""
        ...

    def ended(self, how: Close) -> None:
        """The connection has ended. Called once, as the last."""
        ...


class WebSocket:
    """See the module. It is the `ByteReceiver` of its connection."""

    __slots__ = (
        "_charged_bytes",
        "_clock",
        "_closing_since",
        "_has_ended",
        "_held",
        "_is_reading",
        "_is_reported",
        "_limits",
        "_listener",
        "_message",
        "_moved_at",
        "_opened_at",
        "_outgoing",
        "_protocol",
        "_received",
        "_stream",
        "_under_way",
        "_unparsed",
    )

    def __init__(
        self,
        stream: ByteStream,
        listener: Listener,
        clock: Clock,
        held: Budget,
        limits: SocketLimits,
    ) -> None:
        """`held` is what all sockets together may hold; it is shared."""
        self._stream = stream
        self._listener = listener
        self._clock = clock
        self._held = held
        self._limits = limits
        self._protocol = ServerProtocol(
            state=State.OPEN,
            max_size=(limits.message_bytes_max, limits.frame_bytes_max),
            logger=_log,
        )
        self._unparsed = b""
        self._message: bytearray | None = None
        """What has arrived of a message in several frames."""
        self._received: deque[str] = deque()
        """Messages that may not begin yet."""
        self._under_way = 0
        self._is_reading = False
        self._charged_bytes = 0
        self._opened_at = self._moved_at = clock.monotonic()
        self._closing_since: float | None = None
        self._has_ended = self._is_reported = False
        self._outgoing = Outgoing(stream, self._caught_up)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._protocol.state is State.OPEN and not self._has_ended

    # -- to the client -------------------------------------------------------------------------

    def send(self, text: bytes) -> bool:
        """Send a message, which is UTF-8. Returns False if the client does not read: too much waits
        for it already, and the message is not sent. Does nothing if the connection is not open."""
        if not self.is_open:
            return True
        waiting = self._outgoing.waiting_bytes
        if waiting and waiting + len(text) > self._limits.waiting_bytes_max:
            return False
        size = self._limits.frame_bytes_max
        self._protocol.send_text(text[:size], fin=len(text) <= size)
        for start in range(size, len(text), size):
            self._protocol.send_continuation(
                text[start : start + size], fin=start + size >= len(text)
            )
        self._flush()
        return True

    def close(self, how: Close) -> None:
        """Begin to close the connection. Does nothing if it is not open."""
        if self.is_open:
            self._protocol.send_close(how.code, how.reason)
            self._received.clear()
            self._flush()
            self._read()

    def done(self) -> None:
        """A message is no longer under way."""
        self._under_way -= 1
        self._read()

    def check(self, now: float) -> None:
        """Close if the client does not read, is silent, or has been here for too long; `now` is of
        the monotonic clock."""
        limits, since = self._limits, self._closing_since
        if since is not None:
            if now - since > _CLOSING_S:
                self._stream.abort()
        elif not self._outgoing.can_write:
            if now - self._moved_at > limits.behind_s:
                self._stream.abort()
        elif now - self._moved_at > limits.idle_s or now - self._opened_at > limits.age_s:
            self.close(GOING_AWAY)

    def _flush(self) -> None:
        """Write what the protocol has to send."""
        protocol = self._protocol
        writes = [chunk for chunk in protocol.data_to_send() if chunk]
        if writes:
            if self._outgoing.can_write:
                self._moved_at = self._clock.monotonic()
            self._outgoing.write(b"".join(writes))
            self._charge()
        if protocol.state is not State.OPEN and self._closing_since is None:
            self._closing_since = self._clock.monotonic()
        if protocol.eof_sent and not self._outgoing.waiting_bytes:
            self._finish()

    def _caught_up(self) -> None:
        self._moved_at = self._clock.monotonic()
        self._flush()
        self._read()

    def _finish(self) -> None:
        """End a connection in which nothing more is sent."""
        if self._protocol.parser_exc is None and self._protocol.close_rcvd is not None:
            self._stream.close()
        else:
            self._stream.linger()

    # -- from the client -----------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """See `ByteReceiver`."""
        self._moved_at = self._clock.monotonic()
        self._unparsed += data
        self._read()

    def closing(self) -> None:
        """See `ByteReceiver`."""
        self.close(GOING_AWAY)

    def ended(self) -> None:
        """See `ByteReceiver`."""
        self._has_ended = True
        self._outgoing.drop()
        self._read()

    def _how_it_ended(self) -> Close:
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        if received is not None and (sent is None or self._protocol.close_rcvd_then_sent):
            return received if received.code != 1005 else Close(1005, _NO_STATUS)
        return sent or _ABNORMAL

    @property
    def _is_held_back(self) -> bool:
        """Whether nothing more of the client is parsed for now."""
        if not self._outgoing.can_write and not self._has_ended:
            return True
        may_follow = bool(self._received) or self._protocol.state is State.OPEN
        return may_follow and self._under_way >= self._limits.under_way_max

    def _read(self) -> None:
        """Parse what has arrived, as far as messages may begin. What arrived before the end is
        served, too. Messages that end at once lead here again: the loop is entered once."""
        if self._is_reading:
            return
        self._is_reading = True
        while not self._is_held_back and (self._received or self._unparsed):
            if self._received:
                self._under_way += 1
                self._listener.received(self._received.popleft())
            else:
                self._parse()
        self._is_reading = False
        is_behind = bool(self._received or self._unparsed)
        if self._has_ended and not is_behind:
            self._message = None
            self._protocol.reader.discard()
        self._charge()
        if self._has_ended:
            if not is_behind and not self._is_reported:
                self._is_reported = True
                self._listener.ended(self._how_it_ended())
        elif is_behind or self._is_held_back:
            self._stream.pause_reading()
        else:
            self._stream.resume_reading()

    def _parse(self) -> None:
        """Parse a slice of what has arrived."""
        data, protocol = self._unparsed, self._protocol
        was_open = protocol.state is State.OPEN
        self._unparsed = data[_SLICE_BYTES:]
        protocol.receive_data(data[:_SLICE_BYTES])
        events = protocol.events_received() if was_open else ()
        for event in events:
            if isinstance(event, Frame) and not self._take(event):
                break
        if protocol.eof_sent:
            self._unparsed, self._message = b"", None
        self._flush()

    def _take(self, frame: Frame) -> bool:
        """Take a frame of the client; returns whether the next one may follow."""
        if frame.opcode is Opcode.BINARY:
            self._protocol.fail(1003, "Binary frames are not supported")
            return False
        if frame.opcode is Opcode.TEXT and frame.fin:
            return self._take_message(frame.data)
        if frame.opcode is Opcode.TEXT:
            self._message = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._message is not None:
            self._message += frame.data
            if frame.fin:
                message, self._message = self._message, None
                return self._take_message(message)
        return True

    def _take_message(self, data: bytes | bytearray | memoryview) -> bool:
        try:
            self._received.append(str(data, "utf-8"))
        except UnicodeDecodeError:
            self._protocol.fail(1007, "The message is not UTF-8")
            return False
        return True

    def _charge(self) -> None:
        """Charge what is held. When all sockets hold too much, this one ends."""
        unparsed = len(self._unparsed) + len(self._protocol.reader.buffer)
        bytes_ = unparsed + len(self._message or b"") + self._outgoing.waiting_bytes
        if bytes_ != self._charged_bytes:
            is_more = bytes_ > self._charged_bytes
            self._held.change(bytes_ - self._charged_bytes)
            self._charged_bytes = bytes_
            if is_more and self._held.is_spent:
                self._stream.abort()
