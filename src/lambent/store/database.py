"""The only module that knows which kind of database is used.

Either kind has one connection for writers and several for readers. SQLite runs in WAL mode, so
readers and the writer do not wait for each other; writers begin with `BEGIN IMMEDIATE`. On
PostgreSQL the writers' connection also holds the database (see `holding.py`). Everything else is
portable SQL.
"""

import functools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.conninfo import make_conninfo

from lambent.store.holding import HeldConnection, SessionHold
from lambent.store.problems import StoreError
from lambent.store.schema import RELEASE, Marks, lock_schema, mark
from lambent.store.settings import StoreSettings
from lambent.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 10_000
_LOCK_TIMEOUT_MS = 5_000
_NEW_S = 3
"""Seconds for a new connection."""
READERS = 4
"""Connections for readers."""
KEEP_ALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""With these, either side notices within half a minute that the other host is gone."""


def url_of(settings: StoreSettings, data: Path) -> sa.URL:
    """The URL of the database: by default a file in `data`. Raises StoreError if it is not
    usable."""
    try:
        url = sa.make_url(settings.url or f"sqlite:///{data / 'lambent.db'}")
    except sa.exc.ArgumentError as error:
        raise StoreError("cannot use store.url: it is no SQLAlchemy URL") from error
    if url.get_backend_name() == "sqlite":
        return url
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise StoreError(
            f"cannot use a {url.drivername} database: store.url must be sqlite or postgresql"
        )
    return url.set(drivername="postgresql+psycopg")


def file_of(url: sa.URL) -> Path | None:
    """The file of a SQLite database; None for others, and for one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()


def name_of(url: sa.URL) -> str:
    """The database's name in messages, without its password."""
    return f"the database {file_of(url) or url.render_as_string(hide_password=True)}"


@asynccontextmanager
async def open_session(url: sa.URL) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection of its own to a PostgreSQL database, without transactions. Unlike psycopg's own
    context manager, it is closed at once when its task is cancelled. Raises `psycopg.Error`."""
    connection = await psycopg.AsyncConnection.connect(_connection_info(url), autocommit=True)
    try:
        yield connection
    finally:
        connection.pgconn.finish()


def _connection_info(url: sa.URL) -> str:
    """The connection string of a PostgreSQL database, for psycopg itself. It may have several
    servers."""
    _, arguments = url.get_dialect()().create_connect_args(url)
    return make_conninfo("", **{**arguments, "connect_timeout": _NEW_S, **KEEP_ALIVES})


class Engines(NamedTuple):
    """Connections to one database."""

    writing: sa.Engine
    """One connection; on PostgreSQL it holds the database."""
    reading: sa.Engine
    """Several; the same engine as `writing` if the database is in memory."""

    def dispose(self) -> None:
        """Close them all."""
        self.reading.dispose()
        self.writing.dispose()


def connect_both(settings: StoreSettings, data: Path, hold: SessionHold) -> Engines:
    """As `connect`, with connections for readers as well."""
    writing = connect(settings, data, hold)
    url = url_of(settings, data)
    if url.get_backend_name() == "postgresql":
        return Engines(writing, _connect_postgresql(url, settings.synchronous, hold, reads=True))
    if file_of(url) is None:
        return Engines(writing, writing)
    return Engines(writing, _connect_sqlite(url, settings.synchronous, reads=True))


def connect(settings: StoreSettings, data: Path, hold: SessionHold | None = None) -> sa.Engine:
    """An engine for the configured database, with one connection. `hold` holds a PostgreSQL
    database for as long as the engine is used. Raises StoreError if the settings are not valid."""
    if settings.synchronous not in ("FULL", "NORMAL", "OFF", "EXTRA"):
        raise StoreError(f"cannot use store.synchronous = {settings.synchronous!r}")
    url = url_of(settings, data)
    if url.get_backend_name() == "postgresql":
        return _connect_postgresql(url, settings.synchronous, hold)
    return _connect_sqlite(url, settings.synchronous)


def _connect_sqlite(url: sa.URL, synchronous: str, *, reads: bool = False) -> sa.Engine:
    arguments = {"check_same_thread": False}
    if reads:
        engine = sa.create_engine(
            url,
            poolclass=sa.QueuePool,
            pool_size=READERS,
            max_overflow=0,
            connect_args=arguments,
            hide_parameters=True,
        )
    else:
        engine = sa.create_engine(
            url, poolclass=sa.StaticPool, connect_args=arguments, hide_parameters=True
        )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The platform begins transactions itself; the driver's default would not cover reads.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        if reads:
            connection.execute("PRAGMA query_only=ON")
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _connect_postgresql(
    url: sa.URL, synchronous: str, hold: SessionHold | None, *, reads: bool = False
) -> sa.Engine:
    options = {
        "connect_timeout": 10,
        **KEEP_ALIVES,
        "options": f"-c lock_timeout={_LOCK_TIMEOUT_MS}"
        " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
        f" -c synchronous_commit={'off' if synchronous == 'OFF' else 'on'}"
        f" -c default_transaction_read_only={'on' if reads else 'off'}",
    }
    if reads and url.query.get("target_session_attrs") == "read-write":
        # Sessions of readers are read-only by themselves.
        url = url.update_query_dict({"target_session_attrs": "primary"})
    engine = sa.create_engine(
        url,
        pool_size=READERS if reads else 1,
        max_overflow=0,
        pool_pre_ping=True,
        # Reads of one transaction see the same state.
        isolation_level="REPEATABLE READ" if reads else "READ COMMITTED",
        connect_args=options,
        # Errors are logged, and parameters may be secrets.
        hide_parameters=True,
    )
    if hold is not None:

        @sa.event.listens_for(engine, "do_connect")
        def make(_dialect: object, _record: object, cargs: Any, cparams: Any) -> HeldConnection:
            cparams["connect_timeout"] = hold.connect_s
            return HeldConnection.connect(*cargs, **cparams)

        @sa.event.listens_for(engine, "connect")
        def take(connection: Any, _record: object) -> None:
            try:
                if reads:
                    hold.limit(connection)
                else:
                    hold.take(connection)
            except BaseException:
                connection.close()  # The pool would drop it without closing it.
                raise

    return engine


@functools.cache
def _scripts() -> ScriptDirectory:
    """The migrations; to load them takes longer than to create the tables."""
    return ScriptDirectory.from_config(_config())


def revisions() -> list[str]:
    """The revisions of tables that this code knows, the last one first."""
    return [entry.revision for entry in _scripts().walk_revisions()]


@functools.cache
def _sqlite_statements() -> tuple[str, ...]:
    """What creates the tables and indexes of this code in SQLite."""
    statements: list[str] = []

    def keep(statement: Any, *_: object) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine("sqlite://", keep)
    metadata.create_all(engine, checkfirst=False)
    return tuple(statements)


def usable_from() -> str:
    """The revision that code must know to use the tables of this code; see `schema.py`."""
    (revision,) = _scripts().get_heads()
    while suits_previous_release(revision):
        revision = str(_scripts().get_revision(revision).down_revision)
    return revision


def suits_previous_release(revision: str) -> bool:
    """Whether the release before a migration can use the tables after it."""
    module = _scripts().get_revision(revision).module
    return bool(getattr(module, "suits_previous_release", False))


Admits = Callable[[sa.Connection, Sequence[str]], bool]
"""Decides within the transaction that migrates: see `schema.Company.admits`."""


def migrate(engine: sa.Engine, revision: str = "head", *, admits: Admits = lambda *_: True) -> bool:
    """Migrate the database's tables to the revision this code expects, or to another one, forward
    or backward. Tables of a later release stay as they are. A new SQLite database gets the tables
    of this code at once, which is a quarter of the work of all migrations. Returns False, with
    nothing changed, if `admits` does."""
    with engine.begin() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:  # Two platforms may start at once.
            lock_schema(connection, is_shared=False)
        if revision == "head":
            context = MigrationContext.configure(connection)
            heads = context.get_current_heads()
            coming = _coming(heads)
            if heads and not admits(
                connection, [r for r in coming if not suits_previous_release(r)]
            ):
                return False
            if not coming:
                return True
            if is_sqlite and not heads:
                for statement in _sqlite_statements():
                    connection.exec_driver_sql(statement)
                context.stamp(_scripts(), revision)
                return True
        migrate_within(connection, revision)
        if revision == "head":
            mark(connection, Marks(usable_from(), RELEASE))
    return True


def is_current(connection: sa.Connection) -> bool:
    """Whether the tables are those that this code makes."""
    heads = MigrationContext.configure(connection).get_current_heads()
    return heads == tuple(_scripts().get_heads())


def _coming(heads: tuple[str, ...]) -> Sequence[str]:
    """The revisions that tables of this revision lack; none if they are of a later release."""
    known = revisions()
    if not heads:
        return known
    (head,) = heads
    return known[: known.index(head)] if head in known else ()


def migrate_within(connection: sa.Connection, revision: str = "head") -> None:
    """As `migrate`, as a part of the caller's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    if revision == "head":
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
