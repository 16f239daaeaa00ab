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
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lambent.cli.output import UsageError

IGNORE_FILE = ".lambentignore"
_ALWAYS_IGNORED = (
    *(".git", ".hg", ".svn", "__pycache__", "*.pyc", ".DS_Store", ".venv"),
    *(IGNORE_FILE, "function.toml"),
)
SECRETS = (
    *(".env", ".env.*", ".envrc", ".aws", ".ssh", ".gnupg", ".kube", ".docker", ".netrc", ".npmrc"),
    *(".pypirc", ".git-credentials", "id_rsa", "id_ecdsa", "id_ed25519", "*.tfstate"),
)
"""Probably credentials of the user: packed only if `.lambentignore` says `!NAME`."""
UNZIPPED_BYTES_MAX = 250 << 20
"""As in AWS."""
State = dict[str, tuple[int, int]]
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""


def pack(directory: Path, *, rules: Path | None = None) -> bytes:
    """The zip of a directory's files.

    Left out are version control, Python's caches, `SECRETS` and what `.lambentignore` names: one
    pattern per line, matched against names and against paths from the directory. `!NAME` there
    packs one of `SECRETS`. The directory `rules` has the `.lambentignore`; by default the directory
    itself. Raises `UsageError`.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        files = sorted(_packed_files(directory, rules))
        _check_size(directory, files)
        for name, path in files:
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


def is_ignored(directory: Path, name: str) -> bool:
    """Whether `pack` leaves out a file of the directory."""
    return _Rules(directory).leaves_out(name, name)


def left_out(directory: Path) -> list[str]:
    """The files and directories of `SECRETS` that `pack` leaves out, as paths from the directory.
    Those of installed packages are not named."""
    rules = _Rules(directory)
    for _ in _files(directory, "", rules, (directory.resolve(),)):
        pass
    return [path for path in sorted(rules.left_out) if not path.startswith("node_modules/")]


def _packed_files(directory: Path, rules: Path | None = None) -> Iterator[tuple[str, Path]]:
    """Names in the zip, and the files with their content."""
    return _files(directory, "", _Rules(rules or directory), (directory.resolve(),))


class _Rules:
    """What a directory's `.lambentignore` and the rules of every package leave out."""

    def __init__(self, directory: Path) -> None:
        lines = _ignore_patterns(directory)
        self._ignored = (*_ALWAYS_IGNORED, *(line for line in lines if line[0] != "!"))
        self._wanted = [line[1:] for line in lines if line[0] == "!"]
        self.left_out: list[str] = []
        """Paths that may hold secrets."""

    def leaves_out(self, name: str, path: str) -> bool:
        """Whether a file or directory stays out. `path` is its path from the directory."""
        if _matches(name, self._ignored) or _matches(path, self._ignored):
            return True
        if _matches(name, SECRETS) and not _matches(name, self._wanted):
            self.left_out.append(path)
            return True
        return False


def _check_size(directory: Path, files: Sequence[tuple[str, Path]]) -> None:
    sizes: Counter[str] = Counter()
    for name, path in files:
        sizes[name.partition("/")[0]] += path.stat().st_size if path.exists() else 0
    if (total := sizes.total()) > UNZIPPED_BYTES_MAX:
        largest = ", ".join(f"{name} ({size:,})" for name, size in sizes.most_common(3))
        raise UsageError(
            f"cannot deploy {directory}: {total:,} bytes unzipped are more than"
            f" {UNZIPPED_BYTES_MAX:,}. The largest are {largest}; leave files out with"
            f" {IGNORE_FILE}"
        )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _ignore_patterns(directory: Path) -> list[str]:
    path = directory / IGNORE_FILE
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line.rstrip("/") for line in lines if line and not line.startswith("#")]


def _files(
    directory: Path, prefix: str, rules: _Rules, parents: Sequence[Path]
) -> Iterator[tuple[str, Path]]:
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        raise UsageError(f"cannot read {directory}: {error.strerror}") from error
    for entry in entries:
        name, path = prefix + entry.name, Path(entry.path)
        if rules.leaves_out(entry.name, name):
            continue
        if entry.is_dir():
            real = path.resolve()
            if real in parents:
                raise UsageError(f"cannot pack {path}: it links to a directory it is in")
            yield from _files(path, name + "/", rules, (*parents, real))
        elif entry.is_file() or entry.is_symlink():
            yield name, path
