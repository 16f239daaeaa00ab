"""Nodes on one database are replaced by those of the next release, one after the other, behind a
load balancer and under load."""

import json
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests import forking
from tests.databases import PostgreSql
from tests.lengths import IS_LONG
from tests.next_release import RELEASE, next_release
from tests.platforms import (
    Platform,
    client_at,
    deploy,
    invoke,
    printed_on,
    wait_active,
    wait_for,
)
from tests.servers.haproxy import PROGRAM, LoadBalancer
from tests.servers.processes import free_port, skip_without
from tests.steady_load import SteadyLoad, sending_events

pytestmark = pytest.mark.timeout(900)
RATE, CLIENTS = (500, 32) if IS_LONG else (25, 8)
SAYS = "import os\ndef handler(event, context): return os.environ['VERSION']"
KEPT = "def handler(event, context): print('got', event)"
PATIENT = Config(retries={"total_max_attempts": 10, "mode": "standard"}, read_timeout=120)


def nodes(endpoint: str) -> list[dict[str, Any]]:
    """The output of `lambent nodes`."""
    command = [sys.executable, "-m", "lambent", "nodes", "--endpoint-url", endpoint, "--json"]
    done = forking.run(command, timeout=120)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def states(endpoint: str) -> list[tuple[str, str]]:
    """The state and the release of each node."""
    return [(node["state"], node["release"]) for node in nodes(endpoint)]


@pytest.fixture
def start_node(
    start_platform: Callable[..., Platform], tmp_path: Path, postgresql: PostgreSql
) -> Callable[..., Platform]:
    """Starts nodes on one database; a port always has the same directory."""
    shared = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(tmp_path / "packages"),
        "LAMBENT_GATEWAY__SHUTDOWN_LAG_S": "5",
    }

    def start(port: int, **more: str) -> Platform:
        return start_platform(
            *(tmp_path / str(port), "--port", str(port)),
            environment={**shared, **more},
            is_fresh=True,
        )

    return start


def delivered_to(nodes: Iterable[Platform]) -> set[str]:
    """The events that have run on nodes, or on earlier ones in their directories."""
    return {number for node in nodes for number in printed_on(node, "got")}


def stop_at_once(nodes: Sequence[Platform]) -> None:
    """The second signal does not wait for load balancers."""
    for _ in range(2):
        for node in nodes:
            node.process.send_signal(signal.SIGTERM)
    for node in nodes:
        assert node.stop() == 0, node.output


def test_nodes_are_upgraded_one_by_one(start_node: Callable[..., Platform]) -> None:
    """No call fails and no event is lost; changes made in between are in force on all nodes, and
    `lambent nodes` shows the releases."""
    skip_without(PROGRAM, "haproxy")
    ports = [free_port() for _ in range(3)]
    running = [start_node(port) for port in ports]
    stopped: list[Platform] = []
    with next_release() as (following, environment), LoadBalancer(ports) as balancer:
        url = f"http://127.0.0.1:{balancer.port}"
        client = client_at(url, "lambda", config=PATIENT)
        wait_for(lambda: states(url) == [("live", RELEASE)] * 3, "all nodes are there")
        deploy(client, "who", {"app.py": SAYS}, Environment={"Variables": {"VERSION": "0"}})
        deploy(client, "kept", {"app.py": KEPT})
        for node in running:
            assert invoke(node.client("lambda"), "who")[0] == "0"
        load = SteadyLoad("127.0.0.1", balancer.port, "who", clients=CLIENTS, rate=RATE)
        with load.running(), sending_events(url) as events:
            for turn, port in enumerate(ports):
                calls = load.calls
                wait_for(lambda calls=calls: load.calls > calls + 50, "there is load")
                old = running.pop(0)
                if turn == 0:  # As an operator who has read the documentation.
                    number = min(node["node"] for node in nodes(url))
                    command = [sys.executable, "-m", "lambent", "node", "drain", str(number)]
                    done = forking.run([*command, "--endpoint-url", url], timeout=120)
                    assert done.returncode == 0, done.stderr
                assert old.stop() == 0, old.output
                stopped.append(old)
                running.append(start_node(port, **environment))
                live = [("live", RELEASE)] * (2 - turn) + [("live", following)] * (turn + 1)
                wait_for(lambda live=live: states(url) == live, f"the releases are {live}")
                variables = {"Variables": {"VERSION": str(turn + 1)}}
                client.update_function_configuration(FunctionName="who", Environment=variables)
                wait_active(client, "who")
                for node in running:
                    assert invoke(node.client("lambda"), "who")[0] == str(turn + 1)
            calls = load.calls
            wait_for(lambda: load.calls > calls + 50, "calls go on")
        print(f"{load}; {len(events.acknowledged)} events, {len(events.failures)} refused")
        assert not load.failures, load.failures[:5]
        assert load.payloads == {"0", "1", "2", "3"}
        assert not events.failures, events.failures[:5]

        wait_for(
            lambda: set(events.acknowledged) <= delivered_to(running), "all events are delivered"
        )
        stop_at_once(running)
    for node in (*running, *stopped):
        assert "Traceback" not in node.output, node.output
