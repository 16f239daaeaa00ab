"""What an operator can configure about function logs."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Settings of the `telemetry` room."""

    group_bytes_max: int = 128 * 1024 * 1024
    """Most bytes that one log group keeps on disk; its oldest events are deleted first."""
    total_bytes_max: int = 1024 * 1024 * 1024
    """Most bytes that all log groups keep on disk; the oldest events are deleted first."""
    group_streams_max: int = 5_000
    """Most streams that one log group keeps, one per environment. The oldest are deleted first,
    because every query of a group reads all its streams."""
    stream_buffer_bytes_max: int = 1024 * 1024
    """Bytes that one environment's log may hold in memory. Beyond it, the output waits in its
    pipes."""
    flush_every_s: float = 0.1
    """Seconds between two writes of the output of running functions. The end of an invocation
    always writes it, before the response is sent: a platform that is killed loses only lines of
    invocations in progress."""
    metrics_every_s: float = 10.0
    """Seconds between two writes of metrics: a platform that is killed loses these."""
    metrics_days: int = 15
    """Days for which metrics are kept, by the minute."""
    metrics_mb: int = 512
    """Most MB of metrics on disk; the oldest are deleted first."""
