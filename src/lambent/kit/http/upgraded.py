"""A connection after `101 Switching Protocols`, see `lambent.kit.http.messages.ByteStream`.

It takes the place of the HTTP connection: as the protocol of the transport, and among the
connections of the server, which may close it.
"""

import asyncio
import logging
from collections.abc import Callable

from lambent.kit.http.connections import Connections
from lambent.kit.http.messages import ByteReceiver, ByteStream
from lambent.kit.http.wire import Wire

logger = logging.getLogger(__name__)


class UpgradedConnection(asyncio.Protocol):
    """See the module. It holds nothing of what arrives: the receiver gets it at once."""

    unfinished_bytes = 0
    drop_order = (False, 0)

    def __init__(
        self,
        wire: Wire,
        connections: Connections,
        idle_deadline_s: float,
    ) -> None:
        self._wire = wire
        self._transport = wire.transport
        self._connections = connections
        self._idle_deadline_s = idle_deadline_s
        self._loop = asyncio.get_running_loop()
        self._moved_at = self._loop.time()
        """When bytes moved last, in either direction."""
        self._receiver: ByteReceiver | None = None
        """None before it is opened, and after it has ended."""
        self._on_writable: Callable[[], None] | None = None

    def open(
        self, head: bytes, open_stream: Callable[[ByteStream], ByteReceiver], received: bytes
    ) -> None:
        """Take over the transport: send `head`, and pass on what has been received already. The
        caller has added this to the connections."""
        self._connections.watch_deadlines()
        self._transport.set_protocol(self)
        self.write(head)
        try:
            self._receiver = open_stream(self)
        except Exception:
            self._log_and_cut()
            return
        if received:
            self.data_received(received)
        if self._connections.is_closing:
            self.finish()

    # -- for the handler -------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        if not self._transport.is_closing():
            self._moved_at = self._loop.time()
            self._wire.write(data)
        return self._wire.can_write or self._transport.is_closing()

    def on_writable(self, callback: Callable[[], None]) -> None:
        self._on_writable = callback

    def pause_reading(self) -> None:
        self._wire.read(False)

    def resume_reading(self) -> None:
        self._moved_at = self._loop.time()
        self._wire.read(True)

    def close(self) -> None:
        self._transport.close()

    def linger(self) -> None:
        if not self._wire.is_discarding:
            self._wire.linger()

    def abort(self) -> None:
        self._transport.abort()

    # -- for the transport -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._moved_at = self._loop.time()
        if self._wire.is_discarding:
            self._wire.discard(data)
        elif self._receiver is not None and not self._transport.is_closing():
            self._call(self._receiver.data, data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost()
        self._connections.remove(self)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._call(receiver.ended)

    def pause_writing(self) -> None:
        self._wire.pause_writing()

    def resume_writing(self) -> None:
        self._wire.resume_writing()
        self._moved_at = self._loop.time()
        if self._on_writable is not None:
            self._call(self._on_writable)

    # -- for the server --------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        deadline_s = self._idle_deadline_s
        if self._wire.can_write:
            is_late = now - self._moved_at > deadline_s
        else:
            is_late = self._wire.is_stuck(now, deadline_s)
        if is_late:
            self.abort()

    def finish(self) -> None:
        if self._receiver is not None:
            self._call(self._receiver.closing)

    def drop_request(self) -> None:
        """There is no request."""

    def _call(self, function: Callable[..., None], *arguments: bytes) -> None:
        try:
            function(*arguments)
        except Exception:
            self._log_and_cut()

    def _log_and_cut(self) -> None:
        logger.exception("a connection that was taken over failed")
        self.abort()
