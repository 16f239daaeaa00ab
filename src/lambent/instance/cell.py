"""A cell: one of several platform processes of a machine, as it knows itself."""

import dataclasses
import socket

from lambent.kit.service_manager import ServiceManager

LIFE_S = 60.0
"""A cell that is ready and gives no sign of life for so many seconds is killed and started again.
A pause of the whole machine does not count."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """See the module."""

    number: int
    """From 1."""
    count: int
    link: socket.socket
    """The connection to the supervisor: messages of `ServiceManager` and of `model/cells.py`."""
    services: socket.socket | None
    """Listening socket of the emulator of other AWS services, which the first cell runs; None if
    the emulator is not wanted."""
    is_start: bool
    """Whether no cell of this platform has run before: what the database says of nodes is old."""

    def manager(self) -> ServiceManager:
        """The supervisor, as the program that has started this process."""
        return ServiceManager.connected(self.link.dup(), watchdog_s=LIFE_S)
