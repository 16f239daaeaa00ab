"""A mount namespace whose mounts are nobody else's, wherever its root lies.

In a chroot the root is a directory of some mount, not a mount itself: it cannot be made private,
and no other root can be put in its place. So it is left, which whoever may do all this may, all
mounts there are are made private, and the directory is mounted onto itself and entered again.
"""

import errno
import os

from lambent.sandbox.launcher import linux

_LEVELS_MAX = 256


def make_private() -> None:
    """Keep this new mount namespace's mounts from every other, and be at a mount point afterwards.
    Raises OSError."""
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
        # Outside of one's root, `..` leads on.
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
        # Not `chroot`: who comes back to this namespace comes to its root.
        linux.change_root_to_here()
    finally:
        os.close(root)
    os.chdir(here)
