"""What is written to one client, and what waits until the client has taken what came before."""

from collections import deque
from collections.abc import Callable

from lambent.kit.http.messages import ByteStream


class Outgoing:
    """See the module."""

    __slots__ = ("_caught_up", "_stream", "_waiting", "can_write", "waiting_bytes")

    def __init__(self, stream: ByteStream, caught_up: Callable[[], None]) -> None:
        """`caught_up` is called when nothing waits any longer."""
        self._stream = stream
        self._caught_up = caught_up
        self._waiting: deque[bytes] = deque()
        self.can_write = True
        """Whether the client keeps up."""
        self.waiting_bytes = 0
        """Bytes that are not written yet."""
        stream.on_writable(self._go_on)

    def write(self, data: bytes) -> None:
        """Write, or have it wait."""
        if self.can_write:
            self.can_write = self._stream.write(data)
        else:
            self._waiting.append(data)
            self.waiting_bytes += len(data)

    def drop(self) -> None:
        """Forget what waits: the client is gone."""
        self.can_write = True
        self._waiting.clear()
        self.waiting_bytes = 0

    def _go_on(self) -> None:
        self.can_write = True
        while self._waiting and self.can_write:
            data = self._waiting.popleft()
            self.waiting_bytes -= len(data)
            self.can_write = self._stream.write(data)
        self._caught_up()
