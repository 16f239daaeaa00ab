"""A real platform, started as a user does: `lambent up` in a separate process, on port 0."""

import base64
import contextlib
import fcntl
import functools
import io
import json
import os
import re
import select
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambent.instance.data_directory import DataDirectory
from tests.forking import Forked

ROLE = "arn:aws:iam::000000000000:role/lambda-role"
ACCOUNT = "000000000000"
PYTHON = f"python3.{sys.version_info.minor}"


FRUGAL = {"LAMBENT_SANDBOX__PREPARED_MEMORY_MB": "16"}
"""Variables of platforms in tests. By itself a platform prewarms up to 96 runtimes of a kind after
the first call of a function, which is more work than most tests are."""
_STOP_S = 240
"""Seconds for a platform to stop on a busy host."""
_OUTPUT_MAX = 1 << 20
_WAIT_S = 60
"""Seconds for anything else there."""


def client_at(endpoint: str, service: str, **more: Any) -> Any:
    """A boto3 client of the platform at an endpoint, without retries."""
    options: dict[str, Any] = {
        "region_name": "us-east-1",
        "endpoint_url": endpoint,
        "aws_access_key_id": ACCOUNT,
        "aws_secret_access_key": "secret",
        "config": Config(
            retries={"total_max_attempts": 1}, read_timeout=120, parameter_validation=False
        ),
    }
    return boto3.client(service, **{**options, **more})


class Platform:
    """A running `lambent up`."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        is_fresh: bool = False,
    ):
        """Start it. With `is_fresh` the process has nothing preloaded (see `forking`); so does one
        with a `prefix`, a program that becomes the platform, perhaps as another user."""
        self.data_dir = data_dir
        command = [*prefix, sys.executable, "-m", "lambent", "up", "--port", "0"]
        start = subprocess.Popen[str] if is_fresh or prefix else Forked
        self.process = start(
            [*command, "--data-dir", str(data_dir), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=data_dir.parent,
            env={**FRUGAL, **os.environ, **(environment or {})},
        )
        self.output = ""
        self.endpoint = self._read_endpoint(deadline=time.monotonic() + 600)

    def _read_endpoint(self, deadline: float) -> str:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        # The tests do not read while they run, and a platform that cannot write its log blocks.
        with contextlib.suppress(PermissionError):  # A container may have its own limit.
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _OUTPUT_MAX)
        while time.monotonic() < deadline:
            if select.select([descriptor], [], [], 0.2)[0]:
                data = os.read(descriptor, 65536)
                if not data:
                    break
                self.output += data.decode(errors="replace")
                if found := re.search(r"ready at (https?://\S+)", self.output):
                    return found[1]
        self.kill()
        raise AssertionError(f"the platform did not get ready:\n{self.output}")

    @property
    def launcher_pid(self) -> int:
        """The pid of its launcher: a platform may have other children."""
        (found,) = self.children(b"launcher")
        return found

    def children(self, word: bytes) -> list[int]:
        """The processes it started whose command contains a word."""
        pid, found = self.process.pid, []
        # Each thread has children of its own.
        for listed in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in listed.read_text().split():
                with contextlib.suppress(OSError):
                    if word in Path(f"/proc/{child}/cmdline").read_bytes():
                        found.append(int(child))
        return found

    def cgroups(self) -> set[str]:
        """The cgroups with its name, wherever the host mounts them; none of other platforms."""
        name = DataDirectory(self.data_dir.absolute()).instance
        return {
            os.path.join(where, found)
            for where, names, _ in os.walk("/sys/fs/cgroup")
            for found in names
            if name in found or name in where
        }

    def mounts(self) -> set[str]:
        """The mount points of this process's namespace that lie in its data directory."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        points = {line.split()[4] for line in lines}
        return {point for point in points if Path(point).is_relative_to(self.data_dir)}

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client like a user's, but without retries."""
        return client_at(self.endpoint, service, **more)

    @functools.cached_property
    def logs(self) -> Any:
        """A cached client, for polling."""
        return self.client("logs")

    def stop(self) -> int:
        """SIGTERM, if it still runs; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.output += self.process.communicate(timeout=_STOP_S)[0] or ""
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self.process.returncode

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all tests that do not stop it. The first worker's is a fresh process."""
    is_fresh = os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0"
    running = Platform(tmp_path_factory.mktemp("platform") / "data", is_fresh=is_fresh)
    yield running
    code = running.stop()
    assert code == 0, running.output


@pytest.fixture
def start_platform(tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Starts platforms for a single test; each is stopped at the end."""
    started: list[Platform] = []

    def start(data_dir: Path | None = None, *arguments: str, **more: Any) -> Platform:
        running = Platform(data_dir or tmp_path / "data", *arguments, **more)
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.stdout is not None and not running.process.stdout.closed:
            running.stop()


@pytest.fixture(scope="session")
def lambda_client(platform: Platform) -> Any:
    """A boto3 Lambda client for the shared platform."""
    return platform.client("lambda")


class Link(str):
    """The target of a symbolic link in a package."""


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """A package of a function or a layer; files named `bootstrap`, extensions and shell scripts are
    executable."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            runs = name.startswith("extensions/") or name.endswith(("bootstrap", ".sh"))
            kind = stat.S_IFLNK if isinstance(content, Link) else stat.S_IFREG
            entry.external_attr = (kind | (0o755 if runs else 0o644)) << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def deploy(client: Any, name: str, files: Mapping[str, str | bytes], **more: Any) -> dict[str, Any]:
    """Create a function and wait until it is active; returns its configuration."""
    options: dict[str, Any] = {
        "Runtime": PYTHON,
        "Role": ROLE,
        "Handler": "app.handler",
        "Timeout": 20,
        "MemorySize": 512,
    }
    client.create_function(
        FunctionName=name, Code={"ZipFile": zip_of(files)}, **{**options, **more}
    )
    return wait_active(client, name)


def publish_layer(client: Any, name: str, files: Mapping[str, str | bytes]) -> str:
    """Publish a layer version; returns its ARN."""
    answer = client.publish_layer_version(LayerName=name, Content={"ZipFile": zip_of(files)})
    return str(answer["LayerVersionArn"])


def log_lines(platform: Platform, name: str) -> list[str]:
    """All messages in a function's log group, in order; empty before its first call, which creates
    the group."""
    paginator = platform.logs.get_paginator("filter_log_events")
    pages = paginator.paginate(logGroupName=f"/aws/lambda/{name}")
    try:
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]
    except platform.logs.exceptions.ResourceNotFoundException:
        return []


def printed_on(platform: Platform, word: str) -> list[str]:
    """What functions printed on a node after a word. Each node has its own log files; a request for
    logs returns the lines of all nodes."""
    files = platform.data_dir.glob("state/logs/**/*.log")
    found = [re.findall(rf"{word} (\S+)\n".encode(), file.read_bytes()) for file in files]
    return [text.decode() for texts in found for text in texts]


def wait_active(client: Any, name: str) -> dict[str, Any]:
    """Wait until the function's last change is in effect; returns its configuration."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        configuration: dict[str, Any] = client.get_function_configuration(FunctionName=name)
        is_done = configuration.get("LastUpdateStatus", "Successful") != "InProgress"
        if configuration["State"] != "Pending" and is_done:
            return configuration
        assert time.monotonic() < deadline, configuration
        time.sleep(0.02)  # noqa: TID251 - a poll of an outside process


def invoke(client: Any, name: str, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    """Invoke and decode; returns the payload and the whole response."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **more)
    body = answer["Payload"].read()
    return (json.loads(body) if body else None), answer


def log_of(answer: Mapping[str, Any]) -> str:
    """The end of the log in a response, if it was requested."""
    return base64.b64decode(answer["LogResult"]).decode()


def wait_for(condition: Callable[[], Any], description: str, deadline_s: float = _WAIT_S) -> Any:
    """Poll until `condition` returns a true value; returns that value. Polling slows down over
    time, because it costs the other processes CPU."""
    began = time.monotonic()
    deadline = began + deadline_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"never happened: {description}"
        pause_s = min(0.02 + (time.monotonic() - began) / 20, 0.2)
        time.sleep(pause_s)  # noqa: TID251 - a poll of an outside process
