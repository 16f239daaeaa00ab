"""What a collector gets is what Prometheus would scrape."""

from collections.abc import Sequence

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily

from lambent.model.arn import AccountId, Region
from lambent.model.function import FunctionKey
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.otlp_metrics import OtlpMetrics
from lambent.telemetry.series.distribution import Distribution

from .test_otlp import collecting, until

pytestmark = pytest.mark.anyio
KEY = FunctionKey(AccountId("111111111111"), Region("us-east-1"), "f")


async def health() -> Sequence[Metric]:
    return [GaugeMetricFamily("lambent_queued_events", "Events.", 7)]


async def test_a_collector_gets_all_metrics() -> None:
    """Sums, a histogram, a summary and a gauge, of all accounts."""
    async with collecting() as (collector, sender, clock):
        metrics = Metrics()
        metrics.add_up("Invocations", KEY, 3, count=3)
        metrics.add_up("AsyncEventAge", KEY, 2500, count=2)
        durations = Distribution()
        durations.add_all([4.0, 40.0, 400_000.0])
        metrics.add_durations(KEY, durations, None)
        exporter = OtlpMetrics(sender, metrics, health, clock, every_s=60, version="1")
        clock.advance(60)
        await exporter.send()
        await until(collector, 1, clock)
    (path, body, _) = collector.received[0]
    assert path == "/v1/metrics"
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert resource.resource.attributes[0].value.string_value == "lambent"
    found = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    (calls,) = found["lambent_invocations"].sum.data_points
    assert calls.as_double == 3
    assert found["lambent_invocations"].sum.is_monotonic
    assert calls.time_unix_nano - calls.start_time_unix_nano == 60 * 10**9
    attributes = {pair.key: pair.value.string_value for pair in calls.attributes}
    assert attributes == {"region": "us-east-1", "function": "f", "account": "111111111111"}
    (histogram,) = found["lambent_duration_seconds"].histogram.data_points
    assert histogram.count == 3
    assert histogram.sum == pytest.approx(400.044)
    assert sum(histogram.bucket_counts) == 3
    assert len(histogram.bucket_counts) == len(histogram.explicit_bounds) + 1
    assert histogram.bucket_counts[0] == histogram.bucket_counts[-1] == 1
    (ages,) = found["lambent_async_event_age_seconds"].summary.data_points
    assert (ages.count, ages.sum) == (2, 2.5)
    (queued,) = found["lambent_queued_events"].gauge.data_points
    assert queued.as_double == 7


async def test_many_functions_are_several_requests() -> None:
    """Each small enough for a collector."""
    async with collecting() as (collector, sender, clock):
        metrics = Metrics()
        for number in range(3000):
            key = KEY._replace(name=f"f{number}")
            metrics.add_up("Invocations", key, 1, count=1)
            metrics.add_up("Errors", key, 1, count=1)
        exporter = OtlpMetrics(sender, metrics, health, clock, every_s=60, version="1")
        await exporter.send()
        await until(collector, 4, clock)
    points = 0
    for _, body, _ in collector.received:
        assert len(body) < 1 << 20
        (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        points += sum(len(m.sum.data_points) for m in resource.scope_metrics[0].metrics)
    assert points == 6000
