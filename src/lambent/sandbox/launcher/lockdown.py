"""How a process enters a box and drops everything else, as data.

A child of the launcher and a child of a zygote, whose Python is another, execute the same sequence.
So it is a list of system calls: `[step, number, argument, …]`. An argument is a number, text (its
characters are the bytes of a buffer), a list with one index into the descriptors that come with the
calls, or None for the address of the seccomp filter. `perform` executes such a list; the other
implementation is `runtimes/python/zygote.py`.
"""

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Sequence

from lambent.sandbox.launcher import linux

Argument = int | str | list[int] | None
Call = list[Argument]
"""`[step, number, *arguments]`; the step is for error messages."""

LOG_FD, CONTROL_FD, STATUS_FD, RULES_FD = 3, 4, 5, 6
"""Where a process in a box finds its pipe for framed logs, the socket for its assignment and, until
it executes, the pipe for failures, and Landlock's rules. A process that performs calls has no
descriptor of its own below `FIRST_FREE_FD`, so moving one to its place never hits another."""
FIRST_FREE_FD = 16

_FILES_MAX = 1024
_PROCESSES_MAX = 1024
_LOCKED_BYTES_MAX = 65_536
_NUMBERS = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "mount": 165,
        "unshare": 272,
        "dup3": 292,
        "setns": 308,
        "setsid": 112,
        "umask": 95,
        "prlimit64": 302,
        "prctl": 157,
        "setgroups": 116,
        "setresgid": 119,
        "setresuid": 117,
        "capset": 126,
        "close_range": 436,
        "landlock_restrict_self": 446,
    },
    "aarch64": {
        "read": 63,
        "write": 64,
        "mount": 40,
        "unshare": 97,
        "dup3": 24,
        "setns": 268,
        "setsid": 157,
        "umask": 166,
        "prlimit64": 261,
        "prctl": 167,
        "setgroups": 159,
        "setresgid": 149,
        "setresuid": 147,
        "capset": 91,
        "close_range": 436,
        "landlock_restrict_self": 446,
    },
}[os.uname().machine]
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 4, 22, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_SECCOMP_MODE_FILTER = 2
_PR_SET_KEEPCAPS = 8
_ADMINISTRATOR = struct.pack("=6I", 1 << 21, 1 << 21, 0, 0, 0, 0)
"""CAP_SYS_ADMIN, effective and permitted."""
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)
_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWNET
)


def place(index: int, number: int) -> Call:
    """Move a descriptor to its place."""
    return _call("place a descriptor", "dup3", [index], number, 0)


def enter(init: int, tasks: Sequence[int], memory_mb: int | None) -> list[Call]:
    """Join a box except for its user namespace: the groups of `tasks` (indices of descriptors) and
    the namespaces of its init.

    With `memory_mb` no group limits memory, and the process limits its own.
    """
    calls = [_call("join a group", "write", [index], "0", 1) for index in tasks]
    if memory_mb is not None:
        calls.append(limit(resource.RLIMIT_DATA, memory_mb * 1024 * 1024))
    calls.append(_call("join the namespaces", "setns", [init], _NAMESPACES))
    return calls


def show_processes(masked: Sequence[str]) -> list[Call]:
    """Mount `/proc`, which only a process of the box can do, and hide the parts that are not for
    it."""
    restricted = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    calls = [_call("mount proc", "mount", "proc\0", "/proc\0", "proc\0", restricted, 0)]
    for name in masked:
        arguments = ("/dev/null\0", f"/proc/{name}\0", 0, linux.MS_BIND, 0)
        calls.append(_call(f"hide /proc/{name}", "mount", *arguments))
    return calls


def make_user_namespace(channel: int, owner: int | None) -> list[Call]:
    """Create the box's user namespace. The process notifies the launcher through a descriptor, by
    number, and the launcher replies when the user is mapped.

    `owner` is the host's UID of the box's user. It must be the creator: what the kernel counts per
    user in the namespace also counts against its creator, and otherwise all boxes would share the
    counters of root.
    """
    become_owner = [
        _prctl("keep capabilities", _PR_SET_KEEPCAPS, 1),
        _call("leave all groups", "setgroups", 0, 0),
        _call("become the owner's group", "setresgid", owner, owner, owner),
        _call("become the owner", "setresuid", owner, owner, owner),
        # Some hosts allow only root to create user namespaces.
        _call("be an administrator", "capset", _text(_CAPABILITY_HEADER), _text(_ADMINISTRATOR)),
    ]
    return [
        *(become_owner if owner is not None else ()),
        _call("make a user namespace", "unshare", linux.CLONE_NEWUSER),
        _call("ask for the user", "write", channel, "mapping", 7),
        _call("wait for the user", "read", channel, "\0", 1),
    ]


def join_user_namespace(user: int) -> list[Call]:
    """Join the box's user namespace: an index of a descriptor."""
    return [_call("join the user namespace", "setns", [user], linux.CLONE_NEWUSER)]


def lock_down(
    inner_id: int,
    last_capability: int,
    keep: Sequence[int],
    *,
    is_root: bool,
    executes: bool,
    has_rules: bool = False,
    umask: int = 0o022,
) -> list[Call]:
    """Become a box's unprivileged user, permanently, with no descriptors except `keep`.

    A `last_capability` of -1 leaves the bounding set unchanged, which a process may lack the right
    to drop. `has_rules`: Landlock's rules are at RULES_FD.
    """
    calls = [
        _call("start a session", "setsid"),
        _call("set the umask", "umask", umask),
        limit(resource.RLIMIT_NOFILE, _FILES_MAX),
        # Not 0: a pipe to one of the host's programs would still receive a dump. With 1, no file is
        # written either.
        limit(resource.RLIMIT_CORE, 1),
        limit(resource.RLIMIT_MEMLOCK, _locked_bytes_max()),
    ]
    if is_root:
        # Rootless, the limit would count all processes of the user who runs the platform.
        calls.append(limit(resource.RLIMIT_NPROC, _PROCESSES_MAX))
    calls += [
        _prctl("drop the bounding set", _PR_CAPBSET_DROP, capability)
        for capability in range(last_capability + 1)
    ]
    calls.append(_prctl("clear ambient", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL))
    if is_root:
        calls.append(_call("leave all groups", "setgroups", 0, 0))
    calls += [
        _call("become the group", "setresgid", inner_id, inner_id, inner_id),
        # From here on the process is not dumpable: processes in the box cannot inspect it.
        _call("become the user", "setresuid", inner_id, inner_id, inner_id),
        *_close_all_but([*keep, RULES_FD] if has_rules else keep),
        _call(
            "give up capabilities", "capset", _text(struct.pack("=Ii", 0x20080522, 0)), "\0" * 24
        ),
        _prctl("die with the launcher", _PR_SET_PDEATHSIG, signal.SIGKILL),
        _prctl("set no_new_privs", _PR_SET_NO_NEW_PRIVS, 1),
    ]
    if has_rules:
        calls += [
            _call("confine itself to its files", "landlock_restrict_self", RULES_FD, 0),
            _call("close descriptors", "close_range", RULES_FD, RULES_FD, 0),
        ]
    if not executes:
        # Execution would have set this: without it the process could not read its own /proc.
        calls.append(_prctl("become dumpable", _PR_SET_DUMPABLE, 1))
    calls.append(_prctl("install the filter", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, None))
    return calls


def perform(calls: Sequence[Call], descriptors: Sequence[int], filter_address: int) -> None:
    """Make the calls in this process. Raises OSError that names the step."""
    libc = ctypes.CDLL(None, use_errno=True)
    for step, *arguments in calls:
        words = [_word(argument, descriptors, filter_address) for argument in arguments]
        if libc.syscall(*words) < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"cannot {step}: {os.strerror(error)}")


def _word(
    argument: Argument, descriptors: Sequence[int], filter_address: int
) -> ctypes.c_long | ctypes.Array[ctypes.c_char]:
    if isinstance(argument, str):
        # A separate copy: the kernel may write to it, and Python shares short bytes.
        return ctypes.create_string_buffer(argument.encode("latin-1"))
    if isinstance(argument, list):
        return ctypes.c_long(descriptors[argument[0]])
    return ctypes.c_long(filter_address if argument is None else argument)


def _close_all_but(keep: Sequence[int]) -> list[Call]:
    calls, first = [], 0
    for fd in sorted(keep):
        if fd > first:
            calls.append(_call("close descriptors", "close_range", first, fd - 1, 0))
        first = fd + 1
    calls.append(_call("close descriptors", "close_range", first, 0x7FFFFFFF, 0))
    return calls


def be_subreaper() -> Call:
    """Make the process the parent of every orphan among its descendants."""
    return _prctl("become the parent of orphans", linux.PR_SET_CHILD_SUBREAPER, 1)


def limit(kind: int, value: int) -> Call:
    """Limit a resource of the process, permanently."""
    limits = _text(struct.pack("=QQ", value, value))
    return _call("limit a resource", "prlimit64", 0, kind, limits, 0)


def _locked_bytes_max() -> int:
    """As in AWS, or less if the launcher itself has less and may not raise it."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard == resource.RLIM_INFINITY:
        return _LOCKED_BYTES_MAX
    return min(hard, _LOCKED_BYTES_MAX)


def _prctl(step: str, option: int, *values: Argument) -> Call:
    return _call(step, "prctl", option, *values, *[0] * (4 - len(values)))


def _call(step: str, name: str, *arguments: Argument) -> Call:
    return [step, _NUMBERS[name], *arguments]


def _text(buffer: bytes) -> str:
    return buffer.decode("latin-1")
