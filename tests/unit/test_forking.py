"""A program that is forked from a loaded server is what a fresh one is."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import forking

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
MIRROR = [sys.executable, "-m", "tests.forking.mirror"]
FEW = {"PATH": "/bin", "ONE": "ü=1\n", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize("how", ["end", "code", "words", "error", "interrupt", "killed"])
@pytest.mark.parametrize("variables", [{}, FEW], ids=["ours", "few"])
def test_it_is_given_the_same_and_ends_the_same(how: str, variables: dict[str, str]) -> None:
    """Arguments, directory, variables, streams, signals, exit code; hooks of its end are called."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [*MIRROR, how, "--flag", "ü"]
    options: dict[str, Any] = {"cwd": ROOT, "env": variables or ours, "timeout": 50}
    fresh = subprocess.run(command, capture_output=True, text=True, input="gïven", **options)
    forked = forking.run(command, given="gïven", **options)
    assert forked.returncode == fresh.returncode
    assert [*map(_seen, forked.stdout.splitlines())] == [*map(_seen, fresh.stdout.splitlines())]
    assert _end(forked.stderr) == _end(fresh.stderr)


def _seen(line: str) -> object:
    return json.loads(line) if line.startswith("{") else line


def _end(text: str) -> list[str]:
    """Without the frames of a traceback, which name the server's."""
    return [line for line in text.splitlines() if not line.startswith(" ")]


@pytest.mark.parametrize("start", [subprocess.Popen, forking.Forked])
def test_it_is_a_process_as_any(start: Callable[..., "subprocess.Popen[Any]"]) -> None:
    """It is polled, waited for, and ended by signals; a session of its own if wanted."""
    with start(
        [*MIRROR, "sleep"], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"sleeping\n"
        assert process.poll() is None
        assert os.getsid(process.pid) == process.pid
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
        assert process.poll() == -signal.SIGTERM
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b""


def test_commands_of_a_shell(tmp_path: Path) -> None:
    """Their codes, pipes, directory and signals are the shell's business as ever."""
    script = """
    lambent nonsense 2>/dev/null; echo "code $?"
    echo hello | lambent --version | cat
    aws --version
    AWS_ENDPOINT_URL=http://127.0.0.1:1 timeout 20 aws s3 ls 2>&1 | tail -n 1
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{forking.commands()}:/usr/bin:/bin", "AWS_MAX_ATTEMPTS": "1"}
        | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=55,
        cwd=tmp_path,
    )
    first, second, third, fourth = done.stdout.splitlines()
    assert first == "code 2"
    assert second.startswith("lambent ")
    assert third.startswith("aws-cli/")
    assert "Could not connect" in fourth
