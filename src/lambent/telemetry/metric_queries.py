"""Queries of metrics and expressions, as GetMetricData and alarms make them.

The time series are read first, also those that `SEARCH` finds; then the expressions are computed,
in a thread if there is much to compute.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.telemetry.metric_math.evaluator import Evaluator
from lambent.telemetry.metric_math.functions import Window
from lambent.telemetry.metric_math.parser import Call, Node, Number, Text, calls_of, parse
from lambent.telemetry.metric_math.search import read_search
from lambent.telemetry.metric_math.values import MathError, Series, Value
from lambent.telemetry.series.all_metrics import MetricReading
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import MetricKey, dimensions_of
from lambent.telemetry.series.statistics import is_statistic, statistic

Query = Mapping[str, Any]
"""`MetricDataQuery` of the API."""

_FOUND_MAX = 500
"""The most time series that one `SEARCH` returns; CloudWatch returns 100."""
_LISTED_MAX = 10_000
_READ_MAX = 1_000_000
"""The most periods that the metrics of a request may have together."""


@dataclass(frozen=True, slots=True)
class Result:
    """One time series that a query returns."""

    id: str
    label: str | None
    """What the query says; may have variables."""
    series: Series


async def evaluate(
    reading: MetricReading,
    scope: Scope,
    queries: Sequence[Query],
    start: float,
    end: float,
    *,
    origin: float = 0.0,
) -> Sequence[Result]:
    """The results of queries from `start` to before `end`, epoch seconds. `origin` is a minute at
    which periods begin. Raises `MathError`."""
    window = Window(start, end, origin)
    reader = _Reader(reading, scope, window)
    expressions: dict[str, Node] = {}
    series: dict[str, Series] = {}
    found: dict[Call, Sequence[Series]] = {}
    for query in queries:
        try:
            if "Expression" in query:
                node = expressions[query["Id"]] = parse(query["Expression"])
                for call in calls_of(node, "SEARCH"):
                    found[call] = await reader.search(call)
            else:
                series[query["Id"]] = await reader.metric(query)
        except MathError as error:
            raise MathError(f"Error in expression '{query['Id']}': {error}") from error
    evaluator = Evaluator(series, expressions, found, window)
    return await computed(_results, evaluator, queries)


def _results(evaluator: Evaluator, queries: Sequence[Query]) -> Sequence[Result]:
    results: list[Result] = []
    for query in queries:
        if not query.get("ReturnData", True):
            continue
        try:
            value = evaluator.result_of(query["Id"])
            results += [
                Result(query["Id"], query.get("Label"), series) for series in _series(value)
            ]
        except MathError as error:
            raise MathError(f"Error in expression '{query['Id']}': {error}") from error
    return results


def _series(value: Value) -> Sequence[Series]:
    if isinstance(value, float | str):
        raise MathError("the result is a number and not a time series; use FILL or TIME_SERIES")
    return [value] if isinstance(value, Series) else value


class _Reader:
    """Reads the time series of one request."""

    def __init__(self, reading: MetricReading, scope: Scope, window: Window) -> None:
        self._reading = reading
        self._scope = scope
        self._window = window
        self._periods = 0

    async def metric(self, query: Query) -> Series:
        wanted = query["MetricStat"]
        metric = wanted["Metric"]
        if "Namespace" not in metric or "MetricName" not in metric:
            raise MathError("Namespace and MetricName are required")
        dimensions = metric.get("Dimensions") or ()
        key = MetricKey(
            self._scope,
            metric["Namespace"],
            metric["MetricName"],
            dimensions_of({each["Name"]: each["Value"] for each in dimensions}),
            "None",
        )
        return await self._read(key, wanted.get("Unit"), wanted["Stat"], wanted["Period"])

    async def search(self, call: Call) -> Sequence[Series]:
        text, stat, period_s = _search_arguments(call)
        matches = read_search(text)
        found: dict[MetricKey, None] = {}
        after: MetricKey | None = None
        listed = 0
        while listed < _LISTED_MAX:
            page = await self._reading.list(self._scope, since=0.0, after=after, limit=500)
            found.update((key._replace(unit="None"), None) for key in page if matches(key))
            listed += len(page)
            after = page[-1] if page else after
            if len(page) < 500 or len(found) >= _FOUND_MAX:
                break
        array = [await self._read(key, None, stat, period_s) for key in list(found)[:_FOUND_MAX]]
        return [series for series in array if series.points]

    async def _read(self, key: MetricKey, unit: str | None, stat: str, period_s: int) -> Series:
        """A statistic of a metric: in one unit, or over all its units."""
        if not is_statistic(stat):
            raise MathError(f"the statistic {stat[:100]} is not supported")
        if period_s < 1 or period_s % 60:
            raise MathError(
                f"the period {period_s} is not supported: metrics are kept by the minute. Use a"
                " multiple of 60"
            )
        start, end, origin = self._window
        self._periods += math.ceil((end - start) / period_s)
        if self._periods > _READ_MAX:
            raise MathError("the request reads too many values: use longer periods")
        merged: dict[float, Distribution] = {}
        found = await self._reading.read(key, unit, start, end, period_s, origin)
        for points_of_unit in found.values():
            for at, values in points_of_unit:
                merged.setdefault(at, Distribution()).merge(values)
        points = {
            at: value for at in sorted(merged) if (value := statistic(merged[at], stat)) is not None
        }
        return Series(points, period_s, key.name, key, stat)


def _search_arguments(call: Call) -> tuple[str, str, int]:
    match call.arguments:
        case (Text(text), Text(stat), Number(period_s)) if period_s == int(period_s):
            return text, stat, int(period_s)
        case (Text(text), Text(stat)):
            return text, stat, 300
    raise MathError("SEARCH takes a search expression, a statistic and a period")
