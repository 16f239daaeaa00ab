"""Steps that run other programs end in time, with all that these have started."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lambent.kit import installing
from lambent.kit.installing import InstallFailed, run_step

PROGRAM = """
import sys, threading
from lambent.kit.installing import run_step, steps_end_with_us
with steps_end_with_us():
    thread = threading.Thread(target=run_step, args=("step", ["sh", sys.argv[1]]))
    thread.start()
    thread.join()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Starts something that takes long, and says what."""
    path = tmp_path / "script"
    path.write_text(f"sleep 600 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait")
    return path


def ends(pid: int) -> bool:
    """Whether a process is soon none any more, or only waits to be reaped."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if not Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
        except OSError:
            return True
        time.sleep(0.01)  # noqa: TID251 - a poll of an outside process
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_steps(script: Path, number: signal.Signals) -> None:
    """And then the process, as the signal would have."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(script)]) as process:
        deadline = time.monotonic() + 30
        while not (script.parent / "pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # noqa: TID251 - a poll of an outside process
        process.send_signal(number)
        assert process.wait(20) == -number
    assert ends(int((script.parent / "pid").read_text()))


def test_a_step_that_takes_too_long(script: Path) -> None:
    """It says so; none of its processes continues."""
    with pytest.raises(InstallFailed, match="did not end within 3 s"):
        run_step("step", ["sh", str(script)], deadline_s=3.0)
    assert ends(int((script.parent / "pid").read_text()))


def test_a_step_that_fails() -> None:
    """Its last lines are reported, those about errors before others; without any, its exit code."""
    with pytest.raises(InstallFailed, match=r"^step: an Error$"):
        run_step("step", ["sh", "-c", "echo hello; echo noise >&2; echo an Error >&2; exit 3"])
    with pytest.raises(InstallFailed, match=r"^step: exit status 3$"):
        run_step("step", ["sh", "-c", "exit 3"])
    with pytest.raises(OSError, match="nonexistent"):
        run_step("step", ["/nonexistent"])
    assert not installing._starting
    run_step("step", ["sh", "-c", "exit 0"])
