"""GetMetricStatistics and GetMetricData: statistics of a metric by period."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.gateway.call import Call, Members, without_nodes
from lambent.gateway.services.cloudwatch.statistics import (
    at,
    check_statistic,
    check_times,
    invalid,
    missing,
)
from lambent.model.errors import ApiError
from lambent.telemetry.metric_math.labels import label_of, read_zone
from lambent.telemetry.metric_math.values import MathError
from lambent.telemetry.metric_queries import Result, evaluate
from lambent.telemetry.series.all_metrics import AllMetrics
from lambent.telemetry.series.keys import MetricKey, dimensions_of
from lambent.telemetry.series.statistics import statistic

_DATAPOINTS_MAX = 1440
"""Of GetMetricStatistics."""
_QUERIES_MAX, _VALUES_MAX = 500, 100_800
"""Of GetMetricData."""
_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
_TOKEN = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)


async def get_metric_statistics(metrics: AllMetrics, call: Call) -> Members:
    """GetMetricStatistics. Values of different units are different datapoints, in order of time."""
    params = call.params
    plain: Sequence[str] = params.get("Statistics") or ()
    extended: Sequence[str] = params.get("ExtendedStatistics") or ()
    if not plain and not extended:
        raise missing("The parameter Statistics is required.")
    for name in extended:
        check_statistic(name, "ExtendedStatistics")
    start, end, period_s = params["StartTime"], params["EndTime"], params["Period"]
    check_times(start, end, period_s)
    requested = (end - start).total_seconds() / period_s
    if requested > _DATAPOINTS_MAX:
        raise ApiError(
            "InvalidParameterCombinationException",
            f"You have requested up to {int(requested):,} datapoints, which exceeds the limit of"
            f" {_DATAPOINTS_MAX:,}. You may reduce the datapoints requested by increasing Period,"
            " or decreasing the time range.",
        )
    datapoints: list[tuple[float, dict[str, Any]]] = []
    reading, period = metrics.reading(), (start.timestamp(), end.timestamp(), period_s)
    found = await reading.read(_key(call, params), params.get("Unit"), *period)
    for unit, points in found.items():
        for moment, values in points:
            point: dict[str, Any] = {name: statistic(values, name) for name in plain}
            shown = {name: statistic(values, name) for name in extended}
            known = {name: value for name, value in shown.items() if value is not None}
            if known:
                point["ExtendedStatistics"] = known
            if point:
                datapoints.append((moment, {"Timestamp": at(moment), **point, "Unit": unit}))
    datapoints.sort(key=lambda datapoint: datapoint[0])
    output = {"Label": params["MetricName"], "Datapoints": [point for _, point in datapoints]}
    return without_nodes(output, reading.missing)


async def get_metric_data(metrics: AllMetrics, call: Call) -> Members:
    """GetMetricData. A page ends after `MaxDatapoints` values."""
    params = call.params
    queries: Sequence[Mapping[str, Any]] = params["MetricDataQueries"]
    check_queries(queries)
    start, end = params["StartTime"], params["EndTime"]
    if start >= end:
        raise _refused("The parameter StartTime must be less than the parameter EndTime.")
    room = min(params.get("MaxDatapoints") or _VALUES_MAX, _VALUES_MAX)
    if room < 1:
        raise invalid("The parameter MaxDatapoints must be at least 1.")
    first, skip = _read_token(params.get("NextToken"))
    reading = metrics.reading()
    try:
        zone = read_zone((params.get("LabelOptions") or {}).get("Timezone"))
        found = await evaluate(reading, call.scope, queries, start.timestamp(), end.timestamp())
    except MathError as error:
        raise _refused(str(error)) from error
    if first and first >= len(found):
        raise ApiError("InvalidNextToken", "The next token specified is invalid.")
    is_ascending = params.get("ScanBy") == "TimestampAscending"
    results: list[dict[str, Any]] = []
    output = without_nodes({"MetricDataResults": results, "Messages": []}, reading.missing)
    for number, result in enumerate(found[first:], first):
        if room == 0:
            return {**output, "NextToken": f"{number}/0"}
        values = sorted(result.series.points.items(), reverse=not is_ascending)[skip:]
        page = values[:room]
        is_whole = len(page) == len(values)
        results.append(_view(result, page, zone, is_whole=is_whole))
        if not is_whole:
            token = f"{number}/{skip + len(page)}"
            return {**output, "NextToken": token}
        room, skip = room - len(page), 0
    return output


def check_queries(queries: Sequence[Mapping[str, Any]]) -> None:
    """Raise `ValidationError` for queries that are not well formed."""
    if len(queries) > _QUERIES_MAX:
        raise _refused(f"The collection MetricDataQueries must not have more than {_QUERIES_MAX}.")
    if len({query["Id"] for query in queries}) < len(queries):
        raise _refused("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        if _ID.fullmatch(query["Id"]) is None:
            raise _refused(
                f"The value {query['Id']} for parameter MetricDataQueries.Id is not matching the"
                " expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )
        if ("Expression" in query) == ("MetricStat" in query):
            raise _refused(
                f"The parameter MetricDataQueries.{query['Id']} must have either MetricStat or"
                " Expression."
            )


def _view(
    result: Result, page: Sequence[tuple[float, float]], zone: datetime.timezone, *, is_whole: bool
) -> dict[str, Any]:
    label = result.label or result.series.label or result.id
    return {
        "Id": result.id,
        "Label": label_of(result.series, label, zone),
        "Timestamps": [at(moment) for moment, _ in page],
        "Values": [value for _, value in page],
        "StatusCode": "Complete" if is_whole else "PartialData",
    }


def _key(call: Call, metric: Mapping[str, Any]) -> MetricKey:
    if "Namespace" not in metric or "MetricName" not in metric:
        raise missing("The parameters Namespace and MetricName are required.")
    dimensions = metric.get("Dimensions") or ()
    return MetricKey(
        scope=call.scope,
        namespace=metric["Namespace"],
        name=metric["MetricName"],
        dimensions=dimensions_of(
            {dimension["Name"]: dimension["Value"] for dimension in dimensions}
        ),
        unit="None",
    )


def _read_token(token: str | None) -> tuple[int, int]:
    """Which result a page begins with, and after how many of its values."""
    if token is None:
        return 0, 0
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ApiError("InvalidNextToken", "The next token specified is invalid.")
    return int(match[1]), int(match[2])


def _refused(message: str) -> ApiError:
    return ApiError("ValidationError", message)
