"""What cannot be made again is not lost by a mistake: a database that is gone, broken or shared."""

import base64
import concurrent.futures
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import forking
from tests.databases import PostgreSql
from tests.platforms import publish_layer

from .conftest import PYTHON, Platform, deploy, invoke, wait_active, wait_for, zip_of

ECHO = "def handler(e, c): return e"
KEEP = """
import os
def handler(e, c):
    if not isinstance(e, list):
        return os.environ.get("SEEN", "")
    raise RuntimeError("later")
"""


def refused(data_dir: Path, **environment: str) -> str:
    """Start a platform that must not start; returns its message, a sentence or two."""
    done = forking.run(
        [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(data_dir)],
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
    return {entry.name for entry in directory.iterdir() if not entry.name.startswith(".")}


@pytest.mark.timeout(240)
def test_a_lost_database_costs_no_package(start_platform: Callable[..., Platform]) -> None:
    """Gone, empty, broken or another's: the platform does not start, says what to do, and nothing
    is changed. With the database back in its place everything works."""
    first = start_platform()
    deploy(first.client("lambda"), "kept", {"app.py": ECHO})
    assert first.stop() == 0
    state = first.data_dir / "state"
    database, away = state / "lambent.db", state / "away"
    away.mkdir()
    kept = packages(state / "blobs")
    assert len(kept) == 1
    for file in state.glob("lambent.db*"):
        file.rename(away / file.name)
    assert "restore a backup" in refused(first.data_dir)
    database.unlink()
    database.write_bytes(b"")
    assert "this one is new" in refused(first.data_dir)
    database.write_bytes(b"\0" * 100 + (away / database.name).read_bytes()[100:])
    said = refused(first.data_dir)
    assert f"{database} is damaged" in said
    assert "lambent restore" in said
    assert packages(state / "blobs") == kept
    for left in state.glob("lambent.db*"):
        left.unlink()
    for file in away.iterdir():
        file.rename(state / file.name)
    again = start_platform(first.data_dir)
    assert invoke(again.client("lambda"), "kept", "here")[0] == "here"


@pytest.mark.timeout(240)
def test_database_and_packages_elsewhere(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """Both may be outside of the data directory, in directories that are created; large events are
    next to the packages. Another platform is refused, and the message names the first."""
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
    """The server ends a platform's connection and another platform takes the database: the first
    ends within seconds, with a message and without finishing what it cannot store."""
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
    said = first.process.stdout.read().strip().splitlines()[-1]
    assert said.startswith("lambent: ")
    assert "another" in said
    assert invoke(second.client("lambda"), "kept", 1)[0] == 1


def test_packages_in_an_object_store_are_refused(tmp_path: Path) -> None:
    """With a sentence, rather than a directory of that name."""
    said = refused(tmp_path / "data", LAMBENT_STORE__BLOBS_DIR="s3://bucket/blobs")
    assert "not supported" in said


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands directories over")
@pytest.mark.parametrize("setting", ["STORE__URL=sqlite:///{}/it.db", "STORE__BLOBS_DIR={}"])
def test_places_among_other_things_are_refused(tmp_path: Path, setting: str) -> None:
    """Root does not change the owner of a directory that contains other files."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "letter").write_text("mine")
    name, value = setting.format(tmp_path / "shared").split("=")
    said = refused(tmp_path / "data", **{f"LAMBENT_{name}": value})
    assert "directories of their own" in said
    assert (tmp_path / "shared" / "letter").stat().st_uid == 0
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) != 0o700


LAZY = """
import time
def handler(e, c):
    time.sleep(e)
    import late
    return late.WORD
"""


def test_code_that_was_replaced_is_freed(platform: Platform, lambda_client: Any) -> None:
    """Soon, while the platform runs, but not before the last environment that may still read it has
    ended. Deleting the function frees the rest, including a layer's and bytecode."""
    layer = publish_layer(lambda_client, "freed", {"python/other.py": "WORD = 'layer'"})
    second = publish_layer(lambda_client, "freed2", {"python/more.py": "WORD = 'more'"})
    bulk = {f"m{n}.py": f"X{n} = {n}\n" * 500 for n in range(10)}

    def directories() -> set[str]:
        return {name.partition(".")[0] for name in os.listdir(platform.data_dir / "code")}

    def files(word: str) -> dict[str, str]:
        return {"app.py": LAZY, "late.py": f"WORD = {word!r}", **bulk}

    before = directories()
    deployed = deploy(lambda_client, "lazy", files("one"), Layers=[layer, second])
    first = base64.b64decode(deployed["CodeSha256"]).hex()
    assert invoke(lambda_client, "lazy", 0)[0] == "one"
    assert len(directories() - before) == 4
    assert (platform.data_dir / "code" / f"{first}.{PYTHON}").is_dir()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        running = thread.submit(invoke, lambda_client, "lazy", 5)
        time.sleep(0.5)  # noqa: TID251 - lets the handler begin
        lambda_client.update_function_code(FunctionName="lazy", ZipFile=zip_of(files("two")))
        wait_active(lambda_client, "lazy")
        assert invoke(lambda_client, "lazy", 0)[0] == "two"
        time.sleep(3)  # noqa: TID251 - longer than freeing waits
        assert first in directories()
        assert running.result(30)[0] == "one"
    wait_for(lambda: first not in directories(), "the end of the replaced code")
    lambda_client.delete_function(FunctionName="lazy")
    for name in ("freed", "freed2"):
        lambda_client.delete_layer_version(LayerName=name, VersionNumber=1)
    wait_for(lambda: not directories() - before, "the end of all that was deleted")
