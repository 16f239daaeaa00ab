"""Playbooks of SnapStart: a version is initialised and captured, and environments are restored."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.model.errors import InitFailed
from lambent.model.invocation import FunctionFailed, Succeeded
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.snap_start import take_snapshot
from lambent.node.environment.variables import CREDENTIALS_PATH
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import ExitStatus, SandboxBusy, SandboxError
from tests.unit.node.playbook import SNAP_STARTED, Play
from tests.unit.node.scripted_box import ScriptedSnapshot

Playbook = Callable[..., Play]


def open_play(playbook: Playbook, *, captured: bool, **more: Any) -> Play:
    """A version that starts from a snapshot, or cannot be captured."""
    settings = {"forked": True, **SNAP_STARTED, **more}
    play = playbook(**settings)
    snapshot = ScriptedSnapshot() if captured else None
    play.snapshots.keep(play.function, snapshot)
    return play


# -- restoring -------------------------------------------------------------------------------


def test_an_environment_is_restored(playbook: Playbook) -> None:
    """Its log begins with a restore, whose duration is in the first report and billed by itself."""
    play = open_play(playbook, captured=True)
    play.begin()
    assert play.sandboxes.restored == [play.snapshots.find(play.function)]
    assert [line.split(" ")[0] for line in play.log] == ["RESTORE_START"]
    play.passes(0.25)
    play.runtime.asks()
    assert play.lines("RESTORE_REPORT") == ["RESTORE_REPORT Restore Duration: 250.00 ms"]
    call = play.invoke(b"1")
    play.passes(0.1)
    play.runtime.responds(b"2")
    assert call.outcome == Succeeded(b"2", "application/json")
    report = play.report(call)
    assert report["Restore Duration"] == "250.00 ms"
    assert report["Billed Restore Duration"] == "250 ms"
    assert report["Billed Duration"] == "100 ms"
    assert "Init Duration" not in report
    play.runtime.asks()
    call = play.invoke()
    play.runtime.responds()
    assert "Restore Duration" not in play.report(call)


def test_a_restore_has_ten_seconds(playbook: Playbook) -> None:
    """Then the caller is refused, and the same again for the next."""
    play = open_play(playbook, captured=True, timeout_s=60)
    play.begin()
    play.passes(10.0)
    assert play.state is EnvironmentState.RESET
    assert play.lines("RESTORE_REPORT") == [
        "RESTORE_REPORT Restore Duration: 10000.00 ms\tStatus: timeout"
    ]
    call = play.invoke()
    play.passes(10.0)
    refusal = call.refusal
    assert (refusal.status, refusal.code) == (408, "SnapStartTimeoutException")
    assert refusal.message == "Lambda couldn't restore the snapshot within the timeout limit."


def test_a_hook_that_fails_after_the_restore(playbook: Playbook) -> None:
    """The caller is refused with the hook's words."""
    play = open_play(playbook, captured=True)
    play.begin()
    error = json.dumps({"errorMessage": "cannot go on", "errorType": "ValueError"}).encode()
    assert play.runtime.restore_error(error, "ValueError").status == 202
    assert play.state is EnvironmentState.RESET
    call = play.invoke()
    play.runtime.restore_error(error, "ValueError")
    assert (call.refusal.status, call.refusal.code) == (400, "SnapStartException")
    assert call.refusal.message == error.decode()
    assert play.report(call)["Error Type"] == "ValueError"
    assert "Restore Duration" not in play.report(call)


def test_a_long_reason_is_cut(playbook: Playbook) -> None:
    """At 500 characters."""
    play = open_play(playbook, captured=True)
    play.begin()
    play.runtime.restore_error(b"", "E")
    call = play.invoke()
    play.runtime.restore_error(b"x" * 10_000, "E")
    assert call.refusal.message == "x" * 500


def test_a_runtime_that_exits_after_the_restore(playbook: Playbook) -> None:
    """A crash, tried once more on the invocation's time."""
    play = open_play(playbook, captured=True)
    play.begin()
    play.runtime.exits(3)
    assert play.lines("RESTORE_REPORT")[0].endswith(
        "\tStatus: error\tError Type: Runtime.ExitError"
    )
    call = play.invoke()
    play.runtime.asks()
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")
    assert "Restore Duration" in play.report(call)


def test_a_crash_is_followed_by_another_restore(playbook: Playbook) -> None:
    """With the same files."""
    play = open_play(playbook, captured=True)
    play.begin_ready()
    call = play.invoke()
    play.runtime.exits(3)
    assert call.kind == "Crashed"
    call = play.invoke()
    play.runtime.asks()
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")
    assert len(play.sandboxes.restored) == 2
    assert len(play.sandboxes.volumes) == 1


@pytest.mark.parametrize("failure", [SandboxError("it has gone"), SandboxBusy("later")])
def test_a_snapshot_that_cannot_be_restored(playbook: Playbook, failure: SandboxError) -> None:
    """The environment is gone; no other is started in its place."""
    play = open_play(playbook, captured=True)
    play.sandboxes.restore_failure = failure
    play.begin()
    assert play.heard == ["gone"]
    assert play.environment.failure is failure
    assert play.boxes == []
    assert play.snapshots.find(play.function) is not None


def test_a_snapshot_that_never_can_be_restored_is_given_up(playbook: Playbook) -> None:
    """After three failures in a row environments are initialised instead."""
    play = open_play(playbook, captured=True)
    play.snapshots.note_restore(play.function, failed=True)
    play.snapshots.note_restore(play.function, failed=True)
    play.sandboxes.restore_failure = SandboxError("it has gone")
    play.begin()
    assert play.snapshots.knows(play.function)
    assert play.snapshots.find(play.function) is None


# -- without a snapshot ----------------------------------------------------------------------


def test_what_cannot_be_captured_is_initialised(playbook: Playbook) -> None:
    """With the same hooks at the same moments; both durations are logged."""
    play = open_play(playbook, captured=False)
    play.begin()
    assert [line.split(" ")[0] for line in play.log] == ["INIT_START"]
    play.passes(0.5)
    waiting = play.runtime.awaits_restore()
    assert waiting.status == 200
    assert waiting.header("Lambent-Checkpoint") == ""
    assert play.lines("INIT_REPORT") == ["INIT_REPORT Init Duration: 500.00 ms\tPhase: init"]
    play.passes(0.25)
    play.runtime.asks()
    assert play.lines("RESTORE_REPORT") == ["RESTORE_REPORT Restore Duration: 250.00 ms"]
    call = play.invoke()
    play.runtime.responds(b"1")
    assert play.report(call)["Restore Duration"] == "250.00 ms"
    assert "Init Duration" not in play.report(call)


def test_it_may_take_as_long_as_a_publication(playbook: Playbook) -> None:
    """130 seconds at least."""
    play = open_play(playbook, captured=False)
    play.begin()
    play.passes(129.0)
    assert play.state is EnvironmentState.INITIALIZING
    play.passes(1.0)
    assert play.state is EnvironmentState.RESET


def test_an_init_error_without_a_snapshot(playbook: Playbook) -> None:
    """Is the caller's, as of any function."""
    play = open_play(playbook, captured=False)
    play.begin()
    play.runtime.exits(1)
    call = play.invoke()
    play.runtime.init_error(b'{"errorType":"KeyError"}', "KeyError")
    assert call.outcome == FunctionFailed(b'{"errorType":"KeyError"}', "KeyError")


def test_credentials_are_fetched(playbook: Playbook) -> None:
    """Nothing of one environment is in the variables of another: they name where to ask, and the
    token without which no process gets any."""
    play = open_play(playbook, captured=True)
    play.begin_ready()
    variables = play.runtime.environment
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME"} & set(variables)
    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == (
        f"http://127.0.0.1:9001{CREDENTIALS_PATH}"
    )
    token = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    found = play.runtime.request("GET", CREDENTIALS_PATH, headers={"Authorization": token})
    assert found.json == {
        "AccessKeyId": "ASIAPLAYED",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2033-05-18T03:33:20Z",
    }
    for wrong in ({}, {"Authorization": token[:-1]}):
        assert play.runtime.request("GET", CREDENTIALS_PATH, headers=wrong).status == 404


def test_others_have_no_credentials_to_fetch(playbook: Playbook) -> None:
    """A function without SnapStart has them in its variables."""
    play = playbook()
    play.begin_ready()
    for headers in ({}, {"Authorization": ""}):
        assert play.runtime.request("GET", CREDENTIALS_PATH, headers=headers).status == 404


# -- capturing -------------------------------------------------------------------------------


def test_a_version_is_captured(playbook: Playbook) -> None:
    """When its runtime waits to be captured; then everything is released, and the log says INIT."""
    play = playbook(forked=True, **SNAP_STARTED)
    task = play.loop.begin(take_snapshot(play.host, play.function))
    play.passes(0.5)
    waiting = play.runtime.awaits_restore()
    assert waiting.header("Lambent-Checkpoint") == "wait"
    task.result()
    assert play.snapshots.find(play.function) is play.sandboxes.snapshots[0]
    assert play.box.is_closed
    assert play.box.volume.is_closed
    assert play.stream.is_closed
    assert [line.split("\t")[0] for line in play.log[1:]] == [
        "INIT_REPORT Init Duration: 500.00 ms"
    ]


def test_a_runtime_that_knows_nothing_of_snapshots(playbook: Playbook) -> None:
    """It asks for its first event: it may be captured there."""
    play = playbook(forked=True, **SNAP_STARTED)
    task = play.loop.begin(take_snapshot(play.host, play.function))
    play.runtime.asks()
    task.result()
    assert len(play.sandboxes.snapshots) == 1


def test_a_version_is_captured_once(playbook: Playbook) -> None:
    """What is known is not done again."""
    play = open_play(playbook, captured=False)
    play.loop.begin(take_snapshot(play.host, play.function)).result()
    assert play.boxes == []


@pytest.mark.parametrize(
    ("fails", "reason", "code"),
    [
        (
            lambda play: play.runtime.init_error(b'{"errorMessage":"cannot load"}', "KeyError"),
            'Function initialization failed: {"errorMessage":"cannot load"}',
            "FunctionError.RuntimeInitError",
        ),
        (
            lambda play: play.runtime.restore_error(b"before hook", "E"),
            "Function initialization failed: before hook",
            "FunctionError.RuntimeInitError",
        ),
        (
            lambda play: play.loop.do(play.runtime.end, ExitStatus(code=3)),
            "exit status 3",
            "FunctionError.RuntimeInitError",
        ),
        (
            lambda play: play.passes(130.0),
            "Function initialization timed out.",
            "FunctionError.InitTimeout",
        ),
    ],
    ids=["error", "hook", "exit", "timeout"],
)
def test_a_version_that_cannot_be_initialised(
    playbook: Playbook, fails: Callable[[Play], object], reason: str, code: str
) -> None:
    """Its publication fails, with the reason."""
    play = playbook(forked=True, **SNAP_STARTED)
    task = play.loop.begin(take_snapshot(play.host, play.function))
    fails(play)
    with pytest.raises(InitFailed) as failed:
        task.result()
    assert reason in str(failed.value)
    assert failed.value.reason_code == code
    assert "\tStatus: " in play.lines("INIT_REPORT")[0]
    assert not play.snapshots.knows(play.function)
    assert play.box.is_closed
    assert play.box.volume.is_closed


def test_an_extension_that_fails_a_publication(playbook: Playbook) -> None:
    """Is named as such."""
    play = playbook(extensions=("agent",), **SNAP_STARTED)
    task = play.loop.begin(take_snapshot(play.host, play.function))
    play.program("agent").exits(1)
    with pytest.raises(InitFailed) as failed:
        task.result()
    assert failed.value.reason_code == "FunctionError.ExtensionInitError"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"forked": False}, "its runtime was executed, not started from a template"),
        (
            {"settings": WorkerSettings(snapshots_mb=0)},
            "snapshots are turned off: worker.snapshots_mb is 0",
        ),
        ({}, "it has threads"),
    ],
)
def test_why_a_version_is_not_captured(
    playbook: Playbook, more: dict[str, Any], reason: str
) -> None:
    """It is published anyway; the log says why."""
    play = playbook(**{"forked": True, **SNAP_STARTED, **more})
    play.sandboxes.capture_failure = SandboxError("it has threads")
    task = play.loop.begin(take_snapshot(play.host, play.function))
    play.runtime.awaits_restore()
    task.result()
    assert play.log[-1] == f"SNAPSHOT_SKIPPED Reason: {reason}"
    assert play.snapshots.knows(play.function)
    assert play.snapshots.find(play.function) is None


def test_extensions_are_not_captured(playbook: Playbook) -> None:
    """The reason names them."""
    play = playbook(forked=True, **SNAP_STARTED)
    task = play.loop.begin(take_snapshot(play.host, play.function))
    inner = play.runtime.has_extension("inner")
    inner.registers("INVOKE")
    play.runtime.awaits_restore()
    task.result()
    assert play.log[-1] == "SNAPSHOT_SKIPPED Reason: it has extensions"
