"""Databases for tests: SQLite's is a file, PostgreSQL's is in a server of the tests' own."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from lambent.store.settings import StoreSettings
from tests.servers.processes import free_port

_TIMEOUT_S = 300
"""For what the server does; on a busy host stopping alone has taken most of a minute."""


class PostgreSql:
    """A PostgreSQL server that listens on a socket in its own directory only, or on a port of
    loopback besides."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self._directory = directory
        self._port = port
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
        self._run("initdb", "-D", str(directory / "data"), "-A", "trust", "-U", "postgres", "-N")
        self.start()

    def start(self) -> None:
        """Start it, as it does at first by itself."""
        # Nothing ends the machine, so it need not flush to disk.
        options = f"-k {self._directory} -c fsync=off"
        options += " -c listen_addresses="
        options += "''" if self._port is None else f"127.0.0.1 -c port={self._port}"
        self._run(
            *("pg_ctl", "start", "-w", "-D", str(self._directory / "data")),
            *("-o", options, "-l", str(self._directory / "log")),
        )

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"lambent_{uuid.uuid4().hex[:12]}"
        self._run("createdb", *self._client, name)
        port = "" if self._port is None else f"&port={self._port}"
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}{port}"

    def new_database_at(self, port: int) -> str:
        """The URL of an empty database behind another port of loopback."""
        name = str(sa.make_url(self.new_database()).database)
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name}"

    @property
    def port(self) -> int:
        """Of loopback."""
        assert self._port is not None
        return self._port

    @property
    def _client(self) -> list[str]:
        port = [] if self._port is None else ["-p", str(self._port)]
        return ["-h", str(self._directory), "-U", "postgres", *port]

    def end_connections(self, url: str) -> None:
        """End all connections to a database, as the server's operator may."""
        name = str(sa.make_url(url).database)
        query = (
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname='{name}'"
        )
        self._run("psql", *self._client, "-c", query)

    def stop(self) -> None:
        """End it at once, whatever is connected."""
        self._run(
            "pg_ctl", "stop", "-t", "240", "-m", "immediate", "-D", str(self._directory / "data")
        )

    def _run(self, program: str, *arguments: str) -> None:
        """It refuses to be root's."""
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


@contextmanager
def running_postgresql(port: int | None = None) -> Iterator[PostgreSql]:
    """A server, until the context ends."""
    # In a place that the server's user and the platform's may enter, which /tmp is not: the
    # platform has one of its own. And with a path short enough for a socket.
    directory = Path(tempfile.mkdtemp(prefix="lambent-pg-", dir="/var/tmp"))
    directory.chmod(0o711)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    server = PostgreSql(directory, port)
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
    """A server of the test's own, on a port of loopback."""
    with running_postgresql(free_port()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Callable[..., StoreSettings]:
    """Makes settings of one database, empty at first, of each kind; further fields may be given."""
    fields: dict[str, str] = {}
    if request.param == "postgresql":
        fields["url"] = request.getfixturevalue("postgresql").new_database()
    return lambda **more: StoreSettings(**fields, **more)
