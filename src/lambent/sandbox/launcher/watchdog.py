"""Ends a launcher that goes on working when its platform has gone.

All that the launcher does in its loop is short. Should something not be, by a fault or by design of
a stranger, it must still hear that its platform has ended: nobody else could end it.
"""

import os
import select
import signal
import socket
import sys
from types import FrameType

_LOOK_EVERY_S = 2.0
_TIDY_UP_S = 60.0


class PlatformGone(BaseException):
    """Raised in whatever the launcher is doing."""


class Watchdog:
    """Looks after the platform while the loop is busy."""

    def __init__(self, platform: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(platform, 0)
        self._is_last = False
        signal.signal(signal.SIGALRM, self._look)

    def begin(self) -> None:
        """The loop is busy from here on."""
        signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY_S, _LOOK_EVERY_S)

    def end(self) -> None:
        """It is not any more."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def tidy_up(self) -> None:
        """The end has begun: it may take a while, and no more."""
        self._is_last = True
        signal.setitimer(signal.ITIMER_REAL, _TIDY_UP_S)

    def _look(self, number: int, frame: FrameType | None) -> None:
        if self._is_last:
            os._exit(1)
        # Nothing is asked for: what comes is that the other end is closed.
        if self._poll.poll(0):
            self.tidy_up()
            print("launcher: the platform has gone while I was busy", file=sys.stderr)
            raise PlatformGone
