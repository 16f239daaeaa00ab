"""A program that is forked from a loaded server is what a fresh one is."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awscli
import pytest

from tests import forking
from tests.platforms import wait_for

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


def test_models_of_a_user(tmp_path: Path) -> None:
    """They are found, though those of botocore were read before the fork."""
    models = tmp_path / "tea" / "2026-01-01"
    models.mkdir(parents=True)
    metadata = {"apiVersion": "2026-01-01", "endpointPrefix": "tea", "protocol": "json"}
    model = {
        "metadata": {**metadata, "serviceId": "Tea", "signatureVersion": "v4"},
        "operations": {"PourTea": {"name": "PourTea", "http": {"method": "POST"}}},
        "shapes": {},
    }
    (models / "service-2.json").write_text(json.dumps(model))
    places = f"{os.path.dirname(awscli.__file__)}/data:{tmp_path}"
    done = subprocess.run(
        ["bash", "-c", "aws tea nothing; aws lambda nothing"],
        env={"PATH": f"{forking.commands()}:/usr/bin:/bin", "AWS_DATA_PATH": places},
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert "pour-tea" in done.stderr
    assert "list-functions" in done.stderr


def test_forked_processes_share_servers() -> None:
    """A server is started once for a process and those that are forked from it."""
    script = """
import os, subprocess, sys
from pathlib import Path
from tests import forking

forking.share()
for _ in range(2):
    if os.fork() == 0:
        command = [sys.executable, "-m", "tests.forking.mirror", "sleep"]
        with forking.Forked(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            stat = Path(f"/proc/{process.pid}/stat").read_text()
            os.write(1, stat.rpartition(")")[2].split()[1].encode() + b"\\n")
            process.kill()
        os._exit(0)
os.wait(), os.wait()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    first, second = done.stdout.split()
    assert first == second
    wait_for(lambda: not Path(f"/proc/{first}").exists(), "the server ends with them")
