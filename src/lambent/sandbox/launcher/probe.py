"""Tries what boxes are made of, in a separate process, and leaves nothing behind.

Run with `root` or `rootless` as its argument. It does what the launcher does at its start, with
mounts and namespaces that end with it, and prints the first step that fails.
"""

import os
import socket
import sys
from pathlib import Path

# Not the launcher itself: to load it is three times the work of this trial.
from lambent.sandbox.launcher import linux, mounts, rootless

_PLACE = "/tmp"


def main() -> None:
    """Ends with 0 if all of it works here."""
    try:
        _try(is_root=sys.argv[1] == "root")
    except OSError as error:
        print(str(error).splitlines()[0])
        sys.exit(1)


def _try(*, is_root: bool) -> None:
    if not is_root:
        ids = {"uid": os.geteuid(), "gid": os.getegid()}
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWPID)
        rootless.map_ids(ids)
        rootless.go_on_in_child(socket.socket())
    # To this the launcher returns from each box.
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    linux.unshare(linux.CLONE_NEWNS)
    mounts.make_private()
    if not is_root:
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
    linux.unshare(
        linux.CLONE_NEWNS
        | linux.CLONE_NEWIPC
        | linux.CLONE_NEWUTS
        | linux.CLONE_NEWCGROUP
        | linux.CLONE_NEWNET
        | linux.CLONE_NEWPID
    )
    usr = os.open("/usr", os.O_PATH | os.O_CLOEXEC)
    copy = linux.copy_mount(usr, linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID)
    linux.mount("lambent", _PLACE, "tmpfs", linux.MS_NOSUID, "mode=0755,size=1m")
    for name in ("usr", "proc"):
        (Path(_PLACE) / name).mkdir()
    linux.place_mount(copy, f"{_PLACE}/usr")
    pid, pidfd = linux.fork()
    if pid == 0:
        _become_first()
    result = linux.reap(pidfd)
    linux.setns(home, linux.CLONE_NEWPID)
    sys.exit(1 if result is None or result.si_status else 0)


def _become_first() -> None:
    """As the first process of a pid namespace: a separate `/proc` and root."""
    status = 1
    try:
        restricted = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
        linux.mount("proc", f"{_PLACE}/proc", "proc", restricted)
        linux.change_root(_PLACE)
        status = 0
    except OSError as error:
        print(error, flush=True)
    finally:
        os._exit(status)
