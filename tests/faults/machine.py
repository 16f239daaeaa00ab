"""A machine with a platform on it, which is started again when it ends, as its unit would do."""

import configparser
import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lambent.instance.data_directory import DataDirectory
from tests.faults.in_namespace import write_shift
from tests.faults.network import Network
from tests.forking import Forked
from tests.platforms import FRUGAL, wait_for

PORT = 5262
RESTART_S = 2.0
"""As in the unit."""
DISK_MB = 200
READY_S = 120


class Machine:
    """One node. A thread starts the platform again whenever it ends."""

    def __init__(self, network: Network, name: str, settings: Mapping[str, str]) -> None:
        self.name = name
        self.address = network.address(name)
        self.endpoint = f"http://{self.address}:{PORT}"
        self._namespace = network.namespace(name)
        self._place = network.directory / name
        self.data = self._place / "data"
        self._settings = settings
        self._stops = threading.Event()
        self._is_wanted = threading.Event()
        self._is_wanted.set()
        self.process: subprocess.Popen[Any] | None = None
        self.ends: list[tuple[float, int]] = []
        """When the platform ended, monotonic, and its exit code."""
        self.data.mkdir(parents=True)
        self._place.chmod(0o711)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=711", self._namespace]
        subprocess.run([*mount, str(self.data)], check=True, timeout=20)
        self._clock = self._place / "clock"
        self.shift_clock(0.0)
        self._thread = threading.Thread(target=self._keep_running)
        self._thread.start()

    @functools.cached_property
    def groups(self) -> list[Path]:
        """Its control groups, those of processes."""
        name = DataDirectory(self.data).group
        return [path for path in Path("/sys/fs/cgroup").rglob(name) if "pids" in path.parts]

    @property
    def output(self) -> str:
        """What its platforms have said."""
        return (self._place / "output").read_text(errors="replace")

    @property
    def root(self) -> Mapping[str, str] | None:
        """The keys of the root user, on the node that made them."""
        parser = configparser.ConfigParser()
        parser.read(self.data / "root-credentials")
        if not parser.has_section("default"):
            return None
        names = ("aws_access_key_id", "aws_secret_access_key")
        return {name: parser["default"][name] for name in names}

    def wait_ready(self) -> None:
        """Wait until a platform has started for the first time."""
        try:
            wait_for(lambda: "ready at http" in self.output, f"{self.name} is ready", READY_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.ends}\n{self.output[-3000:]}") from None

    def _keep_running(self) -> None:
        command = [sys.executable, "-m", "tests.faults.in_namespace", self._namespace]
        command += [str(self._clock), "up", "--host", self.address, "--port", str(PORT)]
        command += ["--data-dir", str(self.data), "--auth", "strict"]
        with (self._place / "output").open("ab") as output:
            while not self._stops.is_set():
                self._is_wanted.wait()
                process = self.process = Forked(
                    command,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **FRUGAL, **self._settings},
                )
                code = process.wait()
                self.ends.append((time.monotonic(), code))
                self._stops.wait(RESTART_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the platform, if it runs."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def shift_clock(self, seconds: float) -> None:
        """Set the wall clock ahead, or behind."""
        write_shift(self._clock, seconds)

    def fill_disk(self) -> Callable[[], None]:
        """Leave no room on its disk; returns what makes room again."""
        ballast = self.data / "ballast"
        with ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
        return functools.partial(ballast.unlink, missing_ok=True)

    def stop(self) -> None:
        """End it in order; if that takes long, kill it."""
        self._stops.set()
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        self._thread.join(60)
        if self._thread.is_alive():
            self.signal(signal.SIGKILL)
            self._thread.join(60)
