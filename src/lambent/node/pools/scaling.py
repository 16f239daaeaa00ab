"""How fast a function may scale.

Each function has a bucket with as many tokens as it may start environments in ten seconds. Every
new environment takes one, and the bucket refills evenly. Environments started ahead of calls take
none. https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
"""

from lambent.model.function import FunctionKey

_PERIOD_S = 10.0
_EPSILON = 1e-9
"""Sums of fractions may differ from a whole number by this much."""


class ScalingRate:
    """The buckets of all functions."""

    def __init__(self, per_period: int) -> None:
        self._size = per_period
        self._buckets: dict[FunctionKey, tuple[float, float]] = {}
        """Tokens and when they were counted, of the functions whose bucket is not full."""

    def take(self, key: FunctionKey, now: float) -> bool:
        """Take a token; returns whether there was one. Without a rate there always is."""
        if not self._size:
            return True
        tokens = self._tokens(key, now)
        if tokens < 1 - _EPSILON:
            return False
        self._buckets[key] = tokens - 1, now
        return True

    def forget_full(self, now: float) -> None:
        """Forget functions that have not scaled lately."""
        for key in list(self._buckets):
            if self._tokens(key, now) >= self._size - _EPSILON:
                del self._buckets[key]

    @property
    def size(self) -> int:
        """How many functions are remembered."""
        return len(self._buckets)

    def _tokens(self, key: FunctionKey, now: float) -> float:
        tokens, counted_at = self._buckets.get(key, (float(self._size), now))
        return min(tokens + (now - counted_at) * self._size / _PERIOD_S, float(self._size))
