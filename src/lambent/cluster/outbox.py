"""What one end of a link sends: small frames at once, large ones in chunks between them."""

from collections import deque
from collections.abc import Callable

from lambent.cluster.frames import CHUNK_BYTES, Kind, encode

_AT_ONCE = 8
"""Transfers that are under way at the same time: so many the other end may have to hold."""


class _Transfer:
    __slots__ = ("at", "call", "data", "last")

    def __init__(self, call: int, data: bytes, last: bytes) -> None:
        self.call = call
        self.data = data
        self.last = last
        self.at = 0


class Outbox:
    """The order of what is written."""

    def __init__(self, write: Callable[[bytes], bool]) -> None:
        """`write` sends bytes, and returns whether more may follow now."""
        self._write = write
        self._transfers: deque[_Transfer] = deque()
        self.can_write = True
        """Whether the other end keeps up."""

    def send(self, frame: bytes) -> None:
        """Send a small frame, ahead of what waits."""
        self.can_write = self._write(frame)

    def send_large(self, call: int, data: bytes, last: bytes = b"") -> None:
        """Send data in chunks, and then a frame."""
        self._transfers.append(_Transfer(call, data, last))
        self._send_more()

    @property
    def is_busy(self) -> bool:
        """Whether anything still waits."""
        return bool(self._transfers)

    def is_sending(self, call: int) -> bool:
        """Whether a part of the data of a call still waits."""
        return any(transfer.call == call for transfer in self._transfers)

    def note_writable(self) -> None:
        """The other end has caught up."""
        self.can_write = True
        self._send_more()

    def _send_more(self) -> None:
        transfers = self._transfers
        while transfers and self.can_write:
            transfer = transfers.popleft()
            chunk = transfer.data[transfer.at : transfer.at + CHUNK_BYTES]
            transfer.at += len(chunk)
            self.send(encode(Kind.DATA, transfer.call, chunk))
            if transfer.at < len(transfer.data):
                transfers.insert(min(_AT_ONCE - 1, len(transfers)), transfer)
            elif transfer.last:
                self.send(transfer.last)
