"""Time, injected.

Rooms receive a `Clock`. Production passes `SystemClock`. Tests pass `ManualClock`, which moves only
when they advance it, so minutes of keep-alive pass in microseconds.
"""

import heapq
import itertools
import time
from typing import Protocol

import anyio

_TOLERANCE_S = 0.5
"""How far a clock may be from the one that it follows."""


class Clock(Protocol):
    """The time, as rooms use it."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back. Only differences are meaningful."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds. A cancellation point."""
        ...


class SystemClock:
    """The machine's clocks."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class FollowingClock:
    """The time of another clock, such as that of a database, which several machines share. Between
    looks at it, time passes as on this machine's monotonic clock: whether its wall clock is right
    does not matter."""

    def __init__(self, own: Clock) -> None:
        """Until the first look, the time is that of `own`."""
        self._own = own
        self.monotonic = own.monotonic
        self.sleep = own.sleep
        self._began_at = own.now() - own.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._began_at + self._own.monotonic()

    def follow(self, now: float) -> None:
        """The other clock says that it is `now`. What a look takes does not set the time back and
        forth."""
        if abs(now - self.now()) > _TOLERANCE_S:
            self._began_at = now - self._own.monotonic()


class ManualClock:
    """A clock for tests. `advance` moves it and wakes the sleepers whose time has come."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._start = now
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        wake = anyio.Event()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), wake))
        await wake.wait()

    def advance(self, seconds: float) -> None:
        """Move time forward and wake every sleeper whose time has come."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            heapq.heappop(self._sleepers)[2].set()
