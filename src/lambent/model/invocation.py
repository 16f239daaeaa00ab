"""One call of a function and how it may end.

An `Invocation` goes down through the one door; exactly one `Outcome` comes back up. The
function's failure is a value here, never an exception, so that callers, retries and
destinations can `match` over the closed union.
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol

from lambent.model.errors import ApiError
from lambent.model.function import FunctionVersion


@dataclasses.dataclass(frozen=True, slots=True)
class Succeeded:
    """The function answered."""

    payload: bytes
    content_type: str = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionFailed:
    """The function reported an error itself; `payload` is its error document, verbatim."""

    payload: bytes
    error_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class TimedOut:
    """The deadline passed first; everything the function had started was killed."""

    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Crashed:
    """The runtime exited, was killed or could not be started; `error_type` is dotted
    (`Runtime.ExitError`, `Runtime.OutOfMemory`, `Runtime.InvalidEntrypoint`, …)."""

    payload: bytes
    error_type: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The code never ran: the runtime is not installed, the host gave no sandbox, the platform
    is stopping. The caller sees `error`."""

    error: ApiError


Outcome = Succeeded | FunctionFailed | TimedOut | Crashed | Refused


class ResponseSink(Protocol):
    """Takes a response that comes chunk by chunk. How it ended is told as the outcome."""

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """The first chunk is on its way. `resume` lets more come after `write` said no."""
        ...

    def write(self, data: bytes) -> bool:
        """Take a chunk; whether more may come now."""
        ...


@dataclasses.dataclass(slots=True, kw_only=True)
class Invocation:
    """One request to run one function version once. Lives in memory only."""

    request_id: str
    """UUID text; what the function sees as `aws_request_id`."""
    function: FunctionVersion
    invoked_arn: str
    """The ARN as invoked: with the qualifier, if the caller gave one."""
    event: bytes
    content_type: str = "application/json"
    client_context: str = ""
    """JSON text, already base64-decoded; empty if the caller sent none."""
    trace_id: str = ""
    """`X-Amzn-Trace-Id` to hand to the runtime."""
    tenant_id: str = ""
    """Whose event it is, of a function that isolates tenants; else empty."""
    sink: ResponseSink | None = None
    """Takes a streamed response; without one it is collected and is the outcome's payload."""
    wants_log_tail: bool = False
    on_done: Callable[[Outcome], None]
    """Called exactly once, on the event loop, with the outcome."""
    log_tail: bytes = b""
    """The last 4 KiB of this invocation's log, set before `on_done` if `wants_log_tail`."""
