"""The file that a platform in the background logs to: `lambent up --detach` opens it, the platform
keeps it short.

What is written there goes to the end, wherever that is (O_APPEND), so the file can be copied and
emptied while others write: the platform, its launcher, and what they have started.
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
    """The log file in a directory, made if need be, and a descriptor to write to its end. The
    directory may belong to a user who is trusted less: no link is followed. Raises OSError."""
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
    """The log file in a directory if it is where this process's stderr goes."""
    path = state / NAME
    try:
        is_own = os.path.samestat(os.fstat((stream or sys.stderr).fileno()), os.stat(path))
    except (OSError, ValueError):
        return None
    return str(path) if is_own else None


async def keep_log_short(state: Path, clock: Clock) -> None:
    """When the log has grown too long, copy it to `lambent.log.1` and empty it, forever. Ends if
    this process does not log there."""
    while own_log(state) is not None:
        await anyio.to_thread.run_sync(shorten, state / NAME, _BYTES_MAX)
        await clock.sleep(_LOOK_EVERY_S)


def shorten(path: Path, bytes_max: int) -> bool:
    """Move what is in a log file to the one before, if it is too much; returns whether it was."""
    if path.stat().st_size <= bytes_max:
        return False
    before = path.with_name(f"{NAME}.1")
    unfinished = path.with_name(f"{NAME}.new")
    shutil.copyfile(path, unfinished)
    os.replace(unfinished, before)
    os.truncate(path, 0)
    return True
