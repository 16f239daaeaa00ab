"""Metrics as Prometheus wants them: families with its names and units, rendered by its library.

Names are those of `AWS/Lambda` in its spelling: `Invocations` is `lambent_invocations_total`,
`Duration` the histogram `lambent_duration_seconds`.
https://prometheus.io/docs/practices/naming/
"""

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client import Metric, exposition
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from lambent.model.arn import AccountId
from lambent.model.function import FunctionKey
from lambent.telemetry.series.distribution import Distribution

BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000)
"""Upper bounds of the buckets of durations; one more has no bound."""
_AGES = frozenset({"AsyncEventAge", "IteratorAge", "PostRuntimeExtensionsDuration"})
_LATENCIES = frozenset({"UrlRequestLatency"})
_LAGS = frozenset({"OffsetLag", "MaxOffsetLag", "SumOffsetLag"})
"""Numbers of records, of which a sum says nothing."""
_NAMES = {"Url4xxCount": "url_4xx", "Url5xxCount": "url_5xx"}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BOUND_TEXTS = [*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf"]


class Call(NamedTuple):
    """A call that stands for others like it: the exemplar of a bucket."""

    request_id: str
    trace_id: str
    """32 hex digits, or empty."""
    duration_ms: float
    started_at: float


@dataclass(slots=True)
class Durations:
    """How long the calls of one function took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    sum_ms: float = 0.0
    last: Call | None = None

    def add(self, durations_ms: Distribution) -> None:
        """Count durations; one that is within 1 % of a bound may be in the next bucket."""
        for duration_ms, count in durations_ms.spread() or ():
            self.counts[bisect.bisect_left(BOUNDS_MS, duration_ms)] += int(count)
        self.sum_ms += durations_ms.sum


class Sums(NamedTuple):
    """Everything that is counted of one function, or of one of its mappings."""

    key: FunctionKey
    mapping: str
    """The UUID of the mapping; empty for the function itself."""
    values: Mapping[str, tuple[int, float]]
    """Count and sum by AWS's name."""
    durations: Durations | None


def families_of(sums: Iterable[Sums], *, with_account: bool = False) -> Sequence[Metric]:
    """The families of metrics of functions. `with_account` adds the label `account`."""
    families: dict[str, Metric] = {}
    for each in sums:
        labels = [each.key.region, each.key.name]
        names = ["region", "function"]
        if with_account:
            labels.append(each.key.account)
            names.append("account")
        if each.mapping:
            labels.append(each.mapping)
            names.append("mapping")
        for name, (count, total) in each.values.items():
            _add(families, name, names, labels, count, total)
        if each.durations is not None:
            _add_durations(families, names, labels, each.durations)
    return [families[name] for name in sorted(families)]


def render(families: Sequence[Metric], accept: str) -> tuple[bytes, str]:
    """The text that a scraper accepts, and its content type."""

    class Collected(Collector):
        def collect(self) -> Iterable[Metric]:
            return families

    encode, content_type = exposition.choose_encoder(accept)
    return encode(Collected()), content_type


def series_name(name: str) -> str:
    """`AsyncEventsReceived` as `lambent_async_events_received`."""
    snake = _NAMES.get(name) or _WORD.sub("_", re.sub(r"Count$", "s", name)).lower()
    if name in _AGES or name in _LATENCIES:
        snake += "_seconds"
    return f"lambent_{snake}"


def _add(
    families: dict[str, Metric],
    name: str,
    names: Sequence[str],
    labels: Sequence[str],
    count: int,
    total: float,
) -> None:
    series = series_name(name)
    family = families.get(series)
    if name in _AGES or name in _LATENCIES or name in _LAGS:
        if family is None:
            text = f"{name} of AWS/Lambda" + (", in seconds." if name not in _LAGS else ".")
            family = families[series] = SummaryMetricFamily(series, text, labels=names)
        assert isinstance(family, SummaryMetricFamily)
        family.add_metric(labels, count, total if name in _LAGS else total / 1000)
        return
    if family is None:
        family = families[series] = CounterMetricFamily(
            series, f"{name} of AWS/Lambda.", labels=names
        )
    assert isinstance(family, CounterMetricFamily)
    family.add_metric(labels, total)


def _add_durations(
    families: dict[str, Metric], names: Sequence[str], labels: Sequence[str], durations: Durations
) -> None:
    series = "lambent_duration_seconds"
    family = families.get(series)
    if family is None:
        family = families[series] = HistogramMetricFamily(
            series, "Duration of AWS/Lambda, in seconds.", labels=names
        )
    assert isinstance(family, HistogramMetricFamily)
    last = durations.last
    at = -1 if last is None else bisect.bisect_left(BOUNDS_MS, last.duration_ms)
    passed = 0
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for number, (bound, count) in enumerate(zip(_BOUND_TEXTS, durations.counts, strict=True)):
        passed += count
        if number == at and last is not None:
            buckets.append((bound, passed, _exemplar(last)))
        else:
            buckets.append((bound, passed))
    family.add_metric(labels, buckets, durations.sum_ms / 1000)


def _exemplar(call: Call) -> Exemplar:
    labels = {"request_id": call.request_id[:64]}
    if call.trace_id:
        labels["trace_id"] = call.trace_id
    return Exemplar(labels, call.duration_ms / 1000, call.started_at)


def of_account(sums: Iterable[Sums], account: AccountId) -> Iterable[Sums]:
    """Those of one account."""
    return (each for each in sums if each.key.account == account)
