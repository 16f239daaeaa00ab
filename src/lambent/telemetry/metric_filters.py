"""Records metrics from lines of log groups, as metric filters say.

Lines are collected for a second. Values belong to the minute of their lines. A default value is
recorded once for a minute that has lines of which none matches.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
"""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.resources import LogGroupKey
from lambent.telemetry.followed_groups import FollowedGroups
from lambent.telemetry.logs import LogStore
from lambent.telemetry.patterns import Matches, ValueOf, compile_pattern, compile_value
from lambent.telemetry.series.keys import Dimensions, MetricKey, dimensions_of
from lambent.telemetry.series.store import MetricStore
from lambent.telemetry.taps import Line

_SECONDS_MAX = 2.0
"""How long the lines of one second are searched; the rest is dropped."""
_COMBINATIONS_MAX = 1000
"""Combinations of dimensions that one filter records in an hour, as in AWS."""
_VALUE_MAX = 1024


class MetricFilter(NamedTuple):
    """A metric filter that can be applied."""

    group: LogGroupKey
    name: str
    pattern: str
    namespace: str
    metric: str
    unit: str
    value: str
    """A number, or the selector of one."""
    default: float | None
    dimensions: tuple[tuple[str, str], ...]
    """Names and selectors."""

    @classmethod
    def of(
        cls, group: LogGroupKey, name: str, pattern: str, transformation: Mapping[str, Any]
    ) -> "MetricFilter":
        """From a `MetricTransformation` of the API."""
        return cls(
            group,
            name,
            pattern,
            transformation["metricNamespace"],
            transformation["metricName"],
            transformation.get("unit", "None"),
            transformation["metricValue"],
            transformation.get("defaultValue"),
            tuple((transformation.get("dimensions") or {}).items()),
        )

    @property
    def id(self) -> tuple[LogGroupKey, str]:
        """Unique among filters."""
        return self.group, self.name


class _Found(NamedTuple):
    """A value in a line."""

    at_s: float
    value: float
    dimensions: Dimensions


class _Applied:
    """A filter, compiled, and what it has recorded lately."""

    def __init__(self, metric_filter: MetricFilter) -> None:
        self.filter = metric_filter
        self._matches: Matches = compile_pattern(metric_filter.pattern)
        self._value = self._reader(metric_filter.value)
        self._dimensions = [
            (name, compile_value(metric_filter.pattern, selector))
            for name, selector in metric_filter.dimensions
        ]
        self.reported_minute = 0
        """The latest minute with a value."""
        self._combinations: set[Dimensions] = set()
        self._hour = 0

    def _reader(self, value: str) -> ValueOf:
        if value.startswith("$"):
            return compile_value(self.filter.pattern, value)
        return lambda _: value

    def find(self, line: Line) -> _Found | None:
        """The value in a line. Not on the event loop."""
        message = line.message.decode("utf-8", "replace")
        if not self._matches(message):
            return None
        number = _number_of(self._value(message))
        dimensions = [(name, value_of(message)) for name, value_of in self._dimensions]
        if number is None or any(not value for _, value in dimensions):
            return None
        named = {name: (value or "")[:_VALUE_MAX] for name, value in dimensions}
        return _Found(line.timestamp_ms / 1000, number, dimensions_of(named))

    def has_room(self, dimensions: Dimensions, now: float) -> bool:
        """Whether a combination of dimensions may be recorded now."""
        hour = int(now // 3600)
        if hour != self._hour:
            self._hour, self._combinations = hour, set()
        if dimensions not in self._combinations:
            if len(self._combinations) >= _COMBINATIONS_MAX:
                return False
            self._combinations.add(dimensions)
        return True


LoadFilters = Callable[[], Awaitable[Sequence[MetricFilter]]]
"""Returns the metric filters of all accounts."""


class MetricRecorder(FollowedGroups[MetricFilter]):
    """Applies metric filters. It follows the store, because they change."""

    def __init__(
        self, load: LoadFilters, logs: LogStore, metrics: MetricStore, clock: Clock
    ) -> None:
        super().__init__(load, logs, clock)
        self._metrics = metrics
        self._applied: dict[MetricFilter, _Applied] = {}

    async def refresh(self) -> None:
        """See `FollowedGroups`. Filters that stay keep what they know."""
        await super().refresh()
        self._applied = {
            metric_filter: self._applied.get(metric_filter) or _Applied(metric_filter)
            for filters in self._followers.values()
            for metric_filter in filters
        }

    async def handle(self) -> None:
        """See `FollowedGroups`: record the values of the lines that were collected."""
        for filters, lines in self.take("not counted"):
            for metric_filter in filters:
                applied = self._applied[metric_filter]
                found = await computed(self._find, applied, lines)
                self._record(applied, lines, found)

    def _find(self, applied: _Applied, lines: Sequence[Line]) -> list[_Found]:
        deadline = self._clock.monotonic() + _SECONDS_MAX
        found = []
        for line in lines:
            if self._clock.monotonic() > deadline:
                break
            if (value := applied.find(line)) is not None:
                found.append(value)
        return found

    def _record(self, applied: _Applied, lines: Sequence[Line], found: Sequence[_Found]) -> None:
        metric_filter = applied.filter
        now = self._clock.now()
        for at_s, value, dimensions in found:
            applied.reported_minute = max(applied.reported_minute, int(at_s // 60))
            if applied.has_room(dimensions, now):
                self._metrics.record(_key(metric_filter, dimensions), value, at=at_s)
        if metric_filter.default is None:
            return
        for minute in sorted({line.timestamp_ms // 60_000 for line in lines}):
            if minute > applied.reported_minute:
                applied.reported_minute = minute
                key = _key(metric_filter, ())
                self._metrics.record(key, metric_filter.default, at=minute * 60.0)


def _key(metric_filter: MetricFilter, dimensions: Dimensions) -> MetricKey:
    return MetricKey(
        metric_filter.group.scope,
        metric_filter.namespace,
        metric_filter.metric,
        dimensions,
        metric_filter.unit,
    )


def _number_of(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None and len(text) < 40 else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
