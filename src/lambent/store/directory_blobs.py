"""Blobs in a local directory.

A file is written next to its final name, renamed and flushed. The mark (`.lambent`) and the trash
(`.trash`) are in the same directory.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread
import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from lambent.kit.clock import Clock, SystemClock
from lambent.store.blobs import KEY, MARK, TRASH_S, Trashed, foreign
from lambent.store.outage import Outage, is_full
from lambent.store.problems import StoreError

_UNFINISHED_S = 3600.0
"""After so long no node is writing a file any more."""
_RESTORING = "an unfinished restore"
_TRASH = ".trash"
_TRASHED = re.compile(r"([0-9]{1,12})\.([0-9a-f]+)")


class DirectoryBlobs:
    """See `Blobs`. obstore writes the files; this class flushes what must be durable."""

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()
        self._outage = Outage(f"the directory {directory}", self._clock)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep_unfinished()
        self._store = LocalStore(directory)

    def _sweep_unfinished(self) -> None:
        """Delete files that a crash left half-written. Other nodes may be writing some now."""
        for pattern in ("*#*", f"{MARK}.new*"):
            for unfinished in self._directory.glob(pattern):
                with contextlib.suppress(FileNotFoundError):
                    if self._clock.now() - unfinished.stat().st_mtime > _UNFINISHED_S:
                        unfinished.unlink()

    @staticmethod
    def key_of(data: bytes) -> str:
        """The name under which `data` is stored: 64 hex digits."""
        return hashlib.sha256(data).hexdigest()

    def put(self, key: str, data: bytes) -> None:
        """See `Blobs`. Raises `StoreUnavailable` if the disk is full."""
        try:
            self._put(key, data)
        except OSError as error:
            if is_full(error):
                raise self._outage.note_failure(error, is_away=False) from error
            raise
        self._outage.note_success()

    def _put(self, key: str, data: bytes) -> None:
        while True:
            if not self.exists(key):
                try:
                    obstore.put(self._store, key, data, use_multipart=False)
                except BaseError as error:
                    raise OSError(f"cannot write the blob {key}: {error}") from error
            try:
                # Even if it was already there: the thread that wrote it may not have flushed it
                # yet.
                self._flush(self._directory / key)
                self._flush(self._directory)
            except FileNotFoundError:
                continue  # Its last owner has just deleted it.
            return

    def get(self, key: str) -> bytes:
        """The bytes of a blob. Raises FileNotFoundError if there is none."""
        try:
            return obstore.get(self._store, key).bytes().to_bytes()
        except BaseError as error:
            raise OSError(f"cannot read the blob {key}: {error}") from error

    async def read(self, key: str) -> bytes:
        """As `get`, in a thread."""
        return await anyio.to_thread.run_sync(self.get, key)

    def exists(self, key: str) -> bool:
        """Whether the blob is there."""
        return (self._directory / key).exists()

    def delete(self, key: str) -> None:
        """Delete a blob; does nothing if there is none."""
        if not self.exists(key):
            return
        mark = self._directory / MARK
        if not mark.exists():
            (self._directory / key).unlink(missing_ok=True)
            return
        with open(mark, "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                self.discard(key)  # A backup is running and may still need it.
            else:
                (self._directory / key).unlink(missing_ok=True)

    def list_keys(self) -> Iterator[str]:
        """The keys of all blobs."""
        with os.scandir(self._directory) as entries:
            yield from (entry.name for entry in entries if KEY.fullmatch(entry.name))

    # -- mistakes --------------------------------------------------------------------------

    def belong_to(self, database_id: str, *, is_new: bool) -> None:
        """Mark the directory as a database's own. `is_new` says whether that database was empty
        when it was opened. Raises StoreError if the blobs belong to another database, or were there
        before this one was created."""
        mark = self._directory / MARK
        owner = mark.read_text() if mark.exists() else None
        if owner == database_id:
            return
        # A restore writes the database last, when everything else is in place.
        is_known = owner in (None, _RESTORING) and not is_new
        if not is_known and next(self.list_keys(), None) is not None:
            raise foreign(str(self._directory), is_new=is_new)
        self._mark(database_id)

    def begin_restore(self) -> None:
        """Accept an empty directory, or what an interrupted restore left in it. Raises StoreError
        if it contains anything else."""
        mark = self._directory / MARK
        left = list(self.list_keys())
        if left and not (mark.exists() and mark.read_text() == _RESTORING):
            raise StoreError(
                f"{self._directory} already holds packages or events. Nothing was changed. Restore"
                " into another data directory, or move this one away"
            )
        self._mark(_RESTORING)
        for key in left:
            (self._directory / key).unlink()

    def _mark(self, owner: str) -> None:
        # Several nodes may be the first at once.
        unfinished = self._directory / f"{MARK}.new{uuid.uuid4().hex}"
        unfinished.write_text(owner)
        self._flush(unfinished)
        unfinished.replace(self._directory / MARK)
        self._flush(self._directory)

    def discard(self, key: str) -> None:
        """Move a blob to the trash; does nothing if there is none."""
        trash = self._directory / _TRASH
        trash.mkdir(mode=0o700, exist_ok=True)
        try:
            (self._directory / key).rename(trash / f"{int(self._clock.now())}.{key}")
        except FileNotFoundError:
            pass

    def recover(self, key: str) -> bool:
        """Restore a blob from the trash; returns whether it was there."""
        found = find_trashed(self._directory, key)
        if found is not None:
            found.rename(self._directory / key)
        return found is not None

    def empty_trash(self) -> None:
        """Delete what has been in the trash for a day."""
        for trashed in self.expired():
            Path(trashed.place).unlink(missing_ok=True)

    def expired(self) -> list[Trashed]:
        """See `Blobs`."""
        ends_at = self._clock.now() - TRASH_S
        return [
            Trashed(str(path), path.stat().st_size)
            for since, path in _trashed(self._directory)
            if since <= ends_at
        ]

    @staticmethod
    def _flush(path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def find_trashed(directory: Path, key: str) -> Path | None:
    """The path of a blob in the trash of a directory, None if it is not there."""
    return max((path for _, path in _trashed(directory, key)), default=None)


def _trashed(directory: Path, key: str | None = None) -> list[tuple[int, Path]]:
    """The blobs in the trash, all or those of `key`, each with the time of its deletion."""
    trash = directory / _TRASH
    try:
        names = os.listdir(trash)
    except FileNotFoundError:
        return []
    found = [match for name in names if (match := _TRASHED.fullmatch(name))]
    return [(int(item[1]), trash / item[0]) for item in found if key in (None, item[2])]


@contextmanager
def keep_deleted(directory: Path) -> Iterator[None]:
    """Move deleted blobs to the trash while the context lasts, because a backup is running."""
    try:
        lock = open(directory / MARK, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        yield  # No platform that knows of marks has used this directory.
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_of_blobs(name: str) -> bool:
    """Whether a blob directory contains files or directories with such a name."""
    return (
        name in (MARK, _TRASH)
        or name.startswith(f"{MARK}.new")
        or bool(KEY.fullmatch(name.partition("#")[0]))
    )
