"""Metrics in log lines: CloudWatch's embedded metric format.

A line with `"CloudWatchMetrics"` in it is kept as it is logged, up to a limit. It is parsed in a
thread when the metric store is written. What is wrong in a document costs that document's metrics.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from lambent.model.arn import Scope
from lambent.telemetry.series.database import Point
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey, dimensions_of

logger = logging.getLogger(__name__)

MARK = b'"CloudWatchMetrics"'
"""What each such line has in it."""
_LINE_BYTES_MAX = 256 * 1024
_KEPT_BYTES_MAX = 4 << 20
_KEPT_LINES_MAX = 10_000
_DIRECTIVES_MAX, _METRICS_MAX, _VALUES_MAX = 10, 100, 100
_DIMENSIONS_MAX, _SETS_MAX = 30, 30
_WORK_MAX = 10_000
"""Values of one document, counted once for each set of dimensions."""
_POINTS_MAX = 20_000
"""Between two writes of the store, like other metrics."""
_NAME_MAX, _VALUE_MAX = 255, 1024
_OLDEST_S, _NEWEST_S = 14 * 86_400, 2 * 3_600
_UNITS = frozenset(
    {
        *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
        *(
            f"{size}{what}{per}"
            for what in ("bytes", "bits")
            for size in ("Kilo", "Mega", "Giga", "Tera")
            for per in ("", "/Second")
        ),
        *("Bytes", "Bits", "Bytes/Second", "Bits/Second"),
    }
)


class _Kept(NamedTuple):
    scope: Scope
    at: float
    """Epoch seconds at which it was logged."""
    line: bytes


class EmbeddedMetrics:
    """Keeps lines until the metric store is written."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._bytes = 0
        self._dropped = 0

    def note(self, scope: Scope, at_ms: int, line: bytes) -> None:
        """Keep a line that has the mark in it."""
        if (
            len(line) > _LINE_BYTES_MAX
            or self._bytes + len(line) > _KEPT_BYTES_MAX
            or len(self._kept) >= _KEPT_LINES_MAX
        ):
            self._dropped += 1
            return
        self._kept.append(_Kept(scope, at_ms / 1000, line))
        self._bytes += len(line)

    def take(self) -> Callable[[], Sequence[tuple[Point, Distribution]]] | None:
        """What parses the lines since the last call; None if there are none."""
        if self._dropped:
            logger.warning("metrics of %d log lines are not recorded: too many", self._dropped)
            self._dropped = 0
        if not self._kept:
            return None
        kept, self._kept, self._bytes = self._kept, [], 0
        return partial(points_of, kept)


def points_of(kept: Sequence[_Kept]) -> Sequence[tuple[Point, Distribution]]:
    """The metrics of lines. Blocks."""
    points: dict[Point, Distribution] = {}
    for scope, at, line in kept:
        for point, values in _read(scope, at, line):
            known = points.get(point)
            if known is None:
                if len(points) >= _POINTS_MAX:
                    logger.warning("metrics of log lines are not recorded: too many at once")
                    return list(points.items())
                known = points[point] = Distribution()
            known.add_all(values)
    return list(points.items())


def _read(scope: Scope, at: float, line: bytes) -> Iterator[tuple[Point, Sequence[float]]]:
    # Runtimes may write a time and a level before the document.
    begin = line.find(b"{")
    try:
        document: Any = json.loads(line[begin:]) if begin >= 0 else None
    except (ValueError, RecursionError):
        return
    about = document.get("_aws") if isinstance(document, dict) else None
    if not isinstance(about, dict):
        return
    left = _WORK_MAX
    minute = _minute(about.get("Timestamp"), at)
    for directive in _list(about.get("CloudWatchMetrics"), _DIRECTIVES_MAX):
        if not isinstance(directive, dict):
            continue
        namespace = directive.get("Namespace")
        if not _is_name(namespace) or str(namespace).startswith("AWS/"):
            continue
        sets = list(_dimensions(directive.get("Dimensions"), document))
        for metric in _list(directive.get("Metrics"), _METRICS_MAX):
            name = metric.get("Name") if isinstance(metric, dict) else None
            values = _values(document.get(name)) if isinstance(name, str) else []
            if not values or not _is_name(name):
                continue
            unit = metric.get("Unit", "None")
            unit = unit if isinstance(unit, str) and unit in _UNITS else "None"
            for chosen in sets:
                left -= len(values)
                if left < 0:
                    return
                key = MetricKey(scope, str(namespace), str(name), dimensions_of(chosen), unit)
                yield (key, minute), values


def _minute(timestamp: Any, at: float) -> int:
    """The minute of a document; that of the line if it has no time that can be."""
    if isinstance(timestamp, int | float) and not isinstance(timestamp, bool):
        moment = timestamp / 1000 if abs(timestamp) < 1e15 else math.inf
        if -_OLDEST_S <= moment - at <= _NEWEST_S:
            at = moment
    return int(at // 60)


def _dimensions(sets: Any, document: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """Each set with its values. Sets with names that have no value are left out."""
    for names in _list(sets, _SETS_MAX) or [[]]:
        if not isinstance(names, list) or len(names) > _DIMENSIONS_MAX:
            continue
        found: dict[str, str] = {}
        for name in names:
            value = document.get(name) if isinstance(name, str) else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                value = f"{value:g}" if isinstance(value, float) else str(value)[:_VALUE_MAX]
            if not _is_name(name) or not isinstance(value, str) or not value:
                break
            found[name] = value[:_VALUE_MAX]
        else:
            yield found


def _values(given: Any) -> list[float]:
    listed = given if isinstance(given, list) else [given]
    found: list[float] = []
    for value in listed[:_VALUES_MAX]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                continue
            if math.isfinite(number) and abs(number) < 1e100:
                found.append(number)
    return found


def _list(value: Any, most: int) -> list[Any]:
    return value[:most] if isinstance(value, list) else []


def _is_name(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _NAME_MAX
        and value.isprintable()
        and not value.isspace()
    )
