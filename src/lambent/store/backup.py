"""A backup of everything that cannot be recreated, made while the platform runs: the database with
its secrets, the packages, and the events in the queue.

The blob directories are locked first (see `Blobs.delete`). Then the database is copied, then the
blobs it refers to: a blob deleted in the meantime is in the trash. The archive gets its final name
only when it is complete and on disk.
"""

import contextlib
import dataclasses
import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lambent.store.archive import CREDENTIALS, DATABASE, EVENTS, PACKAGES, ArchiveWriter
from lambent.store.copying import copy_out
from lambent.store.directory_blobs import find_trashed, keep_deleted
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings

_UNFINISHED = ".lambent-partial"
_COPIES = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackupPaths:
    """Where the parts of a backup are."""

    store: StoreSettings
    state: Path
    packages: Path
    events: Path
    credentials: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The contents of a backup."""

    packages: int
    events: int
    """Events in the queue."""
    bytes: int
    missing: tuple[str, ...] = ()
    """What the database refers to but is missing or damaged."""


def back_up(places: BackupPaths, file: Path, about: dict[str, str]) -> Contents:
    """Write a backup to `file`, which must not exist yet; only its owner can read it.

    Raises StoreError if there is nothing to back up or it cannot be read, FileExistsError or
    another OSError if the file cannot be written. However it ends, no partial backup is left under
    that name.
    """
    if file.exists():
        raise FileExistsError(f"cannot write {file}: it exists")
    with contextlib.ExitStack() as stack:
        for directory in (places.packages, places.events):
            stack.enter_context(keep_deleted(directory))
        work = stack.enter_context(_working_directory(file))
        database, archive = work / "database", work / "archive"
        packages, events, missing = _copy(places, database)
        with open(os.open(archive, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as output:
            writer = ArchiveWriter(output, about)
            with open(database, "rb") as content:
                _add(writer, DATABASE, content)
            for directory, prefix, keys in (
                (places.packages, PACKAGES, packages),
                (places.events, EVENTS, events),
            ):
                for key in keys:
                    with _open_blob(directory, key) as content:
                        _add(writer, prefix + key, content)
            if places.credentials.exists():
                with open(places.credentials, "rb") as content:
                    _add(writer, CREDENTIALS, content)
            writer.close()
            output.flush()
            os.fsync(output.fileno())
        missing += [
            name for name, member in writer.members.items()
            if name.startswith(PACKAGES) and name != PACKAGES + member.sha256
        ]  # fmt: skip
        queued = _count(database, "async_events")
        size = archive.stat().st_size
        _publish(archive, file)
    return Contents(
        packages=len(packages), events=queued, bytes=size, missing=tuple(sorted(missing))
    )


def _copy(places: BackupPaths, database: Path) -> tuple[list[str], list[str], list[str]]:
    """Copy the database; returns the blobs it refers to that exist, and the names of those that are
    missing. If a layer was half deleted at that moment, a second copy is complete."""
    for turn in range(_COPIES):
        database.unlink(missing_ok=True)
        copy_out(places.store, places.state, database)
        packages, events = _references(database)
        here = [key for key in packages if _is_there(places.packages, key)]
        beside = [key for key in events if _is_there(places.events, key)]
        missing = [PACKAGES + key for key in sorted(set(packages) - set(here))]
        missing += [EVENTS + key for key in sorted(set(events) - set(beside))]
        if not missing or turn:
            break
    return here, beside, missing


def _references(database: Path) -> tuple[list[str], list[str]]:
    """Packages and event payloads that a copied database refers to."""
    queries = (
        "SELECT code_key FROM function_versions UNION SELECT serving_code_key FROM"
        " function_versions WHERE serving_code_key IS NOT NULL UNION"
        " SELECT code_key FROM layer_versions",
        "SELECT id FROM async_events WHERE is_beside",
    )
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            found = [[str(key) for (key,) in connection.execute(query)] for query in queries]
        except sqlite3.OperationalError as error:
            raise StoreError(
                "cannot back up the database: its tables are those of an older lambent. Start this"
                " one on it once, or use the older one"
            ) from error
    return found[0], found[1]


def _count(database: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def _is_there(directory: Path, key: str) -> bool:
    return (directory / key).exists() or find_trashed(directory, key) is not None


def _open_blob(directory: Path, key: str) -> IO[bytes]:
    """A blob; another process may move it to the trash at any moment."""
    try:
        return open(directory / key, "rb")
    except FileNotFoundError:
        trashed = find_trashed(directory, key)
        if trashed is None:
            raise
        return open(trashed, "rb")


def _add(writer: ArchiveWriter, name: str, content: IO[bytes]) -> None:
    writer.add(name, content, os.fstat(content.fileno()).st_size)


def _publish(archive: Path, file: Path) -> None:
    """Give a finished archive its name; never replaces a file."""
    try:
        os.link(archive, file)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        archive.rename(file)  # The file system has no hard links.
    flush_directory(file.parent)


def flush_directory(directory: Path) -> None:
    """Flush the names of the directory's files to disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _working_directory(file: Path) -> Iterator[Path]:
    """A directory next to `file`, deleted at the end together with leftovers of killed backups."""
    with contextlib.ExitStack() as stack:
        for left in file.parent.glob(f".*{_UNFINISHED}"):
            with contextlib.suppress(OSError), _locked(left):
                shutil.rmtree(left)
        new = Path(tempfile.mkdtemp(prefix=".lambent-backup-", dir=file.parent))
        stack.enter_context(_locked(new))
        # Only now: an earlier cleanup by another process would take it for a leftover.
        work = new.with_name(f"{new.name}{_UNFINISHED}")
        new.rename(work)
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        yield work


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock a directory. Raises OSError if another process has locked it, or if it belongs to
    another user."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{directory} belongs to another user")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
