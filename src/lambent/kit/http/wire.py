"""The transport of one connection: what is written to it, whether it is read, how it ends.

What was written and has not been taken by the client is charged to the server's budget, once the
transport says that the client is behind.
"""

import asyncio

from lambent.kit.http.budget import Budget

_DRAIN_BYTES_MAX = 128 * 1024 * 1024
"""How much is read and discarded after the last response, so that the client sees it."""
_LINGER_S = 5.0
"""How long at most."""
_JOINED_BYTES_MAX = 65_536
"""Smaller parts are copied together: one system call is cheaper."""


class Wire:
    """See the module."""

    __slots__ = (
        "_budget",
        "_charged_bytes",
        "_discarded_bytes",
        "_loop",
        "_response_bytes",
        "_untaken_bytes",
        "_untaken_since",
        "can_write",
        "is_discarding",
        "is_lost",
        "is_paused",
        "is_secure",
        "peer",
        "transport",
    )

    def __init__(self, transport: asyncio.Transport, budget: Budget) -> None:
        self.transport = transport
        self.peer: object = transport.get_extra_info("peername")
        """The client's address, in the form of its kind of socket."""
        self.is_secure = transport.get_extra_info("sslcontext") is not None
        self.can_write = True
        """Whether the client keeps up."""
        self.is_discarding = False
        """Nothing that still arrives is parsed: the connection ends with its last response."""
        self.is_lost = False
        """Whether the connection has ended."""
        self._loop = asyncio.get_running_loop()
        self._budget = budget
        self.is_paused = False
        """Whether it is not read at the moment."""
        self._discarded_bytes = 0
        self._response_bytes = 0
        """Size of the last whole response: it stays in memory until its last byte is taken."""
        self._untaken_bytes = 0
        self._untaken_since = 0.0
        self._charged_bytes = 0

    def send(self, head: bytes, body: bytes) -> None:
        """Write a whole response."""
        self._response_bytes = size = len(head) + len(body)
        if size < _JOINED_BYTES_MAX:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))

    def write(self, *parts: bytes) -> bool:
        """Write a part of a response. Returns whether the client keeps up."""
        self._response_bytes = 0
        self.transport.writelines(parts)
        return self.can_write

    def pause_writing(self) -> None:
        """The client is behind. If what it does not take spends the budget, it is cut off."""
        self.can_write = False
        if self._note_untaken() and self._budget.is_spent:
            self.transport.abort()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.can_write = True
        self._note_untaken()

    def is_stuck(self, now: float, deadline_s: float | None) -> bool:
        """Whether a client that is behind has taken nothing for so many seconds."""
        is_moving = self._note_untaken()
        return not is_moving and deadline_s is not None and now - self._untaken_since > deadline_s

    def _note_untaken(self) -> bool:
        """Charge what has not been taken. Returns whether it is another amount than before."""
        untaken = 0 if self.can_write else self.transport.get_write_buffer_size()
        if untaken == self._untaken_bytes:
            return False
        charged = max(untaken, self._response_bytes) if untaken else 0
        self._budget.change(charged - self._charged_bytes)
        self._charged_bytes = charged
        self._untaken_bytes = untaken
        self._untaken_since = self._loop.time()
        return True

    def read(self, wanted: bool) -> None:
        """Read the transport, or pause. The only place that does either."""
        if wanted is self.is_paused and not self.transport.is_closing():
            self.is_paused = not wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def discard(self, data: bytes) -> None:
        """Data has arrived while discarding."""
        self._discarded_bytes += len(data)
        if self._discarded_bytes > _DRAIN_BYTES_MAX:
            self.transport.abort()

    def linger(self) -> None:
        """Say that nothing more follows, and let the client read it before the end."""
        self.is_discarding = True
        if self.transport.is_closing():
            return
        self.read(True)
        if self.transport.can_write_eof():  # TLS cannot.
            self.transport.write_eof()
        self._loop.call_later(_LINGER_S, self.transport.close)

    def close(self) -> None:
        """End when all that was written has been taken."""
        self.is_discarding = True
        self.transport.close()

    def lost(self) -> None:
        """The connection has ended."""
        self.is_lost = True
        self._budget.change(-self._charged_bytes)
        self._charged_bytes = 0
