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
import resource
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from lambent.sandbox.launcher import filesystem, linux
from lambent.sandbox.launcher.cgroups import Group
from lambent.sandbox.launcher.network import Network
from lambent.sandbox.launcher.seccomp import Filter

_DEADLINE_MS = 5000
_FILES_MAX = 1024
_PROCESSES_MAX = 1024
_NAMESPACES_OF_INIT = (
    linux.CLONE_NEWPID
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)
_NAMESPACES_TO_JOIN = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWNET
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


@dataclasses.dataclass(slots=True)
class Box:
    """A box and what the launcher holds of it."""

    name: str
    network: Network
    group: Group | None
    memory_mb: int
    init_pid: int
    init_pidfd: int
    processes: dict[int, int] = dataclasses.field(default_factory=dict)
    """Pidfd by pid of the spawned processes that have not been reaped."""
    out_of_memory_kills: int = 0
    closing: int | None = None
    """Id of the request that wants to know when the box is gone."""


def open_box(
    confinement: Confinement,
    *,
    name: str,
    host_id: int,
    network: Network,
    group: Group | None,
    memory_mb: int,
    mounts: Mapping[str, int],
) -> Box:
    """Start a box's init and wait until it is in its place. Raises OSError."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    mapped_read, mapped_write = os.pipe2(os.O_CLOEXEC)
    cgroup_fd = group.unified_fd if group is not None else -1
    try:
        # The child's mount namespace is a copy of its parent's: be in one without volumes.
        linux.setns(confinement.base_mounts_fd, linux.CLONE_NEWNS)
        try:
            pid, pidfd = linux.fork(_NAMESPACES_OF_INIT, cgroup_fd)
        except OSError:
            linux.setns(confinement.own_mounts_fd, linux.CLONE_NEWNS)
            raise
        if pid == 0:
            _run_child(
                write_end,
                lambda: _become_init(confinement, network, group, mounts, mapped_read, write_end),
            )
        linux.setns(confinement.own_mounts_fd, linux.CLONE_NEWNS)
        os.close(write_end)
        write_end = -1
        try:
            _await(read_end, b"mapping")
            _map_user(pid, host_id, is_root=confinement.is_root)
            os.write(mapped_write, b"m")
            _await(read_end, b"")
        except OSError:
            _end(pidfd)
            raise
    finally:
        for fd in (read_end, write_end, mapped_read, mapped_write):
            if fd >= 0:
                os.close(fd)
    return Box(name, network, group, memory_mb, pid, pidfd)


def spawn(
    confinement: Confinement,
    box: Box,
    *,
    argv: Sequence[str],
    environment: Mapping[str, str],
    log_pipe_variable: str | None,
) -> tuple[int, int, list[int]]:
    """Start a program in a box; gives pid, pidfd and the read ends of its pipes.

    Raises OSError if it cannot be executed.
    """
    status_read, status_write = os.pipe2(os.O_CLOEXEC)
    pipes = [os.pipe2(os.O_CLOEXEC)]
    if log_pipe_variable is not None:
        pipes.append(os.pipe2(os.O_CLOEXEC))
    outputs = [write for _, write in pipes]
    cgroup_fd = box.group.unified_fd if box.group is not None else -1

    def execute() -> NoReturn:
        kept = _redirect(outputs)
        variables = dict(environment)
        if log_pipe_variable is not None:
            variables[log_pipe_variable] = str(kept[-1])
        enter(confinement, box)
        os.chdir("/var/task")
        lock_down(confinement, [0, 1, 2, *kept, status_write])
        os.execve(argv[0], list(argv), variables)

    try:
        # A child is born into the pid namespace that its parent has chosen.
        linux.setns(box.init_pidfd, linux.CLONE_NEWPID)
        try:
            pid, pidfd = linux.fork(cgroup_fd=cgroup_fd)
        except OSError:
            linux.setns(confinement.pid_namespace_fd, linux.CLONE_NEWPID)
            raise
        if pid == 0:
            _run_child(status_write, execute)
        try:
            linux.setns(confinement.pid_namespace_fd, linux.CLONE_NEWPID)
            os.close(status_write)
            status_write = -1
            _await(status_read, b"")
        except OSError:
            # Never leave it: a box's init cannot end before every process in it has been reaped.
            _end(pidfd)
            raise
    except OSError:
        for read, _ in pipes:
            os.close(read)
        raise
    finally:
        os.close(status_read)
        if status_write >= 0:
            os.close(status_write)
        for write in outputs:
            os.close(write)
    box.processes[pid] = pidfd
    return pid, pidfd, [read for read, _ in pipes]


def enter(confinement: Confinement, box: Box) -> None:
    """In a new process: join the box. Still privileged afterwards."""
    if box.group is not None:
        for fd in box.group.tasks_fds:
            os.write(fd, b"0")
    else:
        _limit_without_cgroup(box.memory_mb)
    linux.setns(box.init_pidfd, _NAMESPACES_TO_JOIN)
    linux.setns(box.init_pidfd, linux.CLONE_NEWUSER)


def lock_down(confinement: Confinement, keep: list[int]) -> None:
    """In a process that has entered: become the box's unprivileged user, for good."""
    os.setsid()
    os.umask(0o022)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_MAX, _FILES_MAX))
    if confinement.is_root:
        # Rootless, the limit would count all processes of the user who runs the platform.
        resource.setrlimit(resource.RLIMIT_NPROC, (_PROCESSES_MAX, _PROCESSES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    linux.drop_bounding_set(confinement.last_capability)
    if confinement.is_root:
        os.setgroups([])
    os.setresgid(*(filesystem.INNER_ID,) * 3)
    os.setresuid(*(filesystem.INNER_ID,) * 3)
    # Until it executes the process is not dumpable: what runs in the box may not look inside.
    linux.close_all_but(keep)
    linux.drop_capabilities()
    linux.die_with_parent()
    linux.set_no_new_privileges()
    linux.set_seccomp(confinement.filter.address)


def _become_init(
    confinement: Confinement,
    network: Network,
    group: Group | None,
    mounts: Mapping[str, int],
    mapped: int,
    status: int,
) -> NoReturn:
    linux.die_with_parent()
    if group is not None:
        for fd in group.tasks_fds:
            os.write(fd, b"0")
    linux.setns(network.namespace_fd, linux.CLONE_NEWNET)
    filesystem.enter_root(confinement.root, mounts)
    socket.sethostname("sandbox")
    linux.unshare(linux.CLONE_NEWUSER)
    os.write(status, b"mapping")
    os.read(mapped, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    # As confined as its children: they are the same user and can write to its memory.
    lock_down(confinement, [0, 1, 2, status])
    os.execve("/usr/bin/sleep", ["init", "infinity"], {})


def _end(pidfd: int) -> None:
    """Kill a child and reap it."""
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)


def _run_child(status: int, work: Callable[[], NoReturn]) -> NoReturn:
    """In a child: do the work; what goes wrong is told through the pipe."""
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        work()
    except BaseException as error:
        reason = error.strerror if isinstance(error, OSError) and error.filename else None
        text = f"{error.filename}: {reason}" if reason and isinstance(error, OSError) else error
        os.write(status, f"!{text}".encode()[:1000])
    finally:
        os._exit(127)


def _await(status: int, wanted: bytes) -> None:
    """Wait for a word of the child (none: for its exec). Raises OSError with what it says else."""
    poll = select.poll()
    poll.register(status, select.POLLIN)
    if not poll.poll(_DEADLINE_MS):
        raise TimeoutError("cannot start a process: it does not get ready")
    said = os.read(status, 1024)
    if said != wanted:
        raise OSError(f"cannot start a process: {said[1:].decode(errors='replace') or 'it ended'}")


def _map_user(pid: int, host_id: int, *, is_root: bool) -> None:
    """Show one host user as the box's user, and nobody else."""
    if not is_root:
        with open(f"/proc/{pid}/setgroups", "w") as file:
            file.write("deny")
    for kind in ("gid_map", "uid_map"):
        with open(f"/proc/{pid}/{kind}", "w") as file:
            file.write(f"{filesystem.INNER_ID} {host_id if is_root else 0} 1")


def _redirect(outputs: Sequence[int]) -> list[int]:
    """Standard streams and further pipes in their places; gives the further descriptors."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(outputs[0], 1)
    os.dup2(outputs[0], 2)
    kept = []
    for fd in outputs[1:]:
        os.set_inheritable(fd, True)
        kept.append(fd)
    return kept


def _limit_without_cgroup(memory_mb: int) -> None:
    """What resource limits can do: private memory per process."""
    limit = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
