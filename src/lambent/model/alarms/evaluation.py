"""Which state an alarm has, given the last values of its metric.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import datetime
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"
TREATMENTS = (BREACHING, NOT_BREACHING, IGNORE, MISSING)
COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
"""By name: the comparison, and its words."""
EXTRA_PERIODS = 2
"""How many periods before those of the evaluation are read: values there are used if later ones
are missing."""


class Threshold(NamedTuple):
    """When an alarm is in ALARM."""

    comparison: str
    threshold: float
    periods: int
    """The periods that are evaluated: N."""
    to_alarm: int
    """How many of them have to breach the threshold: M."""
    treatment: str
    """What missing values mean."""


class Judgement(NamedTuple):
    """The result of an evaluation."""

    state: str
    reason: str
    evaluated: Sequence[tuple[float, float]]
    """Moments and values that it is made from, the last first."""


def judge(
    rule: Threshold, moments: Sequence[float], points: Mapping[float, float], state: str
) -> Judgement:
    """The state that follows from the values at these moments, which are in order. `state` is the
    present one: it stays if nothing can be said."""
    compare, _ = COMPARISONS[rule.comparison]
    real = [(at, points[at]) for at in moments if at in points][-rule.periods :]
    breaching = [(at, value) for at, value in real if compare(value, rule.threshold)]
    lacking = rule.periods - len(real)
    evaluated = real[::-1]
    if lacking > 0 and not real and rule.treatment == MISSING:
        reason = f"Insufficient Data: {_count(rule.periods, 'datapoint')} {_were(rule.periods)}"
        return Judgement(INSUFFICIENT, f"{reason} unknown.", evaluated)
    count = len(breaching)
    if lacking > 0 and rule.treatment == BREACHING:
        count += lacking
    if count >= rule.to_alarm:
        new = ALARM
    elif lacking > 0 and rule.treatment in (MISSING, IGNORE) and len(breaching) == len(real):
        # Nothing but missing and breaching values: an alarm if the oldest is old enough.
        age = len(moments) - moments.index(breaching[0][0]) if breaching else 0
        new = ALARM if rule.treatment == MISSING and age >= rule.to_alarm else state
    else:
        new = OK
    return Judgement(new, _reason(rule, new, real, breaching, lacking), evaluated)


def _reason(
    rule: Threshold,
    state: str,
    real: Sequence[tuple[float, float]],
    breaching: Sequence[tuple[float, float]],
    lacking: int,
) -> str:
    _, words = COMPARISONS[rule.comparison]
    treated = ""
    if lacking > 0 and rule.treatment in (BREACHING, NOT_BREACHING):
        name = "Breaching" if rule.treatment == BREACHING else "NonBreaching"
        treated = f"{_count(lacking, 'missing datapoint')} {_were(lacking)} treated as [{name}]"
    if not real:
        told = f" and {treated}" if treated else ""
        return (
            f"Threshold Crossed: no datapoints were received for {_count(rule.periods, 'period')}"
            f"{told}."
        )
    shown = breaching if state == ALARM and breaching else real
    is_not = "" if state == ALARM else "not "
    listed = ", ".join(f"{value} ({_short_time(at)})" for at, value in shown[::-1])
    reason = (
        f"Threshold Crossed: {len(shown)} out of the last {_count(rule.periods, 'datapoint')}"
        f" [{listed}] {_were(len(shown))} {is_not}{words} the threshold ({rule.threshold})"
    )
    reason += f" and {treated}" if treated else ""
    needed = rule.to_alarm if state == ALARM else rule.periods - rule.to_alarm + 1
    way = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    return f"{reason} (minimum {_count(needed, 'datapoint')} for {way} transition)."


def _short_time(epoch_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(epoch_s, datetime.UTC):%d/%m/%y %H:%M:%S}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
