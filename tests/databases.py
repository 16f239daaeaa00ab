"""Databases for tests: SQLite's is a file, PostgreSQL's is in a server that the tests start."""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from lambent.store.database import connect, migrate
from lambent.store.settings import StoreSettings
from lambent.store.tables import metadata
from tests.servers.processes import free_port

_TIMEOUT_S = 300
"""Seconds for the server's operations; on a busy host, stopping has taken most of a minute."""
_OURS = "tests"
"""The name of connections that the tests administer a server with."""


class PostgreSql:
    """A PostgreSQL server that listens only on a socket in its own directory, or also on a loopback
    port."""

    def __init__(
        self, directory: Path, port: int | None = None, *, primary: "PostgreSql | None" = None
    ) -> None:
        """`primary` is the server of which this one is the standby."""
        self._directory = directory
        self._port = port
        self._connections: dict[str, psycopg.Connection[Any]] = {}
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
        data = str(directory / "data")
        if primary is None:
            self._run("initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N")
        else:
            where = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
            self._run("pg_basebackup", "-D", data, "-R", "-c", "fast", "-N", *where)
        self.start()

    def start(self) -> None:
        """Start the server; the constructor does so too."""
        # The machine is not powered off, so the server need not flush to disk.
        options = f"-k {self._directory} -c fsync=off -c full_page_writes=off -c autovacuum=off"
        options += " -c wal_retrieve_retry_interval=200ms"
        options += " -c max_wal_size=8GB -c listen_addresses="
        options += "''" if self._port is None else f"127.0.0.1 -c port={self._port}"
        self._run(
            *("pg_ctl", "start", "-w", "-D", str(self._directory / "data")),
            *("-o", options, "-l", str(self._directory / "log")),
        )

    def wait_for_standbys(self) -> None:
        """From now on a commit is complete when a standby has written it, too."""
        self._execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "postgres")
        self._execute("SELECT pg_reload_conf()", "postgres")

    def promote(self) -> None:
        """The standby becomes a primary."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self._directory / "data"))

    def kill(self) -> None:
        """SIGKILL to all of its processes, as if the machine were gone."""
        noted = self._directory / "data/postmaster.pid"
        first = int(noted.read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        noted.unlink()

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"lambent_{uuid.uuid4().hex[:12]}"
        self._execute(f"CREATE DATABASE {name}", "postgres")
        port = "" if self._port is None else f"&port={self._port}"
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}{port}"

    def new_database_at(self, port: int) -> str:
        """The URL of an empty database behind another loopback port."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name_in(self.new_database())}"

    @property
    def port(self) -> int:
        """The server's loopback port."""
        assert self._port is not None
        return self._port

    @functools.cached_property
    def migrated(self) -> str:
        """The URL of the database with our tables; its users empty it afterwards."""
        url = self.new_database()
        engine = connect(StoreSettings(url=url), self._directory)
        migrate(engine)
        engine.dispose()
        return url

    def empty(self, url: str) -> None:
        """Remove all rows of a database with our tables, even if clients are connected."""
        self.end_connections(url)
        # Only those with rows: to truncate a table makes a new file for it and each of its indexes.
        filled = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in metadata.tables
        )
        if rows := self._execute(filled, name_in(url)).fetchall():
            tables = ", ".join(f'"{name}"' for (name,) in rows)
            self._execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE", name_in(url))

    def end_connections(self, url: str) -> None:
        """End all connections to a database but ours, as the server's operator may."""
        self._execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            f" WHERE datname='{name_in(url)}' AND application_name<>'{_OURS}'",
            "postgres",
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have the server run no statement meanwhile."""
        first = (self._directory / "data" / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        processes = [int(first), *map(int, children)]
        try:
            for pid in processes:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill the server, even if clients are connected."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        if not (self._directory / "data/postmaster.pid").exists():
            return
        self._run(
            "pg_ctl", "stop", "-t", "240", "-m", "immediate", "-D", str(self._directory / "data")
        )

    def _execute(self, statement: str, database: str) -> psycopg.Cursor[Any]:
        """On a connection that stays: a new one would first read about all tables."""
        connection = self._connections.get(database)
        if connection is None or connection.closed:
            connection = self._connections[database] = psycopg.connect(
                host=str(self._directory),
                port=self._port,
                user="postgres",
                dbname=database,
                autocommit=True,
                application_name=_OURS,
            )
        return connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        """PostgreSQL refuses to run as root."""
        user = "postgres" if os.geteuid() == 0 else None
        subprocess.run(
            [str(self._bin / program), *arguments],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            check=True,
            capture_output=program != "pg_ctl",
            timeout=_TIMEOUT_S,
            cwd=self._directory,
        )


def name_in(url: str) -> str:
    """The name of the database in a URL."""
    return str(sa.make_url(url).database)


@contextmanager
def running_postgresql(
    port: int | None = None, *, primary: PostgreSql | None = None
) -> Iterator[PostgreSql]:
    """A server, until the context ends; with `primary`, a standby of that."""
    # In a directory that the server's user and the platform's may enter, which /tmp is not: the
    # platform has its own. Its path must be short enough for a socket.
    directory = Path(tempfile.mkdtemp(prefix="lambent-pg-", dir="/var/tmp"))
    directory.chmod(0o711)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    server = PostgreSql(directory, port, primary=primary)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """One server for all tests that do not stop it."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSql]:
    """A server for a single test, on a loopback port."""
    with running_postgresql(free_port()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Callable[..., StoreSettings]:
    """Returns settings of an empty database of each kind; further fields may be given."""
    fields: dict[str, str] = {}
    if request.param == "postgresql":
        fields["url"] = request.getfixturevalue("postgresql").new_database()
    return lambda **more: StoreSettings(**fields, **more)


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest) -> Iterator[Callable[..., StoreSettings]]:
    """As `database`, for tests that do not depend on how tables are created: PostgreSQL's already
    exist."""
    if request.param == "sqlite":
        yield StoreSettings
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    yield partial(StoreSettings, url=server.migrated)
    server.empty(server.migrated)
