"""The metrics of `AWS/Lambda` that come from calls: one `InvocationEnded` for each.

Every metric exists for all functions of a Region, by function, by function and resource (the
version or alias that was called), and for an alias also by the version that ran. A call adds to one
`_Totals` only. The metrics of all those dimensions are made when the metric store is written.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lambent.model.function import LATEST, FunctionKey
from lambent.model.invocation import OutcomeKind
from lambent.model.invocation_ended import Concurrency, InvocationEnded
from lambent.telemetry.exposition import Call
from lambent.telemetry.metrics import NAMESPACE, Metrics, unit_of
from lambent.telemetry.series.database import Point
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import Dimensions, MetricKey

_COUNTED = {"Invocations": "invocations", "Errors": "errors", "Throttles": "throttles"}
_NOT_RUN = frozenset({OutcomeKind.THROTTLED, OutcomeKind.REFUSED})
_FAILED = frozenset({OutcomeKind.FUNCTION_FAILED, OutcomeKind.TIMED_OUT, OutcomeKind.CRASHED})
_TRACE = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})")
_NOTED_MAX = 500
"""Calls that wait to be counted, which then takes half a millisecond."""


class _Called(NamedTuple):
    """What was called, which version ran, and in which minute."""

    key: FunctionKey
    qualifier: str | None
    version: str
    minute: int


class _Totals:
    """What calls of one kind add up to."""

    __slots__ = (
        "duration",
        "errors",
        "invocations",
        "last",
        "peak",
        "provisioned",
        "spillover",
        "throttles",
    )

    def __init__(self) -> None:
        self.invocations = self.errors = self.throttles = 0
        self.provisioned = self.spillover = 0
        """Calls of a version with provisioned concurrency: on it, and beyond it."""
        self.duration = Distribution()
        """In milliseconds."""
        self.last: InvocationEnded | None = None
        self.peak = Concurrency()

    def add(self, ended: Sequence[InvocationEnded]) -> None:
        """Count calls."""
        ran = [call for call in ended if call.outcome not in _NOT_RUN]
        self.invocations += len(ran)
        if len(ran) < len(ended):
            self.throttles += sum(call.outcome is OutcomeKind.THROTTLED for call in ended)
        self.errors += len([None for call in ran if call.outcome in _FAILED])
        self.duration.add_all([call.duration_s * 1000 for call in ran])
        self.last = ran[-1] if ran else self.last
        for now in {call.concurrency for call in ran}:
            self.peak = Concurrency(*map(max, now, self.peak))
        if self.peak.provisioned_max:
            provisioned = [call.is_provisioned for call in ran if call.concurrency.provisioned_max]
            self.provisioned += sum(provisioned)
            self.spillover += len(provisioned) - sum(provisioned)


class InvocationMetrics:
    """Gathers metrics between two writes of the metric store, as one of its sources."""

    def __init__(self, metrics: Metrics) -> None:
        """`metrics` gets the sums by function, too."""
        self._metrics = metrics
        self._totals: dict[_Called, _Totals] = {}
        self._noted: list[InvocationEnded] = []

    def note(self, ended: InvocationEnded) -> None:
        """Count a call that has ended. Its values belong to the minute in which it started."""
        # Counting many at once is several times cheaper than counting each on its way.
        self._noted.append(ended)
        if len(self._noted) >= _NOTED_MAX:
            self._count()

    def _count(self) -> None:
        noted, self._noted = self._noted, []
        calls: defaultdict[tuple[FunctionKey, str | None, str, int], list[InvocationEnded]]
        calls = defaultdict(list)
        for ended in noted:
            minute = int(ended.started_at // 60)
            calls[ended.key, ended.qualifier, ended.version, minute].append(ended)
        for called, several in calls.items():
            self._totals.setdefault(_Called(*called), _Totals()).add(several)

    def take(self) -> Iterator[tuple[Point, Distribution]]:
        """What was gathered since the last call, by metric and minute."""
        self._count()
        gathered, self._totals = self._totals, {}
        merged: dict[Point, Distribution] = {}
        for called, totals in gathered.items():
            self._add_up(called.key, totals)
            for dimensions, name, values in _points(called, totals):
                key = MetricKey(called.key.scope, NAMESPACE, name, dimensions, unit_of(name))
                merged.setdefault((key, called.minute), Distribution()).merge(values)
        return iter(merged.items())

    def _add_up(self, key: FunctionKey, totals: _Totals) -> None:
        for name, attribute in _COUNTED.items():
            number = getattr(totals, attribute)
            self._metrics.add_up(name, key, number, count=number)
        if totals.duration.count:
            last = totals.last
            call = None if last is None else _exemplar(last)
            self._metrics.add_durations(key, totals.duration, call)


def _exemplar(ended: InvocationEnded) -> Call:
    trace = _TRACE.match(ended.trace_id)
    return Call(
        ended.request_id,
        trace[1] + trace[2] if trace else "",
        ended.duration_s * 1000,
        ended.started_at,
    )


def _points(called: _Called, totals: _Totals) -> Iterator[tuple[Dimensions, str, Distribution]]:
    name, qualifier = called.key.name, called.qualifier
    of_function: Dimensions = (("FunctionName", name),)
    resource = name if qualifier is None else f"{name}:{qualifier}"
    of_resource: Dimensions = (*of_function, ("Resource", resource))
    dimensions = [(), of_function, of_resource]
    if qualifier is not None and qualifier not in (LATEST, called.version):
        dimensions.append((("ExecutedVersion", called.version), *of_resource))
    for metric, values in _values(totals):
        for chosen in dimensions:
            yield chosen, metric, values
    if totals.invocations:
        yield (), "ConcurrentExecutions", _value(totals.peak.account)
        yield (), "UnreservedConcurrentExecutions", _value(totals.peak.unreserved)
        yield (), "ClaimedAccountConcurrency", _value(totals.peak.claimed)
        for chosen in (of_function, (*of_function, ("Resource", name))):
            yield chosen, "ConcurrentExecutions", _value(totals.peak.function)
    if totals.peak.provisioned_max:
        share = totals.peak.provisioned / totals.peak.provisioned_max
        for chosen in (of_function, of_resource):
            yield chosen, "ProvisionedConcurrentExecutions", _value(totals.peak.provisioned)
            yield chosen, "ProvisionedConcurrencyUtilization", _value(share)


def _values(totals: _Totals) -> Iterator[tuple[str, Distribution]]:
    ran = totals.invocations
    if ran:
        yield "Invocations", _counts(ran, ran)
        # One value for each call, so that the average is the rate.
        yield "Errors", _counts(totals.errors, ran)
        yield "Duration", totals.duration
    yield "Throttles", _counts(totals.throttles, ran + totals.throttles)
    if totals.peak.provisioned_max:
        yield "ProvisionedConcurrencyInvocations", _counts(totals.provisioned, ran)
        yield "ProvisionedConcurrencySpilloverInvocations", _counts(totals.spillover, ran)


def _counts(ones: int, total: int) -> Distribution:
    """So many values of 1, and values of 0 up to the total."""
    made = Distribution()
    if ones:
        made.add(1.0, ones)
    if total > ones:
        made.add(0.0, total - ones)
    return made


def _value(value: float) -> Distribution:
    made = Distribution()
    made.add(value)
    return made
