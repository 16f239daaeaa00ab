"""The snapshots there are, and how one is taken of a process in a box."""

import os

from lambent.sandbox.launcher import linux, tracing
from lambent.sandbox.launcher.box import Box
from lambent.sandbox.launcher.image import WAIT_FD, CannotCapture, capture
from lambent.sandbox.launcher.transplant import Snapshot

_SNAPSHOTS_MAX = 1000


class Snapshots:
    """Owner of all snapshots."""

    def __init__(self) -> None:
        self._known: dict[str, Snapshot] = {}
        self._count = 0

    def take(self, box: Box, pid: int) -> tuple[str, int] | None:
        """Capture a process; gives name and bytes. None if it does not wait to be captured yet.

        Raises OSError, its message saying why the process cannot be captured.
        """
        if os.uname().machine != "x86_64":
            raise OSError("processes are captured on x86-64 only")
        if len(self._known) >= _SNAPSHOTS_MAX:
            raise OSError(f"there are {_SNAPSHOTS_MAX} snapshots already")
        if not tracing.is_reading(pid, WAIT_FD):
            return None
        pidfd = box.processes[pid]
        others = linux.processes_beside(box.init_pid) - {pid, box.init_pid}
        if others:
            raise OSError("it has left processes running")
        memory_mb = box.memory_mb or 0
        try:
            with tracing.hold(pid, pidfd) as tracee:
                image = capture(tracee, bytes_max=memory_mb << 20)
        except CannotCapture as reason:
            raise OSError(str(reason)) from reason
        self._count += 1
        name = f"s{self._count}"
        self._known[name] = Snapshot(image)
        return name, image.size_bytes

    def get(self, name: str) -> Snapshot:
        """Raises KeyError."""
        return self._known[name]

    def discard(self, name: str) -> None:
        """Throw one away, if there is one of that name."""
        snapshot = self._known.pop(name, None)
        if snapshot is not None:
            snapshot.image.close()
