"""Many values of a metric in little space: their count, sum and extremes, and percentiles.

Positive values are counted in buckets whose bounds grow by 2 %, so a percentile is within 1 % of
the true value whatever the values are. Distributions of two minutes, functions or nodes merge
without loss, which a list of percentiles does not.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_GROWTH = math.log(1.02)
_NOT_POSITIVE = -(10**6)
"""The bucket of values that have no logarithm; below all others."""


@dataclass(slots=True)
class Distribution:
    """The values of one metric in one period."""

    count: float = 0
    sum: float = 0.0
    min: float = math.inf
    max: float = -math.inf
    buckets: dict[int, float] = field(default_factory=dict)
    """How many values, by the logarithm of their upper bound."""

    def add(self, value: float, count: float = 1) -> None:
        """Count a value, `count` times."""
        self.count += count
        self.sum += value * count
        if value < self.min:
            self.min = value
        if value > self.max:
            self.max = value
        bucket = math.ceil(math.log(value) / _GROWTH) if value > 0 else _NOT_POSITIVE
        self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def add_all(self, values: Sequence[float]) -> None:
        """Count values, each once: several times faster than one by one."""
        if not values:
            return
        self.count += len(values)
        self.sum += sum(values)
        self.min = min(self.min, *values)
        self.max = max(self.max, *values)
        log, ceil = math.log, math.ceil
        for bucket, count in Counter(
            [ceil(log(value) / _GROWTH) if value > 0 else _NOT_POSITIVE for value in values]
        ).items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def add_summary(self, count: float, total: float, minimum: float, maximum: float) -> None:
        """Count values of which only these statistics are known (`StatisticValues` of the API).
        They have no percentiles unless all are equal, as in CloudWatch."""
        if minimum == maximum:
            self.add(minimum, count)
            return
        self.count += count
        self.sum += total
        self.min = min(self.min, minimum)
        self.max = max(self.max, maximum)

    def merge(self, other: "Distribution") -> None:
        """Count all values of another."""
        self.count += other.count
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    @property
    def average(self) -> float:
        """The mean; the distribution must not be empty."""
        return self.sum / self.count

    def percentile(self, percent: float) -> float | None:
        """The value that `percent` of all values do not exceed. None if it cannot be known: if
        values are missing (`add_summary`) or negative."""
        counted = math.fsum(self.buckets.values())
        if counted < self.count or self.min < 0 or not self.buckets:
            return None
        rank = percent / 100 * counted
        passed = 0.0
        for bucket in sorted(self.buckets):
            passed += self.buckets[bucket]
            if passed >= rank:
                return self._middle(bucket)
        return self.max

    def spread(self) -> Sequence[tuple[float, float]] | None:
        """Values, each within 1 %, and how often each occurs, from the lowest on. None if they
        cannot be known, as in `percentile`."""
        if math.fsum(self.buckets.values()) < self.count or self.min < 0:
            return None
        return [(self._middle(bucket), self.buckets[bucket]) for bucket in sorted(self.buckets)]

    def _middle(self, bucket: int) -> float:
        if bucket == _NOT_POSITIVE:
            return max(self.min, 0.0)
        middle = math.exp((bucket - 0.5) * _GROWTH)
        return min(max(middle, self.min), self.max)

    def dump(self) -> str:
        """The buckets as text, for storage; the other fields have columns of their own. Buckets
        that lie close together are the first one and then all counts; others are pairs."""
        if self.buckets:
            low, high = min(self.buckets), max(self.buckets)
            if high - low < 4 * len(self.buckets):
                counts = [self.buckets.get(bucket, 0) for bucket in range(low, high + 1)]
                return json.dumps([low, *counts], separators=(",", ":"))
        pairs = sorted(self.buckets.items())
        return json.dumps(pairs, separators=(",", ":"))

    @classmethod
    def load(
        cls, count: float, total: float, minimum: float, maximum: float, buckets: str
    ) -> "Distribution":
        """What `dump` and the columns hold."""
        stored = json.loads(buckets)
        if stored and isinstance(stored[0], int):
            low, *counts = stored
            known = {low + number: count for number, count in enumerate(counts) if count}
        else:
            known = {int(at): n for at, n in stored}
        return cls(count, total, minimum, maximum, known)
