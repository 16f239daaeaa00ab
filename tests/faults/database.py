"""A PostgreSQL server on a machine of its own."""

import os
import pwd
import subprocess
from pathlib import Path

from tests.faults.network import Network

_TIMEOUT_S = 120


class Database:
    """It is durable against the end of its processes, not of the host."""

    def __init__(self, network: Network, machine: str) -> None:
        self._network, self._machine = network, machine
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
        self._place = network.directory / machine
        self._place.mkdir(mode=0o700)
        owner = pwd.getpwnam("postgres")
        os.chown(self._place, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "postgres", "-N")
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.94.0.0/24 trust\n")
        self.start()
        self.url = f"postgresql+psycopg://postgres@{network.address(machine)}/postgres"

    @property
    def _data(self) -> Path:
        return self._place / "data"

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        options = f"-k {self._place} -c listen_addresses={self._network.address(self._machine)}"
        options += " -c fsync=off -c full_page_writes=off -c autovacuum=off -c max_connections=60"
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-o", options,
                  "-l", str(self._place / "log"))  # fmt: skip

    def stop(self, how: str) -> None:
        """`fast` ends sessions and stops; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", how)

    def table(self, name: str) -> str:
        """The rows of a table, as text."""
        command = ["psql", "-h", str(self._place), "-xc", f"SELECT now(), * FROM {name} LIMIT 20"]
        return self._run(*command, "postgres", "postgres").decode()

    def _run(self, program: str, *arguments: str) -> bytes:
        with (self._place / "output").open("w+b") as output:  # The server inherits it.
            subprocess.run(
                [*self._network.command(self._machine), "runuser", "-u", "postgres", "--",
                 str(self._bin / program), *arguments],
                check=True, stdout=output, timeout=_TIMEOUT_S, cwd=self._place,
            )  # fmt: skip
            output.seek(0)
            return output.read()
