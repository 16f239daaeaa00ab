"""How many events of one function, or batches of one queue, are worth delivering at the same time.

More at once is not always faster: a function that keeps the processors busy only gets more
environments, and each takes time to start. So the limit doubles as long as more attempts end per
second, or none has ended yet. If it did not help, the limit goes back, and grows again later.
"""

START = 16
WINDOW_S = 1.0
_GAIN_MIN = 1.1
"""A smaller increase per second is no gain."""
_REST_S = 30.0
"""Seconds for which a limit stays before a higher one is tried."""


class AdaptiveLimit:
    """The limit of one function or queue. Times are monotonic seconds."""

    __slots__ = ("_began", "_ended", "_limit_before", "_rate_before", "_rests_until", "limit")

    def __init__(self, now: float, start: int = START) -> None:
        self.limit = start
        self._limit_before = start
        self._rate_before = 0.0
        self._began = now
        self._ended = 0
        self._rests_until = now

    def note_end(self) -> None:
        """An attempt has ended."""
        self._ended += 1

    def note_full(self, now: float, limit_max: int) -> None:
        """As many run as the limit allows, and more wait."""
        elapsed_s = now - self._began
        if elapsed_s < WINDOW_S:
            return
        if elapsed_s > 4 * WINDOW_S:
            # The limit was not reached all that time, so the rate says nothing.
            self._start_window(now)
            return
        rate = self._ended / elapsed_s
        if self.limit > self._limit_before and 0 < rate < self._rate_before * _GAIN_MIN:
            self.limit = self._limit_before
            self._rests_until = now + _REST_S
        elif now >= self._rests_until and self.limit < limit_max:
            self._limit_before, self._rate_before = self.limit, rate
            self.limit = min(self.limit * 2, limit_max)
        self._start_window(now)

    def _start_window(self, now: float) -> None:
        self._began = now
        self._ended = 0
