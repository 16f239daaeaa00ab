"""The launcher's loop: descriptors to listen to, and timers."""

import heapq
import itertools
import selectors
import time
from collections.abc import Callable


class Timer:
    """A call at a given time, unless it is cancelled before."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        """Cancel the call. Idempotent."""
        self.act = None


class Loop(selectors.EpollSelector):
    """A selector whose data are callbacks, with timers."""

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def after(self, seconds: float, act: Callable[[], None]) -> Timer:
        """Call something later."""
        timer = Timer(act)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def wait(self, seconds: float | None) -> list[selectors.SelectorKey]:
        """Return the events within `seconds`, and run due timers meanwhile. Returns nothing
        if a timer was due first."""
        while self._timers and self._timers[0][2].act is None:
            heapq.heappop(self._timers)
        if self._timers:
            due_s = max(self._timers[0][0] - time.monotonic(), 0)
            seconds = due_s if seconds is None else min(seconds, due_s)
        happened = [key for key, _ in self.select(seconds)]
        while self._timers and self._timers[0][0] <= time.monotonic():
            timer = heapq.heappop(self._timers)[2]
            if timer.act is not None:
                timer.act()
        return happened
