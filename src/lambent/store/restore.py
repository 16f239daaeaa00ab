"""Restores a backup to where a platform expects it.

Everything is unpacked and checked first. The database is moved into place last and atomically:
until then no platform starts on the packages next to it, and an interrupted restore may be
repeated.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from lambent.kit.clock import SystemClock
from lambent.store.archive import (
    CREDENTIALS,
    DATABASE,
    EVENTS,
    PACKAGES,
    ArchiveMember,
    read_archive,
)
from lambent.store.backup import BackupPaths, Contents, flush_directory
from lambent.store.copying import copy_in
from lambent.store.database import connect, file_of, name_of, revisions, url_of
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.examination import is_new_database, is_new_file
from lambent.store.holding import SessionHold, this_platform
from lambent.store.problems import StoreError

_UNFINISHED = ".restoring"
_ROOM = 64 << 20
"""Bytes to leave free on a disk."""


def restore(places: BackupPaths, archive: Path) -> Contents:
    """Restore a backup to empty places, which the caller has locked.

    Raises StoreError if the archive is not a complete backup, or something is in its way; OSError
    if it cannot be read or written. Existing files are unchanged in that case.
    """
    target = file_of(url_of(places.store, places.state))
    if target is not None and target.exists():
        raise StoreError(
            f"{target} is there already. Nothing was changed. Restore into another data directory,"
            " or move this one away"
        )
    with open(archive, "rb") as file, contextlib.ExitStack() as stack:
        engine = None if target is not None else _hold_empty(places, stack)
        unpacking = stack.enter_context(_Unpacking(places, archive, target))
        members = read_archive(archive, file, unpacking.place)
        database = unpacking.database
        if is_new_file(database, revisions()):
            raise StoreError(f"cannot restore {archive}: the database in it is empty")
        damaged = unpacking.remove_damaged(members)
        unpacking.finish()
        events = _count_events(database)
        for directory in (places.packages, places.events, database.parent):
            flush_directory(directory)
        if target is not None:
            os.replace(database, target)
            flush_directory(target.parent)
        elif engine is not None:
            copy_in(engine, database)
            database.unlink()
    return Contents(
        packages=sum(name.startswith(PACKAGES) for name in members) - len(damaged),
        events=events,
        bytes=sum(part.size for part in members.values()),
        missing=tuple(damaged),
    )


class _Unpacking:
    """Where the members of an archive are written; removed if the context ends with an
    exception."""

    def __init__(self, places: BackupPaths, archive: Path, target: Path | None) -> None:
        self._places = places
        self._archive = archive
        self._written: list[Path] = []
        final = target or places.state / "database"
        self.database = final.with_name(f"{final.name}{_UNFINISHED}")
        self._credentials = places.state / f"{CREDENTIALS}{_UNFINISHED}"
        for directory in (places.state, places.packages, places.events, final.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._blobs = [DirectoryBlobs(directory) for directory in (places.packages, places.events)]

    def __enter__(self) -> "_Unpacking":
        for part in self._blobs:
            part.begin_restore()
        for left in (self.database, self._credentials):
            left.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for path in self._written:
                path.unlink(missing_ok=True)

    def place(self, name: str, size: int) -> Path:
        """See `read_archive`."""
        if name == DATABASE:
            path = self.database
        elif name == CREDENTIALS:
            path = self._credentials
        elif name.startswith(PACKAGES):
            path = self._places.packages / name.removeprefix(PACKAGES)
        else:
            path = self._places.events / name.removeprefix(EVENTS)
        if shutil.disk_usage(path.parent).free < size + _ROOM:
            raise StoreError(f"cannot restore {self._archive}: the disk has no room for it")
        self._written.append(path)
        return path

    def remove_damaged(self, members: Mapping[str, ArchiveMember]) -> list[str]:
        """Remove packages that were already damaged when they were backed up. Returns their
        names."""
        damaged = [
            name for name, part in members.items()
            if name.startswith(PACKAGES) and name != PACKAGES + part.sha256
        ]  # fmt: skip
        for name in damaged:
            (self._places.packages / name.removeprefix(PACKAGES)).unlink()
        return damaged

    def finish(self) -> None:
        """Keep only the database, which is still to be moved into place."""
        if self._credentials.exists():
            os.replace(self._credentials, self._places.credentials)


def _hold_empty(places: BackupPaths, stack: contextlib.ExitStack) -> sa.Engine:
    """The PostgreSQL database, held for as long as the stack. Raises StoreError unless it is
    empty."""
    url = url_of(places.store, places.state)
    where = name_of(url)
    hold = SessionHold(where, this_platform(places.state, SystemClock()))
    engine = connect(places.store, places.state, hold)
    stack.callback(engine.dispose)
    try:
        with engine.connect() as connection:
            is_new = is_new_database(where, connection, revisions())
    except sa.exc.DBAPIError as error:
        raise StoreError(f"cannot use {where}: {' '.join(str(error.orig).split())}") from error
    if not is_new:
        raise StoreError(f"{where} is in use already. Nothing was changed. Name an empty one")
    return engine


def _count_events(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            (count,) = connection.execute("SELECT count(*) FROM async_events").fetchone()
        except sqlite3.OperationalError:
            return 0  # From before the queue existed.
    return int(count)
