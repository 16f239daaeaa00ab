"""The metrics of `AWS/Events` and `AWS/Scheduler`: what rules and schedules did.

Each exists for a whole Region, and by rule (with its bus, unless that is the default one) or by
group of schedules. What happens adds to one number; the metrics are made when the metric store is
written.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
"""

from collections import Counter
from collections.abc import Iterator

from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.events.delivery import EventDelivery
from lambent.model.events.targets import EVENTS, SCHEDULER
from lambent.telemetry.series.database import Point
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import Dimensions, MetricKey, dimensions_of

_EVENTS, _SCHEDULER = "AWS/Events", "AWS/Scheduler"
_SCHEDULE = "schedule/"
_COUNTED = frozenset({EVENTS, SCHEDULER})
"""Whose deliveries are those of rules and schedules."""


class EventMetrics:
    """Gathers metrics between two writes of the metric store, as one of its sources."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Counter[tuple[str, str, int]] = Counter()
        """By name, ARN of the rule or schedule, and minute."""

    def note_matched(self, rule_arn: str) -> None:
        """An event matched the pattern of a rule."""
        self._note("MatchedEvents", rule_arn)
        self._note("TriggeredRules", rule_arn)

    def note_triggered(self, rule_arn: str) -> None:
        """The schedule of a rule was due."""
        self._note("TriggeredRules", rule_arn)

    def note_attempt(self, delivery: EventDelivery, *, has_failed: bool, is_over: bool) -> None:
        """An attempt has ended; `is_over` says that no other follows."""
        if delivery.service not in _COUNTED:
            return
        is_dead_letter = bool(delivery.attributes)
        if _SCHEDULE in delivery.source_arn:
            names = _of_schedule(is_dead_letter, has_failed, is_over)
        else:
            is_retry = delivery.attempts > 0
            names = _of_rule(is_dead_letter, has_failed, is_over, is_retry)
        for name in names:
            self._note(name, delivery.source_arn)

    def _note(self, name: str, source_arn: str) -> None:
        self._counts[name, source_arn, int(self._clock.now() // 60)] += 1

    def take(self) -> Iterator[tuple[Point, Distribution]]:
        """What was gathered since the last call, by metric and minute."""
        counts, self._counts = self._counts, Counter()
        merged: dict[Point, Distribution] = {}
        for (name, source_arn, minute), count in counts.items():
            scope, namespace, dimensions = _source(source_arn)
            for chosen in ((), dimensions):
                key = MetricKey(scope, namespace, name, chosen, "Count")
                merged.setdefault((key, minute), Distribution()).add(1.0, count)
        return iter(merged.items())


def _of_rule(
    is_dead_letter: bool, has_failed: bool, is_over: bool, is_retry: bool
) -> Iterator[str]:
    if is_dead_letter:
        if is_over:
            yield "InvocationsFailedToBeSentToDlq" if has_failed else "InvocationsSentToDlq"
        return
    yield "InvocationAttempts"
    if is_retry:
        yield "RetryInvocationAttempts"
    if not has_failed:
        yield "SuccessfulInvocationAttempts"
    if is_over:
        yield "Invocations"
        if has_failed:
            yield "FailedInvocations"


def _of_schedule(is_dead_letter: bool, has_failed: bool, is_over: bool) -> Iterator[str]:
    if is_dead_letter:
        if is_over and has_failed:
            yield "InvocationsFailedToBeSentToDeadLetterCount"
        elif is_over:
            yield "InvocationsSentToDeadLetterCount"
        return
    yield "InvocationAttemptCount"
    if has_failed:
        yield "TargetErrorCount"
        if is_over:
            yield "InvocationDroppedCount"


def _source(source_arn: str) -> tuple[Scope, str, Dimensions]:
    arn = Arn.parse(source_arn)
    _, *above, name = arn.resource.split("/")
    if arn.resource.startswith(_SCHEDULE):
        return arn.scope, _SCHEDULER, (("ScheduleGroup", "/".join(above)),)
    of_bus = {"EventBusName": "/".join(above)} if above else {}
    return arn.scope, _EVENTS, dimensions_of({"RuleName": name, **of_bus})
