"""Starting, stopping and surviving: the platform as a process."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.scenario.conftest import (
    PYTHON,
    ROLE,
    Platform,
    deploy,
    invoke,
    wait_active,
    wait_for,
    zip_of,
)

SLOW = "import time\ndef handler(e, c):\n    time.sleep(e)\n    return 'done'"


def ours(platform: Platform) -> set[int]:
    """Process ids of everything the platform has started, itself included."""
    found, frontier = set(), {platform.process.pid}
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    while frontier:
        found |= frontier
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
    return found


def alive(pids: set[int]) -> set[int]:
    """Which of them still run (a zombie does not)."""
    running = set()
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if stat.rpartition(")")[2].split()[0] != "Z":
            running.add(pid)
    return running


def cgroups() -> set[str]:
    """Cgroups with our name anywhere below the cgroup mount."""
    return {
        os.path.join(where, name)
        for where, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if "lambent" in name
    }


def mounts() -> set[str]:
    """Mount points of this namespace."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[4] for line in lines}


def test_health(platform: Platform) -> None:
    """200 as soon as the endpoint was printed."""
    with urllib.request.urlopen(f"{platform.endpoint}/_lambent/health") as answer:
        assert answer.status == 200
        assert json.load(answer)["status"] == "ok"


def test_sigterm_finishes_what_is_in_flight(start_platform: Callable[..., Platform]) -> None:
    """The running call is answered, then the platform ends with code 0 and leaves nothing."""
    before = cgroups(), mounts()
    own = start_platform()
    client = own.client("lambda")
    deploy(client, "slow", {"app.py": SLOW})
    pids = ours(own)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(invoke, client, "slow", 2)
        wait_for(lambda: len(ours(own)) > len(pids), "the runtime's process")
        time.sleep(0.5)  # noqa: TID251 - lets the handler begin
        pids |= ours(own)
        own.process.send_signal(signal.SIGTERM)
        assert answer.result(30)[0] == "done"
    assert own.process.wait(30) == 0
    assert wait_for(lambda: not alive(pids), "the end of every process")
    assert (cgroups(), mounts()) == before


def test_a_second_signal_is_impatient(start_platform: Callable[..., Platform]) -> None:
    """It cuts the running call off; the end is as clean."""
    own = start_platform()
    client = own.client("lambda")
    deploy(client, "slow", {"app.py": SLOW}, Timeout=120)
    pids = ours(own)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(invoke, client, "slow", 100)
        wait_for(lambda: len(ours(own)) > len(pids), "the runtime's process")
        own.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not is_accepting(own), "the closed door")
        own.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedError):
            answer.result(30)
    assert own.process.wait(30) == 0
    assert wait_for(lambda: not alive(pids), "the end of every process")


def is_accepting(platform: Platform) -> bool:
    """Whether the platform takes new connections."""
    host, port = platform.endpoint.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


def test_a_second_platform_on_the_same_data_is_refused(
    start_platform: Callable[..., Platform],
) -> None:
    """With an error that says who holds it."""
    own = start_platform()
    second = subprocess.run(
        [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(own.data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode != 0
    assert str(own.data_dir) in second.stdout + second.stderr
    assert "already" in second.stdout + second.stderr
    assert "Traceback" not in second.stdout + second.stderr


def test_a_port_that_is_taken_is_refused(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """One line that names the port."""
    own = start_platform()
    port = own.endpoint.rpartition(":")[2]
    second = subprocess.run(
        [sys.executable, "-m", "lambent", "up", "--port", port, "--data-dir", str(tmp_path / "b")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode != 0
    assert port in second.stdout + second.stderr
    assert "Traceback" not in second.stdout + second.stderr


@pytest.mark.parametrize("victims", ["platform", "everything"])
def test_kill_9_loses_nothing_and_leaves_nothing(
    start_platform: Callable[..., Platform], tmp_path: Path, victims: str
) -> None:
    """Acknowledged functions are there after the next start; processes, cgroups and mounts of
    the killed one are not."""
    before = cgroups(), mounts()
    first = start_platform()
    client = first.client("lambda")
    deploy(client, "kept", {"app.py": SLOW})
    assert invoke(client, "kept", 0)[0] == "done"
    pids = ours(first)
    assert len(pids) >= 3
    if victims == "everything":
        for pid in sorted(pids):
            os.kill(pid, signal.SIGKILL)
    first.kill()
    assert wait_for(lambda: not alive(pids), "the end of every process of the killed platform")
    second = start_platform(first.data_dir)
    assert invoke(second.client("lambda"), "kept", 0)[0] == "done"
    assert second.stop() == 0
    assert (cgroups(), mounts()) == before


def test_a_function_created_before_a_kill_is_complete(
    start_platform: Callable[..., Platform],
) -> None:
    """Killed right after the acknowledgement of a creation: it becomes active and runs."""
    first = start_platform()
    client = first.client("lambda")
    client.create_function(
        FunctionName="young",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zip_of({"app.py": SLOW})},
    )
    first.kill()
    second = start_platform(first.data_dir)
    again = second.client("lambda")
    assert wait_active(again, "young")["State"] == "Active"
    assert invoke(again, "young", 0)[0] == "done"
