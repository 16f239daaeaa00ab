"""A restart on one machine loses no connection and no call: the kernel queues connections while the
platform is replaced, and clients that keep a connection learn that it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from lambent.cli import running
from tests import forking
from tests.lengths import IS_LONG
from tests.platforms import Platform, client_at, deploy, invoke, wait_for
from tests.servers import socket_unit
from tests.servers.processes import free_port
from tests.steady_load import SteadyLoad

pytestmark = pytest.mark.timeout(300)
RESTARTS = 10 if IS_LONG else 1
RATE = 500 if IS_LONG else 50
WHO = "import os\ndef handler(event, context): return os.environ['VERSION']"


def lambent(*arguments: str) -> str:
    """Run a command; returns what it prints."""
    done = forking.run([sys.executable, "-m", "lambent", *arguments], timeout=250)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pid_of(data: Path) -> int | None:
    """The pid of the platform of a data directory, if it is ready."""
    found = running.status(data)
    return int(found["pid"]) if found.get("state") == "ready" else None


def begin(client: object, port: int) -> SteadyLoad:
    """Deploy a function, and clients that call it."""
    deploy(client, "who", {"app.py": WHO}, Environment={"Variables": {"VERSION": "1"}})
    invoke(client, "who")
    return SteadyLoad("127.0.0.1", port, "who", clients=8, rate=RATE)


def check(load: SteadyLoad) -> None:
    """No call has failed."""
    print(load)
    assert not load.failures, load.failures[:5]
    assert load.payloads == {"1"}


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data directory; its platform is stopped at the end."""
    yield tmp_path / "data"
    lambent("down", "--force", "--data-dir", str(tmp_path / "data"))


def test_a_platform_replaces_another(data: Path) -> None:
    """`lambent up --replace` takes over the port, also one that the kernel picked."""
    up = ("up", "--detach", "--port", "0", "--data-dir", str(data), "--replace")
    url = lambent(*up).strip().removeprefix("lambent is ready at ")
    port = urlsplit(url).port
    assert port is not None
    load = begin(client_at(url, "lambda"), port)
    with load.running():
        for _ in range(RESTARTS):
            before, calls = pid_of(data), load.calls
            wait_for(lambda calls=calls: load.calls > calls + 50, "there is load")
            assert url in lambent(*up)
            assert pid_of(data) not in (before, None)
        calls = load.calls
        wait_for(lambda: load.calls > calls + 50, "calls go on")
    check(load)

    # The settings name another port: the platform listens there.
    other = f"http://127.0.0.1:{free_port()}"
    lag = ("--set", "gateway.shutdown_lag_s=600")
    assert other in lambent(*up, "--port", other.rpartition(":")[2], *lag)
    with pytest.raises(requests.ConnectionError):
        health(url)
    check_lag(other, data)
    log = (data / "state/lambent.log").read_text()
    assert log.count("is stopping") == RESTARTS + 2
    assert "Traceback" not in log


def health(url: str) -> requests.Response:
    """What a load balancer sees."""
    return requests.get(f"{url}/_lambent/health", timeout=60)


def check_lag(url: str, data: Path) -> None:
    """When the platform stops, the health page says so while new connections are still served, and
    connections end with their next response. A second signal ends it at once."""
    pid = pid_of(data)
    assert pid is not None
    assert health(url).status_code == 200
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: health(url).status_code == 503, "its health page says so")
    assert health(url).headers["Connection"] == "close"
    assert invoke(client_at(url, "lambda"), "who")[0] == "1"
    assert pid_of(data) == pid
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not running.status(data)["running"], "it ends")


def test_systemd_keeps_the_socket(start_platform: Callable[..., Platform], tmp_path: Path) -> None:
    """With socket activation `systemctl restart` loses nothing."""
    port, data = free_port(), tmp_path / "data"
    platform = start_platform(
        data,
        *("--port", str(port)),
        prefix=[sys.executable, socket_unit.__file__, f"127.0.0.1:{port}"],
    )
    assert platform.endpoint == f"http://127.0.0.1:{port}"
    load = begin(platform.client("lambda"), port)
    with load.running():
        for _ in range(RESTARTS):
            before, calls = pid_of(data), load.calls
            wait_for(lambda calls=calls: load.calls > calls + 50, "there is load")
            assert before is not None
            os.kill(before, signal.SIGTERM)
            wait_for(lambda before=before: pid_of(data) not in (before, None), "it runs again", 200)
        calls = load.calls
        wait_for(lambda: load.calls > calls + 50, "calls go on")
    check(load)
    assert platform.stop() == 0


def test_the_socket_of_systemd_must_fit_the_settings(tmp_path: Path) -> None:
    """A platform without authentication must not be opened to a network by a socket unit."""
    port = free_port()
    done = subprocess.run(
        [
            *(sys.executable, socket_unit.__file__, f"0.0.0.0:{port}"),
            *(sys.executable, "-m", "lambent", "up", "--port", str(port)),
            *("--data-dir", str(tmp_path / "data")),
        ],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1
    assert f"0.0.0.0:{port}" in done.stderr
    assert "lambent.socket" in done.stderr
