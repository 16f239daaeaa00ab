"""Playbooks of extensions: events, failures in each phase, and ends."""

from collections.abc import Callable
from typing import Any

import pytest

from lambent.model.invocation import Crashed, Succeeded, TimedOut
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.sandbox.ports import ExitStatus, NotExecutable, SandboxBusy
from tests.unit.node.playbook import TRACE, Call, Play
from tests.unit.node.scripted_box import Extension

Playbook = Callable[..., Play]
BOTH = ("INVOKE", "SHUTDOWN")
SIGTERM, SIGKILL = 15, 9


def start(play: Play, *events: str) -> Extension:
    """Begin; the extension `agent` registers and waits, the runtime too."""
    play.begin()
    return come_up(play, *events)


def come_up(play: Play, *events: str) -> Extension:
    """The same in a box that is there already."""
    agent = play.extension("agent")
    assert agent.registers(*(events or BOTH)).status == 200
    agent.asks()
    play.runtime.asks()
    return agent


def error_of(call: Call) -> tuple[str, str]:
    """Type and message, the latter without the request's id."""
    assert isinstance(call.outcome, Crashed)
    assert call.payload["errorType"] == call.outcome.error_type
    beginning = f"RequestId: {call.request_id} Error: "
    assert call.payload["errorMessage"].startswith(beginning)
    return call.outcome.error_type, call.payload["errorMessage"].removeprefix(beginning)


# -- init ------------------------------------------------------------------------------------


def test_extensions_register_before_the_runtime_starts(playbook: Playbook) -> None:
    """All of them; init lasts until all have asked for their first event."""
    play = playbook(extensions=("agent", "other"))
    play.begin()
    assert not play.has_runtime
    agent, other = play.extension("agent"), play.extension("other")
    registered = agent.registers(*BOTH, **{"Lambda-Extension-Accept-Feature": "accountId"})
    assert registered.json == {
        "functionName": "played",
        "functionVersion": "$LATEST",
        "handler": "app.handler",
        "accountId": "000000000000",
    }
    assert not play.has_runtime
    assert "accountId" not in other.registers("INVOKE").json
    assert play.has_runtime
    play.runtime.asks()
    assert play.state is EnvironmentState.INITIALIZING
    agent.asks()
    assert play.state is EnvironmentState.INITIALIZING
    play.passes(0.5)
    other.asks()
    assert play.state is EnvironmentState.IDLE
    assert play.lines("EXTENSION") == [
        "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
        "EXTENSION\tName: other\tState: Ready\tEvents: [INVOKE]",
    ]
    call = play.invoke()
    agent.asks()
    other.asks()
    play.runtime.responds()
    play.runtime.asks()
    assert play.report(call)["Init Duration"] == "500.00 ms"


def test_extensions_do_not_see_the_runtimes_variables(playbook: Playbook) -> None:
    """The user's and the credentials they do."""
    play = playbook(extensions=("agent",), environment={"OWN": "x"})
    play.begin()
    variables = play.program("agent").environment
    assert variables["OWN"] == "x"
    assert variables["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
    assert variables["AWS_ACCESS_KEY_ID"] == "ASIAPLAYED"
    assert not {"_HANDLER", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT"} & set(variables)


def test_functions_with_extensions_wait_for_them_when_forked(playbook: Playbook) -> None:
    """An internal extension of a runtime that was started from a template."""
    play = playbook(forked=True)
    play.begin()
    inner = play.runtime.has_extension("inner")
    inner.registers("INVOKE")
    play.runtime.asks()
    assert play.state is EnvironmentState.INITIALIZING
    inner.asks()
    assert play.state is EnvironmentState.IDLE


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (ExitStatus(code=0), "exit code 0"),
        (ExitStatus(code=1), "exit status 1"),
        (ExitStatus(signal=11), "signal: segmentation fault"),
    ],
)
@pytest.mark.parametrize("moment", ["start", "registered", "waiting"])
def test_an_extension_that_ends_in_init(
    playbook: Playbook, moment: str, status: ExitStatus, message: str
) -> None:
    """Extension.Crash for the caller, from the init that is repeated in the invocation."""
    play = playbook(extensions=("agent",))

    def crash() -> None:
        if moment != "start":
            agent = play.extension("agent")
            agent.registers(*BOTH)
            if moment == "waiting":
                agent.asks()
        play.loop.do(play.program("agent").end, status)

    play.begin()
    crash()
    play.passes(5.0)
    assert play.heard == ["free"]
    assert play.states == [EnvironmentState.RESET]
    assert play.lines("INIT_REPORT")[0].endswith(
        "Phase: init\tStatus: error\tError Type: Extension.Crash"
    )
    call = play.invoke()
    crash()
    assert error_of(call) == ("Extension.Crash", message)
    assert play.report(call)["Error Type"] == "Extension.Crash"


def test_an_extension_that_ends_as_the_environment_becomes_ready(
    playbook: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have asked, and one ends before that is noticed: init has failed."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers(*BOTH)
    agent.asks()
    on_ready = play.environment.on_ready

    def on_ready_and_gone() -> None:
        on_ready()
        agent.program.end(ExitStatus(code=1))

    monkeypatch.setattr(play.environment, "on_ready", on_ready_and_gone)
    play.runtime.asks()
    assert play.lines("INIT_REPORT")[0].endswith("Status: error\tError Type: Extension.Crash")
    play.passes(5.0)
    assert play.state is EnvironmentState.RESET


@pytest.mark.parametrize("asks_first", [False, True])
def test_an_extension_that_says_it_cannot_start(playbook: Playbook, asks_first: bool) -> None:
    """Extension.InitError with its own reason; after its first event it is too late for that."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers(*BOTH)
    if asks_first:
        agent.asks()
        assert agent.init_error("Extension.MyReason").status == 403
        return
    assert agent.init_error("Extension.MyReason").status == 202
    play.program("agent").exits(1)
    play.passes(5.0)
    call = play.invoke()
    agent = play.extension("agent")
    agent.registers(*BOTH)
    agent.init_error("Extension.MyReason")
    assert error_of(call) == ("Extension.InitError", "Extension.MyReason")


def test_an_extension_that_says_it_has_to_end_in_init(playbook: Playbook) -> None:
    """Extension.ExitError."""
    play = playbook(extensions=("agent",))
    play.begin()
    play.program("agent").exits(1)
    play.passes(5.0)
    call = play.invoke()
    agent = play.extension("agent")
    agent.registers(*BOTH)
    assert agent.exit_error("Extension.Why").status == 202
    assert error_of(call) == ("Extension.ExitError", "Extension.Why")


def test_an_extension_that_never_registers(playbook: Playbook) -> None:
    """Init is cut, and so is the invocation in which it is repeated."""
    play = playbook(extensions=("agent",), timeout_s=1)
    play.begin()
    call = play.invoke()
    play.passes(10.0)
    assert play.lines("INIT_REPORT")[0].endswith("Phase: init\tStatus: timeout")
    play.passes(1.0)
    assert isinstance(call.outcome, TimedOut)
    assert not play.has_runtime


def test_an_extension_that_never_waits(playbook: Playbook) -> None:
    """It registered; the runtime is ready; init is still cut off."""
    play = playbook(extensions=("agent",))
    play.begin()
    play.extension("agent").registers(*BOTH)
    play.runtime.asks()
    play.passes(10.0)
    assert play.lines("INIT_REPORT")[0].endswith("Phase: init\tStatus: timeout")


def test_a_program_that_cannot_be_started(playbook: Playbook) -> None:
    """Extension.LaunchError, in the log as well."""
    play = playbook(extensions=("agent",))
    play.sandboxes.spawn_failures["agent"] = NotExecutable("no program", "Exec format error")
    play.begin()
    call = play.invoke()
    assert error_of(call) == ("Extension.LaunchError", "agent: no program")
    assert play.lines("EXTENSION")[0] == (
        "EXTENSION\tName: agent\tState: LaunchError\tEvents: []\tError Type: Extension.LaunchError"
    )


def test_a_busy_launcher_is_no_launch_error(playbook: Playbook) -> None:
    """It is the host's, and passes."""
    play = playbook(extensions=("agent",))
    play.sandboxes.spawn_failures["agent"] = SandboxBusy("later")
    play.begin()
    assert isinstance(play.environment.failure, SandboxBusy)


def test_eleven_extensions_are_too_many(playbook: Playbook) -> None:
    """Ten at most; none is started."""
    play = playbook(extensions=tuple(f"agent{at}" for at in range(11)))
    play.begin()
    call = play.invoke()
    kind, message = error_of(call)
    assert kind == "Extension.LaunchError"
    assert message == "11 extensions are too many: 10 at most"
    assert all(box.programs == [] for box in play.boxes)


def test_a_late_registration_is_refused(playbook: Playbook) -> None:
    """Registration closes when the runtime is ready."""
    play = playbook()
    play.begin_ready()
    refused = play.runtime.has_extension("late").registers("INVOKE")
    assert refused.json["errorType"] == "Extension.RegistrationClosed"


@pytest.mark.parametrize(
    ("registers", "error_type", "message"),
    [
        (
            {"events": ["SHUTDOWN"]},
            "Extension.InvalidEventType",
            "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
        ),
        ({"events": ["OTHER"]}, "Extension.InvalidEventType", "OTHER: ErrorInvalidEventType"),
        ({"name": ""}, "Extension.InvalidExtensionName", "Empty extension name"),
        ({"name": "x" * 129}, "Extension.InvalidExtensionName", "Empty extension name"),
    ],
)
def test_what_cannot_be_registered(
    playbook: Playbook, registers: dict[str, Any], error_type: str, message: str
) -> None:
    """In AWS's words."""
    play = playbook()
    play.begin()
    inner = play.runtime.has_extension("inner")
    refused = inner.registers(*registers.get("events", ["INVOKE"]), name=registers.get("name"))
    assert refused.status == 403
    assert refused.json == {"errorType": error_type, "errorMessage": message}


def test_an_extension_registers_once(playbook: Playbook) -> None:
    """And ten of them together."""
    play = playbook()
    play.begin()
    inner = play.runtime.has_extension("inner")
    inner.registers("INVOKE")
    again = play.runtime.has_extension("inner").registers("INVOKE")
    assert again.json["errorType"] == "Extension.InvalidExtensionState"
    for at in range(9):
        assert play.runtime.has_extension(f"more{at}").registers().status == 200
    refused = play.runtime.has_extension("eleventh").registers()
    assert refused.json["errorType"] == "Extension.TooManyExtensions"


@pytest.mark.parametrize(
    ("id_", "error_type"),
    [
        ("", "Extension.MissingExtensionIdentifier"),
        ("nonsense", "Extension.InvalidExtensionIdentifier"),
        ("3f3ea0f0-0000-4000-8000-000000000000", "Extension.UnknownExtensionIdentifier"),
    ],
)
def test_a_program_that_has_not_registered(playbook: Playbook, id_: str, error_type: str) -> None:
    """Gets no events."""
    play = playbook()
    play.begin()
    inner = play.runtime.has_extension("inner")
    inner.id = id_
    refused = inner.asks()
    assert (refused.status, refused.json["errorType"]) == (403, error_type)


# -- invocations -----------------------------------------------------------------------------


def test_the_event_that_an_extension_gets_of_an_invocation(playbook: Playbook) -> None:
    """Everything but the event."""
    play = playbook(extensions=("agent",), timeout_s=3)
    agent = start(play)
    play.passes(1.0)
    call = play.invoke(b"secret")
    assert agent.event == {
        "eventType": "INVOKE",
        "deadlineMs": 1_700_000_004_000,
        "requestId": call.request_id,
        "invokedFunctionArn": play.function.arn,
        "tracing": {"type": "X-Amzn-Trace-Id", "value": TRACE},
    }


def test_an_invocation_lasts_until_the_extensions_wait(playbook: Playbook) -> None:
    """Its caller has the response long before; the report counts all of it."""
    play = playbook(extensions=("agent",), timeout_s=3)
    agent = start(play)
    call = play.invoke(wants_log_tail=True)
    play.passes(0.25)
    play.runtime.prints("said")
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")
    assert call.log_tail.endswith("said\n")
    assert play.heard[-1] == "responded"
    play.runtime.asks()
    play.passes(1.0)
    assert play.state is EnvironmentState.BUSY
    assert not play.lines("REPORT")
    agent.asks()
    assert play.state is EnvironmentState.IDLE
    assert play.heard == ["free", "responded", "free"]
    assert play.report(call)["Duration"] == "1250.00 ms"


def test_how_long_extensions_work_after_the_response(playbook: Playbook) -> None:
    """Is a metric, also when the function's time is over before they have finished. There is none
    of functions without extensions that follow invocations."""
    play = playbook(extensions=("agent",), timeout_s=3)
    agent = start(play)
    play.invoke()
    play.passes(0.25)
    play.runtime.responds()
    play.runtime.asks()
    play.passes(0.05)
    agent.asks()
    assert extension_times(play) == (1, pytest.approx(50))
    play.invoke()
    play.passes(1.0)
    play.runtime.responds()
    play.passes(2.0)
    assert extension_times(play) == (2, pytest.approx(2050))
    follows_none = playbook(extensions=("agent",))
    start(follows_none, "SHUTDOWN")
    follows_none.invoke()
    follows_none.runtime.responds()
    follows_none.runtime.asks()
    assert extension_times(follows_none) is None


def extension_times(play: Play) -> tuple[int, float] | None:
    """Count and sum, in milliseconds."""
    sums = {name: value for each in play.metrics.sums() for name, value in each.values.items()}
    return sums.get("PostRuntimeExtensionsDuration")


def test_the_runtime_may_be_the_last_one(playbook: Playbook) -> None:
    """The extension already polls when the response arrives; the runtime must poll, too."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    call = play.invoke()
    agent.asks()
    play.runtime.responds()
    assert call.is_done
    assert play.state is EnvironmentState.BUSY
    play.runtime.asks()
    assert play.state is EnvironmentState.IDLE


def test_an_extension_that_wants_no_invocations_holds_none_up(playbook: Playbook) -> None:
    """The environment is free at once."""
    play = playbook(extensions=("agent",))
    agent = start(play, "SHUTDOWN")
    play.invoke()
    play.runtime.responds()
    assert agent.event is None
    assert play.heard == ["free", "free"]


def test_an_extension_that_overruns_the_deadline(playbook: Playbook) -> None:
    """The response is kept; the report says timeout; the environment restarts with its files."""
    play = playbook(extensions=("agent",), timeout_s=1)
    agent = start(play)
    call = play.invoke()
    play.passes(0.5)
    play.runtime.responds(b"1")
    play.runtime.asks()
    assert call.outcome == Succeeded(b"1", "application/json")
    agent.program.ignores_sigterm = True
    box = play.box
    play.passes(0.5)
    report = play.report(call)
    assert (report["Status"], report["Duration"]) == ("timeout", "1000.00 ms")
    assert play.state is EnvironmentState.STOPPING
    agent.asks()
    assert agent.event["shutdownReason"] == "timeout"
    agent.program.exits(0)
    assert play.state is EnvironmentState.RESET
    play.invoke()
    assert play.box.volume is box.volume


@pytest.mark.parametrize(
    ("fault", "reason", "error_type"),
    [("timeout", "timeout", "Sandbox.Timedout"), ("exit", "failure", "Runtime.ExitError")],
)
def test_why_it_ends(playbook: Playbook, fault: str, reason: str, error_type: str) -> None:
    """After a failure extensions learn its kind, and have two seconds; then all starts
    again with `/tmp` as it was."""
    play = playbook(extensions=("agent",), timeout_s=2)
    agent = start(play)
    call = play.invoke()
    agent.asks()
    box = play.box
    if fault == "timeout":
        play.passes(2.0)
    else:
        play.runtime.exits(3)
    assert call.payload["errorType"] == error_type
    assert agent.event["eventType"] == "SHUTDOWN"
    assert agent.event["shutdownReason"] == reason
    left_ms = agent.event["deadlineMs"] - play.clock.now() * 1000
    assert 1000 < left_ms <= 2000
    assert play.state is EnvironmentState.STOPPING
    assert play.heard == ["free"]
    assert not box.is_closed
    call = play.invoke()
    agent.program.prints("bye")
    agent.program.exits(0)
    assert play.heard == ["free", "free"]
    assert play.states[-1] is EnvironmentState.RESET
    assert "bye" in play.log
    assert box.is_closed
    agent = come_up(play)
    assert play.box.volume is box.volume
    assert play.runtime.event == b"{}"
    play.runtime.responds(b"2")
    assert call.outcome == Succeeded(b"2", "application/json")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (ExitStatus(code=1), "exit status 1"),
        (ExitStatus(code=0), "exit code 0"),
        (ExitStatus(signal=9), "signal: killed"),
    ],
)
def test_an_extension_that_ends_in_an_invocation(
    playbook: Playbook, status: ExitStatus, message: str
) -> None:
    """The caller gets Extension.Crash, whatever the runtime does."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    call = play.invoke()
    play.runtime.ignores_sigterm = True
    play.loop.do(agent.program.end, status)
    assert error_of(call) == ("Extension.Crash", message)
    report = play.report(call)
    assert (report["Status"], report["Error Type"]) == ("error", "Extension.Crash")
    assert play.state is EnvironmentState.STOPPING
    play.passes(2.0)
    assert play.state is EnvironmentState.RESET


def test_an_extension_that_has_to_end_in_an_invocation(playbook: Playbook) -> None:
    """Extension.ExitError with its reason."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    call = play.invoke()
    assert agent.exit_error("Extension.MyReason").status == 202
    assert error_of(call) == ("Extension.ExitError", "Extension.MyReason")
    assert agent.event["eventType"] == "INVOKE"
    assert agent.asks().status == 403
    play.passes(2.0)
    assert not agent.program.is_running


def test_an_extension_that_ends_after_the_response(playbook: Playbook) -> None:
    """The caller has its response; the report contains the failure."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    call = play.invoke()
    play.runtime.responds(b"1")
    agent.program.exits(1)
    assert call.outcome == Succeeded(b"1", "application/json")
    assert play.report(call)["Error Type"] == "Extension.Crash"


def test_an_extension_that_ends_between_invocations(playbook: Playbook) -> None:
    """The environment starts again with the next call."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    agent.program.exits(1)
    play.passes(5.0)
    assert play.state is EnvironmentState.RESET
    call = play.invoke()
    come_up(play)
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")


def test_a_runtime_that_ends_before_it_took_the_event(playbook: Playbook) -> None:
    """The call is run by the next runtime, after extensions were notified of the end."""
    play = playbook(extensions=("agent",))
    agent = start(play, "SHUTDOWN")
    play.invoke()
    play.runtime.responds()
    call = play.invoke(b"second")
    play.runtime.exits(0)
    assert agent.event["shutdownReason"] == "failure"
    agent.program.exits(0)
    come_up(play, "SHUTDOWN")
    assert play.runtime.event == b"second"
    play.runtime.responds(b"2")
    assert call.outcome == Succeeded(b"2", "application/json")


def test_an_extension_that_ends_before_the_runtime_took_the_event(playbook: Playbook) -> None:
    """The call ends with it: it would not be run as it should."""
    play = playbook(extensions=("agent",))
    agent = start(play, "SHUTDOWN")
    play.invoke()
    play.runtime.responds()
    call = play.invoke(b"second")
    agent.program.exits(1)
    assert error_of(call) == ("Extension.Crash", "exit status 1")
    assert play.runtime.event == b"{}"


def test_a_deadline_that_passes_while_extensions_end(playbook: Playbook) -> None:
    """The runtime has ended before it took the event, and no other has started yet."""
    play = playbook(extensions=("agent",), timeout_s=1)
    agent = start(play, "SHUTDOWN")
    play.invoke()
    play.runtime.responds()
    call = play.invoke(b"second")
    play.runtime.exits(0)
    assert agent.event["eventType"] == "SHUTDOWN"
    play.passes(1.0)
    assert isinstance(call.outcome, TimedOut)
    assert play.state is EnvironmentState.STOPPING
    agent.program.exits(0)
    assert play.state is EnvironmentState.RESET
    assert len(play.boxes) == 1


def test_an_extension_asks_once(playbook: Playbook) -> None:
    """A second poll next to an open one is refused."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    again = agent.program.request(
        "GET",
        "/2020-01-01/extension/event/next",
        headers={"Lambda-Extension-Identifier": agent.id},
    )
    assert (again.status, again.json["errorType"]) == (403, "Extension.InvalidExtensionState")


# -- the end ---------------------------------------------------------------------------------


def test_spindown_without_extensions_takes_no_time(playbook: Playbook) -> None:
    """The runtime is killed, not asked."""
    play = playbook()
    play.begin_ready()
    play.retire()
    assert play.heard == ["free", "gone"]
    assert play.runtime.signals == []
    assert play.box.is_closed


def test_spindown_with_an_external_extension(playbook: Playbook) -> None:
    """SIGTERM for the runtime, then the event for the extension, with what is left of two
    seconds."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    play.freeze()
    play.runtime.ignores_sigterm = True
    play.retire()
    assert not play.box.is_frozen
    assert play.state is EnvironmentState.STOPPING
    assert play.runtime.signals == [SIGTERM]
    assert agent.event is None
    play.passes(0.6)
    assert play.runtime.signals[:2] == [SIGTERM, SIGKILL]
    assert agent.event == {
        "eventType": "SHUTDOWN",
        "shutdownReason": "spindown",
        "deadlineMs": 1_700_000_002_000,
    }
    assert play.heard == ["free"]
    play.passes(1.0)
    agent.program.exits(0)
    assert play.heard == ["free", "gone"]


def test_a_runtime_that_ends_by_itself_hastens_the_end(playbook: Playbook) -> None:
    """The extension is notified at once."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    play.retire()
    assert play.runtime.signals == [SIGTERM]
    assert agent.event["deadlineMs"] == 1_700_000_002_000


def test_an_extension_that_ignores_the_end(playbook: Playbook) -> None:
    """After two seconds everything is killed."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    play.retire()
    play.passes(1.9)
    assert play.heard == ["free"]
    play.passes(0.2)
    assert play.heard == ["free", "gone"]
    assert not agent.program.is_running


def test_an_extension_that_does_not_want_to_know(playbook: Playbook) -> None:
    """It is killed when the runtime has ended."""
    play = playbook(extensions=("agent",))
    agent = start(play, "INVOKE")
    play.retire()
    assert agent.program.signals == [SIGKILL]
    assert play.heard == ["free", "gone"]


def test_with_an_internal_extension_the_runtime_has_half_a_second(playbook: Playbook) -> None:
    """Three tenths of it until SIGKILL."""
    play = playbook()
    play.begin()
    inner = play.runtime.has_extension("inner")
    inner.registers("INVOKE")
    inner.asks()
    play.runtime.asks()
    play.runtime.ignores_sigterm = True
    play.retire()
    assert play.runtime.signals == [SIGTERM]
    play.passes(0.15)
    assert play.runtime.signals == [SIGTERM, SIGKILL]
    assert play.heard == ["free", "gone"]


def test_a_busy_environment_ends_after_its_invocation(playbook: Playbook) -> None:
    """And takes no other."""
    play = playbook(extensions=("agent",))
    agent = start(play)
    call = play.invoke()
    play.retire()
    assert play.state is EnvironmentState.BUSY
    play.runtime.responds(b"1")
    assert call.kind == "Succeeded"
    play.runtime.asks()
    agent.asks()
    assert play.heard == ["free", "responded"]
    assert play.state is EnvironmentState.STOPPING
    assert agent.event["shutdownReason"] == "spindown"
    agent.program.exits(0)
    assert play.heard == ["free", "responded", "gone"]


def test_which_programs_get_the_shutdown_event(playbook: Playbook) -> None:
    """Only an idle environment with extensions has a listener to notify."""
    play = playbook(extensions=("agent",))
    play.begin()
    assert not play.environment.needs_shutdown_event
    agent = come_up(play)
    assert play.environment.needs_shutdown_event
    play.invoke()
    assert not play.environment.needs_shutdown_event
    agent.asks()
    play.runtime.responds()
    play.runtime.asks()
    play.freeze()
    assert play.environment.needs_shutdown_event
