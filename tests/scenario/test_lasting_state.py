"""What was acknowledged persists, whatever happens to the process, the disk or the neighbors."""

import dataclasses
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests import forking
from tests.databases import PostgreSql

from .conftest import wait_for
from .functions_api import ROLE, package

KILLS = int(os.environ.get("LAMBENT_TEST_KILLS", "12"))
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")


class Process:
    """The control plane in a process that may be killed."""

    def __init__(self, data: Path, url: str = "") -> None:
        self.process = forking.Forked(
            [sys.executable, "-m", "tests.scenario.control_plane_process", str(data), url],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().strip()
        assert self.endpoint, "the control plane did not start"

    def client(self) -> Any:
        """A client that neither retries nor waits for long."""
        return boto3.client(
            "lambda",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="111111111111",
            aws_secret_access_key="secret",
            config=Config(
                retries={"total_max_attempts": 1}, read_timeout=20, max_pool_connections=20
            ),
        )

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(data: Path, url: str = "") -> Iterator[Any]:
    """A client of a process that is killed at the end."""
    process = Process(data, url)
    try:
        yield process.client()
    finally:
        process.kill()


@dataclasses.dataclass
class Ledger:
    """What one client knows, by function: the last response, and requests without a response."""

    acknowledged: dict[str, str | None] = dataclasses.field(default_factory=dict)
    """Name to description; None when its deletion was acknowledged."""
    asked: dict[str, set[str | None]] = dataclasses.field(default_factory=dict)


def create(client: Any, name: str, description: str, **members: Any) -> Any:
    """CreateFunction with a separate package."""
    code = {"ZipFile": package(f"{name} {description}")}
    return client.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Description=description,
        **{"Code": code, **members},
    )


def work(client: Any, prefix: str, ledger: Ledger, until: threading.Event) -> None:
    """Create, change, publish and delete functions until the process is gone."""
    chance = random.Random(prefix)
    while not until.is_set():
        name = f"{prefix}-{chance.randrange(4)}"
        description = f"{chance.randrange(1 << 30)}"
        is_there = ledger.acknowledged.get(name) is not None
        choice = chance.random()
        wanted: str | None = description
        if not is_there:
            attempt = partial(create, client, name, description)
        elif choice < 0.6:
            attempt = partial(
                client.update_function_configuration, FunctionName=name, Description=description
            )
        elif choice < 0.8:
            wanted = ledger.acknowledged[name]
            attempt = partial(client.publish_version, FunctionName=name)
        else:
            wanted = None
            attempt = partial(client.delete_function, FunctionName=name)
        ledger.asked.setdefault(name, set()).add(wanted)
        try:
            attempt()
        except ClientError as error:
            # In a state that does not allow it, or there already: nothing was done.
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 409), error
            ledger.asked[name].discard(wanted)
            continue
        except (BotoCoreError, OSError):
            return
        ledger.acknowledged[name] = wanted
        ledger.asked[name] = set()


def audit(client: Any, ledger: Ledger) -> None:
    """Nothing acknowledged is missing, nothing is half-created, and everything is usable."""
    for name in sorted(ledger.acknowledged.keys() | ledger.asked.keys()):
        possible = {ledger.acknowledged.get(name), *ledger.asked.get(name, ())}
        try:
            found = wait_for(lambda name=name: _settled(client, name), f"{name} is settled")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException"
            assert None in possible, name
            ledger.acknowledged[name] = None
        else:
            description = found["Configuration"]["Description"]
            assert description in possible, (name, description, possible)
            ledger.acknowledged[name] = description
            with urllib.request.urlopen(found["Code"]["Location"], timeout=10) as link:
                assert len(link.read()) == found["Configuration"]["CodeSize"]
            versions = client.list_versions_by_function(FunctionName=name)["Versions"]
            numbers = [version["Version"] for version in versions]
            assert numbers == ["$LATEST", *map(str, range(1, len(numbers)))]
        ledger.asked[name] = set()


def _settled(client: Any, name: str) -> Any:
    found = client.get_function(FunctionName=name)
    configuration = found["Configuration"]
    is_busy = configuration.get("LastUpdateStatus") == "InProgress"
    return None if is_busy or configuration["State"] == "Pending" else found


@pytest.mark.timeout(300)
def test_kill_9_in_the_middle(tmp_path: Path, database: Callable[..., Any]) -> None:
    """Several clients work; the process is killed at random again and again."""
    url = database().url
    chance = random.Random(1)
    ledgers = [Ledger() for _ in range(4)]
    acknowledged = 0
    for _ in range(KILLS):
        process = Process(tmp_path, url)
        client = process.client()
        for ledger in ledgers:
            audit(client, ledger)
        done = threading.Event()
        threads = [
            threading.Thread(target=work, args=(client, f"c{number}", ledger, done))
            for number, ledger in enumerate(ledgers)
        ]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.6))  # noqa: TID251 - the moment is the test's chance
        process.kill()
        done.set()
        for thread in threads:
            thread.join(60)
        acknowledged += sum(len(ledger.acknowledged) for ledger in ledgers)
    with running(tmp_path, url) as client:
        for ledger in ledgers:
            audit(client, ledger)
    assert acknowledged > KILLS


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "lambent-disk"
    disk.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "lambent-test-disk", str(disk)], check=True
    )
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.root
@ROOT
def test_a_full_disk(small_disk: Path) -> None:
    """Refused with a server error; nothing half-created; with free space it works again."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    with running(small_disk) as client:
        create(client, "first", "kept", Publish=True)
        kept, refused = 0, None
        while refused is None and kept < 200:
            try:
                bulk = package(os.urandom(60_000).hex())
                create(client, f"bulk{kept}", "x", Code={"ZipFile": bulk})
                kept += 1
            except ClientError as error:
                refused = error.response
        assert refused is not None
        # It is the database or the package that had no room.
        response = refused["ResponseMetadata"]["HTTPStatusCode"], refused["Error"]["Code"]
        assert response in {(503, "ServiceUnavailable"), (500, "ServiceException")}
        names = {function["FunctionName"] for function in client.list_functions()["Functions"]}
        assert names == {"first", *(f"bulk{number}" for number in range(kept))}
        ballast.unlink()  # A deletion must be written down, too.
        for number in range(kept):
            client.delete_function(FunctionName=f"bulk{number}")
        create(client, "later", "works")
    with running(small_disk) as client:
        ledger = Ledger({"first": "kept", "later": "works"})
        found = wait_for(lambda: _settled(client, "first"), "first is settled")
        assert found["Configuration"]["Description"] == "kept"
        assert wait_for(lambda: _settled(client, "later"), "later is settled")
        assert set(ledger.acknowledged) == {
            function["FunctionName"] for function in client.list_functions()["Functions"]
        }


@pytest.mark.root
@ROOT
def test_a_read_only_disk(small_disk: Path) -> None:
    """It does not start, says why, and changes nothing."""
    with running(small_disk) as client:
        create(client, "kept", "there")
        wait_for(lambda: _settled(client, "kept"), "kept is settled")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = forking.run(
        [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", str(small_disk)],
        timeout=60,
    )
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with running(small_disk) as client:
        assert client.get_function(FunctionName="kept")["Configuration"]["Description"] == "there"


@pytest.mark.timeout(180)
def test_many_clients_change_the_same_functions(tmp_path: Path, postgresql: PostgreSql) -> None:
    """None breaks another's change."""
    with running(tmp_path, postgresql.new_database()) as one:
        other = one
        create(one, "shared", "0")
        wait_for(lambda: _settled(one, "shared"), "shared is settled")
        published: list[str] = []
        failures: list[BaseException] = []

        def change(client: Any, mark: str) -> None:
            try:
                for number in range(15):
                    try:
                        client.update_function_configuration(
                            FunctionName="shared", Description=f"{mark}{number}"
                        )
                        published.append(client.publish_version(FunctionName="shared")["Version"])
                    except ClientError as error:
                        assert error.response["Error"]["Code"] == "ResourceConflictException"
                    name = f"{mark}{number % 3}"
                    try:
                        create(client, name, "x")
                    except ClientError:
                        client.delete_function(FunctionName=name)
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=change, args=(client, mark))
            for client, mark in ((one, "a"), (other, "b"), (one, "c"), (other, "d"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not failures, failures
        views = []
        for client in (one, other):
            found = wait_for(lambda client=client: _settled(client, "shared"), "shared is settled")
            names = sorted(f["FunctionName"] for f in client.list_functions()["Functions"])
            for name in names:
                shown = client.get_function(FunctionName=name)
                with urllib.request.urlopen(shown["Code"]["Location"], timeout=10) as link:
                    assert len(link.read()) == shown["Configuration"]["CodeSize"]
            versions = client.list_versions_by_function(FunctionName="shared")["Versions"]
            numbers = [version["Version"] for version in versions]
            assert numbers == ["$LATEST", *map(str, range(1, len(numbers)))]
            assert set(published) <= set(numbers)
            views.append((found["Configuration"]["RevisionId"], names, numbers))
        assert views[0] == views[1]
