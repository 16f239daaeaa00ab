"""What callers hand to the invoker, and what they get if they wait."""

import dataclasses
from typing import NamedTuple

from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import InvocationKind, Outcome, Refusal, Refused


class Call(NamedTuple):
    """A call of a function by its name."""

    request_id: str
    """UUID text; what the function sees as `aws_request_id`."""
    kind: InvocationKind
    key: FunctionKey
    qualifier: str | None
    """The version or alias that the caller names; None if it names none."""
    event: bytes
    trace_header: str | None = None
    """`X-Amzn-Trace-Id` of the caller; without a usable one the call begins a trace."""
    tenant_id: str = ""
    client_context: str = ""
    """JSON text; empty if the caller sent none."""
    wants_log_tail: bool = False
    wants_stream: bool = False
    attempt: int = 0
    """1 is the first attempt of an event; 0 if the call is no event."""
    accepted_at: float = 0.0
    """Epoch seconds at which the event was accepted."""


@dataclasses.dataclass(frozen=True, slots=True)
class CallResult:
    """A call that has ended."""

    request_id: str
    outcome: Outcome
    function: FunctionVersion | None
    """The version that was called; None if there was none."""
    trace_id: str = ""
    """The trace header of the call; empty if the function was not found."""

    @property
    def is_loop(self) -> bool:
        """Whether the call was refused because the function has called itself too often."""
        return isinstance(self.outcome, Refused) and self.outcome.reason is Refusal.LOOP
