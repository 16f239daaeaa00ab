"""Statistics of a distribution by name, as CloudWatch calls them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import math
import re

from lambent.telemetry.series.distribution import Distribution

PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(100|\d{1,2}(?:\.\d{1,10})?)")
_SHORT = re.compile(r"(tm|tc|ts)(100|\d{1,2}(?:\.\d{1,10})?)")
_RANGE = re.compile(r"(TM|TC|TS|PR)\(([^():]*):([^():]*)\)")


def is_statistic(name: str) -> bool:
    """Whether there is a statistic of this name."""
    return name in PLAIN or _PERCENTILE.fullmatch(name) is not None or _bounds(name) is not None


def statistic(values: Distribution, name: str) -> float | None:
    """A statistic of values; None if it cannot be known. `is_statistic` has accepted the name."""
    match name:
        case "SampleCount":
            return values.count
        case "Average":
            return values.average
        case "Sum":
            return values.sum
        case "Minimum":
            return values.min
        case "Maximum":
            return values.max
    bounds = _bounds(name)
    if bounds is None:
        return values.percentile(float(name[1:]))
    return _trimmed(values, *bounds)


def _bounds(name: str) -> tuple[str, float, float, bool] | None:
    """What to compute, the lower and the upper bound, and whether these are percents."""
    if name == "IQM":
        return "tm", 25.0, 75.0, True
    if (short := _SHORT.fullmatch(name)) is not None:
        return short[1], 0.0, float(short[2]), True
    if (given := _RANGE.fullmatch(name)) is None:
        return None
    kind, low, high = given[1].lower(), given[2], given[3]
    is_percent = low.endswith("%") or high.endswith("%")
    if kind == "pr" and is_percent:
        return None
    if is_percent and not all(text.endswith("%") or not text for text in (low, high)):
        return None
    try:
        lower = float(low.rstrip("%")) if low else (0.0 if is_percent else -math.inf)
        upper = float(high.rstrip("%")) if high else (100.0 if is_percent else math.inf)
    except ValueError:
        return None
    if not lower <= upper or (is_percent and not 0 <= lower <= upper <= 100):
        return None
    return kind, lower, upper, is_percent


def _trimmed(
    values: Distribution, kind: str, low: float, high: float, is_percent: bool
) -> float | None:
    spread = values.spread()
    if not spread:
        return None
    total = math.fsum(count for _, count in spread)
    kept: list[tuple[float, float]] = []
    end = 0.0
    for value, count in spread:
        begin, end = end, end + count
        if is_percent:
            # The part of these values that lies between both ranks.
            count = min(end, high / 100 * total) - max(begin, low / 100 * total)
        elif not low < value <= high:
            continue
        if count > 0:
            kept.append((value, count))
    count = math.fsum(part for _, part in kept)
    match kind:
        case "tc":
            return count
        case "ts":
            return math.fsum(value * part for value, part in kept)
        case "pr":
            return 100 * count / total
    return math.fsum(value * part for value, part in kept) / count if count else None
