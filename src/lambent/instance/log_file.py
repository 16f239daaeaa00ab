"""The log file of a platform in the background: `lambent up --detach` opens it, and the platform
keeps it short.

All processes that write to it append (O_APPEND), so the file can be copied and emptied while they
write: the platform, its launcher and their children.
"""

import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TextIO

import anyio.to_thread

from lambent.kit.clock import Clock

NAME = "lambent.log"
_BYTES_MAX = 16 << 20
_LOOK_EVERY_S = 30.0


def open_log(state: Path) -> tuple[Path, int]:
    """The log file in a directory, created if missing, and a descriptor to append to it. The
    directory may belong to a less trusted user: links are not followed. Raises OSError."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / NAME
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise OSError(f"{path} is no file of its own")
    os.set_blocking(descriptor, True)
    return path, descriptor


def own_log(state: Path, stream: TextIO | None = None) -> str | None:
    """The log file in a directory if the stderr of this process goes there."""
    path = state / NAME
    try:
        is_own = os.path.samestat(os.fstat((stream or sys.stderr).fileno()), os.stat(path))
    except (OSError, ValueError):
        return None
    return str(path) if is_own else None


async def keep_log_short(state: Path, clock: Clock) -> None:
    """Copy the log to `lambent.log.1` and empty it whenever it is too long. Returns if this process
    does not log there."""
    while own_log(state) is not None:
        await anyio.to_thread.run_sync(shorten, state / NAME, _BYTES_MAX)
        await clock.sleep(_LOOK_EVERY_S)


def shorten(path: Path, bytes_max: int) -> bool:
    """Move the content of a too long log file to `lambent.log.1`; returns whether it did."""
    if path.stat().st_size <= bytes_max:
        return False
    before = path.with_name(f"{NAME}.1")
    unfinished = path.with_name(f"{NAME}.new")
    shutil.copyfile(path, unfinished)
    os.replace(unfinished, before)
    os.truncate(path, 0)
    return True
