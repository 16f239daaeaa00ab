"""Metrics by function, with AWS's names: sums for Prometheus and other collectors, and values over
time for CloudWatch's API.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import re
from collections import OrderedDict

from lambent.model.arn import AccountId
from lambent.model.function import FunctionKey
from lambent.telemetry.series.keys import Dimensions, MetricKey
from lambent.telemetry.series.store import MetricStore

_FUNCTIONS_MAX = 10_000
"""Most functions and mappings. Beyond it, those that were not counted for longest are forgotten."""
NAMESPACE = "AWS/Lambda"
_MILLISECONDS = frozenset({"Duration", "IteratorAge", "AsyncEventAge"})


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
        self.add_up(name, key, value, count=count, mapping=mapping)
        if self._store is None or count <= 0:
            return
        of_function: Dimensions = (("FunctionName", key.name),)
        of_mapping: Dimensions = (("EventSourceMappingUUID", mapping), *of_function)
        for dimensions in (of_mapping,) if mapping else ((), of_function):
            metric = MetricKey(key.scope, NAMESPACE, name, dimensions, unit_of(name))
            self._store.record(metric, value / count, count)

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

    def render(self, account: AccountId) -> bytes:
        """Return the metrics of one account as text for Prometheus:
        `lambent_async_events_received_sum` and `…_count` of `AsyncEventsReceived`; ages are in
        milliseconds."""
        lines: dict[str, list[str]] = {}
        for (key, mapping), metrics in self._of.items():
            if key.account != account:
                continue
            of = f',mapping="{mapping}"' if mapping else ""
            labels = f'{{region="{key.region}",function="{key.name}"{of}}}'
            for name, (count, total) in metrics.items():
                series = lines.setdefault(_series(name), [])
                series.append(f"{_series(name)}_sum{labels} {total:.15g}")
                series.append(f"{_series(name)}_count{labels} {count}")
        text = [line for name in sorted(lines) for line in (f"# TYPE {name} summary", *lines[name])]
        return "".join(f"{line}\n" for line in text).encode()


def _series(name: str) -> str:
    return "lambent" + re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
