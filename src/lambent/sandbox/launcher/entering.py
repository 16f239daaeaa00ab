"""Programs that enter a box.

Between taking the box's user and executing, a new process is exposed to the processes in the box:
they may stop it, kill it, or use all of the CPU. So nothing waits for it: the launcher continues
with other work and gets its message through a socket.
"""

import errno
import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NoReturn

from lambent.sandbox.launcher import linux, lockdown
from lambent.sandbox.launcher.box import (
    BoxState,
    Confinement,
    NotExecutableError,
    describe_entry,
    map_user,
    restore_namespaces,
    run_child,
)
from lambent.sandbox.launcher.loop import Loop

_DEADLINE_S = 10.0

_LACKS_OF_THE_HOST = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO})
"""Why an existing program may not be executed."""

OnEntered = Callable[[OSError | None], None]
"""Called once: with None when the program has been executed, else with the error."""


def spawn(
    confinement: Confinement,
    loop: Loop,
    box: BoxState,
    *,
    argv: Sequence[str],
    environment: Mapping[str, str],
    outputs: Sequence[int],
    control: int | None = None,
    on_entered: OnEntered,
) -> int:
    """Begin to start a program in a box; returns its pid.

    `outputs` are the write ends for its output and, if there is a second, its framed log; `control`
    is its end of the socket for an assignment. Both still belong to the caller. From here on the
    process belongs to the box, and is watched and reaped, whatever `on_entered` receives. Raises
    OSError, and calls nothing, if there is no process.
    """
    entry = describe_entry(confinement, box, outputs=outputs, control=control, executes=True)

    def execute() -> NoReturn:
        lockdown.perform(entry.calls, entry.descriptors, confinement.filter.address)
        os.chdir("/var/task")
        execute_program(argv, environment)

    # A child starts in the pid namespace that its parent has chosen.
    linux.setns(box.init_pidfd, linux.CLONE_NEWPID)
    try:
        return start(
            loop,
            box,
            execute,
            map_user=partial(map_user, confinement, box),
            on_entered=on_entered,
        )
    finally:
        restore_namespaces(confinement)


def execute_program(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become a program. Raises NotExecutableError if the program is at fault, else OSError."""
    try:
        os.execve(argv[0], list(argv), dict(environment))
    except OSError as error:
        if error.errno in _LACKS_OF_THE_HOST:
            raise
        raise NotExecutableError(error.errno or 0, f"{argv[0]}: {error.strerror}") from None


def start(
    loop: Loop,
    box: BoxState,
    execute: Callable[[], NoReturn],
    *,
    map_user: Callable[[int], None],
    on_entered: OnEntered,
) -> int:
    """Fork a process of a box, which executes or reports why not; returns its pid. `map_user`
    receives the pid when the process has created a user namespace. Raises OSError."""
    status, childs_status = socket.socketpair()
    try:
        pid, pidfd = linux.fork(cgroup_fd=box.cgroup_fd)
        if pid == 0:
            run_child(childs_status.fileno(), execute)
    except OSError:
        status.close()
        raise
    finally:
        childs_status.close()
    box.processes[pid] = pidfd
    _Entering(loop, box, pid, status, partial(map_user, pid), on_entered)
    return pid


class _Entering:
    """A process that has not executed yet."""

    def __init__(
        self,
        loop: Loop,
        box: BoxState,
        pid: int,
        status: socket.socket,
        map_user: Callable[[], None],
        on_entered: OnEntered,
    ) -> None:
        self._loop = loop
        self._box = box
        self._pid = pid
        self._status = status
        self._map_user = map_user
        self._on_entered = on_entered
        status.setblocking(False)
        loop.register(status, selectors.EVENT_READ, self._on_word)
        self._timer = loop.after(_DEADLINE_S, self._give_up)
        box.entering[pid] = self._on_word

    def _on_word(self) -> None:
        """It asks for the box's user, cannot continue, or has executed or died: then its end of the
        socket is closed."""
        try:
            said = self._status.recv(1024)
            if said == b"mapping":
                self._map_user()
                self._status.send(b"m")
                return
        except OSError as error:
            said = f"0 {error}".encode()
        if not said:
            self._end(None)
            return
        number, _, reason = said.decode(errors="replace").partition(" ")
        self._fail(int(number), reason)

    def _give_up(self) -> None:
        self._fail(0, f"it did not enter its box within {_DEADLINE_S:g} s")

    def _fail(self, number: int, reason: str) -> None:
        signal.pidfd_send_signal(self._box.processes[self._pid], signal.SIGKILL)
        text = f"cannot start a process: {reason}"
        self._end(NotExecutableError(number, text) if number else OSError(text))

    def _end(self, failure: OSError | None) -> None:
        self._timer.cancel()
        self._loop.unregister(self._status)
        self._status.close()
        del self._box.entering[self._pid]
        self._on_entered(failure)
