"""Metrics by function, with AWS's names: sums for Prometheus and other collectors, and values over
time for CloudWatch's API.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence

from lambent.model.arn import AccountId
from lambent.model.function import FunctionKey
from lambent.telemetry.exposition import Call, Durations, Sums
from lambent.telemetry.series.database import Point
from lambent.telemetry.series.distribution import Distribution
from lambent.telemetry.series.keys import Dimensions, MetricKey
from lambent.telemetry.series.store import MetricStore

_FUNCTIONS_MAX = 10_000
"""Most functions and mappings. Beyond it, those that were not counted for longest are forgotten."""
NAMESPACE = "AWS/Lambda"
_NOTED_MAX = 500
"""Values that wait to be counted."""
_MILLISECONDS = frozenset(
    {
        "AsyncEventAge",
        "Duration",
        "IteratorAge",
        "PostRuntimeExtensionsDuration",
        "UrlRequestLatency",
    }
)


_Noted = tuple[str, FunctionKey, str, int]
"""Name, function, mapping and minute."""


def unit_of(name: str) -> str:
    """The unit of a metric, as CloudWatch names it."""
    if name == "ProvisionedConcurrencyUtilization":
        return "None"
    return "Milliseconds" if name in _MILLISECONDS else "Count"


class Metrics:
    """Sums since the platform started, and each value over time in the metric store."""

    def __init__(self, store: MetricStore | None = None) -> None:
        """Without a store only sums are kept."""
        self._store = store
        self._of: OrderedDict[tuple[FunctionKey, str], dict[str, tuple[int, float]]]
        self._of = OrderedDict()
        """By function, and by mapping if it belongs to one."""
        self._durations: OrderedDict[FunctionKey, Durations] = OrderedDict()
        self._noted: defaultdict[_Noted, list[float]] = defaultdict(list)
        """Single values that wait to be counted."""
        self._noted_count = 0
        if store is not None:
            store.add_source(self._take)

    def add(
        self,
        name: str,
        key: FunctionKey,
        value: float = 1,
        *,
        count: int = 1,
        mapping: str = "",
    ) -> None:
        """Count values of a metric (`AsyncEventsReceived`, …) whose sum is `value`; of an event
        source mapping by its UUID, if it is about one."""
        if count == 1:
            # Counting many at once is several times cheaper than counting each event on its way.
            minute = 0 if self._store is None else int(self._store.now() // 60)
            self._noted[name, key, mapping, minute].append(value)
            self._noted_count += 1
            if self._noted_count >= _NOTED_MAX:
                self._count()
            return
        self.add_up(name, key, value, count=count, mapping=mapping)
        if self._store is not None and count > 0:
            for metric in _metrics(name, key, mapping):
                self._store.record(metric, value / count, count)

    def _count(self) -> None:
        noted, self._noted, self._noted_count = self._noted, defaultdict(list), 0
        for (name, key, mapping, minute), values in noted.items():
            self.add_up(name, key, sum(values), count=len(values), mapping=mapping)
            if self._store is not None:
                distribution = Distribution()
                distribution.add_all(values)
                for metric in _metrics(name, key, mapping):
                    self._store.record_all(metric, distribution, minute * 60.0)

    def _take(self) -> Iterable[tuple[Point, Distribution]]:
        """Count what waits. It is recorded like all other values."""
        self._count()
        return ()

    def add_up(
        self, name: str, key: FunctionKey, value: float, *, count: int, mapping: str = ""
    ) -> None:
        """Add to the sums only."""
        metrics = self._of.get((key, mapping))
        if metrics is None:
            metrics = self._of[key, mapping] = {}
            if len(self._of) > _FUNCTIONS_MAX:
                self._of.popitem(last=False)
        else:
            self._of.move_to_end((key, mapping))
        known_count, known_sum = metrics.get(name, (0, 0.0))
        metrics[name] = known_count + count, known_sum + value

    def add_durations(
        self, key: FunctionKey, durations_ms: Distribution, last: Call | None
    ) -> None:
        """Add to the durations of a function's calls since the platform started."""
        durations = self._durations.get(key)
        if durations is None:
            durations = self._durations[key] = Durations()
            if len(self._durations) > _FUNCTIONS_MAX:
                self._durations.popitem(last=False)
        else:
            self._durations.move_to_end(key)
        durations.add(durations_ms)
        durations.last = last or durations.last

    def sums(self, account: AccountId | None = None) -> Sequence[Sums]:
        """What was counted since the platform started, of one account or of all."""
        self._count()
        found = [
            Sums(key, mapping, dict(values), None)
            for (key, mapping), values in self._of.items()
            if account in (None, key.account)
        ]
        found += [
            Sums(key, "", {}, dataclasses.replace(durations, counts=[*durations.counts]))
            for key, durations in self._durations.items()
            if account in (None, key.account)
        ]
        return found

    async def settle(self) -> None:
        """Count what has ended so far."""
        if self._store is not None:
            await self._store.write()


def _metrics(name: str, key: FunctionKey, mapping: str) -> Sequence[MetricKey]:
    of_function: Dimensions = (("FunctionName", key.name),)
    of_mapping: Dimensions = (("EventSourceMappingUUID", mapping), *of_function)
    return [
        MetricKey(key.scope, NAMESPACE, name, dimensions, unit_of(name))
        for dimensions in ((of_mapping,) if mapping else ((), of_function))
    ]
