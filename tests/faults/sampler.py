"""How many invocations of a function run at once, over all machines, as their host sees it.

Functions write a name for each invocation into `/proc/self/comm`. A look reads the names of all
processes in boxes. What is seen in two looks in sequence ran during the whole time between them, so
the number of these never exceeds a limit that is kept. No network and no platform is involved: what
a paused or a cut-off machine runs is counted, too.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager

from tests.faults.functions import BUSY
from tests.faults.machine import Machine

_LOOK_S = 0.05


class Sampler:
    """Looks while its context lasts."""

    def __init__(self, machines: Sequence[Machine]) -> None:
        self._machines = machines
        self._stop = threading.Event()
        self.most = 0
        """The most that ran at once."""
        self.most_at = 0.0
        self.looks = 0
        self.error: BaseException | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look for as long as the context lasts."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            if self.error is not None:
                raise self.error

    def _run(self) -> None:
        try:
            before: Set[str] = set()
            while not self._stop.wait(_LOOK_S):
                now = self._look()
                if len(before & now) > self.most:
                    self.most, self.most_at = len(before & now), time.monotonic()
                before = now
                self.looks += 1
        except BaseException as error:
            self.error = error

    def _look(self) -> Set[str]:
        names = set()
        for machine in self._machines:
            for group in machine.groups:
                for where, _, files in os.walk(group):  # It goes on where a group ends.
                    if "cgroup.procs" in files:
                        names |= {_name(pid) for pid in _pids(f"{where}/cgroup.procs")}
        return {name for name in names if name.startswith(BUSY)}


def _pids(procs: str) -> list[str]:
    with contextlib.suppress(OSError), open(procs) as file:
        return file.read().split()
    return []


def _name(pid: str) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as comm:
        return comm.read().strip()
    return ""
