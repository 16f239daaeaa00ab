"""A platform whose tasks fail on request: see `failing_tasks`."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lambent.instance import log_file
from tests.forking import Forked
from tests.platforms import FRUGAL, Platform, wait_for


class FailingPlatform(Platform):
    """A platform whose tasks fail on request."""

    def __init__(self, data_dir: Path, *arguments: str, fails: str = "") -> None:
        self.data_dir = data_dir
        # As `lambent up --detach` does, so that the log stays short.
        self.log = data_dir / "state" / log_file.NAME
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.crash.failing_tasks", *([fails] if fails else [])]
        command += ["--", "up", "--port", "0", "--data-dir", str(data_dir), *arguments]
        # Skip the log of another platform in this directory.
        self.log.unlink(missing_ok=True)
        with self.log.open("a") as output:
            self.process = Forked(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**FRUGAL, **os.environ},
            )
        found = wait_for(
            lambda: re.search(r"ready at (http://\S+)", self.text()) or self.process.poll(),
            "the platform is ready",
            deadline_s=120,
        )
        assert isinstance(found, re.Match), self.text()
        self.endpoint = found[1]

    def text(self) -> str:
        """All its output."""
        return self.log.read_text(errors="replace")

    def count(self, word: str, site: str) -> int:
        """How often tasks of a site began, or failed."""
        return len(re.findall(rf"^{word} {re.escape(site)}$", self.text(), re.MULTILINE))

    def write(self, line: str) -> None:
        """Send a command to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def tell(self, when: str, site: str) -> None:
        """Make a task fail: `now` or `next`; returns when the platform has received the command."""
        self.write(f"{when} {site}")
        urllib.request.urlopen(f"{self.endpoint}/_lambent/health", timeout=20).close()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """SIGKILL, if it has not ended."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()

    @contextmanager
    def failing(self, site: str, when: str = "next") -> Iterator[None]:
        """The block makes a task of the site fail."""
        before = self.count("failed", site)
        self.tell(when, site)
        yield
        wait_for(lambda: self.count("failed", site) > before, f"a task of {site} fails")
