"""What an operator may choose about function logs."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Settings of the `telemetry` room."""

    group_bytes_max: int = 128 * 1024 * 1024
    """Most bytes one log group keeps on disk; its oldest events go first."""
    total_bytes_max: int = 1024 * 1024 * 1024
    """Most bytes all log groups keep on disk; the oldest events go first."""
    group_streams_max: int = 5_000
    """Most streams one log group keeps, one for each environment there was; the oldest go first,
    since every look at a group is a look at all its streams."""
    stream_buffer_bytes_max: int = 1024 * 1024
    """Bytes one environment's log may hold in memory; beyond, its output waits in its pipes."""
    flush_every_s: float = 0.1
    """Seconds between two writes of what functions have printed while they run. At the end of an
    invocation it is written anyway, before it is answered: a platform that is killed loses only
    lines of invocations that were under way."""
    metrics_every_s: float = 10.0
    """Seconds between two writes of metrics: what a platform that is killed loses."""
    metrics_days: int = 15
    """Days for which metrics are kept, minute by minute."""
    metrics_mb: int = 512
    """Most MB of metrics on disk; the oldest go first."""
