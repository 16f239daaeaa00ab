"""Playbooks of invocations: responses, errors, crashes, timeouts, and what follows."""

import json
from collections.abc import Callable

import pytest

from lambent.model.invocation import Crashed, FunctionFailed, Succeeded, TimedOut
from lambent.node.apis.runtime_api import RESPONSE_BYTES_MAX
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.sandbox.ports import ExitStatus
from tests.unit.node.playbook import EXITS, IN_JSON, TRACE, Play

Playbook = Callable[..., Play]
MB = 1024 * 1024


def start_again(play: Play) -> None:
    """The next call is served in a new box, with the same `/tmp`."""
    old = play.box
    call = play.invoke(b"next")
    assert old.is_closed
    assert play.box is not old
    assert play.box.volume is old.volume
    assert not play.box.volume.is_closed
    play.runtime.asks()
    assert play.runtime.event == b"next"
    play.runtime.responds(b"fine")
    assert call.outcome == Succeeded(b"fine", "application/json")


def test_an_event_and_its_response(playbook: Playbook) -> None:
    """Headers of the event; the response's content type; three lines in the log."""
    play = playbook()
    play.begin_ready()
    call = play.invoke(b'{"a":1}', client_context='{"c":1}')
    poll = play.runtime.poll
    assert poll.body == b'{"a":1}'
    assert poll.header("Lambda-Runtime-Aws-Request-Id") == "id-1"
    assert poll.header("Lambda-Runtime-Deadline-Ms") == "1700000003000"
    assert poll.header("Lambda-Runtime-Invoked-Function-Arn") == play.function.arn
    assert poll.header("Lambda-Runtime-Trace-Id") == TRACE
    assert poll.header("Lambda-Runtime-Client-Context") == '{"c":1}'
    play.passes(0.0123)
    play.box.peak_bytes = 40 * MB + 1
    assert play.runtime.responds(b"<p/>", **{"Content-Type": "text/html"}).status == 202
    assert call.outcome == Succeeded(b"<p/>", "text/html")
    assert play.log[1:] == [
        "START RequestId: id-1 Version: $LATEST",
        "END RequestId: id-1",
        "REPORT RequestId: id-1\tDuration: 12.30 ms\tBilled Duration: 13 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 41 MB\tInit Duration: 0.00 ms\t",
    ]
    assert play.heard == ["free", "free"]


def test_the_deadline_counts_from_the_assignment(playbook: Playbook) -> None:
    """A runtime that polls late has less time left, and its deadline says so."""
    play = playbook(timeout_s=3)
    play.begin_ready()
    play.invoke()
    play.runtime.responds()
    play.passes(10.0)
    play.invoke(b"kept")
    play.passes(1.0)
    play.runtime.asks()
    assert play.runtime.event == b"kept"
    assert play.runtime.poll.header("Lambda-Runtime-Deadline-Ms") == "1700000013000"


def test_the_caller_gets_its_response_when_its_log_is_written(playbook: Playbook) -> None:
    """Not before; the environment serves the next call meanwhile."""
    play = playbook()
    play.begin_ready()
    play.stream.holds = True
    call = play.invoke()
    play.runtime.responds()
    assert not call.is_done
    assert play.heard == ["free", "free"]
    play.stream.catch_up()
    assert call.kind == "Succeeded"


def test_what_is_printed_belongs_to_the_invocation(playbook: Playbook) -> None:
    """Even without a newline, and though the response came first."""
    play = playbook()
    play.begin_ready()
    call = play.invoke(wants_log_tail=True)
    play.runtime.prints("one\ntwo")
    play.runtime.responds()
    assert play.log[-4:-2] == ["one", "two"]
    assert call.log_tail.splitlines() == play.log[1:]


def test_a_log_tail_is_the_last_4_kb(playbook: Playbook) -> None:
    """Of this invocation's log."""
    play = playbook()
    play.begin_ready()
    call = play.invoke(wants_log_tail=True)
    for _ in range(100):
        play.runtime.prints("x" * 99 + "\n")
    play.runtime.responds()
    assert len(call.log_tail) == 4096
    assert call.log_tail.endswith(play.log[-1] + "\n")
    call = play.invoke()
    play.runtime.asks()
    play.runtime.responds()
    assert call.log_tail == ""


def test_a_function_error(playbook: Playbook) -> None:
    """Is verbatim, and no failure of the environment's."""
    play = playbook()
    play.begin_ready()
    call = play.invoke()
    error = b'{"errorMessage":"on purpose","errorType":"ValueError"}'
    assert play.runtime.fails(error, "ValueError").status == 202
    assert call.outcome == FunctionFailed(error, "ValueError")
    assert "Status" not in play.report(call)
    assert play.state is EnvironmentState.IDLE
    play.runtime.asks()
    assert len(play.boxes) == 1


@pytest.mark.parametrize("forked", [False, True], ids=["executed", "forked"])
@pytest.mark.parametrize(("status", "reason", "error_type"), EXITS)
def test_a_crash(
    playbook: Playbook, status: ExitStatus, reason: str, error_type: str, forked: bool
) -> None:
    """The caller reads how the runtime ended; the next call starts again with the same files."""
    play = playbook(forked=forked, memory_mb=256)
    play.begin_ready()
    call = play.invoke(wants_log_tail=True)
    play.passes(0.5)
    play.runtime.prints("last words")
    play.box.peak_bytes = 100 * MB
    play.loop.do(play.runtime.end, status)
    assert isinstance(call.outcome, Crashed)
    assert call.outcome.error_type == error_type
    assert call.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id-1 Error: {reason}",
    }
    used = "256" if error_type == "Runtime.OutOfMemory" else "100"
    assert play.log[-4:] == [
        "last words",
        "END RequestId: id-1",
        "REPORT RequestId: id-1\tDuration: 500.00 ms\tBilled Duration: 500 ms\t"
        f"Memory Size: 256 MB\tMax Memory Used: {used} MB\tInit Duration: 0.00 ms\t"
        f"Status: error\tError Type: {error_type}",
        f"RequestId: id-1 Error: {reason}\nRuntime.ExitError",
    ]
    assert call.log_tail.splitlines() == "\n".join(play.log[1:]).splitlines()
    assert call.run_report.duration_s == 0.5
    assert call.run_report.memory_used_mb == int(used)
    assert play.state is EnvironmentState.RESET
    start_again(play)


def test_a_crash_between_invocations(playbook: Playbook) -> None:
    """Only the pool learns of it, when it asks: the environment starts again with the next
    call."""
    play = playbook()
    play.begin_ready()
    play.runtime.exits(1)
    assert play.state is EnvironmentState.RESET
    assert play.heard == ["free"]
    start_again(play)


def test_a_crash_before_the_event_was_taken(playbook: Playbook) -> None:
    """The call was never run: it is, by the next runtime."""
    play = playbook()
    play.begin_ready()
    play.invoke()
    play.runtime.responds()
    call = play.invoke(b"second")
    play.runtime.exits(0)
    assert not call.is_done
    play.runtime.asks()
    assert play.runtime.event == b"second"
    play.runtime.responds(b"2")
    assert call.outcome == Succeeded(b"2", "application/json")
    assert len(play.boxes) == 2


@pytest.mark.parametrize("forked", [False, True], ids=["executed", "forked"])
def test_a_timeout(playbook: Playbook, forked: bool) -> None:
    """All that the function started is killed at once; exactly the limit is reported."""
    play = playbook(timeout_s=1, forked=forked)
    play.begin_ready()
    call = play.invoke(wants_log_tail=True)
    play.passes(0.999)
    assert not call.is_done
    box = play.box
    play.passes(0.001)
    assert isinstance(call.outcome, TimedOut)
    assert call.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: id-1 Error: Task timed out after 1.00 seconds",
    }
    assert box.is_frozen
    assert box.is_closed
    assert play.log[-2:] == [
        "REPORT RequestId: id-1\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 0 MB\tInit Duration: 0.00 ms\tStatus: timeout",
        "2023-11-14T22:13:21.000Z id-1 Task timed out after 1.00 seconds\n",
    ]
    assert "Status: timeout" in call.log_tail
    start_again(play)


@pytest.mark.parametrize("late_s", [-0.0004, 0.004])
def test_a_timer_that_is_not_punctual(playbook: Playbook, late_s: float) -> None:
    """A host is busy: the reported duration is still the limit."""
    play = playbook(timeout_s=1)
    play.begin_ready()
    call = play.invoke()
    play.passes(0.5)
    play.clock.ahead_s = late_s
    play.passes(0.5)
    assert play.report(call)["Duration"] == "1000.00 ms"
    assert play.report(call)["Billed Duration"] == "1000 ms"


def test_a_response_at_the_last_moment(playbook: Playbook) -> None:
    """It counts, and takes no longer than the limit."""
    play = playbook(timeout_s=1)
    play.begin_ready()
    call = play.invoke()
    play.passes(0.999)
    play.clock.ahead_s = 0.004
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")
    assert play.report(call)["Duration"] == "1000.00 ms"


def test_a_timeout_of_a_runtime_that_does_not_take_the_event(playbook: Playbook) -> None:
    """It has answered and never asks again."""
    play = playbook(timeout_s=1)
    play.begin_ready()
    play.invoke()
    play.runtime.responds()
    call = play.invoke()
    play.passes(1.0)
    assert call.kind == "TimedOut"
    start_again(play)


def test_a_response_after_the_timeout_is_refused(playbook: Playbook) -> None:
    """The box is gone, and with it who would send it; the caller has its outcome once."""
    play = playbook(timeout_s=1)
    play.begin_ready()
    call = play.invoke()
    play.passes(1.0)
    assert call.kind == "TimedOut"
    assert not play.runtime.is_running
    play.passes(10.0)
    assert call.kind == "TimedOut"


@pytest.mark.parametrize("method", ["response", "error"])
def test_a_response_that_is_too_large(playbook: Playbook, method: str) -> None:
    """413 for the runtime, a function error for the caller; the environment continues to work."""
    play = playbook()
    play.begin_ready()
    call = play.invoke()
    body = b"x" * (RESPONSE_BYTES_MAX + 1)
    runtime = play.runtime
    request = runtime.responds(body) if method == "response" else runtime.fails(body, "E")
    assert request.status == 413
    assert request.json["errorType"] == "RequestEntityTooLarge"
    assert isinstance(call.outcome, FunctionFailed)
    assert call.outcome.error_type == "Function.ResponseSizeTooLarge"
    assert call.payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    assert "Status" not in play.report(call)
    play.runtime.asks()
    assert play.state is EnvironmentState.IDLE


def test_the_largest_response(playbook: Playbook) -> None:
    """6 MB and 100 bytes pass."""
    play = playbook()
    play.begin_ready()
    call = play.invoke()
    body = b"x" * RESPONSE_BYTES_MAX
    assert play.runtime.responds(body).status == 202
    assert call.outcome == Succeeded(body, "application/json")


def test_a_response_to_another_invocation(playbook: Playbook) -> None:
    """Is refused; the right one counts, once."""
    play = playbook()
    play.begin_ready()
    call = play.invoke()
    path = "/2018-06-01/runtime/invocation/other/response"
    assert play.runtime.request("POST", path, b"0").status == 400
    assert not call.is_done
    play.runtime.responds(b"1")
    assert play.runtime.responds(b"2").status == 403
    assert call.outcome == Succeeded(b"1", "application/json")


def test_the_runtime_gets_the_tenant(playbook: Playbook) -> None:
    """With the event, and only of a function that keeps them apart."""
    play = playbook()
    play.begin_ready()
    play.invoke(tenant_id="blue")
    assert play.runtime.poll.header("Lambda-Runtime-Aws-Tenant-Id") == "blue"


# -- freezing --------------------------------------------------------------------------------


def test_idle_environments_are_frozen(playbook: Playbook) -> None:
    """Once the runtime polls; the next event thaws it."""
    play = playbook()
    play.begin_ready()
    play.invoke()
    play.runtime.responds()
    play.freeze()
    assert play.state is EnvironmentState.IDLE  # The runtime has not asked yet.
    play.runtime.asks()
    play.runtime.prints("between")
    play.freeze()
    assert play.state is EnvironmentState.FROZEN
    assert play.box.is_frozen
    assert play.log[-1] == "between"
    call = play.invoke(b"thaw")
    assert not play.box.is_frozen
    assert play.runtime.event == b"thaw"
    play.runtime.responds()
    assert call.kind == "Succeeded"


@pytest.mark.parametrize("reason", ["busy", "reset", "initializing"])
def test_what_is_not_idle_is_not_frozen(playbook: Playbook, reason: str) -> None:
    """Freezing is only for environments that wait."""
    play = playbook()
    play.begin()
    if reason != "initializing":
        play.runtime.asks()
    if reason == "busy":
        play.invoke()
    if reason == "reset":
        play.runtime.exits(1)
    play.freeze()
    assert play.state.name.lower() == reason
    if reason == "busy":
        assert not play.box.is_frozen


def test_a_frozen_runtime_that_is_killed(playbook: Playbook) -> None:
    """By the kernel, short of memory: the next call starts again."""
    play = playbook()
    play.begin_ready()
    play.freeze()
    play.loop.do(play.runtime.end, ExitStatus(signal=9))
    assert play.state is EnvironmentState.RESET
    start_again(play)


# -- logs in JSON ----------------------------------------------------------------------------


def test_a_crash_in_a_log_in_json(playbook: Playbook) -> None:
    """Documents; no line in words follows."""
    play = playbook(logging=IN_JSON)
    play.begin_ready()
    call = play.invoke()
    play.passes(0.5)
    play.runtime.exits(7)
    kinds = [document["type"] for document in play.documents]
    assert kinds == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    done, report = [document["record"] for document in play.documents[-2:]]
    assert (done["status"], done["errorType"]) == ("error", "Runtime.ExitError")
    assert done["metrics"]["durationMs"] == 500.0
    assert (report["status"], report["errorType"]) == ("error", "Runtime.ExitError")
    assert call.kind == "Crashed"


def test_runtime_done_says_how_long_the_response_took(playbook: Playbook) -> None:
    """Until it began, and until it was there."""
    play = playbook(logging=IN_JSON)
    play.begin_ready()
    play.invoke()
    play.passes(0.25)
    play.runtime.responds(b"12345")
    (done,) = [
        document["record"]
        for document in play.documents
        if document["type"] == "platform.runtimeDone"
    ]
    assert done["status"] == "success"
    assert done["metrics"] == {"durationMs": 250.0, "producedBytes": 5}
    assert done["spans"] == [
        {"name": "responseLatency", "start": "2023-11-14T22:13:20.000Z", "durationMs": 250.0},
        {"name": "responseDuration", "start": "2023-11-14T22:13:20.250Z", "durationMs": 0.0},
    ]


def test_printed_lines_become_documents(playbook: Playbook) -> None:
    """With time and request id, of a managed runtime."""
    play = playbook(logging=IN_JSON)
    play.begin_ready()
    play.invoke()
    play.runtime.prints("plain\n")
    (said,) = [document for document in play.documents if document.get("message") == "plain"]
    assert said["requestId"] == "id-1"
    assert said["timestamp"].startswith("2023-11-14T22:13:20")
    json.dumps(said)
