"""The platform on this host: started from a shell, or by systemd as lambent.service."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.hosts.inside.outcomes import NotRun, Refused
from tests.platforms import ACCOUNT, ROLE, zip_of

START_S = 300
"""Emulated machines are ten to twenty times slower than real ones."""
SERVICE = "lambent.service"
UNIT = Path("/etc/systemd/system") / SERVICE
SERVICE_ENDPOINT = "http://127.0.0.1:5262"


class Served:
    """A platform that was started from a shell, with its API."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.endpoint = ""
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []

    def start(self) -> None:
        """Start it and wait until it is ready. Raises Refused with its message if it refuses."""
        command = [sys.executable, "-m", "lambent", "up", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--data-dir", str(self.data_dir)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
        )
        self._process, self._said = process, []
        threading.Thread(target=self._listen, args=[process], daemon=True).start()
        wait_for(lambda: self._is_ready(process), "the platform is ready", START_S)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._said.append(line.strip())
            print("platform:", line.rstrip(), file=sys.stderr, flush=True)

    def _is_ready(self, process: subprocess.Popen[str]) -> bool:
        if process.poll() is not None:
            time.sleep(0.5)  # noqa: TID251 - its last words are still read
            raise Refused(" ".join(self._said[-2:]) or f"ended with {process.returncode}")
        if found := re.search(r"ready at (https?://\S+)", " ".join(self._said)):
            self.endpoint = found[1]
            return True
        return False

    @property
    def pid(self) -> int:
        """The pid of the platform's first process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM; it must exit with code 0."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        assert code == 0, f"`lambent up` ended with {code}: {' '.join(self._said[-5:])}"

    def client(self, service: str = "lambda", connections: int = 10) -> Any:
        """A boto3 client, without retries."""
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="secret",
            config=Config(
                retries={"total_max_attempts": 1},
                read_timeout=300,
                max_pool_connections=connections,
            ),
        )


class Service(Served):
    """The platform as a systemd service, with its own data directory."""

    def start(self) -> None:
        """See `Served`."""
        self.endpoint = SERVICE_ENDPOINT
        self._install()
        systemctl("reset-failed", SERVICE)
        systemctl("start", SERVICE, deadline_s=START_S)
        wait_for(self._answers, "lambent.service answers", START_S)

    def _install(self) -> None:
        """Follows docs/run-as-a-service.md."""
        if UNIT.exists():
            return
        script = Path(sys.executable).with_name("lambent")
        completed = subprocess.run([script, "service"], capture_output=True, text=True, timeout=120)
        if completed.returncode != 0:
            raise NotRun(f"`lambent service` prints no unit: {completed.stderr[-300:]}")
        UNIT.write_text(completed.stdout)
        systemctl("daemon-reload")

    def _answers(self) -> bool:
        state = systemctl("show", "--value", "--property=ActiveState", SERVICE)
        if state == "failed":
            words = ["journalctl", "--unit", SERVICE, "--output=cat", "--lines=2"]
            said = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout
            raise Refused(said)
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_lambent/health", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """See `Served`."""
        return int(systemctl("show", "--value", "--property=MainPID", SERVICE))

    def kill(self) -> None:
        """SIGKILL of the first process; systemd may restart it."""
        os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """See `Served`."""
        systemctl("stop", SERVICE, deadline_s=120)
        result = systemctl("show", "--value", "--property=Result", SERVICE)
        assert result == "success", f"systemd says the service ended with {result}"


def systemctl(*words: str, deadline_s: float = 60) -> str:
    """Run it; returns its output."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=deadline_s)
    return done.stdout.strip()


def wait_for(condition: Callable[[], Any], description: str, deadline_s: float) -> Any:
    """Poll until `condition` returns a true value; returns that value."""
    deadline = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {deadline_s:g} s: {description}"
        time.sleep(0.2)  # noqa: TID251 - a poll of an outside process
    return value


def create(client: Any, name: str, files: dict[str, str | bytes], **more: Any) -> None:
    """Create a function and wait until it is active."""
    options: dict[str, Any] = {"Role": ROLE, "Handler": "app.handler", "Timeout": 60}
    options |= {"MemorySize": 256, **more}
    client.create_function(FunctionName=name, Code={"ZipFile": zip_of(files)}, **options)
    wait_active(client, name)


def wait_active(client: Any, name: str) -> None:
    """Wait until a function's last change is in effect."""

    def state() -> str:
        configuration = client.get_function_configuration(FunctionName=name)
        if configuration["State"] == "Failed":
            raise AssertionError(f"{name}: {configuration.get('StateReason')}")
        is_done = configuration.get("LastUpdateStatus", "Successful") != "InProgress"
        return "done" if configuration["State"] == "Active" and is_done else ""

    wait_for(state, f"{name} is active", 180)


def call(client: Any, name: str, event: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
    """Invoke; returns the payload and the response."""
    answer = client.invoke(
        FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail", **more
    )
    return json.loads(answer["Payload"].read() or b"null"), answer


def call_well(client: Any, name: str, event: Any, **more: Any) -> Any:
    """Invoke a function that must succeed; returns the payload."""
    payload, answer = call(client, name, event, **more)
    assert "FunctionError" not in answer, f"{payload}; its log: {log_of(answer)}"
    return payload


def log_of(answer: dict[str, Any]) -> str:
    """The end of the log in a response."""
    return base64.b64decode(answer["LogResult"]).decode()
