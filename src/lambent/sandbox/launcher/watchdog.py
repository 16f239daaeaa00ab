"""Ends a busy launcher whose platform is gone.

Everything that the launcher does in its loop is short. If something is not, by a fault or by the
design of an attacker, it must still detect that its platform has ended: no other process could end
it.
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
    """Raised in the middle of the launcher's work."""


class Watchdog:
    """Watches the platform while the loop is busy."""

    def __init__(self, platform: socket.socket) -> None:
        self._poll = select.poll()
        self._poll.register(platform, 0)
        self._is_last = False
        signal.signal(signal.SIGALRM, self._look)

    def begin(self) -> None:
        """The loop is busy from now on."""
        signal.setitimer(signal.ITIMER_REAL, _LOOK_EVERY_S, _LOOK_EVERY_S)

    def end(self) -> None:
        """The loop is no longer busy."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def tidy_up(self) -> None:
        """The launcher is ending: it may take a while, but not forever."""
        self._is_last = True
        signal.setitimer(signal.ITIMER_REAL, _TIDY_UP_S)

    def _look(self, number: int, frame: FrameType | None) -> None:
        if self._is_last:
            os._exit(1)
        # No request is expected: the only event is that the other end is closed.
        if self._poll.poll(0):
            self.tidy_up()
            print("launcher: the platform has gone while I was busy", file=sys.stderr)
            raise PlatformGone
