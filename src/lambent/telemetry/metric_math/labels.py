"""Labels of results, with dynamic values such as `${MAX}` and `${PROP('Dim.FunctionName')}`.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
"""

import datetime
import re
from collections.abc import Callable, Mapping, Sequence

from lambent.telemetry.metric_math.values import MathError, Series

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_PROPERTY = re.compile(r"PROP\(\s*['\"]([^'\"]*)['\"]\s*\)")
_ZONE = re.compile(r"([+-])(\d{2})(\d{2})")
_LABEL_MAX = 2048

_VALUES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values),
    "SUM": sum,
    "MIN": min,
    "MAX": max,
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
    "DATAPOINT_COUNT": lambda values: float(len(values)),
}
_MOMENTS: Mapping[str, Callable[[Sequence[tuple[float, float]]], tuple[float, float]]] = {
    "MIN_TIME": lambda points: min(points, key=lambda point: point[1]),
    "MAX_TIME": lambda points: max(points, key=lambda point: point[1]),
    "FIRST_TIME": lambda points: points[0],
    "LAST_TIME": lambda points: points[-1],
}


def read_zone(text: str | None) -> datetime.timezone:
    """A time zone such as `+0130`. Raises `MathError`."""
    match = _ZONE.fullmatch(text or "+0000")
    if match is None or int(match[2]) > 23 or int(match[3]) > 59:
        raise MathError(f"The value {text} for parameter LabelOptions.Timezone is invalid.")
    offset = datetime.timedelta(hours=int(match[2]), minutes=int(match[3]))
    return datetime.timezone(-offset if match[1] == "-" else offset)


def label_of(series: Series, label: str, zone: datetime.timezone) -> str:
    """The label of a result. Variables that do not exist stay as they are."""
    if "${" not in label:
        return label
    return _VARIABLE.sub(lambda match: _value(series, match[1].strip(), match[0], zone), label)[
        :_LABEL_MAX
    ]


def _value(series: Series, name: str, otherwise: str, zone: datetime.timezone) -> str:
    if (found := _PROPERTY.fullmatch(name)) is not None:
        return _property(series, found[1])
    if name == "LABEL":
        return series.label
    values = list(series.points.values())
    if name in _VALUES:
        return f"{_VALUES[name](values):.6g}" if values else "--"
    if name in _MOMENTS:
        if not values:
            return "--"
        at, _ = _MOMENTS[name](list(series.points.items()))
        return f"{datetime.datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S}"
    return otherwise


def _property(series: Series, name: str) -> str:
    metric = series.metric
    if metric is None:
        return ""
    if name.startswith("Dim."):
        return dict(metric.dimensions).get(name.removeprefix("Dim."), "")
    known = {
        "MetricName": metric.name,
        "Namespace": metric.namespace,
        "AccountId": metric.scope.account,
        "Region": metric.scope.region,
        "Stat": series.stat,
        "Period": str(series.period_s),
    }
    return known.get(name, "")
