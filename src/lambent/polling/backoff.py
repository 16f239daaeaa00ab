"""How long to wait after failures that follow each other."""


class Backoff:
    """Twice as long each time, up to a limit; from the start again after a success."""

    def __init__(self, first_s: float, max_s: float) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._failures = 0

    def failed(self) -> float:
        """Seconds to wait now."""
        delay_s = min(self._first_s * 2.0 ** min(self._failures, 32), self._max_s)
        self._failures += 1
        return delay_s

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self._failures = 0
