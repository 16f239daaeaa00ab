"""Who uses a data directory: no process is mistaken for another."""

import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambent.instance import lock as instance_lock
from lambent.instance.lock import (
    InstanceUnknown,
    find_running,
    hold,
    own_facts,
    read_facts,
    write_facts,
)

HOLDER = """
import sys
from pathlib import Path
from lambent.instance.lock import add_facts, hold, own_facts, write_facts
lock = hold(Path(sys.argv[1]))
write_facts(lock, own_facts("1.2"))
add_facts(lock, url="http://here")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(directory: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A process that holds a directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_lock_without_a_holder(tmp_path: Path) -> None:
    """No lock, no directory, a lock that no process holds: none of them is a platform."""
    for directory in (tmp_path, tmp_path / "missing"):
        with find_running(directory) as running:
            assert running is None
    (tmp_path / "lock").write_text("garbage")
    with find_running(tmp_path) as running:
        assert running is None


def test_one_that_runs(tmp_path: Path) -> None:
    """It is found with what it says; a second cannot hold; after a kill it is free."""
    with held(tmp_path) as process:
        with find_running(tmp_path) as running:
            assert running is not None
            assert running.facts.pid == process.pid
            assert running.facts.url == "http://here"
            assert running.facts.version == "1.2"
            assert not running.wait(0)
            assert hold(tmp_path) is None
            running.send(signal.SIGKILL)
            assert running.wait(20)
            running.send(signal.SIGKILL)  # No holder any more.
        process.wait()
        with find_running(tmp_path) as running:
            assert running is None
        lock = hold(tmp_path)
        assert lock is not None
        os.close(lock)


def test_a_pid_that_another_process_has_now(tmp_path: Path) -> None:
    """What is held says a number that belongs to another process: no signal is sent."""
    lock = hold(tmp_path)
    assert lock is not None
    write_facts(lock, dataclasses.replace(own_facts("1"), pid=1))
    with pytest.raises(InstanceUnknown, match="does not say who it is"), find_running(tmp_path):
        pass
    os.close(lock)


def test_another_pid_namespace(tmp_path: Path) -> None:
    """Its numbers mean nothing here."""
    lock = hold(tmp_path)
    assert lock is not None
    write_facts(lock, dataclasses.replace(own_facts("1"), pid_namespace="pid:[1]"))
    with pytest.raises(InstanceUnknown, match="another pid namespace"), find_running(tmp_path):
        pass
    os.close(lock)


def test_who_looks_is_no_platform(tmp_path: Path) -> None:
    """A process reads the lock at the moment when a platform starts: it starts anyway."""
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        timer = threading.Timer(0.05, fcntl.flock, (looker, fcntl.LOCK_UN))
        timer.start()
        lock = hold(tmp_path)
        timer.join()
    assert lock is not None
    os.close(lock)


def test_what_is_said_replaces_what_was_said(tmp_path: Path) -> None:
    """Also when the file held more before, and when it is of another version."""
    (tmp_path / "lock").write_text("x" * 5000)
    lock = hold(tmp_path)
    assert lock is not None
    write_facts(lock, own_facts("1"))
    assert read_facts(lock).url is None
    text = os.pread(lock, 4096, 0).decode().strip()
    os.pwrite(lock, (text[:-1] + ', "unknown": 1}').encode(), 0)
    assert read_facts(lock).version == "1"
    os.close(lock)


@pytest.mark.parametrize(
    ("group", "unit"),
    [
        ("0::/system.slice/lambent.service", "lambent.service"),
        ("4:memory:/\n0::/system.slice/lambent.service/sub", "lambent.service"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/lambent.service",
            "--user lambent.service",
        ),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope", None),
        ("0::/user.slice/user-1000.slice/session-3.scope", None),
    ],
)
def test_the_unit_of_a_process(group: str, unit: str | None) -> None:
    """The innermost service of its cgroup is the argument for `systemctl`."""
    assert instance_lock.unit_of(group) == unit
