"""Settings of function logs, metrics and traces, and their export."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Settings of the `telemetry` room."""

    group_bytes_max: int = 128 * 1024 * 1024
    """Maximum bytes of one log group on disk; its oldest events are deleted first."""
    total_bytes_max: int = 1024 * 1024 * 1024
    """Maximum bytes of all log groups on disk; the oldest events are deleted first."""
    group_streams_max: int = 5_000
    """Maximum streams of one log group, one for each environment; the oldest are deleted first,
    because a query of a group reads all its streams."""
    stream_buffer_bytes_max: int = 1024 * 1024
    """Maximum bytes of one environment's log in memory; beyond it, output waits in its pipes."""
    flush_every_s: float = 0.1
    """Seconds between two writes of log lines while functions run. Lines are also written at the
    end of an invocation, before the response: a platform that is killed loses only lines of
    invocations in progress."""
    metrics_every_s: float = 10.0
    """Seconds between two writes of metrics; a platform that is killed loses these metrics."""
    alarms_every_s: float = 60.0
    """Seconds between two evaluations of alarms. Default: 60, as in AWS."""
    metrics_days: int = 15
    """Days for which metrics are kept, by minute."""
    metrics_mb: int = 512
    """Maximum MB of metrics on disk; the oldest are deleted first."""
    traces_days: int = 7
    """Days for which traces are kept."""
    traces_mb: int = 256
    """Maximum MB of traces on disk; the oldest are deleted first."""
    insights_every_s: float = 60.0
    """Seconds between two looks at what environments use (`LambdaInsights`). Default: 60; 0 records
    nothing of it."""
    otlp_endpoint: str = ""
    """URL of an OpenTelemetry collector that takes OTLP over HTTP in protobuf, without the path of
    a signal: `http://127.0.0.1:4318`. Default: empty, nothing is sent."""
    otlp_metrics_every_s: float = 60.0
    """Seconds between two exports of metrics to the collector. Default: 60."""
    otlp_headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Headers of requests to the collector, such as its token. Default: none."""
