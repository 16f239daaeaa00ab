"""Boxes, and processes in them.

A box is an init (`sleep`, so that orphans have a parent) in new pid, mount, IPC, UTS, cgroup and
user namespaces and a prepared network namespace. A process enters by joining the init's
namespaces, locks itself down and executes. Entering and locking down are apart from executing: a
runtime that is forked ready-made goes the same way.

The pid and mount namespaces are made before the user namespace and so belong to the host's: no
capability gained inside would allow to mount or to see more.
"""

import dataclasses
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from lambent.sandbox.launcher import filesystem, linux, lockdown
from lambent.sandbox.launcher.cgroups import Group
from lambent.sandbox.launcher.network import Network
from lambent.sandbox.launcher.seccomp import Filter

_DEADLINE_MS = 5000
_NAMESPACES_OF_INIT = (
    linux.CLONE_NEWPID
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What all boxes of a launcher share."""

    root: str
    """The base root."""
    is_root: bool
    """Whether the launcher is the host's root: else there is one host user for all boxes."""
    last_capability: int
    filter: Filter
    pid_namespace_fd: int
    """The launcher's own."""
    base_mounts_fd: int
    """The mount namespace with the base root and nothing of any box, from which boxes start: what
    they copy stays small however many volumes there are."""
    own_mounts_fd: int
    """The launcher's mount namespace, where volumes are mounted."""
    null_fd: int
    """/dev/null, for reading and writing."""


@dataclasses.dataclass(slots=True)
class Box:
    """A box and what the launcher holds of it."""

    name: str
    network: Network
    group: Group | None
    memory_mb: int | None
    """None until a prepared box is given to a function."""
    init_pid: int
    init_pidfd: int
    processes: dict[int, int] = dataclasses.field(default_factory=dict)
    """Pidfd by pid of the spawned processes that have not been reaped."""
    out_of_memory_kills: int = 0
    on_closed: Callable[[], None] | None = None
    """Whoever wants to know when the box is gone. Set: the box is being closed."""

    @property
    def cgroup_fd(self) -> int:
        """The v2 group its processes are born into, or -1."""
        return self.group.unified_fd if self.group is not None else -1


@dataclasses.dataclass(slots=True)
class Birth:
    """A box whose init is on its way."""

    box: Box
    status: int
    """Readable when there is something to do for it."""
    mapped: int
    """Where init waits until its user is mapped."""
    host_id: int


def open_box(
    confinement: Confinement,
    *,
    name: str,
    host_id: int,
    network: Network,
    group: Group | None,
    memory_mb: int | None,
    mounts: Mapping[str, int],
) -> Birth:
    """Start a box's init. Raises OSError."""
    status_read, status_write = os.pipe2(os.O_CLOEXEC)
    mapped_read, mapped_write = os.pipe2(os.O_CLOEXEC)
    try:
        # The child's mount namespace is a copy of its parent's: be in one without volumes.
        linux.setns(confinement.base_mounts_fd, linux.CLONE_NEWNS)
        try:
            cgroup_fd = group.unified_fd if group is not None else -1
            pid, pidfd = linux.fork(_NAMESPACES_OF_INIT, cgroup_fd)
            if pid == 0:
                run_child(
                    status_write,
                    lambda: _become_init(confinement, network, group, mounts, mapped_read),
                )
        finally:
            linux.setns(confinement.own_mounts_fd, linux.CLONE_NEWNS)
    except OSError:
        os.close(status_read)
        os.close(mapped_write)
        raise
    finally:
        os.close(status_write)
        os.close(mapped_read)
    box = Box(name, network, group, memory_mb, pid, pidfd)
    return Birth(box, status_read, mapped_write, host_id)


def advance(confinement: Confinement, birth: Birth) -> bool:
    """Do what init waits for; True once it is in its place. Raises OSError if it is not to be."""
    said = os.read(birth.status, 1024)
    if said == b"mapping":
        _map_user(birth.box.init_pid, birth.host_id, is_root=confinement.is_root)
        os.write(birth.mapped, b"m")
        return False
    if said:
        raise OSError(f"cannot start a process: {said[1:].decode(errors='replace')}")
    return True


def end_birth(birth: Birth) -> None:
    """Close what was only for the birth."""
    os.close(birth.status)
    os.close(birth.mapped)


def spawn(
    confinement: Confinement,
    box: Box,
    *,
    argv: Sequence[str],
    environment: Mapping[str, str],
    outputs: Sequence[int],
    control: int | None = None,
) -> tuple[int, int]:
    """Start a program in a box; gives pid and pidfd.

    `outputs` are the write ends for its output and, if there is a second, its framed log; `control`
    is its end of the socket an assignment comes through. Both stay the caller's. Raises OSError if
    it cannot be executed.
    """
    status_read, status_write = os.pipe2(os.O_CLOEXEC)
    entry = describe_entry(confinement, box, outputs=outputs, control=control, executes=True)

    def execute() -> NoReturn:
        lockdown.perform(entry.calls, entry.descriptors, confinement.filter.address)
        os.chdir("/var/task")
        os.execve(argv[0], list(argv), dict(environment))

    try:
        # A child is born into the pid namespace that its parent has chosen.
        linux.setns(box.init_pidfd, linux.CLONE_NEWPID)
        try:
            pid, pidfd = linux.fork(cgroup_fd=box.cgroup_fd)
        except OSError:
            linux.setns(confinement.pid_namespace_fd, linux.CLONE_NEWPID)
            raise
        if pid == 0:
            run_child(status_write, execute)
        try:
            linux.setns(confinement.pid_namespace_fd, linux.CLONE_NEWPID)
            os.close(status_write)
            status_write = -1
            _await_execution(status_read)
        except OSError:
            # Never leave it: a box's init cannot end before every process in it has been reaped.
            _end(pidfd)
            raise
    finally:
        os.close(status_read)
        if status_write >= 0:
            os.close(status_write)
    box.processes[pid] = pidfd
    return pid, pidfd


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """How a new process gets into a box."""

    calls: list[lockdown.Call]
    descriptors: list[int]


def describe_entry(
    confinement: Confinement,
    box: Box,
    *,
    outputs: Sequence[int],
    control: int | None,
    executes: bool,
) -> Entry:
    """All a new process has to do until it is no more than a box's user."""
    null = confinement.null_fd
    tasks = box.group.tasks_fds if box.group is not None else []
    # First what failures are told through.
    placed = [] if control is None else [(control, lockdown.CONTROL_FD)]
    placed += [(null, 0), (outputs[0], 1), (outputs[0], 2)]
    if len(outputs) > 1:
        placed.append((outputs[1], lockdown.LOG_FD))
    descriptors = [box.init_pidfd, *tasks, *(fd for fd, _ in placed)]
    first = 1 + len(tasks)
    calls = [lockdown.place(first + at, number) for at, (_, number) in enumerate(placed)]
    calls += lockdown.enter(0, range(1, first), None if box.group is not None else box.memory_mb)
    keep = [number for _, number in placed]
    if executes:
        keep.append(lockdown.STATUS_FD)
    calls += lockdown.lock_down(
        filesystem.INNER_ID,
        confinement.last_capability,
        keep,
        is_root=confinement.is_root,
        executes=executes,
    )
    return Entry(calls, descriptors)


def attach(confinement: Confinement, box: Box, mounts: Mapping[str, int]) -> None:
    """Show detached mounts in a box in which no function's code has run. Raises OSError."""
    linux.setns(box.init_pidfd, linux.CLONE_NEWNS)
    try:
        for target, copy in mounts.items():
            linux.place_mount(copy, target)
    finally:
        linux.setns(confinement.own_mounts_fd, linux.CLONE_NEWNS)


def _become_init(
    confinement: Confinement,
    network: Network,
    group: Group | None,
    mounts: Mapping[str, int],
    mapped: int,
) -> NoReturn:
    linux.die_with_parent()
    if group is not None:
        for fd in group.tasks_fds:
            os.write(fd, b"0")
    linux.setns(network.namespace_fd, linux.CLONE_NEWNET)
    filesystem.enter_root(confinement.root, mounts)
    socket.sethostname("sandbox")
    linux.unshare(linux.CLONE_NEWUSER)
    os.write(lockdown.STATUS_FD, b"mapping")
    os.read(mapped, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # As confined as its children: they are the same user and can write to its memory.
    numbers = (0, 1, 2)
    calls = [lockdown.place(0, number) for number in numbers]
    calls += lockdown.lock_down(
        filesystem.INNER_ID,
        confinement.last_capability,
        [*numbers, lockdown.STATUS_FD],
        is_root=confinement.is_root,
        executes=True,
    )
    lockdown.perform(calls, [confinement.null_fd], confinement.filter.address)
    os.execve("/usr/bin/sleep", ["init", "infinity"], {})


def _end(pidfd: int) -> None:
    """Kill a child and reap it."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)


def run_child(status: int, work: Callable[[], NoReturn]) -> NoReturn:
    """In a child: do the work; what goes wrong is told through the pipe."""
    try:
        os.dup2(status, lockdown.STATUS_FD, inheritable=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        # What is ignored stays ignored in what is executed, and in all that it starts.
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        work()
    except BaseException as error:
        reason = error.strerror if isinstance(error, OSError) and error.filename else None
        text = f"{error.filename}: {reason}" if reason and isinstance(error, OSError) else error
        os.write(lockdown.STATUS_FD, f"!{text}".encode()[:1000])
    finally:
        os._exit(127)


def _await_execution(status: int) -> None:
    """Wait until a child has executed. Raises OSError with what it says if it has not."""
    poll = select.poll()
    poll.register(status, select.POLLIN)
    if not poll.poll(_DEADLINE_MS):
        raise TimeoutError("cannot start a process: it does not get ready")
    said = os.read(status, 1024)
    if said:
        raise OSError(f"cannot start a process: {said[1:].decode(errors='replace')}")


def _map_user(pid: int, host_id: int, *, is_root: bool) -> None:
    """Show one host user as the box's user, and nobody else."""
    if not is_root:
        with open(f"/proc/{pid}/setgroups", "w") as file:
            file.write("deny")
    for kind in ("gid_map", "uid_map"):
        with open(f"/proc/{pid}/{kind}", "w") as file:
            file.write(f"{filesystem.INNER_ID} {host_id if is_root else 0} 1")
