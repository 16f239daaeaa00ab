"""A platform is backed up while it works, dies, and continues elsewhere."""

import base64
import concurrent.futures
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests import forking
from tests.databases import PostgreSql
from tests.platforms import log_lines, publish_layer

from .conftest import Platform, deploy, invoke, wait_for, zip_of

QUEUED = 24
SLEEPER = """
import time
def handler(event, context):
    if "sleep" in event:
        time.sleep(event["sleep"])
    else:
        print("got", event["number"], len(event.get("bulk", "")))
"""
ECHO = "def handler(event, context): return [WORD, event]"


def lambent(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return forking.run(
        [sys.executable, "-m", "lambent", *arguments],
        timeout=120,
        env={**os.environ, **environment},
    )


class Load:
    """Clients that create, change and call functions until the platform is gone."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.deployed: dict[str, str] = {}
        """Acknowledged functions with their responses."""
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(2)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        client = self._platform.client("lambda")
        turn = 0
        while not self._done.is_set():
            name, word = f"f{number}-{turn}", f"word {number} {turn}"
            try:
                deploy(client, name, {"app.py": f"WORD = {word!r}\n{ECHO}"}, MemorySize=128)
                self.deployed[name] = word
                assert invoke(client, name, turn)[0] == [word, turn]
                if turn % 3 == 2:
                    del self.deployed[f"f{number}-{turn - 1}"]
                    client.delete_function(FunctionName=f"f{number}-{turn - 1}")
            except (BotoCoreError, ClientError, OSError):
                return
            turn += 1

    def end(self) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(60)


def fill(client: Any) -> str:
    """Create functions with a layer, a version and an alias, and a queue that cannot be delivered
    yet; returns the secret of a key."""
    layer = publish_layer(client, "words", {"python/words.py": "WORD = 'from a layer'"})
    code = {"app.py": f"from words import WORD\n{ECHO}"}
    deploy(client, "layered", code, Layers=[layer], Environment={"Variables": {"SECRET": "ü"}})
    client.publish_version(FunctionName="layered")
    client.create_alias(FunctionName="layered", Name="live", FunctionVersion="1")
    deploy(client, "busy", {"app.py": SLEEPER}, Timeout=200)
    client.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=1)
    return layer


def queue_events(client: Any) -> None:
    """Events that wait while the function is busy; every fourth is large."""
    for number in range(QUEUED):
        event = {"number": number, "bulk": "" if number % 4 else "x" * 100_000}
        answer = client.invoke(
            FunctionName="busy", InvocationType="Event", Payload=json.dumps(event).encode()
        )
        assert answer["StatusCode"] == 202


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_platform_goes_on_from_its_backup(
    start_platform: Callable[..., Platform],
    tmp_path: Path,
    kind: str,
    request: pytest.FixtureRequest,
) -> None:
    """Backed up under load, killed, restored elsewhere: every function and queued event from before
    is there and works, with the same keys."""
    environment = {}
    if kind == "postgresql":
        server: PostgreSql = request.getfixturevalue("postgresql")
        environment = {"LAMBENT_STORE__URL": server.new_database()}
    first = start_platform(environment=environment)
    client = first.client("lambda")
    fill(client)
    load = Load(first)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        busy = thread.submit(invoke, first.client("lambda"), "busy", {"sleep": 150})
        wait_for(lambda: len(load.deployed) >= 3, "some functions", deadline_s=60)
        queue_events(client)
        before = dict(load.deployed)
        file = tmp_path / "backup"
        where = ("--data-dir", str(first.data_dir))
        made = lambent("backup", str(file), *where, "--json", **environment)
        assert made.returncode == 0, made.stderr
        after = dict(load.deployed)
        first.kill()
        load.end()
        assert busy.exception(30) is not None
    contents = json.loads(made.stdout)
    assert contents["missing"] == []
    assert contents["events"] == QUEUED
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = lambent("restore", str(file), "--data-dir", str(tmp_path / "elsewhere"))
    assert done.returncode == 0, done.stderr
    again = lambent("restore", str(file), "--data-dir", str(tmp_path / "elsewhere"))
    assert again.returncode == 1
    assert "Nothing was changed" in again.stderr

    second = start_platform(tmp_path / "elsewhere")
    client = second.client("lambda")
    assert invoke(client, "layered", 1, Qualifier="live")[0] == ["from a layer", 1]
    variables = client.get_function_configuration(FunctionName="layered")["Environment"]
    assert variables == {"Variables": {"SECRET": "ü"}}
    kept = {name: word for name, word in before.items() if name in after}
    assert kept
    for name, word in kept.items():
        assert invoke(client, name, 7)[0] == [word, 7]
    expected = {f"got {n} {0 if n % 4 else 100_000}" for n in range(QUEUED)}

    def delivered() -> bool:
        return expected <= set(log_lines(second, "busy"))

    wait_for(delivered, "every queued event", deadline_s=60)
    assert second.stop() == 0
    assert "Traceback" not in second.output


@pytest.mark.timeout(120)
def test_keys_come_along(start_platform: Callable[..., Platform], tmp_path: Path) -> None:
    """A strict platform knows its keys after a restore, and its root credentials are there."""
    first = start_platform(None, "--auth", "strict")
    text = (first.data_dir / "root-credentials").read_text()
    file = tmp_path / "backup"
    assert lambent("backup", str(file), "--data-dir", str(first.data_dir)).returncode == 0
    assert first.stop() == 0
    new = tmp_path / "new"
    assert lambent("restore", str(file), "--data-dir", str(new)).returncode == 0
    assert (new / "root-credentials").read_text() == text
    assert stat.S_IMODE((new / "root-credentials").stat().st_mode) == 0o600
    second = start_platform(new, "--auth", "strict")
    key, secret = (line.partition(" = ")[2] for line in text.splitlines()[1:])
    client = second.client("iam", aws_access_key_id=key, aws_secret_access_key=secret)
    assert [
        metadata["AccessKeyId"] for metadata in client.list_access_keys()["AccessKeyMetadata"]
    ] == [key]


def test_what_cannot_be_done_is_said(platform: Platform, tmp_path: Path) -> None:
    """In one line, with an exit code: over a running platform, from nothing, to nowhere, from a
    file that is not a backup."""
    data = str(platform.data_dir)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "zip").write_bytes(zip_of({"a": base64.b64encode(os.urandom(2000))}))
    nowhere = str(tmp_path / "none")
    for arguments, said in (
        (("backup", str(tmp_path / "b"), "--data-dir", nowhere), "nothing to back up"),
        (("backup", str(tmp_path / "no" / "b"), "--data-dir", data), "No such file or directory"),
        (("backup", str(tmp_path / "text"), "--data-dir", data), "it exists"),
        (("restore", str(tmp_path / "text"), "--data-dir", data), "already in use"),
        (("restore", str(tmp_path / "text"), "--data-dir", str(tmp_path / "d")), "no whole backup"),
        (("restore", str(tmp_path / "zip"), "--data-dir", str(tmp_path / "d")), "no whole backup"),
        (("restore", str(tmp_path / "none"), "--data-dir", str(tmp_path / "d")), "no such file"),
    ):
        done = lambent(*arguments)
        assert done.returncode == 1, (arguments, done.stdout, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "text").read_text() == "hello"
    assert not (tmp_path / "b").exists()
