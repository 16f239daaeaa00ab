"""Calls run where their functions are warm: several nodes on one database, as their clients see
them."""

import base64
import contextlib
import json
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.databases import PostgreSql
from tests.platforms import Platform, deploy, invoke, log_lines, wait_for

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
    time.sleep(60)
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
                lambda node=node: all(view["running"] is not None for view in self.views(node))  # type: ignore[misc]
                and len(self.views(node)) == len(self.nodes),
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


def environments(node: Platform, name: str) -> list[str]:
    """The log streams of the environments of a function on a node."""
    answer = requests.get(f"{node.endpoint}/_lambent/environments", timeout=20)
    return [
        view["log_stream"]
        for view in answer.json()["environments"]
        if view["function"].endswith(f":{name}") or view["function"] == name
    ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSql) -> Iterator[Cluster]:
    """Three nodes on a database."""
    place = tmp_path_factory.mktemp("placement")
    shared = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(place / "packages"),
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


def test_x(cluster: Cluster) -> None:
    client = cluster.nodes[0].client("lambda")
    deploy(client, "echo", {"app.py": ECHO})
    for node in cluster.nodes:
        print(invoke(node.client("lambda"), "echo", {})[0])
    print(requests.get(f"{cluster.nodes[0].endpoint}/_lambent/environments", timeout=20).text)
    print(cluster.calls_in())
    home, wrong = cluster.home_of("echo"), cluster.wrong_for("echo")
