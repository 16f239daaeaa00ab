"""A mount namespace that shares its mounts with no other, wherever its root is.

In a chroot the root is a directory of some mount, not a mount itself: it cannot be made private,
and no other root can replace it. So the process leaves the chroot, which needs no more privileges
than all of this, makes all mounts private, mounts the directory onto itself and enters it again.
"""

import errno
import os

from lambent.sandbox.launcher import linux

_LEVELS_MAX = 256


def make_private() -> None:
    """Separate this new mount namespace's mounts from every other, and be at a mount point
    afterwards. Raises OSError."""
    try:
        linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _leave_and_enter_again()


def _leave_and_enter_again() -> None:
    here = os.getcwd()
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Outside of the root, `..` leads further up.
        os.chdir("/")
        os.chroot("proc")
        for _ in range(_LEVELS_MAX):
            before = os.stat(".")
            os.chdir("..")
            if os.path.samestat(before, os.stat(".")):
                break
        os.chroot(".")
        linux.mount("", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        copy = linux.copy_mount(root, 0)
        linux.place_mount_at(copy, root)
        os.fchdir(copy)
        os.close(copy)
        # Not `chroot`: a process that returns to this namespace returns to its root.
        linux.change_root_to_here()
    finally:
        os.close(root)
    os.chdir(here)
