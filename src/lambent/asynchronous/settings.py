"""Settings of asynchronous invocation."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AsynchronousSettings:
    """Settings of the `asynchronous` room."""

    retry_s: float = 60.0
    """Seconds before the second attempt after a function error; twice that before the third.
    Default: 60, as in AWS."""
    backoff_s: float = 1.0
    """Seconds before the next attempt after throttling or a system error, doubled each time.
    Default: 1, as in AWS."""
    backoff_max_s: float = 300.0
    """Maximum seconds between two such attempts. Default: 300, as in AWS."""
    in_flight_max: int = 500
    """Maximum events in delivery at the same time. A function with none in delivery may always
    start one. Default: 500, half of an account's concurrency, so that a backlog leaves room for
    synchronous callers."""
    held_max: int = 2048
    """Events that are read ahead into memory; at least one for each function with a backlog."""
    kept_at_once_max: int = 1024
    """Events in one commit; as many more may wait for the next, and further ones are throttled."""
