"""Platforms that are started to be killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.forking import Forked
from tests.platforms import FRUGAL, wait_for

READY_S = 60


class Life:
    """A platform that kills itself when it reaches a point for the n-th time; `module` is the one
    in this package that has the points."""

    def __init__(
        self, module: str, data: Path, options: list[str], point: str, number: int
    ) -> None:
        self._output = data.parent / "output"
        command = [sys.executable, "-m", f"tests.crash.{module}", point, str(number)]
        command += [str(data.parent / "witness"), "up", "--port", "0", "--data-dir", str(data)]
        with self._output.open("w") as output:
            self._process = Forked(
                [*command, *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**FRUGAL, **os.environ},
            )

    def __enter__(self) -> "Life":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(30)

    def read_endpoint(self) -> str | None:
        """Wait until it is ready; returns its endpoint, None if it died before."""

        def look() -> Any:
            is_dead = self._process.poll() is not None
            return re.search(r"ready at (http://\S+)", self._output.read_text()) or is_dead

        found = wait_for(look, "the platform is ready", deadline_s=READY_S)
        if found is not True:
            return str(found[1])
        self._see_dead()
        return None

    @property
    def is_dead(self) -> bool:
        """Whether it has killed itself."""
        return self._process.poll() is not None

    def has_died_within(self, seconds: float) -> bool:
        """Wait for it to kill itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._see_dead()
        return True

    def end(self, within_s: float) -> None:
        """Wait for it to die, and kill it if necessary."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._see_dead()

    def _see_dead(self) -> None:
        assert self._process.wait(30) == -signal.SIGKILL, self._output.read_text()
