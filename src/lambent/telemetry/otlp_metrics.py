"""Metrics as OTLP: the families that Prometheus gets, sent to a collector every minute.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from prometheus_client import Metric
from prometheus_client.samples import Sample

from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.telemetry.exposition import families_of
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.otlp import OtlpSender

LoadHealth = Callable[[], Awaitable[Sequence[Metric]]]

_SERIES_MAX = 2_000
"""Time series in one request, so that each is much smaller than what collectors take."""
_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE


class OtlpMetrics:
    """Sends all metrics of the platform."""

    def __init__(
        self,
        sender: OtlpSender,
        metrics: Metrics,
        health: LoadHealth,
        clock: Clock,
        *,
        every_s: float,
        version: str,
    ) -> None:
        self._sender = sender
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._every_s = every_s
        self._version = version
        self._started = clock.now()

    async def run(self) -> None:
        """Send, forever."""
        while True:
            await self._clock.sleep(self._every_s)
            if self._sender.is_enabled:
                await self.send()

    async def send(self) -> None:
        """Send what was counted so far."""
        await self._metrics.settle()
        health, sums, now = await self._health(), self._metrics.sums(), self._clock.now()

        def encode() -> Sequence[bytes]:
            families = [*families_of(sums, with_account=True), *health]
            return list(requests_of(families, self._started, now, self._version))

        for body in await computed(encode):
            self._sender.send("/v1/metrics", body)


def requests_of(
    families: Iterable[Metric], started: float, now: float, version: str
) -> Iterator[bytes]:
    """The bodies of requests with these families; times are epoch seconds."""
    request, scope = _request(version)
    count = 0
    for family in families:
        series = list(_series(family))
        for begin in range(0, len(series), _SERIES_MAX):
            chunk = series[begin : begin + _SERIES_MAX]
            if count and count + len(chunk) > _SERIES_MAX:
                yield request.SerializeToString()
                request, scope = _request(version)
                count = 0
            _add(scope.metrics.add(), family, chunk, int(started * 1e9), int(now * 1e9))
            count += len(chunk)
    if count:
        yield request.SerializeToString()


def _request(version: str) -> tuple[ExportMetricsServiceRequest, metrics_pb2.ScopeMetrics]:
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.extend(
        _attributes({"service.name": "lambent", "service.version": version})
    )
    scope = of_resource.scope_metrics.add()
    scope.scope.name = "lambent"
    return request, scope


def _attributes(labels: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in labels.items()]


def _series(family: Metric) -> Iterator[Sequence[Sample]]:
    """The samples of each time series of a family, which are next to each other."""
    group: list[Sample] = []
    previous: Mapping[str, str] | None = None
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        if group and labels != previous:
            yield group
            group = []
        previous = labels
        group.append(sample)
    if group:
        yield group


def _add(
    metric: metrics_pb2.Metric,
    family: Metric,
    series: Sequence[Sequence[Sample]],
    started_ns: int,
    now_ns: int,
) -> None:
    metric.name, metric.description = family.name, family.documentation
    metric.unit = "s" if family.name.endswith("_seconds") else ""
    if family.type == "counter":
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = _CUMULATIVE
    elif family.type == "histogram":
        metric.histogram.aggregation_temporality = _CUMULATIVE
    for samples in series:
        labels = {name: value for name, value in samples[0].labels.items() if name != "le"}
        times = {
            "attributes": _attributes(labels),
            "start_time_unix_nano": started_ns,
            "time_unix_nano": now_ns,
        }
        by_name = {sample.name.removeprefix(family.name): sample.value for sample in samples}
        if family.type == "histogram":
            bounds, counts = _buckets(family, samples)
            metric.histogram.data_points.add(
                count=int(by_name["_count"]),
                sum=by_name["_sum"],
                explicit_bounds=bounds,
                bucket_counts=counts,
                **times,
            )
        elif family.type == "summary":
            count, total = int(by_name["_count"]), by_name["_sum"]
            metric.summary.data_points.add(count=count, sum=total, **times)
        elif family.type == "counter":
            metric.sum.data_points.add(as_double=by_name["_total"], **times)
        else:
            metric.gauge.data_points.add(as_double=by_name[""], **times)


def _buckets(family: Metric, samples: Sequence[Sample]) -> tuple[list[float], list[int]]:
    """Bounds, and how many values lie below each and above the one before it."""
    bounds: list[float] = []
    counts: list[int] = []
    passed = 0
    for sample in samples:
        if sample.name == f"{family.name}_bucket":
            bound = float(sample.labels["le"])
            bounds += [bound] if math.isfinite(bound) else []
            counts.append(int(sample.value) - passed)
            passed = int(sample.value)
    return bounds, counts
