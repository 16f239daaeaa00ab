"""One call of a function: the request that goes down, and the reply that comes up.

An `InvocationRequest` goes from the invoker to the environment that runs it. It is a value: nothing
is written into it on the way, so that it can cross a machine, be retried and be recorded. What
comes up goes to the call's `Reply`: chunks of a streamed response, then exactly one `Outcome` with
the `RunReport` of the environment.

A function's failure is a value, never an exception. Code that depends on how a call ended matches
over the closed union `Outcome`, or asks the facts that every outcome has: `has_succeeded`,
`has_run`, `is_throttled`, `is_retryable` and `error_type`.
"""

import dataclasses
import enum
from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

from lambent.model.errors import ApiError, FunctionNotFound
from lambent.model.function import FunctionVersion


class InvocationKind(enum.StrEnum):
    """Who calls, and how."""

    REQUEST_RESPONSE = "RequestResponse"
    """A client that waits for the response (`Invoke`, `InvokeWithResponseStream`)."""
    EVENT = "Event"
    """An event that was accepted earlier (`InvocationType: Event`)."""
    MAPPING = "EventSourceMapping"
    """A batch of an event source mapping."""
    URL = "FunctionUrl"
    """A request to a function URL."""
    SERVICE = "Service"
    """Another AWS service that waits for the response."""


class InvocationRequest(NamedTuple):
    """A request to run one function version once. Like the other values that every call makes, it
    is a named tuple: a frozen dataclass takes six times as long to make."""

    request_id: str
    """UUID text; what the function sees as `aws_request_id`."""
    kind: InvocationKind
    function: FunctionVersion
    """The version to run. Its timeout is the deadline: it counts from the moment at which an
    environment takes the request."""
    event: bytes
    qualifier: str | None = None
    """The version or alias that the caller named; None if it named none."""
    content_type: str = "application/json"
    client_context: str = ""
    """JSON text, already base64-decoded; empty if the caller sent none."""
    trace_id: str = ""
    """`X-Amzn-Trace-Id` for the runtime, with the lineage of the call."""
    tenant_id: str = ""
    """The tenant, for a function that isolates tenants; else empty."""
    wants_log_tail: bool = False
    wants_stream: bool = False
    """Whether the reply takes the response in chunks; else it is collected and is the outcome's
    payload."""

    @property
    def invoked_arn(self) -> str:
        """The function's ARN as invoked: with the qualifier, if the caller named one."""
        arn = self.function.key.arn
        return f"{arn}:{self.qualifier}" if self.qualifier else arn


class OutcomeKind(enum.StrEnum):
    """How a call has ended, in one word."""

    SUCCEEDED = "Succeeded"
    FUNCTION_FAILED = "FunctionFailed"
    TIMED_OUT = "TimedOut"
    CRASHED = "Crashed"
    THROTTLED = "Throttled"
    REFUSED = "Refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Succeeded:
    """The function returned a result."""

    kind: ClassVar[OutcomeKind] = OutcomeKind.SUCCEEDED
    has_succeeded: ClassVar[bool] = True
    has_run: ClassVar[bool] = True
    is_throttled: ClassVar[bool] = False
    is_retryable: ClassVar[bool] = False
    error_type: ClassVar[str | None] = None

    payload: bytes
    """The whole result; empty if it was streamed to the reply."""
    content_type: str = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionFailed:
    """The function itself reported an error; `payload` is its error document, verbatim."""

    kind: ClassVar[OutcomeKind] = OutcomeKind.FUNCTION_FAILED
    has_succeeded: ClassVar[bool] = False
    has_run: ClassVar[bool] = True
    is_throttled: ClassVar[bool] = False
    is_retryable: ClassVar[bool] = True

    payload: bytes
    error_type: str
    cause: str = dataclasses.field(default="", repr=False, compare=False)
    """What the runtime has sent for X-Ray: JSON text, unchecked."""


@dataclasses.dataclass(frozen=True, slots=True)
class TimedOut:
    """The function was still running at its deadline; everything it had started was killed."""

    kind: ClassVar[OutcomeKind] = OutcomeKind.TIMED_OUT
    has_succeeded: ClassVar[bool] = False
    has_run: ClassVar[bool] = True
    is_throttled: ClassVar[bool] = False
    is_retryable: ClassVar[bool] = True
    error_type: ClassVar[str | None] = "Sandbox.Timedout"

    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Crashed:
    """The runtime exited, was killed or could not be started; `error_type` is dotted
    (`Runtime.ExitError`, `Runtime.OutOfMemory`, `Runtime.InvalidEntrypoint`, …)."""

    kind: ClassVar[OutcomeKind] = OutcomeKind.CRASHED
    has_succeeded: ClassVar[bool] = False
    has_run: ClassVar[bool] = True
    is_throttled: ClassVar[bool] = False
    is_retryable: ClassVar[bool] = True

    payload: bytes
    error_type: str


class Refusal(enum.Enum):
    """Why the code never ran."""

    THROTTLED = enum.auto()
    """A limit of the function, its account or its rate of growth is reached."""
    SWITCHED_OFF = enum.auto()
    """The function's reserved concurrency is 0."""
    NO_CAPACITY = enum.auto()
    """This node has no room for another environment now."""
    NOT_FOUND = enum.auto()
    """There is no such function, version or alias."""
    NOT_READY = enum.auto()
    """The state of the version forbids it."""
    LOOP = enum.auto()
    """The function has called itself too often."""
    INVALID = enum.auto()
    """The call does not fit the function: it names no tenant, or one too many."""
    FAILED = enum.auto()
    """The runtime is not installed, the host failed, the platform is stopping, …"""


_THROTTLES = frozenset({Refusal.THROTTLED, Refusal.SWITCHED_OFF, Refusal.NO_CAPACITY})
_FINAL = frozenset({Refusal.SWITCHED_OFF, Refusal.NOT_FOUND, Refusal.LOOP, Refusal.INVALID})


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The code never ran. The caller gets `error`."""

    has_succeeded: ClassVar[bool] = False
    has_run: ClassVar[bool] = False

    error: ApiError
    reason: Refusal = Refusal.FAILED

    @classmethod
    def of(cls, error: ApiError) -> "Refused":
        """The outcome of a call whose function could not be looked up."""
        is_missing = isinstance(error, FunctionNotFound)
        return cls(error, Refusal.NOT_FOUND if is_missing else Refusal.FAILED)

    @property
    def kind(self) -> OutcomeKind:
        """`THROTTLED` or `REFUSED`."""
        return OutcomeKind.THROTTLED if self.is_throttled else OutcomeKind.REFUSED

    @property
    def is_throttled(self) -> bool:
        """Whether there was no room for the call."""
        return self.reason in _THROTTLES

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later, without a change of the function."""
        return self.reason not in _FINAL

    @property
    def error_type(self) -> str:
        """AWS's name of the exception."""
        return self.error.code


Outcome = Succeeded | FunctionFailed | TimedOut | Crashed | Refused


class RunReport(NamedTuple):
    """What an environment reports of a call next to its outcome."""

    queued_s: float = 0.0
    """Seconds for which the call waited for an environment."""
    init_s: float | None = None
    """Seconds that the init phase of its environment took, if this is the first call after it."""
    duration_s: float = 0.0
    """Seconds that the function took."""
    memory_used_mb: int = 0
    """The most memory that the environment has used so far."""
    is_provisioned: bool = False
    """Whether the environment is one of provisioned concurrency."""
    response_bytes: int = 0
    """Bytes of the response, streamed or not."""
    log_tail: bytes = b""
    """The last 4 KiB of the call's log, if the request wants them."""
    is_restored: bool = False
    """Whether `init_s` is the duration of a restore from a snapshot."""


NOT_RUN = RunReport()
"""The report of a call that no environment has run."""


class ResponseSink(Protocol):
    """Takes a response in chunks."""

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """The first chunk follows. `resume` asks for more after `write` has returned False."""
        ...

    def write(self, data: bytes) -> bool:
        """Take a chunk; returns whether more may follow now."""
        ...


class Reply(ResponseSink, Protocol):
    """Takes what comes up from a call, on the event loop. `begin` and `write` are called only if
    the request wants a stream and the function has begun to respond."""

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """The call has ended. Called exactly once."""
        ...


class Unstreamed:
    """What replies have in common whose request does not want a stream."""

    __slots__ = ()

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `ResponseSink`."""
        raise AssertionError("the request does not want a stream")

    def write(self, data: bytes) -> bool:
        """See `ResponseSink`."""
        raise AssertionError("the request does not want a stream")


class WholeReply(Unstreamed):
    """A reply whose `finish` is the given function."""

    __slots__ = ("finish",)

    def __init__(self, finish: Callable[[Outcome, RunReport], None]) -> None:
        self.finish = finish
