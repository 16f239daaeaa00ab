"""What cannot be made again is not lost by a mistake: a database that is gone, broken or shared."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.databases import PostgreSql

from .conftest import Platform, deploy, invoke, wait_for

ECHO = "def handler(e, c): return e"
KEEP = """
import os
def handler(e, c):
    if not isinstance(e, list):
        return os.environ.get("SEEN", "")
    raise RuntimeError("later")
"""


def refused(data_dir: Path, **environment: str) -> str:
    """Start a platform that must not start; gives what it says, a sentence or two."""
    done = subprocess.run(
        [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert "ready at" not in said
    lines = [line for line in said.splitlines() if line.startswith("lambent: ")]
    assert len(lines) == 1, said
    return lines[0]


def packages(directory: Path) -> set[str]:
    """The blobs of a directory."""
    return {one.name for one in directory.iterdir() if not one.name.startswith(".")}


@pytest.mark.timeout(240)
def test_a_lost_database_costs_no_package(start_platform: Callable[..., Platform]) -> None:
    """Gone, empty, broken or another's: the platform does not start, says what to do, and nothing
    is changed. With the database back in its place everything works."""
    first = start_platform()
    deploy(first.client("lambda"), "kept", {"app.py": ECHO})
    assert first.stop() == 0
    state = first.data_dir / "state"
    database, away = state / "lambent.db", state / "away"
    kept = packages(state / "blobs")
    assert len(kept) == 1
    database.rename(away)
    assert "restore a backup" in refused(first.data_dir)
    database.unlink()
    database.write_bytes(b"")
    assert "this one is new" in refused(first.data_dir)
    database.write_bytes(b"\0" * 100 + away.read_bytes()[100:])
    said = refused(first.data_dir)
    assert f"{database} is damaged" in said
    assert "lambent restore" in said
    assert packages(state / "blobs") == kept
    for left in state.glob("lambent.db*"):
        left.unlink()
    away.rename(database)
    again = start_platform(first.data_dir)
    assert invoke(again.client("lambda"), "kept", "here")[0] == "here"


@pytest.mark.timeout(240)
def test_database_and_packages_elsewhere(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """Both may be outside of the data directory, in places that are made; large events lie beside
    the packages. Whoever else comes for them is refused and told who is there."""
    blobs, database = tmp_path / "srv" / "packages", tmp_path / "srv" / "db" / "it.db"
    elsewhere = {
        "LAMBENT_STORE__BLOBS_DIR": str(blobs),
        "LAMBENT_STORE__URL": f"sqlite:///{database}",
    }
    first = start_platform(environment=elsewhere)
    client = first.client("lambda")
    deploy(client, "far", {"app.py": KEEP})
    client.invoke(
        FunctionName="far", InvocationType="Event", Payload=json.dumps(["x" * 100_000]).encode()
    )
    events = tmp_path / "srv" / "packages-events"
    assert len(packages(blobs)) == 1
    assert len(packages(events)) == 1
    assert not (first.data_dir / "state" / "blobs").exists()
    said = refused(tmp_path / "second", **elsewhere)
    assert f"process {first.process.pid} on" in said
    assert str(first.data_dir) in said
    assert first.stop() == 0
    # Another database, with the packages of the first.
    others = {"LAMBENT_STORE__BLOBS_DIR": str(blobs)}
    assert "belong to another database" in refused(tmp_path / "third", **others)
    assert len(packages(blobs)) == len(packages(events)) == 1
    again = start_platform(environment=elsewhere)
    assert invoke(again.client("lambda"), "far")[0] == ""
    assert len(packages(events)) == 1


@pytest.mark.timeout(240)
def test_two_platforms_on_one_server(
    start_platform: Callable[..., Platform], tmp_path: Path, postgresql: PostgreSql
) -> None:
    """The second names the first; after a kill of the first it may start at once."""
    shared = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__BLOBS_DIR": str(tmp_path / "packages"),
    }
    first = start_platform(environment=shared)
    deploy(first.client("lambda"), "kept", {"app.py": ECHO})
    said = refused(tmp_path / "second", **shared)
    assert f"process {first.process.pid} on" in said
    assert str(first.data_dir) in said
    first.kill()
    second = start_platform(tmp_path / "second", environment=shared)
    assert invoke(second.client("lambda"), "kept", 1)[0] == 1


@pytest.mark.timeout(240)
def test_who_lost_the_database_ends(
    start_platform: Callable[..., Platform], tmp_path: Path, postgresql: PostgreSql
) -> None:
    """The server ends a platform's connection and another platform comes first: the one before
    ends within seconds, with a sentence and without finishing what it cannot write down."""
    shared: Mapping[str, str] = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__BLOBS_DIR": str(tmp_path / "packages"),
    }
    first = start_platform(environment=shared)
    deploy(first.client("lambda"), "kept", {"app.py": ECHO})
    os.kill(first.process.pid, 19)  # SIGSTOP: as on a host that is cut off.
    postgresql.end_connections(shared["LAMBENT_STORE__URL"])
    second = start_platform(tmp_path / "second", environment=shared)
    os.kill(first.process.pid, 18)
    assert wait_for(first.process.poll, "the first one's end", deadline_s=30) == 1
    assert first.process.stdout is not None
    said = first.output + first.process.stdout.read()
    assert "lambent: " in said
    assert "already in use by another lambent" in said
    assert "Traceback" not in said
    assert invoke(second.client("lambda"), "kept", 1)[0] == 1


def test_packages_in_an_object_store_are_refused(tmp_path: Path) -> None:
    """With a sentence, rather than a directory of that name."""
    said = refused(tmp_path / "data", LAMBENT_STORE__BLOBS_DIR="s3://bucket/blobs")
    assert "not supported" in said


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands directories over")
def test_a_database_among_other_things_is_refused(tmp_path: Path) -> None:
    """Root does not give a directory away in which others keep something."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "letter").write_text("mine")
    said = refused(tmp_path / "data", LAMBENT_STORE__URL=f"sqlite:///{tmp_path}/shared/it.db")
    assert "directory of its own" in said
    assert (tmp_path / "shared" / "letter").stat().st_uid == 0
