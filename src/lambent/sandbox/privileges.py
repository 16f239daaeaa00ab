"""Drops the platform's root privileges.

The process that parses HTTP needs no privilege once the launcher runs. `become_unprivileged` makes
it an ordinary user in a separate mount namespace:

- everything is read-only except the paths it may write and a private `/tmp`;
- a directory that its user may not search (a home of mode 0700, for example), on the way to a path
  it needs, is covered by an empty file system that contains only that path. So an interpreter under
  `/root` continues to import while the rest of `/root` is invisible;
- no capability is left, and none can be regained.

See docs/designs/0003-privileges.md.
"""

import ctypes
import errno
import os
import pwd
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import lambent
from lambent.sandbox import users
from lambent.sandbox.launcher import landlock
from lambent.sandbox.launcher.mounts import make_private
from lambent.sandbox.ports import SandboxError

_CLONE_NEWNS = 0x20000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 0x1, 0x2, 0x4, 0x20
_MS_BIND = 0x1000
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _MOVE_MOUNT_FROM_EMPTY_PATH, _MOUNT_ATTR_RDONLY = 0x1, 0x4, 0x1
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR = 428, 429, 442
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG, _PR_CAPBSET_DROP = 1, 2, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4

_PR_SET_DUMPABLE = 4
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)
_ALWAYS_WRITABLE = ("/tmp", "/var/tmp", "/dev", "/proc")
_NOBODY = -1
_LANDLOCK_WITH_RENAMES = 2
"""The first version that allows renames from one directory to another."""

_libc = ctypes.CDLL(None, use_errno=True)
_TMP = Path("/tmp")


def become_unprivileged(
    uid: int,
    gid: int,
    readable: Sequence[Path],
    writable: Sequence[Path],
    *,
    may_mount: bool = True,
) -> None:
    """Turn this single-threaded process into one of the user `uid`, permanently.

    `readable` and `writable` are absolute paths that exist. They, the interpreter and this package
    stay reachable under their names. `writable` paths have been transferred before (`hand_over`).
    The parent-death signal is kept. For a process that is not root this only sets no_new_privs.
    Raises `SandboxError`; the process should then end.

    Unless `may_mount` there is no mount namespace: nothing is covered, paths must be where the user
    may go, and Landlock, if the kernel has it, prevents the process from writing elsewhere.
    """
    if not may_mount:
        _become_unprivileged_here(uid, gid, readable, writable)
        return
    if users.is_root():
        if len(os.listdir("/proc/self/task")) != 1:
            raise SandboxError("cannot drop privileges: the process has more than one thread")
        package = Path(lambent.__file__).parent
        kept = [Path(sys.prefix), Path(sys.base_prefix), package, *readable]
        _confine(uid, gid, _with_resolved(kept), _with_resolved(writable))
        _drop(uid, gid)
        for path in kept:
            if not os.access(path, os.R_OK):
                raise SandboxError(f"cannot keep {path} readable for user {uid}")
        for path in writable:
            if not os.access(path, os.W_OK):
                raise SandboxError(f"cannot keep {path} writable for user {uid}")
    elif os.geteuid() == 0:
        _check(_libc.capset(_CAPABILITY_HEADER, bytes(24)), "clear the capabilities")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privs")


def _become_unprivileged_here(
    uid: int, gid: int, readable: Sequence[Path], writable: Sequence[Path]
) -> None:
    if len(os.listdir("/proc/self/task")) != 1:
        raise SandboxError("cannot drop privileges: the process has more than one thread")
    if users.can_separate(uid):
        package = Path(lambent.__file__).parent
        for path in _with_resolved([Path(sys.prefix), package, *readable, *writable]):
            if (closed := _closed(path, uid, gid)) is not None:
                raise SandboxError(
                    f"cannot use {path}: the platform's user {uid} may not enter {closed},"
                    " and without mounts it cannot be shown elsewhere. Keep it where everybody may"
                    " go, or start lambent as an ordinary user"
                )
        _drop(uid, gid)
    elif os.geteuid() == 0:
        _check(_libc.capset(_CAPABILITY_HEADER, bytes(24)), "clear the capabilities")
    else:
        # Functions have the same user.
        _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "hide this process's memory")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privs")
    if landlock.abi() >= _LANDLOCK_WITH_RENAMES:
        places = map(str, (*writable, *_ALWAYS_WRITABLE))
        rules = landlock.make_rules(["/"], places)
        try:
            landlock.restrict_self(rules)
        except OSError as error:
            raise SandboxError(str(error)) from error
        finally:
            os.close(rules)


def closed_to_others(path: Path) -> Path | None:
    """Return the directory on the way to a path that not everyone may enter, possibly the path
    itself; None if everyone can reach it."""
    return _closed(path, _NOBODY, _NOBODY)


def _closed(path: Path, uid: int, gid: int) -> Path | None:
    for directory in (*reversed(path.parents), path):
        if directory.is_dir() and not _can_search(directory, uid, gid):
            return directory
    return None


def hand_over(path: Path, uid: int, gid: int) -> None:
    """Make `uid` the owner of a directory and of everything in it that root owns; a no-op unless
    root.

    Directories inside that already belong to the user count as transferred before. Raises
    `SandboxError` if the directory is the root, another user's home, or contains files of other
    users, or a file of root with a second name elsewhere.
    """
    if not users.is_root():
        return
    path = path.resolve()
    others_homes = {Path(entry.pw_dir) for entry in pwd.getpwall() if entry.pw_uid != uid}
    if path == Path("/") or path in others_homes:
        raise SandboxError(f"cannot give {path} to user {uid}: it is a system directory or a home")
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _give_away(path, directory, uid, gid)
    except OSError as error:
        # EINVAL: this root is the root of a user namespace in which there is no such user.
        hint = " (no such user in this user namespace)" if error.errno == errno.EINVAL else ""
        reason = f"{error.strerror}{hint}"
        raise SandboxError(f"cannot give {path} to user {uid}: {reason}") from error
    finally:
        os.close(directory)


def _give_away(path: Path, directory: int, uid: int, gid: int) -> None:
    """Contents first, so that an interrupted transfer is repeated."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode) and status.st_uid == 0:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(name, flags, dir_fd=directory)
            try:
                _give_away(path / name, inner, uid, gid)
            finally:
                os.close(inner)
        elif status.st_uid == 0:
            if status.st_nlink > 1:
                raise SandboxError(f"cannot give {path / name} to user {uid}: it has another name")
            os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)
        else:
            _require_owner(path / name, status, uid)
    status = os.fstat(directory)
    if status.st_uid == 0:
        os.fchown(directory, uid, gid)
    else:
        _require_owner(path, status, uid)


def _require_owner(path: Path, status: os.stat_result, uid: int) -> None:
    if status.st_uid != uid:
        raise SandboxError(f"cannot give {path} to user {uid}: it belongs to user {status.st_uid}")


def _with_resolved(paths: Iterable[Path]) -> list[Path]:
    """Return the paths as named and with symbolic links resolved: both names must continue to
    work."""
    named = [Path(os.path.normpath(path)) for path in paths]
    return sorted({*named, *(path.resolve(strict=True) for path in named)})


def _confine(uid: int, gid: int, readable: Sequence[Path], writable: Sequence[Path]) -> None:
    """Create the mount namespace."""
    _check(_libc.unshare(_CLONE_NEWNS), "make a mount namespace")
    try:
        make_private()
    except OSError as error:
        raise SandboxError(str(error)) from error
    covers = _covers(uid, gid, [*readable, *writable])
    # Copies are made before anything is covered, and attached parents first.
    placed: dict[Path, int] = {}
    for path in readable:
        if _is_below(path, covers) and not _is_below(path, writable):
            for part in _parts(path, uid, gid):
                placed[part] = _copy_mount(part)
                _make_read_only(placed[part])
    for path in writable:
        placed[path] = _copy_mount(path)
    _make_read_only_below_root()
    for cover in covers:
        mode = "mode=1777" if cover == _TMP else "mode=0755"
        _mount("lambent", cover, "tmpfs", _MS_NOSUID | _MS_NODEV, mode)
    umask = os.umask(0o022)
    for path in sorted(placed):
        _make_mount_point(path, placed[path])
        _move_mount(placed[path], path)
        os.close(placed[path])
    os.umask(umask)
    for cover in covers:
        if cover != _TMP:
            read_only = _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
            _mount("", cover, "", read_only, "")
    # The old working directory would still show what is covered now.
    os.chdir(_reachable_directory(uid, gid))


def _reachable_directory(uid: int, gid: int) -> str:
    """Return the working directory by its name, if it still exists under it, or the root."""
    try:
        here = os.getcwd()
        os.stat(here)
    except OSError:
        return "/"
    searchable = all(_can_search(parent, uid, gid) for parent in (Path(here), *Path(here).parents))
    return here if searchable else "/"


def _covers(uid: int, gid: int, paths: Iterable[Path]) -> list[Path]:
    """Return `/tmp` and the outermost directories on the way to `paths` that the user cannot
    search."""
    found = {_TMP}
    for path in paths:
        for directory in (*reversed(path.parents), path):
            if directory.is_dir() and not _can_search(directory, uid, gid):
                found.add(directory.resolve())
                break
    return sorted(path for path in found if not _is_below(path, found - {path}))


def _can_search(directory: Path, uid: int, gid: int) -> bool:
    status = directory.stat()
    if status.st_uid == uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _is_below(path: Path, directories: Iterable[Path]) -> bool:
    """Whether `path` is one of the directories or inside one, symbolic links resolved."""
    resolved = path.resolve()
    return any(resolved.is_relative_to(directory) for directory in directories)


def _parts(path: Path, uid: int, gid: int) -> list[Path]:
    """Return what to show of a needed path: for a directory that the user may not search, its
    entries."""
    if path.is_dir() and not _can_search(path, uid, gid):
        return sorted(entry for entry in path.iterdir() if entry.exists())
    return [path]


def _make_mount_point(path: Path, copy: int) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(os.fstat(copy).st_mode):
        path.mkdir()
    else:
        path.touch()


def _drop(uid: int, gid: int) -> None:
    """Change the user, and drop every capability that the kernel knows."""
    signal_on_death = ctypes.c_int(0)
    _check(
        _libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(signal_on_death), 0, 0, 0),
        "read the parent-death signal",
    )
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    may_drop = users.has_capability(users.CAP_SETPCAP)  # Root in some containers does not have it.
    for capability in range(last + 1 if may_drop else 0):
        _check(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), "drop the bounding set")
    _check(
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
        "clear the ambient capabilities",
    )
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _check(_libc.capset(_CAPABILITY_HEADER, bytes(24)), "clear the capabilities")
    # The kernel clears this signal when the user changes.
    _check(
        _libc.prctl(_PR_SET_PDEATHSIG, signal_on_death.value, 0, 0, 0),
        "restore the parent-death signal",
    )


def _mount(source: str, target: Path, kind: str, flags: int, options: str) -> None:
    arguments = (source.encode(), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(_libc.mount(*arguments), f"mount on {target}")


def _copy_mount(path: Path) -> int:
    """Return a detached copy of what is mounted at `path`, including mounts below."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return _syscall(
        f"copy the mount of {path}", _SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags
    )


def _move_mount(copy: int, path: Path) -> None:
    target = os.fsencode(path)
    arguments = (copy, b"", _AT_FDCWD, target, _MOVE_MOUNT_FROM_EMPTY_PATH)
    _syscall(f"mount on {path}", _SYS_MOVE_MOUNT, *arguments)


def _make_read_only(copy: int) -> None:
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    arguments = (copy, b"", flags, attributes, len(attributes))
    _syscall("make a mount read-only", _SYS_MOUNT_SETATTR, *arguments)


def _make_read_only_below_root() -> None:
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        _make_read_only(root)
    finally:
        os.close(root)


def _syscall(step: str, number: int, *arguments: int | bytes) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        _check(result, step)
    return result


def _check(result: int, step: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        hint = " (Linux 5.12 or later is needed)" if code == errno.ENOSYS else ""
        raise SandboxError(f"cannot {step}: {os.strerror(code)}{hint}")
