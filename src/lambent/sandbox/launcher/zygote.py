"""The launcher's end of a zygote: a runtime that is loaded once and forked for each function.

A zygote has five capabilities, because its children have to enter boxes, and sees only the base
root and the runtime it was started for. It runs `runtimes/python/zygote.py`. Requests to fork get
their replies in order, on the launcher's loop.
"""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from lambent.sandbox import messages
from lambent.sandbox.launcher import filesystem, linux
from lambent.sandbox.launcher.box import BoxEntry, Confinement, restore_namespaces, run_child

_NAMESPACES = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWNET
"""Not a cgroup namespace: from another one than the launcher's it could not fork into boxes'
groups."""

_LAST_WORDS_S = 1.0
_CAPABILITIES = (6, 7, 18, 19, 21)
"""CAP_SETGID, CAP_SETUID, CAP_SYS_CHROOT, CAP_SYS_PTRACE and CAP_SYS_ADMIN: they are needed to
become a box's user and to enter the box, whose init may just be dropping more."""

Forked = Callable[[int, int], None]
"""Receives pid and pidfd of a child, (-1, -1) if there will be none."""


class Zygote:
    """A running zygote, or one that will soon be ready; requests may be made before it is."""

    def __init__(
        self,
        confinement: Confinement,
        *,
        argv: Sequence[str],
        environment: Mapping[str, str],
        mounts: Mapping[str, int],
    ) -> None:
        """Start the process. `mounts` are detached copies by their target. Raises OSError."""
        self.started = time.monotonic()
        self.failure = "it ended"
        self._waiting: deque[Forked] = deque()
        ours, theirs = messages.socket_pair()
        self.socket = ours

        def execute() -> NoReturn:
            linux.die_with_parent()
            os.setsid()
            filesystem.enter_root(confinement.root, mounts)
            own_pids_fd = confinement.home_fds[linux.CLONE_NEWPID]
            for fd in (theirs.fileno(), own_pids_fd):
                os.set_inheritable(fd, True)
            for number in (0, 1):
                os.dup2(confinement.null_fd, number)
            numbers = [str(theirs.fileno()), str(own_pids_fd)]
            linux.keep_capabilities(_CAPABILITIES)
            os.execve(argv[0], [*argv, *numbers], dict(environment))

        linux.setns(confinement.base_mounts_fd, linux.CLONE_NEWNS)
        try:
            self.pid, self.pidfd = linux.fork(_NAMESPACES)
            if self.pid == 0:
                run_child(confinement.null_fd, execute)
        except OSError:
            ours.close()
            raise
        finally:
            restore_namespaces(confinement)
            theirs.close()
        ours.setblocking(False)
        self._send({"filter": confinement.filter.code.decode("latin-1")}, [])

    def fork(self, entry: BoxEntry, cgroup_fd: int, on_forked: Forked, *, rehearses: bool) -> None:
        """Ask for a child in a box; `on_forked` is called once, later. A child that `rehearses`
        is ready later and faster afterwards."""
        request = {
            "init": 0,
            "cgroup": len(entry.descriptors) if cgroup_fd >= 0 else None,
            "calls": entry.calls,
            "rehearses": rehearses,
        }
        descriptors = [*entry.descriptors, *([cgroup_fd] if cgroup_fd >= 0 else [])]
        self._waiting.append(on_forked)
        self._send(request, descriptors)

    def on_readable(self) -> bool:
        """Read a reply; False if the zygote is gone, and with it all requests."""
        try:
            received = messages.receive(self.socket)
        except BlockingIOError:
            return True
        except (OSError, ValueError) as error:  # This includes TimeoutError.
            self.failure, received = str(error), None
        if received is None:
            self._lose()
            return False
        answer, descriptors = received
        if "ready" in answer:
            # Locks that another thread holds would stay locked in every child.
            if len(os.listdir(f"/proc/{self.pid}/task")) != 1:
                self.failure = "its runtime client starts threads"
                self._lose()
                return False
        elif "pid" in answer and len(descriptors) == 1:
            self._waiting.popleft()(answer["pid"], descriptors[0])
        else:
            self.failure = str(answer.get("error"))
            self._waiting.popleft()(-1, -1)
        return True

    @property
    def is_busy(self) -> bool:
        """Whether a requested child has not started yet."""
        return bool(self._waiting)

    def close(self) -> None:
        """End the process, which still has to be reaped; each caller that waits for a child gets
        it, if it has started, or an error."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        # New children have its end of the socket for a moment.
        self.socket.settimeout(_LAST_WORDS_S)
        while self._waiting and self.on_readable():
            pass
        self.socket.close()
        self._lose()

    def _lose(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for on_forked in waiting:
            on_forked(-1, -1)

    def _send(self, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        with contextlib.suppress(ConnectionError):
            messages.send(self.socket, messages.encode(message), descriptors)
