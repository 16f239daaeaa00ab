"""Finds and ends processes that no namespace and no cgroup holds together.

A process belongs to an environment because of its user or, if all have one user, because of an
ancestor. A stopped process cannot start others, so ending a tree means stopping processes until no
new ones are found, and then killing them.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

_ROUNDS_MAX = 100
_HAS_CHILDREN = os.path.exists("/proc/thread-self/children")
"""Some kernels are built without it."""

Find = Callable[[], set[int]]


def of_users(first: int, count: int = 1, *, among: set[int] | None = None) -> set[int]:
    """Return the processes whose user is one of `count` from `first` on, out of all or of some,
    without zombies."""
    found = set()
    for pid in _pids() if among is None else among:
        with contextlib.suppress(OSError, ValueError, IndexError):
            if first <= _user(pid) < first + count and _state(pid)[0] not in "ZX":
                found.add(pid)
    return found


def below(roots: set[int]) -> set[int]:
    """Return the processes of `roots` and all their descendants, without zombies."""
    found, left = set(), list(roots)
    while left:
        pid = left.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            if pid not in found and _state(pid)[0] not in "ZX":
                found.add(pid)
                left += children(pid)
    return found


def children(pid: int) -> set[int]:
    """Return the children of a process, including zombies."""
    found: set[int] = set()
    if not _HAS_CHILDREN:
        return {child for child in _pids() if _has_parent(child, pid)}
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                found |= {int(child) for child in text.split()}
    return found


def with_variable(beginning: bytes) -> set[int]:
    """Return the processes, among those that this one may inspect, with an environment variable,
    `NAME=…`, of this prefix."""
    found = set()
    for pid in _pids():
        with contextlib.suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if pid != os.getpid() and any(variable.startswith(beginning) for variable in variables):
                found.add(pid)
    return found


def send_all(find: Find, number: signal.Signals) -> None:
    """Send a signal to all processes that are found, and to those that they have started
    meanwhile."""
    signalled: set[int] = set()
    for _ in range(_ROUNDS_MAX):
        pidfds: dict[int, int] = {}
        for pid in find() - signalled:
            with contextlib.suppress(OSError):
                pidfds[pid] = os.pidfd_open(pid)
        if not pidfds:
            return
        try:
            # The pid may have been reused in the meantime.
            for pid in find() & pidfds.keys():
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(pidfds[pid], number)
        finally:
            for pidfd in pidfds.values():
                os.close(pidfd)
        signalled |= pidfds.keys()


def kill_all(find: Find) -> None:
    """End all processes that are found."""
    send_all(find, signal.SIGSTOP)
    send_all(find, signal.SIGKILL)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _user(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("\nUid:\t")[2].split()[0])


def _has_parent(pid: int, parent: int) -> bool:
    try:
        return _state(pid)[1] == parent
    except (OSError, ValueError, IndexError):
        return False


def _state(pid: int) -> tuple[str, int]:
    """State and parent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[1])
