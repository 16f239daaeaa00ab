"""Exponential backoff."""


class Backoff:
    """Each delay is twice the previous one, up to a limit. A success resets it."""

    def __init__(self, first_s: float, max_s: float) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._failures = 0

    def failed(self) -> float:
        """Note a failure. Returns the seconds to wait."""
        delay_s = min(self._first_s * 2.0 ** min(self._failures, 32), self._max_s)
        self._failures += 1
        return delay_s

    def succeeded(self) -> None:
        """Note a success."""
        self._failures = 0
