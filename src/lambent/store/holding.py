"""Ensures that only one platform at a time uses a database.

A SQLite file is held by a lock on a file next to it; a PostgreSQL database by an advisory lock of
the session that writes. The lock ends with its process, and nothing is written without it. Both
kinds store who holds the database, so that a second platform can name the first. Platforms that
share a PostgreSQL database (`store.shared`) take the lock in shared mode.
"""

import dataclasses
import fcntl
import json
import os
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from lambent.kit.clock import Clock
from lambent.store.problems import StoreError, StoreHeld

LOCK_ID = 0x6C616D62656E74
"""The number of PostgreSQL's advisory lock; its value has no meaning."""
MIGRATION_LOCK_ID = LOCK_ID + 1
"""The number of the lock that migrations take."""
START_LOCK_ID = LOCK_ID + 2
"""The number of the lock that a platform takes while it counts its start."""
RUNNING = 0x6C616D62
"""Combined with the count of a platform's start: the lock that the platform holds while it runs."""
_PATIENCE, _PATIENCE_AGAIN = "5s", "1s"
"""Seconds. A server needs a moment to notice that the previous holder is gone; transactions wait
for it."""
_STATEMENT_MS = 6000
_ANSWER_S, _ANSWER_S_STOPPING = 8.0, 2.0
_CONNECT_S_AT_START, _CONNECT_S, _CONNECT_S_STOPPING = 10, 3, 2
"""Seconds; a little more than a statement may take. After that the server is unreachable."""


class _Silent(psycopg.OperationalError):
    """The server does not respond."""


class HeldConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server does not respond for too long. Keep-alives do
    not detect a server that hangs, nor a proxy whose other side is gone."""

    hold: "SessionHold | None" = None
    """Returns the time limit; None means none, because migrations and a start may take long."""

    def wait(self, gen: Any, *args: Any, **more: Any) -> Any:
        """See psycopg: it waits for the server here, and wakes up every 0.1 s."""
        hold = self.hold
        try:
            return super().wait(gen if hold is None else _within(gen, hold), *args, **more)
        except _Silent:
            self.pgconn.finish()
            raise

    def bound(self, hold: "SessionHold") -> None:
        """Limit waiting, and the duration of statements, to `hold` from now on."""
        self.execute(f"SET statement_timeout = {_STATEMENT_MS}")
        self.hold = hold


def _within(gen: Any, hold: "SessionHold") -> Generator[Any, Any, Any]:
    """Run `gen` for as long as the server responds in time."""
    began = time.monotonic()
    try:
        asks = next(gen)
        while True:
            ready = yield asks
            if not ready and time.monotonic() - began > hold.answer_s:
                raise _Silent(f"no answer within {hold.answer_s:g} s")
            asks = gen.send(ready)
    except StopIteration as end:
        return end.value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a database."""

    host: str
    pid: int
    data_dir: str
    since: str
    """Date and time, UTC."""

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host}, with the data directory {self.data_dir},"
            f" since {self.since}"
        )


def this_platform(data: Path, clock: Clock) -> Holder:
    """How this process describes itself; its state is in the directory `data`."""
    since = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Holder(
        host=socket.gethostname(), pid=os.getpid(), data_dir=str(data.parent), since=since
    )


def hold_file(database: Path, holder: Holder, *, is_shared: bool = False) -> int:
    """Hold a SQLite file, perhaps together with other cells; returns a descriptor to close when
    done. Raises StoreHeld, or StoreError if the lock file cannot be created."""
    path = database.with_name(f"{database.name}.lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(f"cannot use the database {database}: {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        first = _described(os.pread(lock, 4096, 0))
        os.close(lock)
        raise _held(f"the database {database}", first) from error
    os.truncate(lock, 0)
    os.pwrite(lock, json.dumps(dataclasses.asdict(holder)).encode(), 0)
    return lock


class WriteTurns:
    """The turns of cells that write to one SQLite file. SQLite itself makes a writer sleep and look
    again, for up to 0.1 s, so a busy one could keep others waiting for seconds; the kernel wakes up
    who waits for a lock. A cell that is stopped in its turn is ended by its supervisor."""

    def __init__(self, database: Path) -> None:
        """Raises StoreError."""
        path = database.with_name(f"{database.name}.turn")
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._lock = os.open(path, flags, 0o600)
        except OSError as error:
            raise StoreError(f"cannot use {path}: {error.strerror}") from error

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this cell's turn; it ends with the context. Blocks. Not for several threads."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Call once."""
        os.close(self._lock)


class SessionHold:
    """Holds a PostgreSQL database on each connection that is made."""

    def __init__(self, where: str, holder: Holder, *, is_shared: bool = False) -> None:
        self.is_shared = is_shared
        """Whether it admits other platforms that share the database."""
        self._where = where
        self._holder = holder
        self._turn: int | None = None
        self._is_bounded = False
        self.answer_s = _ANSWER_S
        """Seconds within which a server must respond."""
        self.connect_s = _CONNECT_S_AT_START
        """The same, for a new connection."""

    def note_stopping(self) -> None:
        """Wait less: the platform is about to end."""
        self.answer_s = _ANSWER_S_STOPPING
        self.connect_s = _CONNECT_S_STOPPING

    def take(self, connection: HeldConnection) -> None:
        """Hold the database on a new connection. Raises StoreHeld if another platform holds it, or
        has held it since this one did; StoreError if the connection leads to a pooler."""
        self._check_session(connection)
        try:
            with connection.transaction():
                patience = _PATIENCE if self._turn is None else _PATIENCE_AGAIN
                connection.execute(f"SET LOCAL lock_timeout = '{patience}'")
                way = "_shared" if self.is_shared else ""
                connection.execute(f"SELECT pg_advisory_lock{way}({LOCK_ID})".encode())
        except psycopg.errors.LockNotAvailable as error:
            first = self._first(connection)
            if self._turn is not None and first == str(self._holder):
                raise StoreError(
                    f"the server of {self._where} has not noticed yet that its last connection to"
                    " this platform broke"
                ) from error
            raise _held(self._where, first) from error
        if self._turn is not None:
            which = b"last_alone" if self.is_shared else b"starts"
            with connection.transaction():
                row = connection.execute(b"SELECT " + which + b" FROM platform").fetchone()
                connection.execute(f"SELECT pg_advisory_lock({RUNNING}, {self._turn})".encode())
            if row is None or row[0] > self._turn:
                raise StoreHeld(
                    f"{self._where} was used by another platform while this one had lost its"
                    " connection: this one ends, so that no event is handled by both"
                )
        self.limit(connection)

    def _check_session(self, connection: HeldConnection) -> None:
        """Poolers invent the process id that clients get, and may run each transaction in another
        session, where the locks of this one are not held."""
        with connection.transaction():
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
        if row is None or row[0] != connection.info.backend_pid:
            raise StoreError(
                f"cannot use {self._where}: a connection pooler, such as PgBouncer, is in between."
                " Locks and notifications need sessions of the server itself: name its address in"
                " store.url"
            )

    def limit(self, connection: HeldConnection) -> None:
        """Limit waiting on a new connection to `answer_s`, if the limit is already in force."""
        if self._is_bounded:
            with connection.transaction():
                connection.bound(self)

    def begin_turn(self, connection: sa.Connection, starts: int) -> None:
        """Record who holds the database, once this platform has started."""
        document = json.dumps(dataclasses.asdict(self._holder))
        connection.execute(
            sa.text("UPDATE platform SET holder = CAST(:it AS JSON)"), {"it": document}
        )
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({RUNNING}, {starts})")
        self._turn = starts

    def bound(self, connection: sa.Connection) -> None:
        """Limit waiting to `answer_s` from now on, on this connection and later ones."""
        raw = connection.connection.dbapi_connection
        if isinstance(raw, HeldConnection):
            self._is_bounded = True
            self.connect_s = _CONNECT_S
            raw.bound(self)

    @staticmethod
    def _first(connection: psycopg.Connection[Any]) -> str:
        try:
            with connection.transaction():
                row = connection.execute("SELECT CAST(holder AS TEXT) FROM platform").fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
        return _described((row[0] or "").encode() if row else b"")


def _described(document: bytes) -> str:
    try:
        return str(Holder(**json.loads(document)))
    except (ValueError, TypeError):
        return "which did not say who it is"


def _held(place: str, first: str) -> StoreHeld:
    return StoreHeld(
        f"{place} is already in use by another lambent: {first}. Stop that one, or give this one a"
        " database of its own (store.url)"
    )
