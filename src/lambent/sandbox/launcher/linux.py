"""The system calls that the launcher needs and Python does not offer, through ctypes.

Each raises OSError whose message names the step. Only the standard library is imported.
"""

import contextlib
import ctypes
import errno
import os
import signal
import struct
from collections.abc import Sequence

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
_MS_MOVE = 0x2000
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 0x1, 0x2, 0x4

_CLONE_PIDFD, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x1000, 0x200000, 0x1000000
_CLONE_INTO_CGROUP = 0x200000000
_OPEN_TREE_CLONE, _AT_EMPTY_PATH, _AT_RECURSIVE = 0x1, 0x1000, 0x8000
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x2, 0x4, 0x8
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}[os.uname().machine]
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_CLONE3 = 428, 429, 435
_SYS_OPENAT2, _SYS_MOUNT_SETATTR = 437, 442
PR_SET_CHILD_SUBREAPER, _PR_SET_DUMPABLE = 36, 4
_PR_SET_PDEATHSIG, _PR_SET_SECUREBITS, _PR_SET_NO_NEW_PRIVS = 1, 28, 38
_PR_GET_TID_ADDRESS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _SECBIT_NOROOT = 40, 47, 2, 1

SINCE = {
    _SYS_OPEN_TREE: ("open_tree", "5.2"),
    _SYS_MOVE_MOUNT: ("move_mount", "5.2"),
    _SYS_CLONE3: ("clone3", "5.3"),
    _SYS_OPENAT2: ("openat2", "5.6"),
    _SYS_MOUNT_SETATTR: ("mount_setattr", "5.12"),
}
"""Name of each call that not every kernel has, and the version of Linux that added it."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_gil = ctypes.PyDLL(None, use_errno=True)


def fork(namespaces: int = 0, cgroup_fd: int = -1) -> tuple[int, int]:
    """Fork, into new namespaces and a v2 cgroup if requested; returns (pid, pidfd), (0, -1) in the
    child.

    One system call puts the child in its place before it exists, which `cgroup.procs` can only do
    slowly (it waits for a grace period of the kernel).
    """
    pidfd = ctypes.c_int(-1)
    flags = namespaces | _CLONE_PIDFD
    if cgroup_fd >= 0:
        flags |= _CLONE_INTO_CGROUP
    # The C library caches its thread ID; the kernel writes the child's there.
    tid_address = ctypes.c_void_p()
    pointer = ctypes.byref(tid_address)
    if _libc.prctl(_PR_GET_TID_ADDRESS, pointer, 0, 0, 0) == 0 and tid_address.value:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    arguments = struct.pack(
        "=11Q",
        flags,
        ctypes.addressof(pidfd),
        tid_address.value or 0,
        0,
        signal.SIGCHLD,
        *(0,) * 5,
        max(cgroup_fd, 0),
    )
    api = ctypes.pythonapi
    api.PyOS_BeforeFork()
    pid = _libc_with_gil.syscall(_SYS_CLONE3, arguments, len(arguments))
    if pid == 0:
        api.PyOS_AfterFork_Child()
        return 0, -1
    error = ctypes.get_errno()
    api.PyOS_AfterFork_Parent()
    if pid < 0 and error == errno.ENOSYS and not namespaces and cgroup_fd < 0:
        # Some containers hide the call, because filters cannot see its flags.
        return _fork_plainly()
    if pid < 0:
        raise _error(error, "start a process", _SYS_CLONE3)
    return pid, pidfd.value


def _fork_plainly() -> tuple[int, int]:
    pid = os.fork()
    return (pid, os.pidfd_open(pid)) if pid else (0, -1)


def output_pipe() -> tuple[int, int]:
    """Create a pipe for the output of a process in a box: its read end and its write end.

    The process may open the write end again, as programs do that print to `/dev/stdout`. Only a
    process that may inspect a process with the pipe finds it by a name, and that is one of the same
    user.
    """
    read, write = os.pipe2(os.O_CLOEXEC)
    os.fchmod(write, 0o622)
    return read, write


def reap(pidfd: int, *, waits: bool = True) -> os.waitid_result | None:
    """Return how a child ended; None if it has not and `waits` is False."""
    return os.waitid(os.P_PIDFD, pidfd, os.WEXITED | (0 if waits else os.WNOHANG))


def reap_all() -> None:
    """Wait for the end of every child."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def processes_beside(init_pid: int) -> set[int]:
    """Return the processes in the pid namespace whose first process is `init_pid`."""
    namespace = os.readlink(f"/proc/{init_pid}/ns/pid_for_children")
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                    found.add(int(entry))
    return found


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _check(_libc.unshare(flags), "make namespaces")


def setns(fd: int, flags: int) -> None:
    """Join namespaces: of a namespace descriptor, or several of a pidfd."""
    _check(_libc.setns(fd, flags), "join a namespace")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount."""
    arguments = (source.encode(), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(_libc.mount(*arguments), f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """Detach a mount; it ends when nothing uses it any more."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def open_beneath(directory_fd: int, path: str) -> int:
    """Return an O_PATH descriptor of a path below a directory; no symbolic link on the way is
    followed."""
    how = struct.pack(
        "=QQQ",
        os.O_PATH | os.O_CLOEXEC,
        0,
        _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS,
    )
    name = os.fsencode(path)
    return _syscall(_SYS_OPENAT2, f"open {path}", directory_fd, name, how, len(how))


def copy_mount(fd: int, attributes: int) -> int:
    """Return a detached copy of what is at an O_PATH descriptor, with mount attributes set."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    copy = _syscall(_SYS_OPEN_TREE, "copy a mount", fd, b"", flags)
    if attributes:
        changes = struct.pack("=QQQQ", attributes, 0, 0, 0)
        arguments = (copy, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, changes, len(changes))
        try:
            _syscall(_SYS_MOUNT_SETATTR, "restrict a mount", *arguments)
        except OSError:
            os.close(copy)
            raise
    return copy


def place_mount(copy: int, target: str) -> None:
    """Attach a detached mount."""
    arguments = (copy, b"", -100, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)
    _syscall(_SYS_MOVE_MOUNT, f"mount on {target}", *arguments)


def place_mount_at(copy: int, directory_fd: int) -> None:
    """Attach a detached mount to a directory that is open."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    _syscall(_SYS_MOVE_MOUNT, "mount on a directory", copy, b"", directory_fd, b"", flags)


def change_root(root: str) -> None:
    """Make `root`, a mount point, the root of this mount namespace; the old root is gone."""
    os.chdir(root)
    change_root_to_here()


def change_root_to_here() -> None:
    """The same with the working directory."""
    try:
        _syscall(_SYS_PIVOT_ROOT, "change the root", b".", b".")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # The first file system of all, an initramfs, cannot be replaced, only covered.
        _check(_libc.mount(b".", b"/", None, _MS_MOVE, None), "cover the old root")
        os.chroot(".")
    else:
        _check(_libc.umount2(b".", MNT_DETACH), "detach the old root")
    os.chdir("/")


def be_no_root_to_programs(*, may_set_bits: bool = True) -> None:
    """From now on, programs that this process and its children execute gain nothing: no capability
    for being root, except ambient ones, and none from files. Setting the bits needs CAP_SETPCAP."""
    if may_set_bits:
        _prctl(_PR_SET_SECUREBITS, _SECBIT_NOROOT, "set the secure bits")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs")


def keep_capabilities(capabilities: Sequence[int]) -> None:
    """Drop every capability except these, which the next executed program will have."""
    mask = sum(1 << capability for capability in capabilities)
    header = struct.pack("=Ii", 0x20080522, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    _check(_libc.capset(header, struct.pack("=6I", *(low,) * 3, *(high,) * 3)), "set capabilities")
    for capability in capabilities:
        result = _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
        _check(result, "keep a capability")


def die_with_parent() -> None:
    """Be killed when the process that forked this one ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, "set the parent-death signal")


def be_subreaper() -> None:
    """Become the parent of every orphan among this process's descendants."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1, "become the parent of orphans")


def hide_memory() -> None:
    """Prevent other processes, including those of the same user, from inspecting this process."""
    _prctl(_PR_SET_DUMPABLE, 0, "hide this process's memory")


def _prctl(option: int, value: int, step: str) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), step)


def _syscall(number: int, step: str, *arguments: int | bytes) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise _error(ctypes.get_errno(), step, number)
    return result


def _check(result: int, step: str) -> None:
    if result < 0:
        raise _error(ctypes.get_errno(), step)


def _error(code: int, step: str, number: int = -1) -> OSError:
    """Build the error of a failed call. A call that the kernel does not have is named."""
    reason = os.strerror(code)
    if code == errno.ENOSYS and number in SINCE:
        name, version = SINCE[number]
        reason += f": {name} needs Linux {version}, and a container that lets it through"
    return OSError(code, f"cannot {step}: {reason}")
