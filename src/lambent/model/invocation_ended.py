"""The fact that a call has ended: what metrics and traces are made of.

The invoker emits one for every call of a function that exists, refused calls included.
"""

from collections.abc import Callable
from typing import NamedTuple

from lambent.model.function import FunctionKey
from lambent.model.invocation import InvocationKind, OutcomeKind


class Concurrency(NamedTuple):
    """How many calls run at one moment."""

    function: int = 0
    """Of the function."""
    account: int = 0
    """Of all functions of the account in the region."""
    unreserved: int = 0
    """Those of the account that use concurrency which is not set aside for a function."""
    provisioned: int = 0
    """Those of the version that use its provisioned concurrency."""
    provisioned_max: int = 0
    """The version's provisioned concurrency; 0 without any."""
    claimed: int = 0
    """Of the account: what runs without concurrency set aside, and all that is set aside."""


class InvocationEnded(NamedTuple):
    """One call. Durations are in seconds; those of a refused call are 0."""

    key: FunctionKey
    version: str
    """The version that ran, or was to run: `$LATEST` or a number."""
    qualifier: str | None
    """The version or alias that the caller named; None if it named none."""
    kind: InvocationKind
    request_id: str
    trace_id: str
    started_at: float
    """Epoch seconds at which the call came, rounded to the time that writing its log takes."""
    queued_s: float
    """How long the call waited for an environment."""
    init_s: float | None
    """How long its environment took to start, if this was the first call there; else None."""
    duration_s: float
    """How long the function took."""
    outcome: OutcomeKind
    error_type: str | None
    """The function's error type, a dotted type of the platform's, or the exception's name of a
    refused call; None if the call succeeded."""
    request_bytes: int
    response_bytes: int
    memory_mb: int
    """What the function is configured to have."""
    memory_used_mb: int
    """The most that its environment has used so far; 0 for a refused call."""
    is_provisioned: bool
    """Whether it ran in an environment of provisioned concurrency."""
    concurrency: "Concurrency"
    """What ran when this call ended, this one included. Since every decrease is the end of a call,
    the largest of these is the true maximum."""


Listener = Callable[[InvocationEnded], None]
"""Called on the event loop after the caller has its outcome. Must neither block nor raise."""
