"""The supervisor of cells, with cells that are a few lines of code."""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambent.instance import supervisor as supervisors
from lambent.instance.cell import Cell
from lambent.instance.supervisor import Supervisor
from lambent.kit.service_manager import ServiceManager
from lambent.model.cells import MESSAGE_MAX, STATE, CellState, told_of
from tests.platforms import wait_for

Run = Callable[[Cell], int]


class Watched:
    """A supervisor in a child process, and what its cells write."""

    def __init__(self, run: Run, count: int, directory: Path) -> None:
        self.directory = directory
        self.pid = os.fork()
        if self.pid == 0:
            code = 99
            with contextlib.suppress(BaseException):
                sys.stderr = (directory / "errors").open("w", buffering=1)
                manager = ServiceManager({})
                ready = (directory / "ready").touch
                code = Supervisor(count, run, manager, services=None, on_ready=ready).run()
            os._exit(code)

    def wait_ready(self) -> None:
        """Until all cells have been ready once."""
        wait_for((self.directory / "ready").exists, "all are ready")

    def pid_of(self, number: int, *, but: int = 0) -> int:
        """The process of a cell that is ready; another one than `but`."""

        def find() -> int:
            with contextlib.suppress(OSError, ValueError):
                pid = int((self.directory / f"cell-{number}").read_text())
                return pid if pid != but else 0
            return 0

        return int(wait_for(find, f"cell {number} runs"))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; returns the exit code."""
        os.kill(self.pid, number)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[[Run], Watched]]:
    """Starts supervisors of two cells, and kills those that still run."""
    started: list[Watched] = []

    def start(run: Run) -> Watched:
        started.append(Watched(run, 2, tmp_path))
        return started[-1]

    yield start
    for each in started:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(each.pid, signal.SIGKILL)
            os.waitpid(each.pid, 0)


def ready(directory: Path) -> Run:
    """A cell that is ready, and ends when it is asked to."""

    def run(cell: Cell) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        cell.manager().tell_ready("yes")
        (directory / f"cell-{cell.number}").write_text(f"{os.getpid()}")
        signal.sigwait([signal.SIGTERM])
        return 0

    return run


def has_ended(pid: int) -> bool:
    """Whether a process is not there any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_cell_that_ends_starts_again(watch: Callable[[Run], Watched], tmp_path: Path) -> None:
    """The other one goes on."""
    watched = watch(ready(tmp_path))
    watched.wait_ready()
    first, second = watched.pid_of(1), watched.pid_of(2)
    os.kill(second, signal.SIGKILL)
    again = watched.pid_of(2, but=second)
    assert watched.pid_of(1) == first
    assert watched.end() == 0
    assert has_ended(first)
    assert has_ended(again)
    said = (tmp_path / "errors").read_text()
    assert f"cell 2 (pid {second}) has ended (signal 9): it starts again" in said


def test_cells_end_with_their_supervisor(watch: Callable[[Run], Watched], tmp_path: Path) -> None:
    """Also when it is killed, and they do not listen."""

    def run(cell: Cell) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        cell.manager().tell_ready("yes")
        (tmp_path / f"cell-{cell.number}").write_text(f"{os.getpid()}")
        time.sleep(600)  # noqa: TID251 - it hangs
        return 0

    watched = watch(run)
    watched.wait_ready()
    pids = [watched.pid_of(1), watched.pid_of(2)]
    assert watched.end(signal.SIGKILL) == -signal.SIGKILL
    wait_for(lambda: all(map(has_ended, pids)), "the cells have ended")


def test_a_cell_that_cannot_start_ends_all(watch: Callable[[Run], Watched], tmp_path: Path) -> None:
    """With its exit code: there was no platform yet."""

    def run(cell: Cell) -> int:
        return 7 if cell.number == 2 else ready(tmp_path)(cell)

    watched = watch(run)
    assert os.waitstatus_to_exitcode(os.waitpid(watched.pid, 0)[1]) == 7
    assert not (tmp_path / "ready").exists()
    assert has_ended(watched.pid_of(1))


def test_a_cell_that_hangs_is_killed(
    watch: Callable[[Run], Watched], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives no sign of life, so another one takes its place."""
    monkeypatch.setattr(supervisors, "LIFE_S", 2.0)

    def run(cell: Cell) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        manager = cell.manager()
        manager.tell_ready("yes")
        (tmp_path / f"cell-{cell.number}").write_text(f"{os.getpid()}")
        is_first = not (tmp_path / "hung").exists() and cell.number == 2
        if is_first:
            (tmp_path / "hung").touch()
        while is_first or not signal.sigtimedwait([signal.SIGTERM], 0.1):
            if not is_first:
                manager.tell_life()
        return 0

    watched = watch(run)
    watched.wait_ready()
    hangs = watched.pid_of(2)
    assert watched.pid_of(2, but=hangs)
    assert watched.end() == 0
    assert f"cell 2 (pid {hangs}) hangs" in (tmp_path / "errors").read_text()


def test_what_cells_say_reaches_the_others(watch: Callable[[Run], Watched], tmp_path: Path) -> None:
    """The last that each has said, however slowly they read; and that a cell has ended."""

    def run(cell: Cell) -> int:
        cell.manager().tell_ready("yes")
        if cell.number == 1:
            for seen in range(5000):
                cell.link.send(STATE + CellState(10, seen).encode())
            (tmp_path / "said").touch()
            told = told_of(cell.link.recv(MESSAGE_MAX))
            assert told == (2, CellState(20, 4))
            (tmp_path / "heard").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        wait_for((tmp_path / "said").exists, "the other has said all")
        count, last = 0, None
        while last != (1, CellState(10, 4999)):
            last = told_of(cell.link.recv(MESSAGE_MAX))
            count += 1
        assert count < 5000
        cell.link.send(STATE + CellState(20, 4).encode())
        wait_for((tmp_path / "heard").exists, "it has arrived")
        while last != (1, None):
            last = told_of(cell.link.recv(MESSAGE_MAX))
        (tmp_path / "done").touch()
        signal.sigwait([signal.SIGTERM])
        return 0

    watched = watch(run)
    wait_for((tmp_path / "done").exists, "the end of a cell is known")
    watched.end()


def test_clients_of_a_cell_that_ends_are_accepted_by_others(
    watch: Callable[[Run], Watched], tmp_path: Path
) -> None:
    """The socket outlives the cell: no connection is refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check_that_cells_accept(watch, listener, tmp_path)


def check_that_cells_accept(
    watch: Callable[[Run], Watched], listener: socket.socket, tmp_path: Path
) -> None:
    """Kill cells in turn, and connect."""

    def run(cell: Cell) -> int:
        cell.manager().tell_ready("yes")
        (tmp_path / f"cell-{cell.number}").write_text(f"{os.getpid()}")
        listener.setblocking(False)
        while True:
            select.select([listener], [], [])
            with contextlib.suppress(BlockingIOError):
                listener.accept()[0].send(f"{os.getpid()}".encode())

    watched = watch(run)
    watched.wait_ready()
    killed = {1: 0, 2: 0}
    for number in (1, 2, 1):
        killed[number] = watched.pid_of(number, but=killed[number])
        os.kill(killed[number], signal.SIGKILL)
        with socket.create_connection(listener.getsockname(), timeout=20) as connection:
            assert int(connection.recv(16)) > 0
    watched.end(signal.SIGKILL)
