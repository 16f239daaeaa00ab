"""The one place that knows which database it is.

SQLite runs in WAL mode on one connection; transactions begin with `BEGIN IMMEDIATE` so that
two of them never deadlock upgrading a read lock. PostgreSQL is used by one connection, too, which
holds the database against other platforms (see `holding.py`). Everything else is portable SQL.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from lambent.store.holding import HeldConnection, SessionHold
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 10_000
_LOCK_TIMEOUT_MS = 5_000


def url_of(settings: StoreSettings, data: Path) -> sa.URL:
    """Where the database is: by default a file in `data`. Raises StoreError if it can be none."""
    try:
        url = sa.make_url(settings.url or f"sqlite:///{data / 'lambent.db'}")
    except sa.exc.ArgumentError as error:
        raise StoreError("cannot use store.url: it is no SQLAlchemy URL") from error
    if url.get_backend_name() == "sqlite":
        return url
    if url.drivername != "postgresql+psycopg":
        raise StoreError(
            f"cannot use a {url.drivername} database: store.url must be sqlite or"
            " postgresql+psycopg"
        )
    return url


def file_of(url: sa.URL) -> Path | None:
    """The file of a SQLite database; None for others, and for one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()


def name_of(url: sa.URL) -> str:
    """What messages call the database; without its password."""
    return f"the database {file_of(url) or url.render_as_string(hide_password=True)}"


def connect(settings: StoreSettings, data: Path, hold: SessionHold | None = None) -> sa.Engine:
    """An engine for the configured database. `hold` holds one of PostgreSQL for as long as the
    engine is used. Raises StoreError if settings do not fit."""
    if settings.synchronous not in ("FULL", "NORMAL", "OFF", "EXTRA"):
        raise StoreError(f"cannot use store.synchronous = {settings.synchronous!r}")
    url = url_of(settings, data)
    if url.get_backend_name() == "postgresql":
        return _connect_postgresql(url, settings.synchronous, hold)
    engine = sa.create_engine(
        url,
        poolclass=sa.StaticPool,
        connect_args={"check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # We begin transactions ourselves; the driver's own habit would not cover reads.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={settings.synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _connect_postgresql(url: sa.URL, synchronous: str, hold: SessionHold | None) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            # With keep-alives either side lets go of a host that is gone within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "options": f"-c lock_timeout={_LOCK_TIMEOUT_MS}"
            " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
            f" -c synchronous_commit={'off' if synchronous == 'OFF' else 'on'}",
        },
    )
    if hold is not None:

        @sa.event.listens_for(engine, "do_connect")
        def make(_dialect: object, _record: object, cargs: Any, cparams: Any) -> HeldConnection:
            cparams["connect_timeout"] = hold.connect_s
            return HeldConnection.connect(*cargs, **cparams)

        @sa.event.listens_for(engine, "connect")
        def take(connection: Any, _record: object) -> None:
            try:
                hold.take(connection)
            except BaseException:
                connection.close()  # The pool would forget it, open.
                raise

    return engine


def revisions() -> list[str]:
    """The revisions of tables that this code knows."""
    return [one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()]


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the database's tables up to what this version of the code expects, or to another
    revision, forward or back."""
    with engine.begin() as connection:
        migrate_within(connection, revision)


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
