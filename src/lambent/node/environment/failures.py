"""What goes wrong with an environment, and what follows.

A `Failure` says what happened: how the log reports it, and the outcome of the call that it ends.
Which call that is, if any, depends on the moment: `REACTIONS` is the whole truth about it. The
environment looks up the fault's row and the moment's column and does what it finds there; nothing
else decides. docs/environment-lifecycle.md shows the table.
"""

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass

from lambent.model.concurrency import no_capacity
from lambent.model.errors import ApiError
from lambent.model.invocation import Crashed, FunctionFailed, Outcome, Refused, TimedOut
from lambent.node.apis.runtime_api import RESPONSE_BYTES_MAX, error_document
from lambent.sandbox.ports import ExitStatus, SandboxBusy


class Fault(enum.Enum):
    """Kinds of failures, by who fails."""

    FUNCTION = enum.auto()
    """The runtime reports that the function cannot be loaded, or that one of its hooks failed."""
    RUNTIME = enum.auto()
    """The runtime's process has ended."""
    EXTENSION = enum.auto()
    """An extension has ended, or reports that it cannot go on."""
    DEADLINE = enum.auto()
    """The function's timeout has passed."""


class Moment(enum.Enum):
    """What an environment is doing when something goes wrong."""

    COMING_UP = enum.auto()
    """Extensions and runtime are starting, ahead of an invocation or in one."""
    IDLE = enum.auto()
    """All of them wait for an invocation."""
    ASSIGNED = enum.auto()
    """An invocation is assigned, but the runtime has not taken its event yet."""
    RUNNING = enum.auto()
    """The runtime has the event; perhaps it has responded and extensions still work."""
    DOWN = enum.auto()
    """What was in the box has been given up already, or nothing has been started yet."""


class Reaction(enum.Enum):
    """What the environment does."""

    IGNORE = enum.auto()
    FAIL_INIT = enum.auto()
    """Init is over and has failed. Ahead of an invocation it is repeated in the next one; in an
    invocation the failure is that invocation's."""
    START_AGAIN = enum.auto()
    """Give up what is in the box. An assigned invocation is run by the next runtime."""
    END = enum.auto()
    """Give up what is in the box, and end the invocation with the failure."""


_I, _F, _S, _E = Reaction.IGNORE, Reaction.FAIL_INIT, Reaction.START_AGAIN, Reaction.END
REACTIONS: dict[Fault, dict[Moment, Reaction]] = {
    fault: dict(zip(Moment, row, strict=True))
    for fault, row in {
        # .............. COMING_UP, IDLE, ASSIGNED, RUNNING, DOWN
        Fault.FUNCTION: (_F, _I, _I, _I, _I),
        Fault.RUNTIME: (_F, _S, _S, _E, _I),
        Fault.EXTENSION: (_F, _S, _E, _E, _I),
        Fault.DEADLINE: (_E, _I, _E, _E, _E),
    }.items()
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What has gone wrong."""

    status: str
    """`error` or `timeout`: what INIT_REPORT says."""
    error_type: str | None = None
    """What INIT_REPORT and REPORT say."""
    outcome: Callable[[str], Outcome] | None = None
    """The outcome of the request with this id, if the failure ends one. None for an init that was
    cut: it is repeated in the next invocation."""

    @property
    def shutdown_reason(self) -> str:
        """What extensions are told."""
        return "timeout" if self.status == "timeout" else "failure"


class NoCapacity(Exception):
    """This node has no room for an environment now."""


_SIGNALS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
    31: "bad system call",
}
_REASON_MAX = 500
_INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"


# -- of the function ---------------------------------------------------------------------------


def init_failed(payload: bytes, error_type: str) -> Failure:
    """The runtime reported an error of init; `payload` is its error document."""
    outcome = FunctionFailed(payload, error_type)
    return Failure("error", error_type, lambda _: outcome)


def restore_failed(payload: bytes, error_type: str) -> Failure:
    """A hook that runs after the restore has failed."""
    text = payload.decode(errors="replace")[:_REASON_MAX]
    refused = Refused(ApiError("SnapStartException", text, status=400))
    return Failure("error", error_type, lambda _: refused)


def missing_entrypoint() -> Failure:
    """An OS-only function has no executable `bootstrap`."""
    message = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
    return _crash(_INVALID_ENTRYPOINT, message)


def not_executable(program: str, reason: str) -> Failure:
    """The kernel does not execute the function's `bootstrap`; `reason` is the C library's."""
    return _crash(_INVALID_ENTRYPOINT, f"fork/exec {program}: {reason.lower()}")


def oversized_response() -> FunctionFailed:
    """The outcome of a response that is larger than a buffered one may be. The environment goes
    on."""
    error_type = "Function.ResponseSizeTooLarge"
    message = (
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
    )
    return FunctionFailed(error_document(error_type, message), error_type)


# -- of processes ------------------------------------------------------------------------------


def runtime_exited(status: ExitStatus) -> Failure:
    """The runtime ended in the middle of an invocation or of init.

    To the caller, running out of memory looks like any other kill; the log and the outcome's type
    name it.
    """
    if status.signal is not None:
        reason = f"Runtime exited with error: signal: {_name_signal(status.signal)}"
    elif status.code:
        reason = f"Runtime exited with error: exit status {status.code}"
    else:
        reason = "Runtime exited without providing a reason"
    error_type = "Runtime.OutOfMemory" if status.out_of_memory else "Runtime.ExitError"
    return _crash(error_type, reason, shown_type="Runtime.ExitError")


def extension_exited(status: ExitStatus) -> Failure:
    """An extension's process has ended."""
    if status.signal is not None:
        reason = f"signal: {_name_signal(status.signal)}"
    else:
        reason = f"exit status {status.code}" if status.code else "exit code 0"
    return _crash("Extension.Crash", reason)


def extension_failed(error_type: str, message: str) -> Failure:
    """An extension could not be started, or reported that it cannot go on."""
    return _crash(error_type, message)


# -- of time -----------------------------------------------------------------------------------

CUT = Failure("timeout")
"""Init has reached its own limit, or the end of the invocation it was part of."""

RESTORE_TIMED_OUT = Failure(
    "timeout",
    None,
    lambda _: Refused(
        ApiError(
            "SnapStartTimeoutException",
            "Lambda couldn't restore the snapshot within the timeout limit.",
            status=408,
        )
    ),
)


def deadline_passed(timeout_s: float) -> Failure:
    """The function took longer than its timeout."""

    def timed_out(request_id: str) -> TimedOut:
        message = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
        return TimedOut(error_document("Sandbox.Timedout", message))

    return Failure("timeout", None, timed_out)


# -- of the host -------------------------------------------------------------------------------


def host_failed(error: Exception) -> Failure:
    """The environment itself failed, not its function."""
    return Failure("error", "Sandbox.Failure", lambda _: refusal(error))


def refusal(failure: Exception) -> Refused:
    """The outcome of a call whose environment failed by no fault of its function."""
    match failure:
        case NoCapacity() | SandboxBusy():
            return no_capacity()
        case ApiError():
            return Refused(failure)
        case _:
            message = f"cannot start an execution environment: {failure}"
            return Refused(ApiError("ServiceException", message, status=500))


# -- words -------------------------------------------------------------------------------------


def describe(outcome: Crashed) -> str:
    """A crash as the log explains it: the message, and the type in the next line."""
    document = json.loads(outcome.payload)
    return f"{document['errorMessage']}\n{document['errorType']}"


def _crash(error_type: str, message: str, *, shown_type: str | None = None) -> Failure:
    """A failure that ends an invocation with `Crashed`. `shown_type` is the caller's type of error,
    if it differs from the log's."""

    def crashed(request_id: str) -> Crashed:
        text = f"RequestId: {request_id} Error: {message}"
        return Crashed(error_document(shown_type or error_type, text), error_type)

    return Failure("error", error_type, crashed)


def _name_signal(number: int) -> str:
    return _SIGNALS.get(number, f"signal {number}")
