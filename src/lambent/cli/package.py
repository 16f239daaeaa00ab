"""Makes a deployment package of a directory.

The same files make the same bytes, so that deploying unchanged code changes nothing: names are
sorted, times are fixed, and of the permissions only "executable" is kept. Links are followed, as
`zip -r` does. A broken link stays a link, since its target may be in a layer.
"""

import contextlib
import fnmatch
import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambent.cli.output import UsageError

IGNORE_FILE = ".lambentignore"
_ALWAYS_IGNORED = (
    *(".git", ".hg", ".svn", "__pycache__", "*.pyc", ".DS_Store", ".venv"),
    *(IGNORE_FILE, "function.toml"),
)
SECRETS = (".env", ".aws", ".ssh", ".netrc", ".npmrc", ".pypirc")
"""Probably credentials of the user: packed only if `.lambentignore` says `!NAME`."""
State = dict[str, tuple[int, int]]
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""


def pack(directory: Path) -> bytes:
    """The zip of a directory's files.

    Left out are version control, Python's caches, `SECRETS` and what `.lambentignore` names: one
    pattern per line, matched against names and against paths from the directory. `!NAME` there
    packs one of `SECRETS`. Raises `UsageError`.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, path in sorted(_packed_files(directory)):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, so that the permissions below count
            if not path.exists():
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(entry, os.readlink(path))
                continue
            is_executable = path.stat().st_mode & stat.S_IXUSR
            entry.external_attr = (stat.S_IFREG | (0o755 if is_executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            try:
                archive.writestr(entry, path.read_bytes())
            except OSError as error:
                raise UsageError(f"cannot read {path}: {error.strerror}") from error
        if not archive.namelist():
            raise UsageError(f"cannot deploy {directory}: it holds no files")
    return packed.getvalue()


def copy_files(directory: Path, target: Path) -> None:
    """Copy what `pack` would pack into an empty directory. Raises `UsageError`."""
    for name, path in _packed_files(directory):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy, follow_symlinks=path.exists())


def state_of(directory: Path) -> State:
    """The time of change and size of each file that `pack` would pack, by name. Raises
    `UsageError`."""
    found = {}
    for name, path in _packed_files(directory):
        with contextlib.suppress(OSError):  # It was removed a moment ago.
            status = path.lstat()
            found[name] = status.st_mtime_ns, status.st_size
    return found


def left_out(directory: Path) -> list[str]:
    """The `SECRETS` that the directory holds and `pack` leaves out."""
    return [name for name in _secrets(directory) if (directory / name).exists()]


def _packed_files(directory: Path) -> Iterator[tuple[str, Path]]:
    """Names in the zip, and the files with their content."""
    patterns = (*_ALWAYS_IGNORED, *_secrets(directory), *_ignore_patterns(directory))
    return _files(directory, "", patterns, (directory.resolve(),))


def _secrets(directory: Path) -> list[str]:
    wanted = _ignore_patterns(directory)
    return [name for name in SECRETS if f"!{name}" not in wanted]


def _ignore_patterns(directory: Path) -> list[str]:
    path = directory / IGNORE_FILE
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line.rstrip("/") for line in lines if line and not line.startswith("#")]


def _files(
    directory: Path, prefix: str, patterns: Sequence[str], parents: Sequence[Path]
) -> Iterator[tuple[str, Path]]:
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        raise UsageError(f"cannot read {directory}: {error.strerror}") from error
    for entry in entries:
        name, path = prefix + entry.name, Path(entry.path)
        if any(fnmatch.fnmatch(part, p) for part in (entry.name, name) for p in patterns):
            continue
        if entry.is_dir():
            real = path.resolve()
            if real in parents:
                raise UsageError(f"cannot pack {path}: it links to a directory it is in")
            yield from _files(path, name + "/", patterns, (*parents, real))
        elif entry.is_file() or entry.is_symlink():
            yield name, path
