"""What an operator may choose about asynchronous invocation."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AsynchronousSettings:
    """Settings of the `asynchronous` room."""

    retry_s: float = 60.0
    """Seconds until the second attempt when a function has failed; twice that until the third.
    Default: 60, as in AWS."""
    backoff_s: float = 1.0
    """Seconds until the next attempt when the function could not be reached, doubled each time.
    Default: 1, as in AWS."""
    backoff_max_s: float = 300.0
    """Most seconds between two such attempts. Default: 300, as in AWS."""
    in_flight_max: int = 500
    """Events that are delivered at the same time. A function that has none under way may always
    begin one more. Default: 500, half of an account's concurrency, so that a backlog leaves room
    for callers who wait."""
    held_max: int = 2048
    """Events that are read ahead into memory; of each function with a backlog at least one.
    """
    kept_at_once_max: int = 1024
    """Events written in one commit; as many more may wait for theirs, further ones are throttled.
    """
