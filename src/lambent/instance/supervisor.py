"""The supervisor of cells: a small process that starts them, and starts again those that end.

It forks, so a cell starts from what this process has loaded, which is little. It holds the
listening sockets, so while a cell starts again the others accept its clients. And it is the cells'
service manager (`kit/service_manager.py`): it hears that they are ready and alive, and passes on
what each says about itself (`model/cells.py`). When it is killed, the kernel kills the cells.
"""

import contextlib
import dataclasses
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

from lambent.instance.cell import LIFE_S, Cell
from lambent.kit.ending import die_with_parent
from lambent.kit.service_manager import ServiceManager
from lambent.model.cells import MESSAGE_MAX, STATE, tell_of

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PAUSE_S_MIN, _PAUSE_S_MAX = 0.25, 30.0
_STEADY_S = 60.0
"""A cell that ran this long is started again with the shortest pause."""

RunCell = Callable[[Cell], int]
"""Runs a cell in this process; returns its exit code."""


@dataclasses.dataclass(slots=True)
class _Member:
    """A cell, as its supervisor knows it."""

    number: int
    pid: int = 0
    """0 while it does not run."""
    pidfd: int = -1
    link: socket.socket | None = None
    state: bytes = b""
    """What it has said about itself; empty while it does not run."""
    owed: set[int] = dataclasses.field(default_factory=set)
    """The cells of which it does not have the last state yet."""
    is_ready: bool = False
    began_at: float = 0.0
    heard_at: float = 0.0
    starts_at: float | None = 0.0
    """When it is to start (again); None while it runs, or is not to."""
    pause_s: float = _PAUSE_S_MIN


class Supervisor:
    """See the module."""

    def __init__(
        self,
        count: int,
        run_cell: RunCell,
        manager: ServiceManager,
        *,
        services: socket.socket | None,
        on_ready: Callable[[], None],
    ) -> None:
        """`on_ready` is called once, when all cells are ready."""
        self._run_cell = run_cell
        self._manager = manager
        self._services = services
        self._on_ready = on_ready
        self._members = [_Member(number) for number in range(1, count + 1)]
        for member in self._members[1:]:
            member.starts_at = None  # The first one makes what all need.
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._stops = 0
        self._was_ready = False
        self._has_started = False
        self._exit_code = 0

    def run(self) -> int:
        """Run all cells until a stop signal; returns the exit code. A cell that ends before all of
        them have been ready once ends the rest."""
        with self._receiving_signals():
            while True:
                self._start_those_due()
                if not any(member.pid for member in self._members) and self._stops:
                    return self._exit_code
                for key, _ in self._selector.select(self._wait_s()):
                    key.data()
                while self._signals:
                    self._signals.pop()
                    self._stop()
                self._end_silent()

    # -- time ------------------------------------------------------------------------------

    def _wait_s(self) -> float | None:
        now, at = time.monotonic(), list[float]()
        for member in self._members:
            if member.starts_at is not None and not self._stops:
                at.append(member.starts_at)
            if member.pid and member.is_ready and not self._stops:
                at.append(member.heard_at + LIFE_S)
        if self._manager.life_s:
            at.append(now + self._manager.life_s)
        return max(min(at) - now, 0.0) if at else None

    def _end_silent(self) -> None:
        """Kill cells whose event loop hangs, and say that this process does not."""
        self._manager.tell_life()
        for member in self._members:
            is_silent = time.monotonic() - member.heard_at > LIFE_S
            if member.pid and member.is_ready and is_silent and not self._stops:
                self._say(f"cell {member.number} (pid {member.pid}) hangs: it is killed")
                self._signal(member, signal.SIGKILL)
                member.heard_at = time.monotonic()

    # -- processes -------------------------------------------------------------------------

    def _start_those_due(self) -> None:
        if self._stops:
            return
        for member in self._members:
            if member.starts_at is not None and member.starts_at <= time.monotonic():
                member.starts_at = None
                self._start(member)

    def _start(self, member: _Member) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        is_start, self._has_started = not self._has_started, True
        cell = Cell(
            number=member.number,
            count=len(self._members),
            link=theirs,
            services=self._services,
            is_start=is_start,
        )
        supervisor = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal must not reach the child while it still has this process's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._become(cell, supervisor, ours)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        theirs.close()
        ours.setblocking(False)
        member.pid, member.pidfd, member.link = pid, os.pidfd_open(pid), ours
        member.is_ready, member.state = False, b""
        member.began_at = member.heard_at = time.monotonic()
        member.owed = {other.number for other in self._members if other.state}
        self._selector.register(member.pidfd, selectors.EVENT_READ, lambda: self._reap(member))
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._on_link(member))
        self._send_owed(member)

    def _become(self, cell: Cell, supervisor: int, others_end: socket.socket) -> None:
        """Be a cell: the child's part of `_start`. Does not return."""
        code = 1
        try:
            # Ctrl-C reaches the supervisor alone, which passes it on.
            os.setpgid(0, 0)
            die_with_parent(supervisor)
            others_end.close()
            for member in self._members:
                if member.link is not None:
                    member.link.close()
                if member.pid:
                    os.close(member.pidfd)
            self._selector.close()
            self._manager.close()
            signal.set_wakeup_fd(-1)
            for number in _STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
            code = self._run_cell(cell)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self, member: _Member) -> None:
        """A cell has ended."""
        _, status = os.waitpid(member.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._selector.unregister(member.pidfd)
        os.close(member.pidfd)
        self._drop_link(member)
        pid, member.pid, member.pidfd, member.state = member.pid, 0, -1, b""
        self._tell_others(member)
        if self._stops:
            is_in_order = code in (0, -signal.SIGTERM)  # The latter one while it starts.
            self._exit_code = self._exit_code or (0 if is_in_order else max(code, 1))
            return
        if not self._was_ready:
            self._exit_code = max(code, 1)
            self._stop()
            return
        if time.monotonic() - member.began_at > _STEADY_S:
            member.pause_s = _PAUSE_S_MIN
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._say(
            f"cell {member.number} (pid {pid}) has ended ({how}): it starts again in"
            f" {member.pause_s:g} s"
        )
        member.starts_at = time.monotonic() + member.pause_s
        member.pause_s = min(2 * member.pause_s, _PAUSE_S_MAX)

    def _stop(self) -> None:
        """Pass a stop signal on. The second one cuts off what is in progress."""
        self._stops += 1
        if self._stops == 1:
            self._say("lambent is stopping", prefix="")
            self._manager.tell_stopping()
        for member in self._members:
            self._signal(member, signal.SIGTERM)

    @staticmethod
    def _signal(member: _Member, number: signal.Signals) -> None:
        if member.pid:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(member.pidfd, number)

    @contextlib.contextmanager
    def _receiving_signals(self) -> Iterator[None]:
        woken, wakes = socket.socketpair()
        woken.setblocking(False)
        wakes.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(64))
        signal.set_wakeup_fd(wakes.fileno())
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda number, _: self._signals.append(number))
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            woken.close()
            wakes.close()

    # -- messages --------------------------------------------------------------------------

    def _on_link(self, member: _Member) -> None:
        """A cell says something, or has room again."""
        while member.link is not None:
            try:
                message = member.link.recv(MESSAGE_MAX)
            except BlockingIOError:
                break
            except ConnectionError:
                message = b""
            if not message:
                self._drop_link(member)  # It ends: `_reap` follows.
                return
            member.heard_at = time.monotonic()
            self._hear(member, message.split(b"\n"))
        self._send_owed(member)

    def _drop_link(self, member: _Member) -> None:
        if member.link is not None:
            self._selector.unregister(member.link)
            member.link.close()
            member.link = None

    def _hear(self, member: _Member, lines: Sequence[bytes]) -> None:
        for line in lines:
            name, _, value = line.partition(b"=")
            if line.startswith(STATE):
                member.state = line.removeprefix(STATE)
                self._tell_others(member)
            elif name == b"READY":
                self._note_ready(member)
            elif name == b"STATUS" and not self._was_ready:
                self._manager.tell_status(f"cell {member.number}: {value.decode()}")

    def _note_ready(self, member: _Member) -> None:
        member.is_ready = True
        for other in self._members:
            if not other.pid and other.starts_at is None and not self._was_ready:
                other.starts_at = 0.0
        if not self._was_ready and all(each.is_ready for each in self._members):
            self._was_ready = True
            self._on_ready()

    def _tell_others(self, member: _Member) -> None:
        for other in self._members:
            if other is not member and other.link is not None:
                other.owed.add(member.number)
                self._send_owed(other)

    def _send_owed(self, member: _Member) -> None:
        """Send a cell the states that it does not have. One that does not read gets them later."""
        if member.link is None:
            return
        while member.owed:
            number = next(iter(member.owed))
            try:
                member.link.send(tell_of(number, self._members[number - 1].state))
            except BlockingIOError:
                break
            except OSError:
                member.owed.clear()  # It ends.
                return
            member.owed.discard(number)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if member.owed else 0)
        if self._selector.get_key(member.link).events != events:
            key = self._selector.get_key(member.link)
            self._selector.modify(member.link, events, key.data)

    @staticmethod
    def _say(text: str, prefix: str = "lambent: ") -> None:
        print(f"{prefix}{text}", file=sys.stderr, flush=True)
