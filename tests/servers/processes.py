"""What all servers for tests have in common: a process, a directory, ports and an end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.platforms import wait_for

INSTALLED = Path(__file__).parents[2] / "build" / "test-servers"
"""Where tools/make-test-needs installs servers that no distribution has."""

_LOG_TAIL_BYTES = 4000


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a server accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def skip_without(program: str, package: str) -> None:
    """Skip tests that need a program of the distribution; where TEST_SERVERS=required (as in CI),
    fail instead."""
    if Path(program).exists():
        return
    message = f"NOT TESTED: {program} is missing; apt-get install {package}"
    if os.environ.get("TEST_SERVERS") == "required":
        pytest.fail(message)
    pytest.skip(message)


class Server(ABC):
    """A server in a separate process, whose data survives the process.

    Use it as a context manager; its exit removes the data. `stop`, `kill` and `start` may be called
    in between: the ports stay the same.
    """

    ready_within_s = 60.0

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"lambent-{type(self).__name__.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command that starts it in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it is ready."""

    def environment(self) -> Mapping[str, str]:
        """Additional environment variables."""
        return {}

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """The end of its output."""
        return (self.directory / "log").read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")

    def start(self) -> None:
        """Start it on the existing data, and wait until it is ready."""
        assert self._process is None, "it runs already"
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        try:
            wait_for(self._is_ready, f"{type(self).__name__} serves", self.ready_within_s)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log}") from None

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended with {self._process.returncode}"
        return self.is_ready()

    def stop(self) -> None:
        """Stop it with a signal, so that it can save its state; remaining children are killed."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9 it and its children, as in a crash."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=self.ready_within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # no process is left

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            self._clean_up()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._clean_up()

    def _clean_up(self) -> None:
        shutil.rmtree(self.directory)
