"""The metrics of `AWS/Lambda`, computed from invocations that have ended.

Every metric exists by function, by function and resource (the version or alias that was called), for
an alias also by the version that ran, and for all functions of a region. An invocation adds to one
`_Totals` only; the sums over dimensions are made when metrics are written.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.function import LATEST, FunctionKey
from lambent.model.invocation import InvocationEnded
from lambent.telemetry.series.database import Point
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import Dimensions, MetricKey

NAMESPACE = "AWS/Lambda"
_UNITS = {"Duration": "Milliseconds", "IteratorAge": "Milliseconds", "AsyncEventAge": "Milliseconds"}
"""Of metrics that are not counts."""


class Peaks(NamedTuple):
    """How many invocations ran at once, at most, where any ran."""

    accounts: Mapping[Scope, tuple[int, int]]
    """In an account and region: all, and those that share what is not reserved."""
    functions: Mapping[FunctionKey, int]


class _Called(NamedTuple):
    """What was called, and which version ran, in which minute."""

    key: FunctionKey
    qualifier: str | None
    version: str
    minute: int


class _Totals:
    """What invocations of one kind add up to."""

    __slots__ = ("duration", "errors", "invocations", "throttles")

    def __init__(self) -> None:
        self.invocations = self.errors = self.throttles = 0
        self.duration = Distribution()


class LambdaMetrics:
    """Gathers metrics between two writes of the metric store, whose source it is."""

    def __init__(self, take_peaks: Callable[[], Peaks], clock: Clock) -> None:
        self._take_peaks = take_peaks
        self._clock = clock
        self._totals: dict[_Called, _Totals] = {}

    def note(self, ended: InvocationEnded) -> None:
        """Count an invocation that has ended. Its values belong to the minute in which it began."""
        called = _Called(ended.key, ended.qualifier, ended.version, int(ended.started_at // 60))
        totals = self._totals.get(called)
        if totals is None:
            totals = self._totals[called] = _Totals()
        if ended.is_throttled:
            totals.throttles += 1
        elif ended.has_run:
            totals.invocations += 1
            totals.errors += not ended.has_succeeded
            totals.duration.add(ended.duration_s * 1000)

    def take(self) -> Iterator[tuple[Point, Distribution]]:
        """What was gathered since the last call, by metric and minute."""
        gathered, self._totals = self._totals, {}
        merged: dict[Point, Distribution] = {}
        for called, totals in gathered.items():
            values = list(_values(totals))
            for dimensions in _dimensions(called):
                for name, distribution in values:
                    key = _key(called.key.scope, name, dimensions)
                    known = merged.setdefault((key, called.minute), Distribution())
                    known.merge(distribution)
        yield from merged.items()
        yield from self._concurrency()

    def _concurrency(self) -> Iterator[tuple[Point, Distribution]]:
        peaks, minute = self._take_peaks(), int(self._clock.now() // 60)
        for scope, (running, unreserved) in peaks.accounts.items():
            for name, peak in (
                ("ConcurrentExecutions", running),
                ("UnreservedConcurrentExecutions", unreserved),
            ):
                yield (_key(scope, name, ()), minute), _one(peak)
        for key, peak in peaks.functions.items():
            for dimensions in (_of_function(key.name), _of_resource(key.name, None)):
                yield (_key(key.scope, "ConcurrentExecutions", dimensions), minute), _one(peak)


def _values(totals: _Totals) -> Iterator[tuple[str, Distribution]]:
    ran, throttled = totals.invocations, totals.throttles
    if ran:
        yield "Invocations", _counted(ran, 0)
        # A value for each invocation, so that the average is the rate.
        yield "Errors", _counted(totals.errors, ran - totals.errors)
        yield "Duration", totals.duration
    yield "Throttles", _counted(throttled, ran)


def _counted(ones: int, zeros: int) -> Distribution:
    made = Distribution()
    if ones:
        made.add(1.0, ones)
    if zeros:
        made.add(0.0, zeros)
    return made


def _one(value: float) -> Distribution:
    made = Distribution()
    made.add(value)
    return made


def _dimensions(called: _Called) -> Iterator[Dimensions]:
    name, qualifier = called.key.name, called.qualifier
    yield ()
    yield _of_function(name)
    yield _of_resource(name, qualifier)
    if qualifier is not None and qualifier not in (LATEST, called.version):
        yield (("ExecutedVersion", called.version), *_of_resource(name, qualifier))


def _of_function(name: str) -> Dimensions:
    return (("FunctionName", name),)


def _of_resource(name: str, qualifier: str | None) -> Dimensions:
    resource = name if qualifier is None else f"{name}:{qualifier}"
    return (("FunctionName", name), ("Resource", resource))


def _key(scope: Scope, name: str, dimensions: Dimensions) -> MetricKey:
    return MetricKey(scope, NAMESPACE, name, dimensions, _UNITS.get(name, "Count"))
