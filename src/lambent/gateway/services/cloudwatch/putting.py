"""PutMetricData: metrics that functions and clients measure themselves.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.gateway.call import Call, Members
from lambent.gateway.services.cloudwatch.statistics import invalid, missing
from lambent.model.errors import ApiError
from lambent.telemetry.series.keys import MetricKey, dimensions_of
from lambent.telemetry.series.store import MetricStore

_METRICS_MAX, _VALUES_MAX = 1000, 150
_OLDEST_S, _NEWEST_S = 14 * 86400, 2 * 3600


async def put_metric_data(metrics: MetricStore, call: Call) -> Members:
    """PutMetricData. Everything is checked before anything is recorded."""
    namespace: str = call.params["Namespace"]
    if namespace.startswith("AWS/"):
        raise invalid(f"The value {namespace} for parameter Namespace is invalid.")
    data = list(call.params.get("MetricData") or ())
    for group in call.params.get("EntityMetricData") or ():
        data.extend(group.get("MetricData") or ())
    if not data:
        raise missing("The parameter MetricData is required.")
    if len(data) > _METRICS_MAX:
        raise invalid(f"The parameter MetricData must not have more than {_METRICS_MAX} items.")
    for number, datum in enumerate(data, 1):
        _check(datum, f"MetricData.member.{number}", metrics.now())
    for datum in data:
        _record(metrics, call, namespace, datum)
    return {}


def _check(datum: Mapping[str, Any], name: str, now: float) -> None:
    given = [part for part in ("Value", "Values", "StatisticValues") if part in datum]
    if not given:
        raise missing(f"The parameter {name}.Value is required.")
    if len(given) > 1:
        raise ApiError(
            "InvalidParameterCombinationException",
            f"The parameters {name}.{given[0]} and {name}.{given[1]} are mutually exclusive and you"
            " have specified both.",
        )
    _check_values(datum, name)
    if "StatisticValues" in datum and datum["StatisticValues"]["SampleCount"] <= 0:
        raise invalid(f"The value for parameter {name}.StatisticValues.SampleCount is invalid.")
    names = [dimension["Name"] for dimension in datum.get("Dimensions") or ()]
    if len(set(names)) < len(names):
        raise invalid(f"The parameter {name}.Dimensions has the same name more than once.")
    if "Timestamp" in datum:
        age_s = now - datum["Timestamp"].timestamp()
        if not -_NEWEST_S <= age_s <= _OLDEST_S:
            raise invalid(
                f"The parameter {name}.Timestamp must specify a time within the past two weeks and"
                " no more than two hours in the future."
            )


def _check_values(datum: Mapping[str, Any], name: str) -> None:
    values: Sequence[float] = datum.get("Values") or ()
    counts: Sequence[float] = datum.get("Counts") or ()
    if len(values) > _VALUES_MAX:
        raise invalid(f"The parameter {name}.Values must not have more than {_VALUES_MAX} values.")
    if counts and len(counts) != len(values):
        raise invalid(f"The parameters {name}.Values and {name}.Counts must be of the same size.")
    if any(count <= 0 for count in counts):
        raise invalid(f"The parameter {name}.Counts must be greater than 0.")


def _record(metrics: MetricStore, call: Call, namespace: str, datum: Mapping[str, Any]) -> None:
    key = MetricKey(
        scope=call.scope,
        namespace=namespace,
        name=datum["MetricName"],
        dimensions=dimensions_of(
            {dimension["Name"]: dimension["Value"] for dimension in datum.get("Dimensions") or ()}
        ),
        unit=datum.get("Unit", "None"),
    )
    at = datum["Timestamp"].timestamp() if "Timestamp" in datum else metrics.now()
    if "StatisticValues" in datum:
        known = datum["StatisticValues"]
        metrics.record_summary(
            key, known["SampleCount"], known["Sum"], known["Minimum"], known["Maximum"], at
        )
        return
    values = [datum["Value"]] if "Value" in datum else datum["Values"]
    counts = datum.get("Counts") or [1.0] * len(values)
    for value, count in zip(values, counts, strict=True):
        metrics.record(key, value, count, at)
