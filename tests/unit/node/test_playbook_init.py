"""Playbooks of init: how an environment starts, and what happens when that fails."""

from collections.abc import Callable

import pytest

from lambent.model.errors import ApiError
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Refusal,
    RunReport,
    Succeeded,
    TimedOut,
)
from lambent.node.environment.failures import refusal
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.languages.launch import LaunchSpec
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import ExitStatus, NotExecutable, SandboxBusy, SandboxError
from tests.unit.node.playbook import EXITS, Play
from tests.unit.node.scripted_box import RUNTIME_ARGV

Playbook = Callable[..., Play]
ERROR = b'{"errorMessage":"no module","errorType":"Runtime.ImportModuleError"}'
WAYS = pytest.mark.parametrize("forked", [False, True], ids=["executed", "forked"])


@WAYS
def test_init_lasts_until_the_runtime_asks(playbook: Playbook, forked: bool) -> None:
    """The box has all processors until then; the duration is in the first report, and in none
    after it."""
    play = playbook(forked=forked)
    play.begin()
    assert play.state is EnvironmentState.INITIALIZING
    assert [line.split(" ")[0] for line in play.log] == ["INIT_START"]
    assert not play.box.is_limited
    play.passes(1.5)
    assert play.heard == []
    play.runtime.asks()
    assert play.heard == ["free"]
    assert play.state is EnvironmentState.IDLE
    assert play.box.is_limited
    for init in ("1500.00 ms", None):
        call = play.invoke()
        play.passes(0.1)
        play.runtime.responds()
        play.runtime.asks()
        assert play.report(call).get("Init Duration") == init
    assert not play.lines("INIT_REPORT")


def test_billing_includes_init(playbook: Playbook) -> None:
    """As in AWS since August 2025."""
    play = playbook()
    play.begin()
    play.passes(0.5)
    play.runtime.asks()
    call = play.invoke()
    play.passes(0.2501)
    play.runtime.responds()
    assert play.report(call)["Duration"] == "250.10 ms"
    assert play.report(call)["Billed Duration"] == "751 ms"


def test_a_call_waits_for_init(playbook: Playbook) -> None:
    """Its time begins when it is assigned."""
    play = playbook(timeout_s=1)
    play.begin()
    call = play.invoke(b"early")
    play.passes(5.0)
    assert not call.is_done
    play.runtime.asks()
    assert play.runtime.event == b"early"
    play.passes(0.9)
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")
    assert play.report(call)["Duration"] == "900.00 ms"
    assert call.run_report == RunReport(
        queued_s=5.0,
        init_s=5.0,
        duration_s=pytest.approx(0.9),
        memory_used_mb=0,
        response_bytes=1,
    )


@WAYS
def test_an_init_error_is_the_answer_of_the_next_call(playbook: Playbook, forked: bool) -> None:
    """The failed init is reported and done again in the invocation, whose error it then is."""
    play = playbook(forked=forked)
    play.begin()
    play.passes(0.2)
    assert play.runtime.init_error(ERROR, "Runtime.ImportModuleError").status == 202
    assert play.heard == ["free"]
    assert play.states == [EnvironmentState.RESET]
    assert play.lines("INIT_REPORT") == [
        "INIT_REPORT Init Duration: 200.00 ms\tPhase: init\tStatus: error"
        "\tError Type: Runtime.ImportModuleError"
    ]
    for _ in range(2):
        call = play.invoke()
        play.passes(0.1)
        play.runtime.init_error(ERROR, "Runtime.ImportModuleError")
        assert call.outcome == FunctionFailed(ERROR, "Runtime.ImportModuleError")
        report = play.report(call)
        assert report["Duration"] == report["Billed Duration"].replace(" ms", ".00 ms")
        assert report["Status"] == "error"
        assert report["Error Type"] == "Runtime.ImportModuleError"
        assert "Init Duration" not in report
    assert (
        play.lines("INIT_REPORT")[1:]
        == [
            "INIT_REPORT Init Duration: 100.00 ms\tPhase: invoke\tStatus: error"
            "\tError Type: Runtime.ImportModuleError"
        ]
        * 2
    )
    assert len(play.lines("INIT_START")) == 1


@pytest.mark.parametrize(("status", "reason", "error_type"), EXITS)
def test_a_runtime_that_exits_in_init(
    playbook: Playbook, status: ExitStatus, reason: str, error_type: str
) -> None:
    """It is retried in the invocation, which fails as a crash does."""
    play = playbook()
    play.begin()
    play.loop.do(play.runtime.end, status)
    assert play.state is EnvironmentState.RESET
    call = play.invoke()
    play.loop.do(play.runtime.end, status)
    assert isinstance(call.outcome, Crashed)
    assert call.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id-1 Error: {reason}",
    }
    assert call.outcome.error_type == error_type
    assert [line.split("\t", 1)[1] for line in play.lines("INIT_REPORT")] == [
        f"Phase: init\tStatus: error\tError Type: {error_type}",
        f"Phase: invoke\tStatus: error\tError Type: {error_type}",
    ]
    assert play.report(call)["Error Type"] == error_type
    assert play.log[-1] == f"RequestId: id-1 Error: {reason}\nRuntime.ExitError"


def test_init_is_cut_after_its_limit_and_repeated_in_the_invocation(playbook: Playbook) -> None:
    """There it has the function's timeout; when that passes, both reports say so."""
    play = playbook(timeout_s=1, settings=WorkerSettings(init_limit_s=10.0))
    play.begin()
    call = play.invoke()
    play.passes(9.9)
    assert play.state is EnvironmentState.INITIALIZING
    play.passes(0.1)
    assert play.state is EnvironmentState.BUSY
    assert not play.boxes[0].programs[0].is_running
    assert len(play.boxes) == 2
    play.passes(1.0)
    assert isinstance(call.outcome, TimedOut)
    assert call.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: id-1 Error: Task timed out after 1.00 seconds",
    }
    assert play.lines("INIT_REPORT") == [
        "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout",
        "INIT_REPORT Init Duration: 1000.00 ms\tPhase: invoke\tStatus: timeout",
    ]
    assert play.report(call)["Duration"] == "1000.00 ms"
    assert play.log[-1] == "2023-11-14T22:13:31.000Z id-1 Task timed out after 1.00 seconds\n"


def test_a_slow_init_succeeds_when_it_is_repeated(playbook: Playbook) -> None:
    """The event follows as soon as the runtime asks; the time is the invocation's."""
    play = playbook(timeout_s=30)
    play.begin()
    call = play.invoke(b"patient")
    play.passes(10.0)
    play.passes(12.0)
    play.runtime.asks()
    assert play.runtime.event == b"patient"
    play.passes(1.0)
    play.runtime.responds(b"1")
    assert call.kind == "Succeeded"
    assert play.report(call)["Duration"] == "13000.00 ms"
    assert "Init Duration" not in play.report(call)
    # Success is reported to subscribers and in JSON, not in text.
    assert len(play.lines("INIT_REPORT")) == 1


@pytest.mark.parametrize(("timeout_s", "limit_s"), [(3, 130.0), (900, 900.0)])
def test_provisioned_environments_have_longer(
    playbook: Playbook, timeout_s: int, limit_s: float
) -> None:
    """At least 130 seconds, or the function's timeout."""
    play = playbook(is_provisioned=True, timeout_s=timeout_s)
    play.begin()
    play.passes(limit_s - 0.1)
    assert play.state is EnvironmentState.INITIALIZING
    play.passes(0.1)
    assert play.state is EnvironmentState.RESET
    assert play.lines("INIT_REPORT")[0].endswith("Phase: init\tStatus: timeout")


def test_provisioned_environments_report_init_by_itself(playbook: Playbook) -> None:
    """A separate line, and nothing in the first invocation's report."""
    play = playbook(is_provisioned=True)
    play.begin()
    play.passes(0.5)
    play.runtime.asks()
    assert play.lines("INIT_REPORT") == ["INIT_REPORT Init Duration: 500.00 ms\tPhase: init"]
    assert play.runtime.environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "provisioned-concurrency"
    call = play.invoke()
    play.runtime.responds()
    assert "Init Duration" not in play.report(call)


def test_a_runtime_that_ends_as_it_becomes_ready(
    playbook: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It polls and ends before that is noticed: init has failed."""
    play = playbook()
    play.begin()
    runtime, on_ready = play.runtime, play.environment.on_ready

    def on_ready_and_gone() -> None:
        on_ready()
        runtime.end(ExitStatus(code=1))

    monkeypatch.setattr(play.environment, "on_ready", on_ready_and_gone)
    runtime.asks()
    assert play.state is EnvironmentState.RESET
    assert "\tStatus: error\tError Type: Runtime.ExitError" in play.lines("INIT_REPORT")[0]
    assert play.heard == ["free"]


def test_the_first_failure_counts(playbook: Playbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime reports an error and exits: the error is the answer, however fast it exits."""
    play = playbook()
    play.begin()
    play.runtime.exits(1)
    call = play.invoke()
    runtime, on_init_error = play.runtime, play.environment.on_init_error

    def on_init_error_and_gone(payload: bytes, error_type: str) -> None:
        on_init_error(payload, error_type)
        runtime.end(ExitStatus(code=1))

    monkeypatch.setattr(play.environment, "on_init_error", on_init_error_and_gone)
    runtime.init_error(ERROR, "Runtime.ImportModuleError")
    assert call.outcome == FunctionFailed(ERROR, "Runtime.ImportModuleError")


def test_a_missing_entrypoint(playbook: Playbook) -> None:
    """An OS-only function without `bootstrap`: no process is started."""
    launch = LaunchSpec(mounts=(), argv=(), missing_entrypoint=True)
    play = playbook(runtime="provided.al2023", launch=launch)
    play.begin()
    call = play.invoke()
    assert not play.has_runtime
    assert call.payload == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "RequestId: id-1 Error: Couldn't find valid bootstrap(s): "
        "[/var/task/bootstrap /opt/bootstrap]",
    }
    assert play.report(call)["Error Type"] == "Runtime.InvalidEntrypoint"
    assert play.state is EnvironmentState.RESET


@pytest.mark.parametrize("program", ["/var/task/bootstrap", "/opt/bootstrap"])
def test_a_bootstrap_that_is_no_program(playbook: Playbook, program: str) -> None:
    """The function's error, with the kernel's reason."""
    launch = LaunchSpec(mounts=(), argv=(program,))
    play = playbook(runtime="provided.al2023", launch=launch)
    play.sandboxes.spawn_failures["bootstrap"] = NotExecutable("no", "Exec format error")
    play.begin()
    call = play.invoke()
    assert call.payload == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": f"RequestId: id-1 Error: fork/exec {program}: exec format error",
    }


def test_an_interpreter_that_is_no_program_is_the_hosts_fault(playbook: Playbook) -> None:
    """The function has done nothing wrong: the environment is gone, and says why."""
    play = playbook(launch=LaunchSpec(mounts=(), argv=("/usr/bin/python3",)))
    play.sandboxes.spawn_failures["python3"] = NotExecutable("broken", "Exec format error")
    play.begin()
    assert play.heard == ["gone"]
    assert isinstance(play.environment.failure, NotExecutable)


@pytest.mark.parametrize(
    "failure", [SandboxError("no loop device"), SandboxBusy("later"), RuntimeError("a bug")]
)
def test_a_box_that_cannot_be_built(playbook: Playbook, failure: Exception) -> None:
    """The environment is gone without ever having been free."""
    play = playbook()
    play.sandboxes.box_failure = failure
    play.begin()
    assert play.heard == ["gone"]
    assert play.environment.failure is failure
    assert play.state is EnvironmentState.GONE


def test_code_that_cannot_be_laid_out(playbook: Playbook) -> None:
    """The caller gets the API's error; no box is requested."""
    play = playbook()
    play.launch_failure = ApiError("InvalidRuntimeException", "python3.12 is not here", status=502)
    play.begin()
    assert play.environment.failure is play.launch_failure
    assert play.heard == ["gone"]
    assert play.boxes == []


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (SandboxError("no loop device"), 500, "ServiceException"),
        (SandboxBusy("later"), 429, "TooManyRequestsException"),
        (ApiError("InvalidRuntimeException", "gone", status=502), 502, "InvalidRuntimeException"),
    ],
)
def test_a_box_that_cannot_be_built_again(
    playbook: Playbook, failure: Exception, status: int, code: str
) -> None:
    """In the invocation after a crash: it is refused, and its books are closed."""
    play = playbook()
    play.begin()
    play.runtime.exits(1)
    play.sandboxes.box_failure = failure
    call = play.invoke()
    assert (call.refusal.status, call.refusal.code) == (status, code)
    assert play.report(call)["Error Type"] == "Sandbox.Failure"
    assert play.heard == ["free", "gone"]


@pytest.mark.parametrize("failure", [None, SandboxError("no zygote")])
def test_forked_or_executed(playbook: Playbook, failure: SandboxError | None) -> None:
    """What cannot be forked is executed; what may not be, never is forked."""
    play = playbook(forked=True)
    play.sandboxes.start_failure = failure
    play.begin_ready()
    call = play.invoke()
    play.runtime.responds(b"1")
    assert call.kind == "Succeeded"
    assert len(play.boxes) == 1


def test_a_busy_launcher_is_not_asked_for_more(playbook: Playbook) -> None:
    """A request that it has not reached in time is not executed instead."""
    play = playbook(forked=True)
    play.sandboxes.start_failure = SandboxBusy("later")
    play.begin()
    assert isinstance(play.environment.failure, SandboxBusy)
    assert play.boxes == []


def test_the_runtime_gets_the_description_of_its_function(playbook: Playbook) -> None:
    """Reserved variables, the role's credentials, the log stream."""
    play = playbook(environment={"OWN": "x", "AWS_REGION": "stolen"}, memory_mb=256)
    play.begin()
    variables = play.runtime.environment
    assert variables["OWN"] == "x"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_ACCESS_KEY_ID"] == "ASIAPLAYED"
    assert variables["AWS_LAMBDA_LOG_STREAM_NAME"] in play.logs.streams
    assert variables["AWS_LAMBDA_LOG_STREAM_NAME"].startswith("2023/11/14/[$LATEST]")
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"
    assert play.box.memory_mb == 256


def test_what_is_printed_in_init_is_logged(playbook: Playbook) -> None:
    """Before the first START, of an init that fails as well."""
    play = playbook()
    play.begin()
    play.runtime.prints("loading\nand without newline")
    play.runtime.exits(1)
    call = play.invoke()
    play.runtime.prints("again\n")
    play.runtime.asks()
    play.runtime.responds()
    start = play.log.index(f"START RequestId: {call.request_id} Version: $LATEST")
    assert play.log.index("loading") < play.log.index("and without newline") < start
    assert play.log.index("again") > start


# -- turns -----------------------------------------------------------------------------------


def test_an_environment_whose_turn_has_not_come_can_be_withdrawn(playbook: Playbook) -> None:
    """Nothing has been begun for it: no box is built."""
    play = playbook(starts_at_once=1)
    turn = play.loop.do(play.host.ask_to_start, play.function)
    play.begin()
    assert play.environment.is_queued
    play.retire()
    assert play.heard == ["gone"]
    assert play.boxes == []
    play.loop.do(turn.close)


def test_an_environment_waits_for_its_turn(playbook: Playbook) -> None:
    """Init begins with its turn."""
    play = playbook(starts_at_once=1)
    turn = play.loop.do(play.host.ask_to_start, play.function)
    play.begin()
    play.passes(20.0)
    assert play.state is EnvironmentState.CREATING
    assert play.log == []
    play.loop.do(turn.close)
    assert not play.environment.is_queued
    play.passes(0.5)
    play.runtime.asks()
    call = play.invoke()
    play.runtime.responds()
    assert play.report(call)["Init Duration"] == "500.00 ms"


def test_a_turn_that_does_not_come_throttles(playbook: Playbook) -> None:
    """After `start_wait_s`, a waiting caller is throttled."""
    play = playbook(starts_at_once=1, settings=WorkerSettings(start_wait_s=300.0))
    turn = play.loop.do(play.host.ask_to_start, play.function)
    play.begin()
    play.passes(300.0)
    assert play.heard == ["gone"]
    failure = play.environment.failure
    assert failure is not None
    refused = refusal(failure)
    assert (refused.reason, refused.error.status) == (Refusal.NO_CAPACITY, 429)
    play.loop.do(turn.close)


def test_waiting_for_a_turn_is_not_on_the_invocations_time(playbook: Playbook) -> None:
    """What others have started does not shorten what a function may take."""
    play = playbook(starts_at_once=1, timeout_s=2)
    play.begin_ready()
    play.runtime.exits(1)
    turn = play.loop.do(play.host.ask_to_start, play.function)
    call = play.invoke()
    play.passes(60.0)
    assert not call.is_done
    play.loop.do(turn.close)
    play.runtime.asks()
    play.passes(1.5)
    play.runtime.responds(b"1")
    assert call.kind == "Succeeded"
    assert play.report(call)["Duration"] == "1500.00 ms"


def test_the_runtime_needs_no_argv_of_ours(playbook: Playbook) -> None:
    """The program that is started is the launch's."""
    play = playbook()
    play.begin()
    assert play.runtime.argv == RUNTIME_ARGV
