"""Copies of whole databases: while a platform uses one, and from one kind to the other.

A copy is always a SQLite file. A SQLite database is copied page by page within one read
transaction, a PostgreSQL database row by row within one. Both show the database as of one moment,
and block no one.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from lambent.store.database import (
    connect,
    file_of,
    migrate,
    migrate_within,
    name_of,
    revisions,
    url_of,
)
from lambent.store.examination import damaged, is_new_database, is_new_file
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings
from lambent.store.tables import metadata

_BATCH = 500
_WAIT_S = 30.0


def copy_out(settings: StoreSettings, data: Path, target: Path) -> None:
    """Copy the configured database to `target`, a new SQLite file. Raises StoreError."""
    url = url_of(settings, data)
    where, file = name_of(url), file_of(url)
    if file is None and url.get_backend_name() == "sqlite":
        raise StoreError("a database in memory cannot be backed up")
    if file is None:
        _copy_rows_out(settings, data, where, target)
        return
    if not file.exists():
        raise StoreError(f"there is nothing to back up: {where} does not exist")
    try:
        source = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_WAIT_S)
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
            source.close()
    except sqlite3.OperationalError as error:
        raise StoreError(f"cannot copy {where}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise damaged(where, error) from error
    if is_new_file(target, revisions()):
        raise StoreError(f"there is nothing to back up: {where} is empty")


def _copy_rows_out(settings: StoreSettings, data: Path, where: str, target: Path) -> None:
    source = connect(settings, data)
    copy = _open_file(target)
    try:
        with source.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            if is_new_database(where, connection, revisions()):
                raise StoreError(f"there is nothing to back up: {where} is empty")
            version = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            if version.scalar() != max(revisions()):
                raise StoreError(
                    f"cannot back up {where}: its tables are those of an older lambent. Start this"
                    " one on it once, or use the older one"
                )
            migrate(copy)
            with copy.begin() as into:
                _copy_rows(connection, into)
    except sa.exc.DBAPIError as error:
        raise StoreError(f"cannot copy {where}: {' '.join(str(error.orig).split())}") from error
    finally:
        copy.dispose()
        source.dispose()


def copy_in(engine: sa.Engine, source: Path) -> None:
    """Fill an empty database, which `engine` holds, from a SQLite file, in one transaction."""
    copy = _open_file(source)
    try:
        migrate(copy)
        with copy.connect() as rows, engine.begin() as into:
            migrate_within(into)
            _copy_rows(rows, into)
    finally:
        copy.dispose()


def _open_file(path: Path) -> sa.Engine:
    """A file that nothing else uses, without a log next to it."""
    return sa.create_engine(sa.URL.create("sqlite", database=str(path)))


def _copy_rows(source: sa.Connection, target: sa.Connection) -> None:
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=_BATCH).execute(sa.select(table))
        for batch in rows.mappings().partitions():
            target.execute(sa.insert(table), [dict(row) for row in batch])
