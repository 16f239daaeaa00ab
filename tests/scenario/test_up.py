"""Starting, stopping and surviving: the platform as a process."""

import concurrent.futures
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests import forking
from tests.platforms import log_lines
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

SAYS_IT_BEGAN = (
    "import time\ndef handler(e, c):\n"
    "    print('began', flush=True)\n    time.sleep(e)\n    return 'done'"
)
SLOW = "import time\ndef handler(e, c):\n    time.sleep(e)\n    return 'done'"


Processes = dict[int, str]
"""Pids, each with the moment of its start: numbers are used again."""


def ours(platform: Platform) -> Processes:
    """Everything the platform has started, itself included."""
    found: set[int] = set()
    frontier = {platform.process.pid}
    parents, started = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            parents[int(entry.name)], started[int(entry.name)] = int(fields[1]), fields[19]
    while frontier:
        found |= frontier
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
    return {pid: started[pid] for pid in found if pid in started}


def alive(pids: Processes) -> set[int]:
    """Which of them still run (a zombie does not)."""
    running = set()
    for pid, started in pids.items():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if fields[0] != "Z" and fields[19] == started:
            running.add(pid)
    return running


def seen(pid: int) -> Processes:
    """A running platform, which may be queried after it has ended."""
    return {pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]}


def has_begun(platform: Platform, name: str) -> bool:
    """Whether a handler has reported that."""
    try:
        return "began" in log_lines(platform, name)
    except ClientError:
        return False  # Nothing has been logged yet.


def assert_nothing_is_left(platform: Platform) -> None:
    """Neither cgroups nor mounts of the platform's."""
    assert platform.cgroups() == set()
    assert platform.mounts() == set()


def test_health(platform: Platform) -> None:
    """200 as soon as the endpoint was printed."""
    with urllib.request.urlopen(f"{platform.endpoint}/_lambent/health") as answer:
        assert answer.status == 200
        assert json.load(answer)["status"] == "ok"


def test_sigterm_finishes_what_is_in_flight(start_platform: Callable[..., Platform]) -> None:
    """The running call returns, then the platform ends with code 0 and leaves nothing."""
    own = start_platform()
    client = own.client("lambda")
    deploy(client, "slow", {"app.py": SAYS_IT_BEGAN})
    has_cgroups = bool(own.cgroups())
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(invoke, client, "slow", 2)
        wait_for(lambda: has_begun(own, "slow"), "the beginning of the call")
        pids = ours(own)
        own.process.send_signal(signal.SIGTERM)
        assert answer.result(60)[0] == "done"
    assert own.stop() == 0
    assert wait_for(lambda: not alive(pids), "the end of every process")
    assert has_cgroups or os.geteuid() != 0
    assert_nothing_is_left(own)


def test_a_second_signal_is_impatient(start_platform: Callable[..., Platform]) -> None:
    """It cuts the running call off; the stop is as clean, however often it is requested."""
    own = start_platform()
    client = own.client("lambda")
    deploy(client, "slow", {"app.py": SAYS_IT_BEGAN}, Timeout=900)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(invoke, client, "slow", 800)
        wait_for(lambda: has_begun(own, "slow"), "the beginning of the call")
        pids = ours(own)
        own.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not is_accepting(own), "the closed door")
        own.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedError):
            answer.result(60)
    while own.process.poll() is None:
        own.process.send_signal(signal.SIGTERM)
        time.sleep(0.001)  # noqa: TID251 - in every stage of the end
    assert own.stop() == 0
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
    """With an error that names the holder."""
    own = start_platform()
    second = forking.run(
        [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(own.data_dir)],
        timeout=120,
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
    second = forking.run(
        [sys.executable, "-m", "lambent", "up", "--port", port, "--data-dir", str(tmp_path / "b")],
        timeout=120,
    )
    assert second.returncode != 0
    assert port in second.stdout + second.stderr
    assert "Traceback" not in second.stdout + second.stderr


@pytest.mark.parametrize("victims", ["platform", "everything"])
def test_kill_9_loses_nothing_and_leaves_nothing(
    start_platform: Callable[..., Platform], tmp_path: Path, victims: str
) -> None:
    """Acknowledged functions are there after the next start; processes, cgroups and mounts of the
    killed one are not."""
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
    assert_nothing_is_left(second)


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
