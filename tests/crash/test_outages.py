"""A running platform survives outages of its database: a restart, a network that fails silently, a
full disk. Functions in memory continue to run, operations that need the database are refused with
503 at once, nothing that was acknowledged is lost, and afterwards everything works without a
restart.

`make crash` has longer outages.
"""

import json
import logging
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambent.cli import running
from tests.crash.streams import new_stream
from tests.databases import PostgreSql
from tests.platforms import (
    Platform,
    deploy,
    invoke,
    log_lines,
    wait_active,
    wait_for,
    zip_of,
)
from tests.servers.proxy import Proxy

AWAY_S = 30.0 if os.environ.get("CRASH_KILLS") else 4.0
PROMPTLY_S = 12.0
"""Seconds that a silent server is waited for, once."""
SOURCE = "def handler(event, context):\n    print('got', event)\n    return event"
SLOW = "import time\ndef handler(event, context):\n    time.sleep(1)\n    return event"
OTHER = "def handler(event, context): return 'other'"


class Load:
    """Callers of functions during an outage."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stop = threading.Event()
        self.calls = 0
        self.failures: list[Exception] = []
        """Durations of synchronous calls of a function in memory."""
        self.slowest_s = 0.0
        self.accepted: list[str] = []
        """Events that were acknowledged."""
        self.refusals: list[ClientError] = []
        """Errors of other events."""
        self.slowest_event_s = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """For as long as the context lasts."""
        threads = [threading.Thread(target=run) for run in (self._call, self._send)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def _call(self) -> None:
        client = self._platform.client("lambda")
        while not self._stop.wait(0.01):
            began = time.monotonic()
            try:
                assert invoke(client, "warm", self.calls)[0] == self.calls
            except Exception as error:
                self.failures.append(error)
            self.calls += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def _send(self) -> None:
        client = self._platform.client("lambda")
        while not self._stop.wait(0.02):
            event, began = uuid.uuid4().hex, time.monotonic()
            try:
                invoke(client, "kept", event, InvocationType="Event")
            except ClientError as error:
                self.refusals.append(error)
            except BotoCoreError:
                return  # The platform has ended.
            else:
                self.accepted.append(event)
            self.slowest_event_s = max(self.slowest_event_s, time.monotonic() - began)


def refused(call: Callable[..., Any], **parameters: Any) -> float:
    """A change is refused with a temporary error; returns how long that took."""
    began = time.monotonic()
    with pytest.raises(ClientError) as error:
        call(**parameters)
    assert_passes(error.value)
    return time.monotonic() - began


def assert_passes(error: ClientError) -> None:
    """503, in the service's own error format."""
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
    assert error.response["Error"]["Code"] == "ServiceUnavailable"


def refuses_changes(client: Any) -> float:
    """Writes are refused; returns how long that took at most."""
    code = zip_of({"app.py": OTHER})
    return max(
        refused(client.update_function_code, FunctionName="changed", ZipFile=code),
        refused(client.put_function_concurrency, FunctionName="changed",
                ReservedConcurrentExecutions=5),
        refused(client.create_function, FunctionName="new", Runtime="python3.12", Handler="app.f",
                Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": code}),
        refused(client.delete_function, FunctionName="changed"),
        refused(client.publish_version, FunctionName="changed"),
        refused(client.invoke, FunctionName="changed", InvocationType="Event"),
    )  # fmt: skip


def prepare(platform: Platform) -> Any:
    """Functions that the tests use; returns a client."""
    client = platform.client("lambda")
    for name in ("warm", "kept", "changed", "streamed"):
        deploy(client, name, {"app.py": SOURCE})
    deploy(client, "slow", {"app.py": SLOW})
    invoke(client, "warm", 0)
    invoke(client, "slow", 0)
    return client


def works(client: Any) -> None:
    """Changes work again, and last."""
    client.update_function_code(FunctionName="changed", ZipFile=zip_of({"app.py": OTHER}))
    wait_active(client, "changed")
    assert invoke(client, "changed")[0] == "other"
    client.put_function_concurrency(FunctionName="changed", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        invoke(client, "changed")
    client.delete_function_concurrency(FunctionName="changed")
    deploy(client, "young", {"app.py": OTHER})
    assert invoke(client, "young")[0] == "other"


def starts_environments(platform: Platform) -> None:
    """A known function gets as many environments as its calls need: its code and settings are in
    memory."""
    answers: list[object] = []

    def call() -> None:
        answers.append(invoke(platform.client("lambda"), "slow", 1)[0])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [1] * 4


def is_back(client: Any) -> bool:
    """Whether the database is available."""
    try:
        client.get_function_configuration(FunctionName="changed")
    except ClientError as error:
        assert_passes(error)
        return False
    return True


def arrived(platform: Platform, name: str) -> set[str]:
    """The events that a function has printed."""
    return {line[4:] for line in log_lines(platform, name) if line.startswith("got ")}


@pytest.mark.timeout(240)
def test_a_server_that_restarts(
    start_platform: Callable[..., Platform], own_postgresql: PostgreSql, streams: Any
) -> None:
    """A restart at once, as after a crash, under load. Clients that retry, as they all do, do not
    notice; records of streams are still read."""
    environment = {
        "LAMBENT_STORE__URL": own_postgresql.new_database(),
        "LAMBENT_AWS__KINESIS__ENDPOINT_URL": streams.meta.endpoint_url,
        "LAMBENT_ASYNCHRONOUS__BACKOFF_S": "0.1",
    }
    platform = start_platform(environment=environment)
    client = prepare(platform)
    arn = new_stream(streams, "records")
    client.create_event_source_mapping(
        FunctionName="streamed", EventSourceArn=arn, StartingPosition="TRIM_HORIZON"
    )
    patient = platform.client("lambda", config=Config(retries={"mode": "standard"}))
    tried = list[int]()
    patient.meta.events.register("request-created", lambda **_: tried.append(1))
    stubborn = Config(retries={"mode": "standard", "total_max_attempts": 50})
    stubborn_client = platform.client("lambda", config=stubborn)
    load = Load(platform)

    def put(record: str) -> None:
        streams.put_record(StreamName="records", Data=record.encode(), PartitionKey="one")

    with load.running():
        put("before")
        wait_for(lambda: _records(platform), "records are read", 60)
        wait_for(lambda: len(load.accepted) > 20, "events are accepted")
        own_postgresql.stop()
        ends_at = time.monotonic() + AWAY_S
        put("meanwhile")
        assert refuses_changes(client) < 5
        with pytest.raises(ClientError) as error:
            patient.publish_version(FunctionName="changed")
        assert_passes(error.value)
        assert len(tried) == 3
        assert error.value.response["ResponseMetadata"]["RetryAttempts"] == 2
        waiting = threading.Timer(max(ends_at - time.monotonic(), 0), own_postgresql.start)
        waiting.start()
        published = stubborn_client.publish_version(FunctionName="changed")
        waiting.join()
        assert published["Version"] == "1"
        assert published["ResponseMetadata"]["RetryAttempts"] > 0
        wait_for(lambda: is_back(client), "the database is back")
        before = len(load.accepted)
        wait_for(lambda: len(load.accepted) > before + 20, "events are accepted again")
        works(client)
        put("afterwards")
    assert not load.failures, load.failures[:3]
    assert load.calls > 100
    assert load.slowest_s < 5
    assert load.refusals
    for refusal in load.refusals:
        assert_passes(refusal)
    assert load.slowest_event_s < 5
    wait_for(lambda: set(load.accepted) <= arrived(platform, "kept"), "all are delivered", 90)
    wait_for(lambda: len(_records(platform)) == 3, "all records are read", 60)
    assert platform.stop() == 0
    said = platform.output
    assert said.count("does not answer") == 1, said
    assert said.count("is back after") == 1
    assert "Traceback" not in said, said


def _records(platform: Platform) -> set[str]:
    """The records of the stream that have arrived."""
    found = set()
    for line in log_lines(platform, "streamed"):
        if line.startswith("got "):
            found |= {part for part in line.split("'") if part in _ENCODED}
    return found


_ENCODED = {"YmVmb3Jl", "bWVhbndoaWxl", "YWZ0ZXJ3YXJkcw=="}


@pytest.mark.timeout(240)
def test_a_network_that_is_gone_without_a_word(
    start_platform: Callable[..., Platform], own_postgresql: PostgreSql
) -> None:
    """No connection is reset and none refused. After the first caller, who had to find out, callers
    get an error at once."""
    with Proxy(own_postgresql.port) as network:
        url = own_postgresql.new_database_at(network.port)
        platform = start_platform(
            environment={"LAMBENT_STORE__URL": url, "LAMBENT_ASYNCHRONOUS__BACKOFF_S": "0.1"}
        )
        client = prepare(platform)
        load = Load(platform)
        with load.running():
            wait_for(lambda: len(load.accepted) > 20, "events are accepted")
            network.silence(True)
            assert refused(client.publish_version, FunctionName="changed") < PROMPTLY_S
            starts_environments(platform)
            assert refuses_changes(client) < 8
            time.sleep(AWAY_S)  # noqa: TID251 - of an outside process
            network.silence(False)
            wait_for(lambda: is_back(client), "the database is back", 60)
            before = len(load.accepted)
            wait_for(lambda: len(load.accepted) > before + 20, "events are accepted again")
            works(client)
        assert not load.failures, load.failures[:3]
        assert load.slowest_s < 5
        assert load.slowest_event_s < 2 * PROMPTLY_S
        wait_for(lambda: set(load.accepted) <= arrived(platform, "kept"), "all are delivered", 90)
        assert platform.stop() == 0
        assert "Traceback" not in platform.output, platform.output


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_a_platform_ends_in_time_while_its_database_is_away(
    start_platform: Callable[..., Platform], own_postgresql: PostgreSql, how: str
) -> None:
    """Under load, and with changes under way."""
    with Proxy(own_postgresql.port) as network:
        url = own_postgresql.new_database_at(network.port)
        platform = start_platform(environment={"LAMBENT_STORE__URL": url})
        prepare(platform)
        client = platform.client("lambda", config=Config(retries={"total_max_attempts": 1}))
        load = Load(platform)
        with load.running():
            wait_for(lambda: len(load.accepted) > 20, "events are accepted")
            if how == "silent":
                network.silence(True)
            else:
                own_postgresql.stop()
            threads = [
                threading.Thread(target=_try, args=(client.publish_version,)) for _ in range(5)
            ]
            for thread in threads:
                thread.start()
            time.sleep(0.5)  # noqa: TID251 - they are under way
            began = time.monotonic()
            code = platform.stop()
            took_s = time.monotonic() - began
        for thread in threads:
            thread.join(30)
        network.silence(False)
        if how == "stopped":
            own_postgresql.start()
    assert code == 0, platform.output
    assert took_s < 10, platform.output
    assert "Traceback" not in platform.output, platform.output


def _try(call: Callable[..., Any]) -> None:
    try:
        call(FunctionName="changed")
    except Exception:
        logging.debug("as expected")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
@pytest.mark.timeout(240)
def test_a_disk_that_is_full(start_platform: Callable[..., Platform], tmp_path: Path) -> None:
    """What is read goes on, changes are refused until there is room again."""
    data = tmp_path / "data"
    data.mkdir(mode=0o711)
    with _small_disk(data, megabytes=200):
        environment = {
            "LAMBENT_ASYNCHRONOUS__BACKOFF_S": "0.1",
            "LAMBENT_TELEMETRY__METRICS_EVERY_S": "1",
        }
        platform = start_platform(data, environment=environment)
        client = prepare(platform)
        load = Load(platform)
        with load.running():
            wait_for(lambda: len(load.accepted) > 20, "events are accepted")
            ballast = data / "ballast"
            _fill(ballast)
            wait_for(lambda: _is_refused(client), "changes are refused")
            assert client.get_function(FunctionName="warm")["Configuration"]["State"] == "Active"
            assert client.list_functions()["Functions"]
            refused(client.update_function_code, FunctionName="changed",
                    ZipFile=zip_of({"app.py": OTHER, "x": os.urandom(1 << 20)}))  # fmt: skip
            calls = load.calls
            wait_for(lambda: load.calls > calls + 20, "functions in memory go on")
            for lost in ("logs", "metrics"):
                wait_for(partial(_status_says_lost, data, lost), f"{lost} are lost")
            ballast.unlink()
            wait_for(lambda: not _is_refused(client), "changes are made again")
            wait_for(lambda: not _status_says_lost(data, ""), "nothing is lost")
            before = len(load.accepted)
            wait_for(lambda: len(load.accepted) > before + 20, "events are accepted again")
            works(client)
        assert not load.failures, load.failures[:3]
        wait_for(lambda: set(load.accepted) <= _done(platform, load), "all are delivered", 90)
        assert platform.stop() == 0
    said = platform.output
    assert "takes no changes" in said, said
    assert "Traceback" not in said, said


def _status_says_lost(data: Path, what: str) -> bool:
    """Whether `lambent status` says that something is lost, such as `logs`."""
    said = {row["what"]: row[""] for row in running.rows(running.status(data))}
    problem = str(said.get("problem", ""))
    assert not problem or "make room on the disk" in problem
    return bool(problem) and what in problem


def _done(platform: Platform, load: Load) -> set[str]:
    """Lines may be lost with a full disk, events may not: their queue is empty then."""
    queue = json.loads(
        subprocess.run(
            ["curl", "-s", f"{platform.endpoint}/_lambent/queues"],
            check=True, capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    return set(load.accepted) if not queue["queues"] else set()


def _is_refused(client: Any) -> bool:
    try:
        client.put_function_concurrency(FunctionName="warm", ReservedConcurrentExecutions=100)
    except ClientError as error:
        assert_passes(error)
        return True
    return False


@contextmanager
def _small_disk(directory: Path, megabytes: int) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "lambent-test-full"]
    subprocess.run([*mount, str(directory)], check=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True, timeout=20)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
