"""Examines a database before anything is written to it: does it belong to this program, is it
intact, and is it not from a newer version?

A SQLite file is opened read-only, so that one that cannot be used stays unchanged.
"""

import sqlite3
import time
from collections.abc import Collection, Set
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from lambent.store.problems import StoreError
from lambent.store.schema import MARKS, RELEASE, Marks, is_usable, marks_of
from lambent.store.tables import metadata

_CHECK_S = 5.0
"""Seconds. A file that takes longer to read is accepted unread."""
_STEPS = 100_000
_NOT_DAMAGED = ("unable to open", "locked", "readonly")
_LANDMARKS = frozenset({"functions", "function_versions"})


def is_new_file(path: Path, revisions: Collection[str]) -> bool:
    """Whether a SQLite file is empty or missing. `revisions` are those this code knows, the last
    one first. Raises StoreError if the file cannot be used."""
    where = f"the database {path}"
    if not path.exists():
        return True
    if not path.is_file():
        raise StoreError(f"cannot read {where}: it is no file")
    # If there is no log, SQLite can read the database without creating a file next to it.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=10)
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            revision = None
            if "alembic_version" in tables:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
                revision = None if row is None else str(row[0])
            marks = None
            if "platform" in tables:
                connection.row_factory = sqlite3.Row
                row = connection.execute(MARKS).fetchone()
                marks = None if row is None else marks_of(dict(row))
                connection.row_factory = None
            is_new = _judge(where, tables, revision, revisions, marks)
            if tables and not is_new:
                _check_pages(connection)
            elif tables:
                raise _foreign(where, tables)
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if any(text in str(error) for text in _NOT_DAMAGED):
            raise StoreError(f"cannot read {where}: {error}") from error
        raise damaged(where, error) from error
    return is_new


def is_new_database(where: str, connection: sa.Connection, revisions: Collection[str]) -> bool:
    """As `is_new_file`, for a PostgreSQL database. It may contain tables of other programs."""
    tables = set(sa.inspect(connection).get_table_names())
    revision, marks = None, None
    if "alembic_version" in tables:
        revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if "platform" in tables:
        row = connection.execute(sa.text(MARKS)).mappings().first()
        marks = None if row is None else marks_of({**row})
    return _judge(where, tables, revision, revisions, marks)


def damaged(where: str, error: object) -> StoreError:
    """The error message for a database that cannot be read."""
    return StoreError(
        f"{where} is damaged ({error}). Nothing was changed. Move the file away and restore a"
        " backup (lambent restore; see docs/backup.md), or save what can be read with the sqlite3"
        " program's .recover command"
    )


def _judge(
    where: str,
    tables: Set[str],
    revision: str | None,
    revisions: Collection[str],
    marks: Marks | None,
) -> bool:
    """Whether it is new. Raises StoreError unless it is new or belongs to this program."""
    if revision is None:
        if tables & {*metadata.tables, "alembic_version"}:
            raise _foreign(where, tables)
        return True
    if revision in revisions or is_usable(marks, revisions, RELEASE):
        return False
    if not tables >= _LANDMARKS:
        raise _foreign(where, tables)
    raise StoreError(
        f"{where} was used by a newer lambent: its tables are of revision {revision}, this one"
        f" knows them up to {max(revisions)}. Nothing was changed. Install the newer version again,"
        " or restore a backup that was made before"
    )


def _foreign(where: str, tables: Set[str]) -> StoreError:
    some = ", ".join(sorted(tables)[:3])
    return StoreError(
        f"{where} belongs to another program: it has the tables {some}. Nothing was changed. Name"
        " another with store.url"
    )


def _check_pages(connection: sqlite3.Connection) -> None:
    """Read the whole file, within the time limit. Raises DatabaseError if its structure is
    broken."""
    ends_at = time.monotonic() + _CHECK_S
    connection.set_progress_handler(lambda: int(time.monotonic() > ends_at), _STEPS)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return
    if found != "ok":
        raise sqlite3.DatabaseError(" ".join(str(found).split()))
