"""Work on processes of boxes, done in children of the launcher.

A hostile process decides how long work on it takes, and can make it wait. The launcher's loop
continues meanwhile, and a child that exceeds its deadline is killed.
"""

import contextlib
import dataclasses
import json
import os
import resource
import selectors
import signal
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, BinaryIO, NoReturn

from lambent.sandbox.launcher import linux
from lambent.sandbox.launcher.image import make_memory

_REPORT_BYTES_MAX = 8 << 20
_MEMORY_BYTES = 512 << 20
"""Memory that a child may use beyond what the launcher has mapped."""
_REASON_MAX = 500

OnDone = Callable[[bytes | None, str], None]
"""Receives the result of the work, or None and the reason."""


@dataclasses.dataclass(frozen=True, slots=True)
class ChildWork:
    """Work for a child."""

    act: Callable[[], bytes]
    """Its OSErrors go to the caller."""
    descriptors: Callable[[], Sequence[int]]
    """The launcher's descriptors that it needs, when it starts. Raises OSError, ValueError."""
    on_done: OnDone
    deadline_s: float
    nice: int = 0


class Apart:
    """Does work in children, `at_once` at a time, in the order of the requests."""

    def __init__(self, selector: selectors.BaseSelector, at_once: int) -> None:
        self._selector = selector
        self._at_once = at_once
        self._running: set[int] = set()
        """Their pidfds."""
        self._waiting: deque[ChildWork] = deque()

    def do(self, work: ChildWork) -> None:
        """Start work or queue it; `on_done` is called once, possibly immediately."""
        self._waiting.append(work)
        self._begin()

    def close(self) -> None:
        """Kill the running children; they are reaped with all other children."""
        self._waiting.clear()
        for pidfd in self._running:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            work = self._waiting.popleft()
            report = make_memory("report")
            try:
                kept = [report.fileno(), *work.descriptors()]
                pid, pidfd = linux.fork()
            except (OSError, ValueError) as error:
                report.close()
                work.on_done(None, str(error))
                continue
            if pid == 0:
                _act(work, report, kept)
            self._running.add(pidfd)
            on_exit = partial(self._on_exit, pidfd, work, report)
            self._selector.register(pidfd, selectors.EVENT_READ, on_exit)

    def _on_exit(self, pidfd: int, work: ChildWork, report: BinaryIO) -> None:
        self._selector.unregister(pidfd)
        self._running.discard(pidfd)
        ended = linux.reap(pidfd)
        os.close(pidfd)
        with report:
            result, reason = _read(report)
        if ended is not None and ended.si_status == signal.SIGALRM:
            result, reason = None, f"it took longer than {work.deadline_s:g} s"
        work.on_done(result, reason)
        self._begin()


def _act(work: ChildWork, report: BinaryIO, kept: Sequence[int]) -> NoReturn:
    """Runs in a child."""
    try:
        linux.die_with_parent()
        # A child that the timer kills leaves no held process: see `tracing.Tracee.seize`.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, work.deadline_s)
        _close_all_but([0, 1, 2, *kept])
        _limit_memory()
        os.nice(work.nice)
        said: dict[str, Any] = {"ok": work.act().decode()}
    except MemoryError:
        said = {"error": "it takes too much memory to describe it"}
    except OSError as error:
        said = {"error": str(error)[:_REASON_MAX]}
    except BaseException as error:
        said = {"error": f"{type(error).__name__}: {error}"[:_REASON_MAX]}
    try:
        report.write(json.dumps(said).encode())
    finally:
        os._exit(0)


def _read(report: BinaryIO) -> tuple[bytes | None, str]:
    if os.fstat(report.fileno()).st_size > _REPORT_BYTES_MAX:
        return None, "there is too much to say about it"
    report.seek(0)
    try:
        said = json.loads(report.read())
    except (ValueError, RecursionError):
        return None, "its examination ended early"
    return (None, said["error"]) if "error" in said else (said["ok"].encode(), "")


def _close_all_but(kept: Sequence[int]) -> None:
    """Otherwise the launcher's descriptors would stay open here after it closes them."""
    first = 0
    for fd in sorted(set(kept)):
        if fd > first:  # An empty range would mean all of them.
            os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _limit_memory() -> None:
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
