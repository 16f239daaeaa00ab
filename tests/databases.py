"""Databases for tests: SQLite's is a file, PostgreSQL's is in a server of the tests' own."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from lambent.store.settings import StoreSettings

_TIMEOUT_S = 300
"""For what the server does; on a busy host stopping alone has taken most of a minute."""


class PostgreSql:
    """A PostgreSQL server that listens on a socket in its own directory only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
        self._run("initdb", "-D", str(directory / "data"), "-A", "trust", "-U", "postgres", "-N")
        # Tests kill platforms, never the server, so it need not flush to disk.
        options = f"-k {directory} -c listen_addresses='' -c fsync=off"
        self._run(
            *("pg_ctl", "start", "-w", "-D", str(directory / "data")),
            *("-o", options, "-l", str(directory / "log")),
        )

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"lambent_{uuid.uuid4().hex[:12]}"
        self._run("createdb", "-h", str(self._directory), "-U", "postgres", name)
        return f"postgresql+psycopg://postgres@/{name}?host={self._directory}"

    def end_connections(self, url: str) -> None:
        """End all connections to a database, as the server's operator may."""
        name = str(sa.make_url(url).database)
        query = (
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname='{name}'"
        )
        self._run("psql", "-h", str(self._directory), "-U", "postgres", "-c", query)

    def stop(self) -> None:
        """End it, whatever is connected."""
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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """One server for all tests."""
    # In a place that the server's user and the platform's may enter, which /tmp is not: the
    # platform has one of its own. And with a path short enough for a socket.
    directory = Path(tempfile.mkdtemp(prefix="lambent-pg-", dir="/var/tmp"))
    directory.chmod(0o711)
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    server = PostgreSql(directory)
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Callable[..., StoreSettings]:
    """Makes settings of one database, empty at first, of each kind; further fields may be given."""
    fields: dict[str, str] = {}
    if request.param == "postgresql":
        fields["url"] = request.getfixturevalue("postgresql").new_database()
    return lambda **more: StoreSettings(**fields, **more)
