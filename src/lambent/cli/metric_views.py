"""What `lambent top` and `lambent metrics` show, from CloudWatch's API and the page of
environments."""

import datetime
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.cli.admin_api import request
from lambent.cli.client import open_client
from lambent.cli.output import UsageError

_WINDOW_S = 300
_BARS = "▁▂▃▄▅▆▇█"
_TIMES = {"1h": (3600, 60), "24h": (86_400, 1800), "14d": (14 * 86_400, 21_600)}
"""By name: seconds, and the period."""
_OF_FUNCTION = (
    # Label, metric, statistic, unit, and whether the total is the sum of all periods.
    ("Invocations", "Invocations", "Sum", "", True),
    ("Errors", "Errors", "Sum", "", True),
    ("Throttles", "Throttles", "Sum", "", True),
    ("Duration, p50", "Duration", "p50", "ms", False),
    ("Duration, p99", "Duration", "p99", "ms", False),
    ("Concurrency", "ConcurrentExecutions", "Maximum", "", False),
)
_SEARCHES = (
    ("calls", "Invocations", "Sum"),
    ("errors", "Errors", "Sum"),
    ("throttles", "Throttles", "Sum"),
    ("p50", "Duration", "p50"),
    ("p99", "Duration", "p99"),
    ("concurrency", "ConcurrentExecutions", "Maximum"),
)


def top_rows(endpoint: str) -> list[dict[str, Any]]:
    """A row for each function that was called in the last five to ten minutes or has an
    environment, the busiest first. Raises `CliError`."""
    now = time.time()
    start = now // _WINDOW_S * _WINDOW_S - _WINDOW_S
    found = _search(endpoint, start, now + 60)
    environments = request(endpoint, "GET", "/_lambent/environments")["environments"]
    names = {name for values in found.values() for name in values}
    names |= {environment["function"] for environment in environments}
    rows = [_row(name, found, environments, now - start) for name in names]
    return sorted(rows, key=lambda row: (-row["calls_per_s"], row["function"]))


def _search(endpoint: str, start: float, end: float) -> Mapping[str, dict[str, list[float]]]:
    """By id of a query and by function: values, the latest first."""
    queries = [
        {
            "Id": id,
            "Expression": (
                f"SEARCH('{{AWS/Lambda,FunctionName}} MetricName=\"{metric}\"', '{stat}',"
                f" {_WINDOW_S})"
            ),
            "Label": "${PROP('Dim.FunctionName')}",
        }
        for id, metric, stat in _SEARCHES
    ]
    found: dict[str, dict[str, list[float]]] = {id: {} for id, _, _ in _SEARCHES}
    for result in _metric_data(endpoint, queries, start, end):
        found[result["Id"]].setdefault(result["Label"], []).extend(result["Values"])
    return found


def _metric_data(
    endpoint: str, queries: Sequence[Mapping[str, Any]], start: float, end: float
) -> list[dict[str, Any]]:
    with open_client("cloudwatch", endpoint) as client:
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=datetime.datetime.fromtimestamp(start, datetime.UTC),
            EndTime=datetime.datetime.fromtimestamp(end, datetime.UTC),
        )
        return [result for page in pages for result in page["MetricDataResults"]]


def _row(
    name: str,
    found: Mapping[str, dict[str, list[float]]],
    environments: Sequence[Mapping[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    own = [environment for environment in environments if environment["function"] == name]
    memory = [each["memory_bytes"] for each in own if each["memory_bytes"] is not None]

    def latest(id: str) -> float | None:
        values = found[id].get(name)
        return values[0] if values else None

    return {
        "function": name,
        "calls_per_s": sum(found["calls"].get(name, ())) / seconds,
        "errors": int(sum(found["errors"].get(name, ()))),
        "throttles": int(sum(found["throttles"].get(name, ()))),
        "p50_ms": latest("p50"),
        "p99_ms": latest("p99"),
        "concurrency": int(latest("concurrency") or 0),
        "environments": len(own),
        "busy": sum(environment["state"] == "busy" for environment in own),
        "memory_bytes": sum(memory) if memory else None,
    }


def function_metrics(endpoint: str, name: str, since: str) -> dict[str, Any]:
    """The metrics of a function over a time, by period. Raises `CliError`, and `UsageError` for
    another time than those of the help."""
    if since not in _TIMES:
        raise UsageError(f"cannot use --since {since}: it must be one of {', '.join(_TIMES)}")
    with open_client("lambda", endpoint) as client:
        client.get_function_configuration(FunctionName=name)
    seconds, period_s = _TIMES[since]
    now = time.time()
    start = (now - seconds) // period_s * period_s
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
                "Period": period_s,
                "Stat": stat,
            },
        }
        for number, (_, metric, stat, _, _) in enumerate(_OF_FUNCTION)
    ]
    results = {result["Id"]: result for result in _metric_data(endpoint, queries, start, now + 60)}
    slots = int((now - start) // period_s) + 1
    metrics = []
    for number, (label, _, _, unit, adds_up) in enumerate(_OF_FUNCTION):
        result = results[f"m{number}"]
        points = {
            moment.timestamp(): value
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True)
        }
        values = [round(points[at], 3) for at in sorted(points)]
        total = round(sum(values), 3) if adds_up else max(values, default=None)
        by_slot = [points.get(start + slot * period_s) for slot in range(slots)]
        metrics.append(
            {
                "label": label,
                "unit": unit,
                "total": total,
                "timestamps": sorted(points),
                "values": values,
                "slots": by_slot,
            }
        )
    return {"function": name, "since": since, "period_s": period_s, "metrics": metrics}


def sparkline(values: Sequence[float | None]) -> str:
    """A line of bars, from zero to the largest value; a space where there is none."""
    most = max((value for value in values if value is not None), default=0.0)
    return "".join(
        " "
        if value is None
        else _BARS[min(int(value / most * len(_BARS)), len(_BARS) - 1) if most > 0 else 0]
        for value in values
    )
