"""Which alarms can be made: what PutMetricAlarm and PutCompositeAlarm refuse."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model.alarms.evaluation import COMPARISONS, TREATMENTS
from lambent.model.alarms.rules import RuleError, parse_rule
from lambent.model.arn import Arn
from lambent.model.errors import ApiError
from lambent.telemetry.metric_math.parser import parse
from lambent.telemetry.metric_math.values import MathError
from lambent.telemetry.series.statistics import is_statistic

Params = Mapping[str, Any]

ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_ACTIONS_MAX, _METRICS_MAX = 5, 20
_NOT_OFFERED = (
    *("ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria"),
    *("EvaluationInterval", "ActionConfiguration", "ActionsSuppressor"),
    *("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"),
)
_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
_DAY_S, _WEEK_S = 86_400, 7 * 86_400


def check_metric_alarm(params: Params) -> None:
    """Raises `ValidationError`."""
    _check_shared(params)
    for name in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if name not in params:
            raise refused(f"The parameter {name} is required.")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise refused(
            f"ComparisonOperator {params['ComparisonOperator']} needs anomaly detection, which"
            " Lambent does not offer."
        )
    if ("MetricName" in params) == ("Metrics" in params):
        raise refused("Exactly one of the parameters MetricName and Metrics is required.")
    if params.get("TreatMissingData", TREATMENTS[0]) not in TREATMENTS:
        raise refused(
            f"TreatMissingData must be one of {', '.join(TREATMENTS)}, not"
            f" {params['TreatMissingData'][:100]}."
        )
    if params.get("DatapointsToAlarm", 1) > params["EvaluationPeriods"]:
        raise refused("DatapointsToAlarm must not be more than EvaluationPeriods.")
    period_s = _check_query(params) if "Metrics" in params else _check_metric(params)
    longest_s = _DAY_S if period_s < 3600 else _WEEK_S
    if period_s * params["EvaluationPeriods"] > longest_s:
        raise refused(
            f"EvaluationPeriods * Period must not be more than {longest_s} seconds for this period."
        )


def check_composite_alarm(params: Params) -> frozenset[str]:
    """Returns the names of the alarms in the rule. Raises `ValidationError`."""
    _check_shared(params)
    try:
        _, names = parse_rule(params["AlarmRule"])
    except RuleError as error:
        raise refused(f"AlarmRule cannot be read: {error}.") from error
    return names


def refused(message: str) -> ApiError:
    """400."""
    return ApiError("ValidationError", message)


def _check_shared(params: Params) -> None:
    for name in _NOT_OFFERED:
        if name in params:
            raise refused(f"Lambent does not offer {name} of alarms.")
    for member in ACTIONS:
        arns: Sequence[str] = params.get(member, ())
        if len(arns) > _ACTIONS_MAX or len(set(arns)) < len(arns):
            raise refused(f"{member} must have at most {_ACTIONS_MAX} different ARNs.")
        for text in arns:
            arn = Arn.try_parse(text)
            is_function = (
                arn is not None and arn.service == "lambda" and arn.resource[:9] == "function:"
            )
            if not is_function and (arn is None or arn.service != "sns"):
                raise refused(
                    f"{member}: the actions of alarms here are functions and SNS topics, not"
                    f" {text[:256]}."
                )


def _check_metric(params: Params) -> int:
    for name in ("Namespace", "Period"):
        if name not in params:
            raise refused(f"The parameter {name} is required.")
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise refused("Exactly one of Statistic and ExtendedStatistic is required.")
    _check_statistic(params.get("ExtendedStatistic", "Sum"))
    return _checked_period(params["Period"])


def _check_query(params: Params) -> int:
    queries: Sequence[Params] = params["Metrics"]
    if not 0 < len(queries) <= _METRICS_MAX or len({query["Id"] for query in queries}) < len(
        queries
    ):
        raise refused(f"Metrics must have 1 to {_METRICS_MAX} queries with different ids.")
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise refused("Exactly one query of Metrics must have ReturnData set to true.")
    periods = [60]
    for query in queries:
        if _ID.fullmatch(query["Id"]) is None or ("Expression" in query) == ("MetricStat" in query):
            raise refused(f"The query {query['Id'][:255]} of Metrics is not valid.")
        if "AccountId" in query:
            raise refused("Lambent does not offer alarms on metrics of other accounts.")
        if "Expression" in query:
            try:
                parse(query["Expression"])
            except MathError as error:
                raise refused(f"Error in expression '{query['Id']}': {error}") from error
            periods.append(_checked_period(query.get("Period", 60)))
        else:
            _check_statistic(query["MetricStat"]["Stat"])
            periods.append(_checked_period(query["MetricStat"]["Period"]))
    return max(periods)


def _check_statistic(name: str) -> None:
    if not is_statistic(name):
        raise refused(f"The statistic {name[:100]} is not supported.")


def _checked_period(period_s: int) -> int:
    if period_s % 60:
        raise refused(
            f"The period {period_s} is not supported: metrics are kept by the minute. Use a"
            " multiple of 60."
        )
    return period_s
