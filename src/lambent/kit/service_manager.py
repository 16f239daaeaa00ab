"""Reports the state of the platform to the program that started it: systemd, or
`lambent up --detach`.

The protocol is systemd's: one datagram of `NAME=value` lines to the socket in `$NOTIFY_SOCKET`.
"""

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Self

from lambent.kit.clock import Clock

logger = logging.getLogger(__name__)

_SEND_S = 5.0
_WATCHDOG_SHARE = 3
"""How many signs of life are sent within the watchdog's interval."""


class ServiceManager:
    """The connection. It is made at once: later this process may have no access to the socket."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Removes the variables from the environment: other processes must not inherit them."""
        environment = os.environ if environment is None else environment
        address = environment.pop("NOTIFY_SOCKET", "")
        self._socket = _connect(address) if address else None
        self._watchdog_s = _seconds(environment.pop("WATCHDOG_USEC", ""))
        if environment.pop("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            self._watchdog_s = 0.0

    @classmethod
    def connected(cls, connection: socket.socket, *, watchdog_s: float) -> Self:
        """Over a socket of this process, to a program that wants signs of life."""
        manager = cls({})
        manager._socket, manager._watchdog_s = connection, watchdog_s
        return manager

    @property
    def life_s(self) -> float:
        """Seconds between two signs of life; 0 if none are wanted."""
        return self._watchdog_s / _WATCHDOG_SHARE if self._socket is not None else 0.0

    def tell_status(self, text: str) -> None:
        """One line for people that says what is being done."""
        self._send(f"STATUS={' '.join(text.split())}")

    def tell_ready(self, text: str) -> None:
        """The start is complete."""
        self._send(f"READY=1\nSTATUS={text}")

    def tell_stopping(self) -> None:
        """The platform is stopping."""
        self._send("STOPPING=1\nSTATUS=Finishing what is in progress")

    async def show_life(self, clock: Clock) -> None:
        """Send signs of life until cancelled, if the service manager wants them. They come from the
        event loop, so a platform whose loop hangs is restarted."""
        while self.life_s:
            self.tell_life()
            await clock.sleep(self.life_s)

    def tell_life(self) -> None:
        """One sign of life."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Send nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(message.encode())
        except ConnectionError:
            self.close()  # The program that started us has ended.
        except OSError as error:
            logger.warning("cannot notify the service manager: %s", error)


def _connect(address: str) -> socket.socket | None:
    """`address` is a path, or `@` and a name in the abstract namespace."""
    # Not inherited: other programs must not send to it.
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    connection.settimeout(_SEND_S)
    try:
        connection.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        logger.warning("cannot reach the service manager at %s: %s", address, error)
        connection.close()
        return None
    return connection


def _seconds(microseconds: str) -> float:
    return int(microseconds) / 1e6 if microseconds.isascii() and microseconds.isdigit() else 0.0
