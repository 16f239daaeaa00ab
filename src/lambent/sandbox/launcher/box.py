"""Boxes, and processes in them.

A box is an init (`cat`, so that orphans have a parent) in new pid, mount, IPC, UTS and cgroup
namespaces and a prepared network namespace. The launcher enters the new namespaces itself, lays out
the box, spawns the init, which needs no copy of the launcher's memory, and returns.

A process enters by joining the init's namespaces, drops its privileges and executes. Entering and
dropping privileges are separate from executing: a runtime that is forked from a zygote uses the
same steps. The first process to enter creates the user namespace, the others join it. The pid and
mount namespaces are older and belong to the host's user namespace: no capability gained inside
would allow to mount or to see more.
"""

import dataclasses
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from lambent.sandbox.launcher import filesystem, linux, lockdown
from lambent.sandbox.launcher.cgroups import Cgroup
from lambent.sandbox.launcher.network import Network
from lambent.sandbox.launcher.seccomp import Filter

_NAMESPACES = (
    linux.CLONE_NEWPID
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)
_INIT = ("/usr/bin/env", "--ignore-signal=CHLD", "/usr/bin/cat")
"""It reads from a pipe of the launcher; when the pipe closes, the box ends. Orphans leave no
zombies."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What all boxes of a launcher share."""

    root: str
    """The base root."""
    is_root: bool
    """Whether the launcher is the host's root; otherwise there is one host user for all boxes."""
    last_capability: int
    filter: Filter
    home_fds: Mapping[int, int]
    """The launcher's own namespaces by their kind: CLONE_NEWPID and so on. Volumes are mounted in
    its mount namespace."""
    base_mounts_fd: int
    """The mount namespace with only the base root, from which boxes start: what they copy stays
    small however many volumes there are."""
    masked_in_proc: Sequence[str]
    """The parts of `/proc` that boxes do not see."""
    null_fd: int
    """/dev/null, for reading and writing."""


@dataclasses.dataclass(slots=True)
class BoxState:
    """A box and what the launcher holds of it."""

    name: str
    network: Network
    group: Cgroup | None
    memory_mb: int | None
    """None until a prewarmed box is assigned to a function."""
    host_id: int
    """Its user on the host."""
    init_pid: int
    init_pidfd: int
    life_fd: int
    """The end of the pipe at which init waits; open as long as the box."""
    user_fd: int = -1
    """Its user namespace; created by the first process to enter."""
    processes: dict[int, int] = dataclasses.field(default_factory=dict)
    """Pidfd by pid of the spawned processes that have not been reaped."""
    entering: dict[int, Callable[[], None]] = dataclasses.field(default_factory=dict)
    """By pid, of those that have not executed yet: receives their messages."""
    out_of_memory_kills: int = 0
    volume_mb: int = 0
    """The size of its `/tmp`, where a limit for each file has to replace it."""
    on_closed: Callable[[], None] | None = None
    """Callbacks for when the box is gone. If set, the box is being closed."""

    def close(self) -> None:
        """Close the descriptors; everything in it is dead."""
        self.network.close()
        if self.group is not None:
            self.group.close()
        for fd in (self.init_pidfd, self.life_fd, self.user_fd, *self.processes.values()):
            if fd >= 0:
                os.close(fd)

    @property
    def limits_memory(self) -> bool:
        """Whether its group limits memory; otherwise each process has to be limited."""
        return self.group is not None and self.group.limits_memory

    @property
    def cgroup_fd(self) -> int:
        """The v2 group in which its processes start, or -1."""
        return self.group.unified_fd if self.group is not None else -1


def open_box(
    confinement: Confinement,
    *,
    name: str,
    host_id: int,
    network: Network,
    group: Cgroup | None,
    memory_mb: int | None,
    mounts: Mapping[str, int],
) -> BoxState:
    """Create the namespaces, lay out the root and start init. Raises OSError."""
    life_read, life_write = os.pipe2(os.O_CLOEXEC)
    try:
        with _new_namespaces(confinement, network):
            filesystem.enter_root(confinement.root, mounts, shows_processes=not confinement.is_root)
            socket.sethostname("sandbox")
            placed = ((life_read, 0), (confinement.null_fd, 1), (confinement.null_fd, 2))
            pid = os.posix_spawn(
                _INIT[0],
                _INIT,
                {},
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for fd, number in placed],
                setsid=True,
            )
    except OSError:
        os.close(life_write)
        raise
    finally:
        os.close(life_read)
    pidfd = os.pidfd_open(pid)
    return BoxState(name, network, group, memory_mb, host_id, pid, pidfd, life_write)


class NotExecutableError(OSError):
    """The kernel cannot execute a program, for any caller: the fault of its author."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


@contextmanager
def _new_namespaces(confinement: Confinement, network: Network) -> Iterator[None]:
    """Enter the namespaces of a new box; the next child is the first in its pid namespace."""
    try:
        linux.setns(confinement.base_mounts_fd, linux.CLONE_NEWNS)
        linux.unshare(_NAMESPACES)
        linux.setns(network.namespace_fd, linux.CLONE_NEWNET)
        yield
    finally:
        restore_namespaces(confinement)


def restore_namespaces(confinement: Confinement) -> None:
    """Return to the launcher's own namespaces."""
    try:
        for kind, fd in confinement.home_fds.items():
            linux.setns(fd, kind)
    except OSError as error:
        # Nothing may happen in a place that is not the launcher's.
        os.write(2, f"launcher: cannot come back from a box: {error}\n".encode())
        os._exit(1)


def map_user(confinement: Confinement, box: BoxState, pid: int) -> None:
    """Map one host user, and no other, to the box's user in the user namespace that the process has
    created. Raises OSError."""
    if not confinement.is_root:
        _write(f"/proc/{pid}/setgroups", "deny")
    outer = box.host_id if confinement.is_root else 0
    for kind in ("gid_map", "uid_map"):
        _write(f"/proc/{pid}/{kind}", f"{filesystem.INNER_ID} {outer} 1")
    box.user_fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)


@dataclasses.dataclass(frozen=True, slots=True)
class BoxEntry:
    """How a new process enters a box."""

    calls: list[lockdown.Call]
    descriptors: list[int]


def describe_entry(
    confinement: Confinement,
    box: BoxState,
    *,
    outputs: Sequence[int],
    control: int | None,
    executes: bool,
) -> BoxEntry:
    """Everything a new process does until it has only the privileges of a box's user."""
    null = confinement.null_fd
    tasks = box.group.tasks_fds if box.group is not None else []
    # First the pipe for failures.
    placed = [] if control is None else [(control, lockdown.CONTROL_FD)]
    placed += [(null, 0), (outputs[0], 1), (outputs[0], 2)]
    if len(outputs) > 1:
        placed.append((outputs[1], lockdown.LOG_FD))
    descriptors = [box.init_pidfd, *tasks, *(fd for fd, _ in placed), box.user_fd]
    first = 1 + len(tasks)
    calls = [lockdown.place(first + at, number) for at, (_, number) in enumerate(placed)]
    calls += lockdown.enter(0, range(1, first), None if box.limits_memory else box.memory_mb)
    keep = [number for _, number in placed]
    if executes:
        keep.append(lockdown.STATUS_FD)
    if box.user_fd < 0:
        calls += lockdown.show_processes(confinement.masked_in_proc)
        channel = lockdown.STATUS_FD if executes else lockdown.CONTROL_FD
        calls += lockdown.make_user_namespace(channel, box.host_id if confinement.is_root else None)
    else:
        calls += lockdown.join_user_namespace(len(descriptors) - 1)
    calls += lockdown.lock_down(
        filesystem.INNER_ID,
        confinement.last_capability,
        keep,
        is_root=confinement.is_root,
        executes=executes,
    )
    return BoxEntry(calls, [fd for fd in descriptors if fd >= 0])


def attach(confinement: Confinement, box: BoxState, mounts: Mapping[str, int]) -> None:
    """Attach detached mounts in a box in which no function's code has run. Raises OSError."""
    linux.setns(box.init_pidfd, linux.CLONE_NEWNS)
    try:
        for target, copy in mounts.items():
            linux.place_mount(copy, target)
    finally:
        restore_namespaces(confinement)


def open_socket(confinement: Confinement, box: BoxState) -> socket.socket:
    """Create a TCP socket in a box's network namespace, neither bound nor connected. Raises
    OSError."""
    linux.setns(box.init_pidfd, linux.CLONE_NEWNET)
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    finally:
        restore_namespaces(confinement)


def run_child(status: int, work: Callable[[], NoReturn]) -> NoReturn:
    """In a child: do the work, and report failures through the pipe."""
    try:
        os.dup2(status, lockdown.STATUS_FD, inheritable=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        # Ignored signals stay ignored in the program that is executed, and in everything that it
        # starts.
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        work()
    except BaseException as error:
        reason = error.strerror if isinstance(error, OSError) and error.filename else None
        text = f"{error.filename}: {reason}" if reason and isinstance(error, OSError) else error
        error_number = error.number if isinstance(error, NotExecutableError) else 0
        os.write(lockdown.STATUS_FD, f"{error_number} {text}".encode()[:1000])
    finally:
        os._exit(127)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
