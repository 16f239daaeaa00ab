"""The outcomes of invocations that the platform ends, in AWS's words."""

import json
from collections.abc import Callable

from lambent.model.concurrency import no_capacity
from lambent.model.errors import ApiError
from lambent.model.invocation import Crashed, FunctionFailed, Refused, TimedOut
from lambent.node.apis.runtime_api import RESPONSE_BYTES_MAX, error_document
from lambent.sandbox.ports import ExitStatus, SandboxBusy

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


def crashed(request_id: str, status: ExitStatus) -> Crashed:
    """The runtime ended in the middle of an invocation or of init.

    Running out of memory reads like any other kill to the caller; the log's REPORT line and
    the outcome's type name it.
    """
    if status.signal is not None:
        name = _SIGNALS.get(status.signal, f"signal {status.signal}")
        reason = f"Runtime exited with error: signal: {name}"
    elif status.code:
        reason = f"Runtime exited with error: exit status {status.code}"
    else:
        reason = "Runtime exited without providing a reason"
    return Crashed(
        error_document("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}"),
        "Runtime.OutOfMemory" if status.out_of_memory else "Runtime.ExitError",
    )


def timed_out(request_id: str, timeout_s: float) -> TimedOut:
    """The function's deadline passed."""
    message = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
    return TimedOut(error_document("Sandbox.Timedout", message))


def invalid_entrypoint(request_id: str) -> Crashed:
    """An OS-only function brought no executable `bootstrap`."""
    message = (
        f"RequestId: {request_id} Error: Couldn't find valid bootstrap(s): "
        "[/var/task/bootstrap /opt/bootstrap]"
    )
    error_type = "Runtime.InvalidEntrypoint"
    return Crashed(error_document(error_type, message), error_type)


def not_executable(program: str, reason: str) -> Callable[[str], Crashed]:
    """The kernel does not execute the function's `bootstrap`; `reason` is the C library's."""
    return _of_init("Runtime.InvalidEntrypoint", f"fork/exec {program}: {reason.lower()}")


def of_extension(error_type: str, message: str) -> Callable[[str], Crashed]:
    """An extension could not be started or did not go on; `message` says why."""
    return _of_init(error_type, message)


def _of_init(error_type: str, message: str) -> Callable[[str], Crashed]:
    def crashed_(request_id: str) -> Crashed:
        document = error_document(error_type, f"RequestId: {request_id} Error: {message}")
        return Crashed(document, error_type)

    return crashed_


class NoCapacity(Exception):
    """This node has no room for an environment now."""


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


def reason_of(outcome: Crashed) -> str:
    """What a log says of it: the message, and below it the type."""
    document = json.loads(outcome.payload)
    return f"{document['errorMessage']}\n{document['errorType']}"


def describe_exit(status: ExitStatus) -> str:
    """How an extension's process ended, in AWS's words."""
    if status.signal is not None:
        return f"signal: {_SIGNALS.get(status.signal, f'signal {status.signal}')}"
    return f"exit status {status.code}" if status.code else "exit code 0"


def oversized_response() -> FunctionFailed:
    """The function's answer was larger than a buffered response may be."""
    error_type = "Function.ResponseSizeTooLarge"
    message = (
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."
    )
    return FunctionFailed(error_document(error_type, message), error_type)
