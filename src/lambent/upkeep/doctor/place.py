"""Where a box is tried: a directory on the disk of the data directory, one doctor at a time."""

import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lambent.upkeep.doctor.disk import nearest
from lambent.upkeep.doctor.steps import Failed

CODE = "code"
"""What stands for a function's package, in the directory."""
_HOLD_S, _PAUSE_S = 60.0, 0.05


def directory_in(place: Path) -> Path:
    """The launcher's directory for the trial: always the same one, so that what a killed doctor has
    left is cleared away by the next."""
    return place / f".lambent-doctor-{os.geteuid()}"


def choose(data_dir: Path) -> Path:
    """Where to try it."""
    there = nearest(data_dir)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return there
    return Path(tempfile.gettempdir())


@contextmanager
def hold(place: Path) -> Iterator[None]:
    """One doctor at a time has the place: the second waits, and finds nothing of the first."""
    lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    give_up = time.monotonic() + _HOLD_S
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise Failed(f"another process has held {place} for {_HOLD_S:g} s") from None
                time.sleep(_PAUSE_S)  # noqa: TID251 - another process's work
        yield
    finally:
        os.close(lock)


def make(directory: Path, program: str) -> None:
    """Create the directory with `program` as a function's code, or reuse what an earlier doctor of
    ours has left. Every user may write to the place, as to `/tmp`: files of other users are not
    touched. Raises OSError, `Failed`."""
    try:
        directory.mkdir(mode=0o755)
    except FileExistsError:
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise Failed(f"{directory} is no directory of ours: remove it") from None
    code = directory / CODE
    code.mkdir(exist_ok=True)
    (code / "bootstrap").write_text(program)
    for path in (directory, code, code / "bootstrap"):
        path.chmod(0o755)


def instance(directory: Path) -> str:
    """Names the groups; always the same one for a directory."""
    return hashlib.sha256(str(directory).encode()).hexdigest()[:12]
