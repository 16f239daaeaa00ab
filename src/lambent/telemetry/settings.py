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
    """Seconds between two writes of what has been logged to disk. A platform that is killed loses
    the lines since the last one, and those of the write under way: by default up to about 0.3 s.
    Lines of asynchronous events are written before an event is done, whenever that is."""
