"""ChildWork on processes of boxes, done in children of the launcher.

What is done to a hostile process takes as long as it can make it take, and waits for it: the
launcher's loop goes on meanwhile, and the child is killed when its time is over.
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
"""What a child may use beyond what the launcher has mapped."""
_REASON_MAX = 500

OnDone = Callable[[bytes | None, str], None]
"""Gets what the work gave, or None and why there is nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class ChildWork:
    """Something to be done in a child."""

    act: Callable[[], bytes]
    """Its OSErrors are for whoever asked."""
    descriptors: Callable[[], Sequence[int]]
    """What it needs of the launcher's, when it begins. Raises OSError, ValueError."""
    on_done: OnDone
    deadline_s: float
    nice: int = 0


class Apart:
    """Does work in children, `at_once` at a time, in the order it was asked for."""

    def __init__(self, selector: selectors.BaseSelector, at_once: int) -> None:
        self._selector = selector
        self._at_once = at_once
        self._running: set[int] = set()
        """Their pidfds."""
        self._waiting: deque[ChildWork] = deque()

    def do(self, work: ChildWork) -> None:
        """Have something done; `on_done` is called once, perhaps at once."""
        self._waiting.append(work)
        self._begin()

    def close(self) -> None:
        """Kill what runs; it is reaped with all other children."""
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
    """In a child."""
    try:
        linux.die_with_parent()
        # Who is killed by the clock leaves nothing that is held: see `tracing.Tracee.seize`.
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
    """What is open here too would not be closed when the launcher closes it."""
    first = 0
    for fd in sorted(set(kept)):
        if fd > first:  # An empty range would be all there are.
            os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _limit_memory() -> None:
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
