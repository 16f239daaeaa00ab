"""What the actions of an alarm get: functions, topics and event buses, each in AWS's form.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions.html
"""

import datetime
import json
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.model.arn import Scope

Given = Mapping[str, Any]
"""The members of PutMetricAlarm or PutCompositeAlarm."""


class State(NamedTuple):
    """The state of an alarm since a moment."""

    value: str
    reason: str
    data: str
    """JSON, or empty."""
    at: float
    """Epoch seconds."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "State":
        """The state in an alarm's document."""
        return cls(*(body["state"][name] for name in cls._fields))


def alarm_arn(scope: Scope, name: str) -> str:
    """The ARN of an alarm."""
    return f"arn:aws:cloudwatch:{scope.region}:{scope.account}:alarm:{name}"


def precise_time(epoch_s: float) -> str:
    """`2026-01-31T09:30:00.123+0000`."""
    moment = datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def detail_of(name: str, given: Given, old: State, new: State) -> dict[str, Any]:
    """The detail of `CloudWatch Alarm State Change`, and `alarmData` of a function's event."""
    configuration: dict[str, Any] = {}
    if given.get("AlarmDescription"):
        configuration["description"] = given["AlarmDescription"]
    if "AlarmRule" in given:
        configuration["alarmRule"] = given["AlarmRule"]
    else:
        configuration["metrics"] = _metrics(given)
    return {
        "alarmName": name,
        "state": _state(new),
        "previousState": _state(old),
        "configuration": configuration,
    }


def event_for_function(
    scope: Scope, name: str, given: Given, old: State, new: State
) -> dict[str, Any]:
    """What a function that is an alarm's action is called with."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm_arn(scope, name),
        "accountId": scope.account,
        "time": precise_time(new.at),
        "region": scope.region,
        "alarmData": detail_of(name, given, old, new),
    }


def message_for_topic(
    scope: Scope, name: str, given: Given, updated: float, old: State, new: State
) -> tuple[str, dict[str, Any]]:
    """Subject and message of a notification."""
    message: dict[str, Any] = {
        "AlarmName": name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": scope.account,
        "AlarmConfigurationUpdatedTimestamp": precise_time(updated),
        "NewStateValue": new.value,
        "NewStateReason": new.reason,
        "StateChangeTime": precise_time(new.at),
        "Region": scope.region,
        "AlarmArn": alarm_arn(scope, name),
        "OldStateValue": old.value,
        "OKActions": given.get("OKActions", []),
        "AlarmActions": given.get("AlarmActions", []),
        "InsufficientDataActions": given.get("InsufficientDataActions", []),
    }
    if "AlarmRule" in given:
        message["AlarmRule"] = given["AlarmRule"]
    else:
        message["Trigger"] = _trigger(given)
    subject = f'{new.value}: "{name}" in {scope.region}'
    return subject if len(subject) <= 100 else f"{subject[:97]}...", message


def _state(state: State) -> dict[str, Any]:
    shown: dict[str, Any] = {"value": state.value, "reason": state.reason}
    if state.data:
        shown["reasonData"] = state.data
    shown["timestamp"] = precise_time(state.at)
    return shown


def _metrics(given: Given) -> list[dict[str, Any]]:
    if "Metrics" not in given:
        stat = {
            "metric": {
                "namespace": given["Namespace"],
                "name": given["MetricName"],
                "dimensions": {pair["Name"]: pair["Value"] for pair in given.get("Dimensions", ())},
            },
            "period": given["Period"],
            "stat": given.get("Statistic") or given["ExtendedStatistic"],
        }
        if "Unit" in given:
            stat["unit"] = given["Unit"]
        # The same id for the same metric, whatever the order of dimensions is.
        id = str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(stat, sort_keys=True)))
        return [{"id": id, "metricStat": stat, "returnData": True}]
    return [_query(query) for query in given["Metrics"]]


def _query(query: Given) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"]}
    if "Expression" in query:
        shown["expression"] = query["Expression"]
    else:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        shown["metricStat"] = {
            "metric": {
                "namespace": metric.get("Namespace"),
                "name": metric.get("MetricName"),
                "dimensions": {
                    pair["Name"]: pair["Value"] for pair in metric.get("Dimensions", ())
                },
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    if "Label" in query:
        shown["label"] = query["Label"]
    return {**shown, "returnData": query.get("ReturnData", True)}


def _trigger(given: Given) -> dict[str, Any]:
    """The part of a notification that tells the metric and the threshold."""
    shared = {
        "EvaluationPeriods": given["EvaluationPeriods"],
        "DatapointsToAlarm": given.get("DatapointsToAlarm", given["EvaluationPeriods"]),
        "ComparisonOperator": given["ComparisonOperator"],
        "Threshold": given["Threshold"],
        "TreatMissingData": given.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": given.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in given:
        return {"Metrics": given["Metrics"], **shared}
    is_plain = "Statistic" in given
    return {
        "MetricName": given["MetricName"],
        "Namespace": given["Namespace"],
        "StatisticType": "Statistic" if is_plain else "ExtendedStatistic",
        "Statistic": given["Statistic"].upper() if is_plain else given["ExtendedStatistic"],
        "Unit": given.get("Unit"),
        "Dimensions": [
            {"name": pair["Name"], "value": pair["Value"]} for pair in given.get("Dimensions", ())
        ],
        "Period": given["Period"],
        **shared,
    }
