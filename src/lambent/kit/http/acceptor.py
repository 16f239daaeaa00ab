"""A listening socket whose connections another component serves."""

import asyncio
import logging
import socket
from collections.abc import Callable

logger = logging.getLogger(__name__)

_ACCEPTS_AT_ONCE = 32
_PAUSE_WITHOUT_DESCRIPTORS_S = 0.2


class Acceptor:
    """Accepts connections on the running loop, until it is closed."""

    def __init__(self, listener: socket.socket, on_accept: Callable[[socket.socket], None]) -> None:
        """`on_accept` receives each connection, and must not raise. The listener belongs to this
        from now on."""
        self._listener = listener
        self._on_accept = on_accept
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more. Call once."""
        self._loop.remove_reader(self._listener)
        if self._pause is not None:
            self._pause.cancel()
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                # Out of descriptors: not again at once, or the loop would do nothing else.
                logger.warning("cannot accept a connection: %s", error)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(_PAUSE_WITHOUT_DESCRIPTORS_S, self._resume)
                return
            connection.setblocking(False)
            self._on_accept(connection)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)
