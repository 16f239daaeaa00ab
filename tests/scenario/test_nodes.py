"""Platforms that share one database are one platform to their clients."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests import forking
from tests.databases import PostgreSql
from tests.platforms import Platform, deploy, invoke, printed_on, wait_for
from tests.servers.kinesis import Kinesis
from tests.servers.ministack import ACCOUNT

pytestmark = pytest.mark.timeout(300)
SAYS = "def handler(event, context): return '{}'"
WAITS = """
import time
def handler(event, context):
    print("began", event["number"], flush=True)
    while time.time() < event["until"]:
        time.sleep(0.05)
    print("ended", event["number"])
"""
COUNTED = """
import time
def handler(event, context):
    began = time.time()
    time.sleep(0.1)
    return [began, time.time()]
"""
READS = """
import base64
def handler(event, context):
    for record in event["Records"]:
        print("record", base64.b64decode(record["kinesis"]["data"]).decode())
"""


@pytest.fixture(scope="module")
def kinesis() -> Iterator[Kinesis]:
    with Kinesis() as server:
        yield server


@pytest.fixture
def start_node(
    start_platform: Callable[..., Platform],
    tmp_path: Path,
    postgresql: PostgreSql,
    kinesis: Kinesis,
) -> Callable[[str], Platform]:
    """Starts platforms on one database."""
    shared = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(tmp_path / "packages"),
        "LAMBENT_POLLING__IDLE_POLL_S": "0.1",
        "LAMBENT_AWS__KINESIS__ENDPOINT_URL": kinesis.endpoint,
    }
    return lambda name: start_platform(tmp_path / name, environment=shared)


def lambent(*arguments: str) -> str:
    """Run a command; returns what it prints."""
    done = forking.run([sys.executable, "-m", "lambent", *arguments], timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments: str, platform: Platform) -> str:
    """Run a command of which the platform refuses the request; returns what it prints."""
    command = [sys.executable, "-m", "lambent", *arguments, "--endpoint-url", platform.endpoint]
    done = forking.run(command, timeout=120)
    assert done.returncode == 1, done
    return str(done.stderr)


def nodes_of(platform: Platform) -> list[dict[str, Any]]:
    """The nodes, as a platform sees them."""
    answer = requests.get(f"{platform.endpoint}/_lambent/nodes", timeout=20)
    nodes: list[dict[str, Any]] = answer.json()["nodes"]
    return nodes


def wait_states(platform: Platform, *states: str) -> None:
    """Wait until the nodes are in these states, in the order of their numbers."""
    wait_for(
        lambda: [node["state"] for node in nodes_of(platform)] == [*states],
        f"the nodes are {' and '.join(states)}",
    )


def health(platform: Platform) -> int:
    """What a load balancer sees."""
    return requests.get(f"{platform.endpoint}/_lambent/health", timeout=20).status_code


def map_streams(platform: Platform, kinesis: Kinesis, *names: str) -> None:
    """Have the function `reads` read new streams."""
    client, streams = platform.client("lambda"), kinesis.client()
    for name in names:
        streams.create_stream(StreamName=name, ShardCount=1)
        streams.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        made = client.create_event_source_mapping(
            FunctionName="reads",
            EventSourceArn=f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}",
            StartingPosition="TRIM_HORIZON",
            BatchSize=10,
        )
        wait_for(partial(is_enabled, client, made["UUID"]), f"{name} is mapped")


def is_enabled(client: Any, uuid: str) -> bool:
    """Whether a mapping has been taken up."""
    return bool(client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")


def put(kinesis: Kinesis, streams: Sequence[str], numbers: Iterable[int]) -> None:
    """Put a record with each number into each stream."""
    for name in streams:
        records = [{"Data": f"{name}-{n}".encode(), "PartitionKey": "k"} for n in numbers]
        kinesis.client().put_records(StreamName=name, Records=records)


def read_by(platform: Platform) -> list[str]:
    """The records that were read on a node."""
    return printed_on(platform, "record")


def test_nodes_are_one_platform(start_node: Callable[[str], Platform], kinesis: Kinesis) -> None:
    """What one changes is in force on the other when the change returns. Mappings are spread,
    each record is read once, and a node that is drained hands its mappings over."""
    one, two = start_node("one"), start_node("two")
    for node in (one, two):
        wait_states(node, "live", "live")
    here, there = one.client("lambda"), two.client("lambda")
    deploy(here, "spread", {"app.py": SAYS.format("first")})
    assert invoke(there, "spread")[0] == "first"
    here.put_function_concurrency(FunctionName="spread", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        invoke(there, "spread")
    there.delete_function_concurrency(FunctionName="spread")
    assert invoke(here, "spread")[0] == "first"
    there.delete_function(FunctionName="spread")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        invoke(here, "spread")

    deploy(here, "reads", {"app.py": READS})
    streams = [f"shared-{number}" for number in range(6)]
    map_streams(one, kinesis, *streams)
    put(kinesis, streams, range(10))
    wait_for(lambda: len(read_by(one)) + len(read_by(two)) >= 60, "all records are read")
    assert sorted(read_by(one) + read_by(two)) == sorted(
        f"{name}-{number}" for name in streams for number in range(10)
    )
    assert health(one) == 200
    shown = lambent("nodes", "--endpoint-url", two.endpoint, "--json")
    numbers = {node["url"]: node["node"] for node in json.loads(shown)}
    lambent("node", "drain", str(numbers[one.endpoint]), "--endpoint-url", two.endpoint)
    wait_states(two, "draining", "live")
    wait_for(lambda: health(one) == 503, "load balancers see it")
    before = len(read_by(two))
    put(kinesis, streams, range(10, 20))
    wait_for(lambda: len(read_by(two)) >= before + 60, "the other node reads all")
    assert len(set(read_by(one) + read_by(two))) == len(read_by(one) + read_by(two)) == 120
    assert "ResourceConflict" in refused("node", "remove", str(numbers[one.endpoint]), platform=two)
    assert "ResourceNotFound" in refused("node", "remove", "99", platform=two)
    assert one.stop() == 0
    wait_states(two, "live")


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """How many of these overlap."""
    edges = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    return max(accumulate(change for _, change in edges), default=0)


def test_no_limit_is_exceeded(start_node: Callable[[str], Platform]) -> None:
    """Two nodes count reserved concurrency together, and use all of it, wherever calls come in."""
    nodes = [start_node("one"), start_node("two")]
    for node in nodes:
        wait_states(node, "live", "live")
    client = nodes[0].client("lambda")
    deploy(client, "counted", {"app.py": COUNTED})
    client.put_function_concurrency(FunctionName="counted", ReservedConcurrentExecutions=4)
    spans: list[tuple[float, float]] = []
    throttled: list[str] = []

    def call(node: Platform, number: int) -> None:
        own = node.client("lambda")
        for _ in range(number):
            try:
                began, ended = invoke(own, "counted")[0]
                spans.append((began, ended))
            except ClientError as error:
                throttled.append(error.response["Error"]["Code"])

    for loads in ((6, 6), (8, 0), (0, 8)):
        spans.clear()
        throttled.clear()
        with ThreadPoolExecutor(16) as callers:
            for node, load in zip(nodes, loads, strict=True):
                for _ in range(load):
                    callers.submit(call, node, 12)
        assert set(throttled) == {"TooManyRequestsException"}
        assert most_at_once(spans) == 4, loads


def test_a_lost_node_is_replaced(start_node: Callable[[str], Platform], kinesis: Kinesis) -> None:
    """Killed or paused: its events and its mappings go on elsewhere. A paused node that continues
    ends by itself."""
    nodes = [start_node(name) for name in ("one", "two", "three")]
    one, two, three = nodes
    wait_states(three, "live", "live", "live")
    client = one.client("lambda")
    deploy(client, "waits", {"app.py": WAITS})
    deploy(client, "reads", {"app.py": READS})
    streams = [f"moved-{number}" for number in range(6)]
    map_streams(one, kinesis, *streams)
    put(kinesis, streams, range(5))
    wait_for(lambda: sum(len(read_by(node)) for node in nodes) >= 30, "all records are read")
    until = time.time() + 3
    for number in range(10):
        event = json.dumps({"number": number, "until": until})
        client.invoke(FunctionName="waits", InvocationType="Event", Payload=event)
    one.kill()
    killed = time.monotonic()

    def ended() -> set[str]:
        return {*printed_on(two, "ended"), *printed_on(three, "ended")}

    wait_for(lambda: printed_on(two, "began") + printed_on(three, "began"), "an event runs again")
    print(f"events run elsewhere {time.monotonic() - killed:.1f} s after the kill")
    wait_for(lambda: ended() == {str(number) for number in range(10)}, "all events ended")
    put(kinesis, streams, range(5, 10))
    left = {f"{name}-{number}" for name in streams for number in range(5, 10)}
    wait_for(lambda: left <= {*read_by(two), *read_by(three)}, "its mappings are read elsewhere")

    two.process.send_signal(signal.SIGSTOP)
    wait_states(three, "live")
    two.process.send_signal(signal.SIGCONT)
    assert wait_for(two.process.poll, "the paused node ends", deadline_s=60) == 1
    put(kinesis, streams, range(10, 15))
    left = {f"{name}-{number}" for name in streams for number in range(10, 15)}
    wait_for(lambda: left <= {*read_by(three)}, "the last node reads all")
