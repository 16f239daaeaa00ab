"""Where commands run: a machine, a container, a directory. Each translates a command into its own
command line."""

import queue
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.hosts.steps import StepFailed, run


class Place(ABC):
    """A running host. Use it as a context manager: it starts on entry, and leaves nothing on
    exit."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        """The directory for logs."""
        self.log = directory / "commands.log"

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it accepts commands. Raises StepFailed."""

    @abstractmethod
    def stop(self) -> None:
        """End it, in any state."""

    @abstractmethod
    def command_line(self, command: Sequence[str], user: str) -> list[str]:
        """The command line on this machine that runs a command in it."""

    @property
    def python(self) -> str:
        """The interpreter of the virtual environment that contains Lambent."""
        return "/opt/lambent/bin/python"

    @property
    def checkout(self) -> str:
        """The directory for the tests."""
        return "/srv/checkout"

    @property
    def is_shared(self) -> bool:
        """Whether other platforms may run next to the one under test."""
        return True

    @property
    @abstractmethod
    def how(self) -> str:
        """How it runs, for the table: KVM, emulated, runc, …"""

    def run(
        self,
        command: Sequence[str],
        *,
        user: str = "root",
        deadline_s: float,
        stdin: bytes | None = None,
    ) -> str:
        """Run a program in it; returns its output. Raises StepFailed."""
        words = self.command_line(command, user)
        return run(words, log=self.log, deadline_s=deadline_s, stdin=stdin).decode(errors="replace")

    def follow(
        self,
        command: Sequence[str],
        on_line: Callable[[str], None],
        *,
        user: str = "root",
        deadline_s: float,
    ) -> None:
        """Run a program in it; `on_line` receives each line of output as it arrives. stderr goes to
        the log. Raises StepFailed when it takes too long or fails."""
        words = self.command_line(command, user)
        with (
            self.log.open("ab") as log,
            subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for line in lines_of(process.stdout, deadline_s):
                    log.write(line.encode())
                    on_line(line.rstrip("\n"))
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise StepFailed(f"{command[0]} ended with {process.returncode}; see {self.log}")


def lines_of(stream: IO[str], deadline_s: float) -> Iterator[str]:
    """Lines until the end. Raises StepFailed if that takes more than `deadline_s`."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise StepFailed(f"not done within {deadline_s:g} s") from None
        if line is None:
            return
        yield line
