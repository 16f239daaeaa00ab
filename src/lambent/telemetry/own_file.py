"""SQLite files beside the platform's database, for what may be lost: metrics and traces of a node.

They are not in backups, and may be deleted while the platform is stopped.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


def open_own_file(file: Path, schema: str, version: int) -> sqlite3.Connection:
    """Open a file, or create it with the tables of `schema`, which are those of a `version`. A file
    that is damaged or of another version is set aside. Raises `sqlite3.Error`. Blocks."""
    try:
        return _open(file, schema, version)
    except sqlite3.DatabaseError:
        if not file.exists():
            raise
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        file.replace(file.with_name(f"{file.name}.damaged"))
        return _open(file, schema, version)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """A cursor; what it did holds as a whole, or not at all if the context raises."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN")
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise


def _open(file: Path, schema: str, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    try:
        # What a crash loses here is seconds, never what the platform accepted.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, version):
            raise sqlite3.DatabaseError(f"it has version {found}")
        connection.executescript(schema)
        connection.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        connection.close()
        raise
    return connection
