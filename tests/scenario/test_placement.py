"""Calls run where their functions are warm: several nodes on one database, as their clients see
them."""

import base64
import contextlib
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.exceptions import ClientError

from tests.databases import PostgreSql
from tests.platforms import Platform, deploy, invoke, log_lines, log_of, wait_for

pytestmark = pytest.mark.timeout(300)
ECHO = """
import os
def handler(event, context):
    if event.get("raises"):
        raise ValueError("as it was asked to")
    print("called", event.get("word", ""))
    return {
        "environment": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        "size": len(event.get("padding", "")),
        "padding": "x" * event.get("returns", 0),
        "client": context.client_context and context.client_context.custom,
        "arn": context.invoked_function_arn,
    }
"""
WAITS = """
import time
def handler(event, context):
    print("began", flush=True)
    while time.time() < event.get("until", 0):
        time.sleep(0.05)
    print("ended", flush=True)
"""
STREAMS = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType("text/plain");
  for (let n = 0; n < 40; n++) {
    if (!stream.write(String(n % 10).repeat(65536)))
      await new Promise((done) => stream.once("drain", done));
  }
  stream.end();
});
"""
COPY_AFTER = 120
"""Calls of a function that a node sends away before it gets an environment there. Higher than by
default, so that calls of these tests travel."""


class Cluster:
    """Three nodes."""

    def __init__(self, nodes: Sequence[Platform]) -> None:
        self.nodes = nodes

    def views(self, node: Platform) -> list[dict[str, Any]]:
        """The nodes, as one of them sees them, by number."""
        answer = requests.get(f"{node.endpoint}/_lambent/nodes", timeout=20)
        found: list[dict[str, Any]] = answer.json()["nodes"]
        return found

    def wait_linked(self) -> None:
        """Wait until each node has links to all others."""
        for node in self.nodes:
            wait_for(
                lambda node=node: (
                    all(view["running"] is not None for view in self.views(node))  # type: ignore[misc]
                    and len(self.views(node)) == len(self.nodes)
                ),
                "the nodes have links",
            )

    def calls_in(self) -> list[int]:
        """How many calls each has taken from others."""
        return [
            next(view["calls_in"] for view in self.views(node) if view["this"])
            for node in self.nodes
        ]

    def home_of(self, name: str) -> Platform:
        """The node that has an environment of a function, if exactly one has."""
        having = [node for node in self.nodes if environments(node, name)]
        assert len(having) == 1, [environments(node, name) for node in self.nodes]
        return having[0]

    def wrong_for(self, name: str) -> Platform:
        """A node that has none."""
        return next(node for node in self.nodes if not environments(node, name))


def number_of(node: Platform) -> int:
    """Its number."""
    views = requests.get(f"{node.endpoint}/_lambent/nodes", timeout=20).json()["nodes"]
    return next(int(view["node"]) for view in views if view["this"])


def environments(node: Platform, name: str) -> list[str]:
    """The log streams of the environments of a function on a node."""
    answer = requests.get(f"{node.endpoint}/_lambent/environments", timeout=20)
    number = number_of(node)
    return [
        view["log_stream"]
        for view in answer.json()["environments"]
        if view["function"] == name and view["node"] == number
    ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSql) -> Iterator[Cluster]:
    """Three nodes on a database."""
    place = tmp_path_factory.mktemp("placement")
    shared = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(place / "packages"),
        "LAMBENT_INVOCATION__COPY_AFTER_CALLS": str(COPY_AFTER),
    }
    with contextlib.ExitStack() as stack:
        nodes = []
        for name in ("one", "two", "three"):
            node = Platform(place / name, environment=shared)
            stack.callback(node.stop)
            nodes.append(node)
        cluster = Cluster(nodes)
        cluster.wait_linked()
        yield cluster


def deployed(cluster: Cluster, name: str, code: str = ECHO, **more: Any) -> tuple[Any, Any]:
    """Deploy a function and call it once; returns clients of the node that has it, and of
    another."""
    client = cluster.nodes[0].client("lambda")
    deploy(client, name, {"app.py": code}, **more)
    for node in cluster.nodes:
        wait_for(lambda node=node: is_active(node, name), "all nodes know it")  # type: ignore[misc]
    invoke(client, name, {})
    return cluster.home_of(name), cluster.wrong_for(name)


def is_active(node: Platform, name: str) -> bool:
    """Whether a node lets the function be called."""
    client = node.client("lambda")
    try:
        client.invoke(FunctionName=name, InvocationType="DryRun")
    except client.exceptions.ResourceConflictException:
        return False
    return True


def test_a_call_on_the_wrong_node_is_run_by_the_warm_one(cluster: Cluster) -> None:
    """One environment serves the callers of all nodes, and no call takes more than one hop. What
    comes back is as if the node had run it."""
    home, wrong = deployed(cluster, "echo")
    client = wrong.client("lambda")
    client.publish_version(FunctionName="echo")
    before = sum(cluster.calls_in())
    clients = [node.client("lambda") for node in cluster.nodes]
    found = {invoke(client, "echo", {})[0]["environment"] for client in clients}
    assert found == set(environments(home, "echo"))
    assert sum(cluster.calls_in()) == before + 2
    assert all(view["processors"] for view in cluster.views(wrong))

    custom = base64.b64encode(b'{"custom": {"key": "value"}}').decode()
    word = "a word in the log"
    result, answer = invoke(
        client, "echo", {"word": word}, LogType="Tail", ClientContext=custom, Qualifier="$LATEST"
    )
    assert result["client"] == {"key": "value"}
    assert result["arn"].endswith(":function:echo:$LATEST")
    assert answer["ExecutedVersion"] == "$LATEST"
    assert word in log_of(answer)
    assert any(word in line for line in log_lines(home, "echo"))

    result, answer = invoke(client, "echo", {"raises": True})
    assert answer["FunctionError"] == "Unhandled"
    assert result["errorType"] == "ValueError"
    assert environments(wrong, "echo") == []
    text = requests.get(f"{wrong.endpoint}/_lambent/metrics", timeout=20).text
    assert 'lambent_forwarded_calls_total{direction="out"}' in text
    assert "lambent_forwarded_calls_lost_total 0" in text


def test_six_megabytes_cross(cluster: Cluster) -> None:
    """Both ways, while small calls pass."""
    _, wrong = deployed(cluster, "large", MemorySize=1024)
    before = sum(cluster.calls_in())
    with ThreadPoolExecutor(4) as callers:
        asked = [
            callers.submit(invoke, wrong.client("lambda"), "large", {"padding": "x" * size})
            for size in (6_000_000, 6_000_000, 10, 10)
        ]
        assert [call.result()[0]["size"] for call in asked] == [6_000_000, 6_000_000, 10, 10]
    result, _ = invoke(wrong.client("lambda"), "large", {"returns": 6_000_000})
    assert len(result["padding"]) == 6_000_000
    with pytest.raises(ClientError, match="RequestTooLarge"):
        invoke(wrong.client("lambda"), "large", {"padding": "x" * 6_400_000})
    result, _ = invoke(wrong.client("lambda"), "large", {"returns": 6_400_000})
    assert result["errorType"] == "Function.ResponseSizeTooLarge"
    assert sum(cluster.calls_in()) >= before + 3


def test_urls_and_apis_cross(cluster: Cluster) -> None:
    """Function URLs and HTTP APIs, on the node that has no environment."""
    home, wrong = deployed(cluster, "served")
    client = wrong.client("lambda")
    url = client.create_function_url_config(FunctionName="served", AuthType="NONE")["FunctionUrl"]
    api = wrong.client("apigatewayv2").create_api(
        Name="served",
        ProtocolType="HTTP",
        Target="arn:aws:lambda:us-east-1:000000000000:function:served",
    )
    for address in (url, api["ApiEndpoint"]):
        host = urlsplit(address).netloc.partition(":")[0]
        answer = requests.get(f"{wrong.endpoint}/", headers={"Host": host}, timeout=60)
        assert answer.status_code == 200, answer.text
        assert [answer.json()["environment"]] == environments(home, "served")
    assert environments(wrong, "served") == []


def test_a_stream_crosses(cluster: Cluster) -> None:
    """Chunk by chunk, more than is ever under way."""
    client = cluster.nodes[0].client("lambda")
    deploy(client, "streams", {"index.js": STREAMS}, Runtime="nodejs20.x", Handler="index.handler")
    for node in cluster.nodes:
        answer = node.client("lambda").invoke_with_response_stream(FunctionName="streams")
        chunks = [event for event in answer["EventStream"]]
        body = b"".join(event["PayloadChunk"]["Payload"] for event in chunks[:-1])
        assert body == b"".join(str(n % 10).encode() * 65536 for n in range(40))
        assert "ErrorCode" not in chunks[-1]["InvokeComplete"]
    cluster.home_of("streams")


def test_a_hop_needs_no_database(cluster: Cluster, postgresql: PostgreSql) -> None:
    """While the database runs no statement, warm calls go on, here and over a hop. A hop is
    short."""
    home, wrong = deployed(cluster, "quick")
    clients = [home.client("lambda"), wrong.client("lambda")]
    for client in clients * 2:
        invoke(client, "quick", {})
    took: list[list[float]] = [[], []]
    before = sum(cluster.calls_in())
    with postgresql.paused():
        for _ in range(25):
            for client, times in zip(clients, took, strict=True):
                began = time.perf_counter()
                assert invoke(client, "quick", {})[1]["StatusCode"] == 200
                times.append(time.perf_counter() - began)
    here, there = (statistics.median(times) * 1000 for times in took)
    print(f"warm call {here:.2f} ms, over a hop {there:.2f} ms; load {os.getloadavg()[0]:.1f}")
    assert sum(cluster.calls_in()) > before


def test_what_is_called_often_is_copied(cluster: Cluster) -> None:
    """A node that sends a function away often starts an environment itself, ahead of calls."""
    _, wrong = deployed(cluster, "hot")
    client = wrong.client("lambda")
    for _ in range(COPY_AFTER):
        invoke(client, "hot", {})
    (own,) = wait_for(lambda: environments(wrong, "hot"), "it has one")
    wait_for(lambda: invoke(client, "hot", {})[0]["environment"] == own, "calls stay")


def test_a_drained_node_is_no_home(cluster: Cluster) -> None:
    """What it has ends there; calls that others get go elsewhere."""
    home, wrong = deployed(cluster, "moves")
    number = number_of(home)
    requests.post(f"{wrong.endpoint}/_lambent/nodes/{number}/drain", timeout=20)
    old = environments(home, "moves")
    client = wrong.client("lambda")
    wait_for(lambda: [invoke(client, "moves", {})[0]["environment"]] != old, "it runs elsewhere")
    requests.post(f"{wrong.endpoint}/_lambent/nodes/{number}/resume", timeout=20)
    cluster.wait_linked()


def has_ended(node: Platform, name: str) -> bool:
    """Whether a call has ended, on any node that is there."""
    try:
        return "ended" in log_lines(node, name)
    except ClientError as error:  # The lost node is still asked.
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        return False


def test_a_node_is_killed_in_the_middle_of_a_call(cluster: Cluster) -> None:
    """Its caller gets an error that SDKs retry; its events run elsewhere; calls go on. (The last
    test: a node fewer.)"""
    home, wrong = deployed(cluster, "waits", WAITS, Timeout=120)
    client = wrong.client("lambda")
    with ThreadPoolExecutor(1) as callers:
        call = callers.submit(invoke, client, "waits", {"until": time.time() + 100})
        wait_for(lambda: log_lines(home, "waits").count("began") == 2, "the call has begun")
        event = json.dumps({"until": time.time() + 3})
        client.invoke(FunctionName="waits", InvocationType="Event", Payload=event)
        wait_for(lambda: log_lines(home, "waits").count("began") == 3, "the event has begun")
        home.kill()
        began = time.monotonic()
        with pytest.raises(ClientError, match="was lost before it responded") as raised:
            call.result(60)
        print(f"the caller has an error {time.monotonic() - began:.2f} s after the kill")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert raised.value.response["Error"]["Code"] == "ServiceException"
    left = [node for node in cluster.nodes if node is not home]
    wait_for(lambda: has_ended(left[0], "waits"), "the event ran again")
    for node in left:
        assert invoke(node.client("lambda"), "waits", {})[1]["StatusCode"] == 200
    text = requests.get(f"{wrong.endpoint}/_lambent/metrics", timeout=20).text
    assert "lambent_forwarded_calls_lost_total 0" not in text
