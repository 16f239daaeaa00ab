"""The one place that knows which database it is.

SQLite runs in WAL mode on one connection; transactions begin with `BEGIN IMMEDIATE` so that
two of them never deadlock upgrading a read lock. PostgreSQL's begin with one lock for all, so
that transactions of several platforms on one database do not overlap either. Everything else is
portable SQL.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from lambent.store.settings import StoreSettings

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 10_000
_LOCK_TIMEOUT_MS = 30_000
_LOCK_ID = 0x6C616D62656E74
"""Of PostgreSQL's advisory lock; any number will do."""


def connect(settings: StoreSettings, data: Path) -> sa.Engine:
    """An engine for the configured database."""
    if settings.synchronous not in ("FULL", "NORMAL", "OFF", "EXTRA"):
        raise ValueError(f"cannot use store.synchronous = {settings.synchronous!r}")
    url = sa.make_url(settings.url or f"sqlite:///{data / 'lambent.db'}")
    if url.get_backend_name() == "postgresql":
        return _connect_postgresql(url, settings.synchronous)
    if url.get_backend_name() != "sqlite":
        raise ValueError(
            f"cannot use a {url.get_backend_name()} database: store.url must be sqlite or"
            " postgresql+psycopg"
        )
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


def _connect_postgresql(url: sa.URL, synchronous: str) -> sa.Engine:
    engine = sa.create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            "options": f"-c lock_timeout={_LOCK_TIMEOUT_MS}"
            f" -c synchronous_commit={'off' if synchronous == 'OFF' else 'on'}",
        },
    )

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_ID})")

    return engine


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the database's tables up to what this version of the code expects, or to another
    revision, forward or back."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        if revision == "head":
            command.upgrade(config, revision)
        else:
            command.downgrade(config, revision)
