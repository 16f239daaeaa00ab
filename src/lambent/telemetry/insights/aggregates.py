"""The functions of `stats`: each sees the values of a group one after the other.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
"""

import math
from array import array
from collections.abc import Callable, Mapping
from typing import Protocol

from lambent.telemetry.insights.values import Value, compare, group_key, number_of


class Aggregate(Protocol):
    """Values of one group."""

    def add(self, value: Value, at_ms: int) -> None:
        """Count a value that is not missing, of an event at a time."""
        ...

    def result(self) -> Value:
        """What the values come to."""
        ...


class _Count:
    def __init__(self) -> None:
        self._count = 0

    def add(self, _value: Value, _at_ms: int) -> None:
        self._count += 1

    def result(self) -> Value:
        return self._count


class _CountDistinct:
    def __init__(self) -> None:
        self._seen: set[Value] = set()

    def add(self, value: Value, _at_ms: int) -> None:
        self._seen.add(group_key(value))

    def result(self) -> Value:
        return len(self._seen)


class _Numbers:
    """Sum, mean and standard deviation, by Welford's method."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._count = 0
        self._sum: int | float = 0
        self._mean = self._squares = 0.0

    def add(self, value: Value, _at_ms: int) -> None:
        number = number_of(value)
        if number is None:
            return
        self._count += 1
        self._sum += number
        delta = number - self._mean
        self._mean += delta / self._count
        self._squares += delta * (number - self._mean)

    def result(self) -> Value:
        if not self._count:
            return None
        if self._kind == "sum":
            return self._sum
        if self._kind == "avg":
            return self._sum / self._count
        return math.sqrt(self._squares / self._count)


class _Extreme:
    """The smallest value, or the largest: of numbers, if a value is a number."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._found: Value = None

    def add(self, value: Value, _at_ms: int) -> None:
        if self._found is None or compare(value, self._found) == self._sign:
            self._found = value

    def result(self) -> Value:
        number = number_of(self._found)
        return self._found if number is None or isinstance(self._found, int) else number


class _Edge:
    """The value of the earliest event, or of the latest."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._at: int | None = None
        self._found: Value = None

    def add(self, value: Value, at_ms: int) -> None:
        if self._at is None or (at_ms - self._at) * self._sign > 0:
            self._at, self._found = at_ms, value

    def result(self) -> Value:
        return self._found


class _Percentile:
    def __init__(self, percent: float) -> None:
        self._percent = percent
        self._values = array("d")

    def add(self, value: Value, _at_ms: int) -> None:
        number = number_of(value)
        if number is not None:
            self._values.append(number)

    def result(self) -> Value:
        if not self._values:
            return None
        ordered = sorted(self._values)
        place = self._percent / 100 * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


New = Callable[[], Aggregate]
AGGREGATES: Mapping[str, New] = {
    "count": _Count,
    "count_distinct": _CountDistinct,
    "sum": lambda: _Numbers("sum"),
    "avg": lambda: _Numbers("avg"),
    "stddev": lambda: _Numbers("stddev"),
    "min": lambda: _Extreme(-1),
    "max": lambda: _Extreme(1),
    "earliest": lambda: _Edge(-1),
    "latest": lambda: _Edge(1),
    "sortsfirst": lambda: _Extreme(-1),
    "sortslast": lambda: _Extreme(1),
}
"""By name, in lower case; `pct` takes a percentage, too."""


def percentile(percent: float) -> New:
    """`pct(field, percent)`."""
    return lambda: _Percentile(percent)
