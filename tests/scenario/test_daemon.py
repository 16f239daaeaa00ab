"""A platform in the background, as people and service managers run it."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from lambent.cli import running
from lambent.instance.data_directory import DataDirectory
from lambent.instance.lock import has_launcher
from lambent.settings import load_settings
from lambent.upkeep import gc
from tests import forking
from tests.scenario.conftest import ACCOUNT, Platform, deploy, invoke, wait_for

SLOW = "import time\ndef handler(e, c):\n    time.sleep(e)\n    return 'done'"


class Daemon:
    """A data directory, and commands for it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`lambent ARGUMENTS --data-dir …`."""
        return forking.run(
            [sys.executable, "-m", "lambent", *arguments, "--data-dir", str(self.data_dir)],
            timeout=100,
        )

    def up(self, *arguments: str) -> str:
        """Start it; returns its URL."""
        started = self.run("up", "--detach", "--port", "0", *arguments)
        assert started.returncode == 0, started.stderr
        return started.stdout.strip().removeprefix("lambent is ready at ")

    def status(self) -> dict[str, Any]:
        """The output of `lambent status`."""
        return running.status(self.data_dir)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """It is stopped at the end."""
    made = Daemon(tmp_path / "data")
    yield made
    made.run("down", "--force")


def client_of(url: str) -> Any:
    """A boto3 client of Lambda there."""
    return boto3.client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
    )


@pytest.mark.timeout(180)
def test_up_status_down(daemon: Daemon) -> None:
    """It is ready when the command returns, is visible, finishes requests in progress, and is
    gone."""
    assert daemon.run("status").returncode == 3
    assert daemon.run("down").returncode == 0
    url = daemon.up()
    client = client_of(url)
    deploy(client, "slow", {"app.py": SLOW}, Timeout=60)
    again = daemon.run("up", "--detach", "--port", "0")
    assert again.returncode == 1
    assert url in again.stderr

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(invoke, client, "slow", 3)
        found = wait_for(
            lambda: (now := daemon.status())["environments"]["busy"] == 1 and now,
            "a busy environment",
        )
        assert (found["running"], found["state"], found["url"]) == (True, "ready", url)
        assert (found["functions"], found["queued_events"]) == (1, 0)
        assert found["database"]["name"] == str(daemon.data_dir / "state/lambent.db")
        assert found["memory_mb"]["platform"] > 20
        shown = daemon.run("status")
        assert shown.returncode == 0
        assert url in shown.stdout
        down = daemon.run("down", "--json")
        assert answer.result()[0] == "done"
    assert down.returncode == 0, down.stderr
    assert json.loads(down.stdout)["how"] == "finished"
    assert not daemon.status()["running"]
    log = Path(found["log"]).read_text()
    assert "lambent is ready at" in log
    assert "Traceback" not in log


@pytest.mark.timeout(180)
def test_down_does_not_wait_forever(daemon: Daemon) -> None:
    """What still runs is cut off after the given time; a platform that hangs is killed."""
    client = client_of(daemon.up())
    deploy(client, "slow", {"app.py": SLOW}, Timeout=600)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        answer = thread.submit(invoke, client, "slow", 500)
        wait_for(lambda: daemon.status()["environments"]["busy"] == 1, "a busy environment")
        began = time.monotonic()
        down = daemon.run("down", "--wait", "1", "--json")
        assert time.monotonic() - began < 40
        with pytest.raises(BotoCoreError):
            answer.result(30)
    assert down.returncode == 0, down.stderr
    assert json.loads(down.stdout)["how"] == "cut off"


@pytest.mark.timeout(180)
def test_a_start_that_fails(daemon: Daemon) -> None:
    """The command that waited reports the reason, with its exit code; nothing is left."""
    failed = daemon.run("up", "--detach", "--port", "0", "--set", "sandbox.isolation=none")
    assert failed.returncode == 1
    assert "cannot use isolation 'none'" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not daemon.status()["running"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = daemon.run("up", "--detach", "--port", port)
    assert failed.returncode == 1
    assert port in failed.stderr


@pytest.mark.timeout(120)
def test_a_start_that_is_given_up(daemon: Daemon) -> None:
    """The waiting command is ended, and does not leave half a start behind."""
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "lambent", "up", "--detach", "--port", "0"),
            *("--data-dir", str(daemon.data_dir)),
        ],
        stdout=subprocess.DEVNULL,
    ) as waiting:
        wait_for(lambda: daemon.status()["running"], "the beginning of a start")
        waiting.terminate()
        assert waiting.wait(60) == 128 + signal.SIGTERM
    assert not daemon.status()["running"]


@pytest.mark.timeout(180)
def test_a_killed_platform_is_not_running(daemon: Daemon) -> None:
    """Its lock ended with it, whatever the file says; the next one starts."""
    daemon.up()
    os.kill(daemon.status()["pid"], signal.SIGKILL)
    wait_for(lambda: not daemon.status()["running"], "the end")
    assert daemon.run("down").returncode == 0
    daemon.up()
    assert daemon.status()["state"] == "ready"


@pytest.mark.timeout(120)
def test_one_in_the_foreground_is_seen_and_stopped(
    start_platform: Callable[..., Platform],
) -> None:
    """By its data directory."""
    own = start_platform()
    daemon = Daemon(own.data_dir)
    found = daemon.status()
    assert (found["pid"], found["url"]) == (own.process.pid, own.endpoint)
    assert found["log"] is None
    assert daemon.run("down").returncode == 0
    assert own.process.wait(10) == 0


@pytest.mark.timeout(120)
def test_garbage_of_one_that_runs(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform itself removes what no version refers to; what is in use stays."""
    monkeypatch.setattr(gc, "_in_caches", lambda _: iter(()))
    flags = {"server.data_dir": ("test", str(platform.data_dir))}
    settings = load_settings(flags=flags, environment={}).settings
    client = platform.client("lambda")
    deploy(client, "stays", {"app.py": "def handler(e, c):\n    return 'here'"})
    stray = platform.data_dir / "code" / ("0" * 64)
    (stray / "inside").mkdir(parents=True)
    uid = stray.parent.stat().st_uid
    for path in (stray, stray / "inside"):
        os.chown(path, uid, uid)
    assert str(stray.name) in [item.place for item in gc.collect(settings, is_dry=True)]
    assert stray.exists()
    assert stray.name in [item.place for item in gc.collect(settings, is_dry=False)]
    assert not stray.exists()
    assert invoke(client, "stays")[0] == "here"
    assert gc.collect(settings, is_dry=True) == []


@pytest.mark.timeout(120)
@pytest.mark.root
def test_garbage_of_one_that_was_killed(
    start_platform: Callable[..., Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its launcher, so that nothing was cleaned up: its control groups and disks are
    removed."""
    monkeypatch.setattr(gc, "_in_caches", lambda _: iter(()))
    own = start_platform()
    deploy(own.client("lambda"), "one", {"app.py": "def handler(e, c):\n    return 'here'"})
    assert invoke(own.client("lambda"), "one")[0] == "here"
    os.kill(own.launcher_pid, signal.SIGKILL)
    own.kill()
    wait_for(lambda: not has_launcher(own.data_dir), "the end of the launcher")
    settings = load_settings(
        flags={"server.data_dir": ("test", str(own.data_dir))}, environment={}
    ).settings
    group = DataDirectory(own.data_dir).group

    def are_there() -> list[str]:
        return [path for path, names, _ in os.walk("/sys/fs/cgroup") if group in names]

    found = gc.collect(settings, is_dry=True)
    if are_there():
        assert "control groups" in {item.kind for item in found}

    # The kernel needs a moment to end killed processes.
    def is_clean() -> bool:
        return not any(item.problem for item in gc.collect(settings, is_dry=False))

    wait_for(is_clean, "everything can be removed")
    assert are_there() == []
    assert list((own.data_dir / "sandbox/volumes").iterdir()) == []


@pytest.mark.timeout(120)
def test_what_a_service_manager_gets(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """That it is ready when it listens, signs of life, and that it stops; within its grace even
    with a long invocation."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news:
        news.bind(f"{tmp_path}/notify")
        news.settimeout(30)
        own = start_platform(
            None,
            *("--set", "gateway.shutdown_grace_s=1"),
            environment={"NOTIFY_SOCKET": f"{tmp_path}/notify", "WATCHDOG_USEC": "600000"},
        )

        def receive(wanted: bytes) -> bytes:
            while wanted not in (message := news.recv(1000)):
                pass
            return message

        assert own.endpoint.encode() in receive(b"READY=1")
        receive(b"WATCHDOG=1")
        client = own.client("lambda")
        deploy(client, "slow", {"app.py": SLOW}, Timeout=600)
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            answer = thread.submit(invoke, client, "slow", 500)
            status = Daemon(own.data_dir).status
            wait_for(lambda: status()["environments"]["busy"] == 1, "a busy environment")
            own.process.send_signal(signal.SIGTERM)
            receive(b"STOPPING=1")
            with pytest.raises(BotoCoreError):
                answer.result(60)
        assert own.process.wait(30) == 0


@pytest.mark.timeout(120)
def test_lines_of_the_journal(tmp_path: Path) -> None:
    """A platform whose stderr is the journal's says how severe each line is, its launcher too."""
    read, write = os.pipe()
    status = os.fstat(write)
    own = subprocess.Popen(
        [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(tmp_path / "d")],
        stdout=subprocess.PIPE,
        stderr=write,
        text=True,
        env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
    )
    os.close(write)
    with own, open(read) as lines:
        assert own.stdout is not None
        assert "ready" in own.stdout.readline()
        children = Path(f"/proc/{own.pid}/task/{own.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        first = lines.readline()
        own.terminate()
        rest = lines.read().splitlines()
    assert first == "<3>ERROR lambent.sandbox.client: the launcher has ended\n"
    assert all(line.startswith("<") for line in rest)


@pytest.mark.timeout(120)
@pytest.mark.root
def test_a_user_cannot_tell(daemon: Daemon) -> None:
    """Another user's platform is neither shown nor reported as stopped."""
    daemon.up()
    # Files that it loads before it changes the user may be readable only for the first user.
    program = (
        "import os, sys; from pathlib import Path; import lambent.cli.app, lambent.settings;"
        "from lambent.cli import running; os.setgroups([]); os.setresgid(*[65534] * 3);"
        "os.setresuid(*[65534] * 3); sys.exit(lambent.cli.app.main())"
    )
    for command, code in (("status", 4), ("down", 1)):
        arguments = [command, "--data-dir", str(daemon.data_dir)]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        assert done.returncode == code, done.stderr
    assert daemon.status()["state"] == "ready"
