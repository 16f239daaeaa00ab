"""Nodes whose database restarts and fails over to its standby: calls of functions in memory go on,
what was acknowledged is kept, and no node counts as lost."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from botocore.exceptions import ClientError

from tests.databases import PostgreSql, name_in, running_postgresql
from tests.lengths import IS_LONG
from tests.platforms import ROLE, Platform, deploy, invoke, printed_on, wait_for, zip_of
from tests.servers.processes import free_port
from tests.steady_load import Repeated, SteadyLoad, sending_events

pytestmark = pytest.mark.timeout(900)
AWAY_S = 30.0 if IS_LONG else 8.0
RATE = 100 if IS_LONG else 8
"""Calls per second of each node."""
WHO = "def handler(event, context): return 'who'"
KEPT = "def handler(event, context): print('got', event)"
CODE = zip_of({"app.py": WHO})


def creating_functions(platform: Platform) -> Repeated:
    """Creates functions."""
    client = platform.client("lambda")

    def create(number: int) -> str:
        name = f"made-{number}"
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": CODE},
        )
        return name

    return Repeated(0.3, create)


@pytest.fixture
def servers() -> Iterator[tuple[PostgreSql, PostgreSql]]:
    """A primary, and its standby, which has written what is acknowledged."""
    with (
        running_postgresql(free_port()) as primary,
        running_postgresql(free_port(), primary=primary) as standby,
    ):
        primary.wait_for_standbys()
        yield primary, standby


def numbers(node: Platform) -> list[int]:
    """The nodes, as one of them sees them."""
    answer = requests.get(f"{node.endpoint}/_lambent/nodes", timeout=20)
    return [int(found["node"]) for found in answer.json()["nodes"] if found["state"] == "live"]


def functions(node: Platform) -> set[str]:
    """The names of all functions."""
    pages = node.client("lambda").get_paginator("list_functions").paginate()
    return {found["FunctionName"] for page in pages for found in page["Functions"]}


def changes_work(node: Platform) -> bool:
    """Whether a change is made through a node."""
    try:
        node.client("lambda").put_function_event_invoke_config(
            FunctionName="kept", MaximumRetryAttempts=2
        )
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        return False
    return True


def assert_temporary(failures: Sequence[Exception]) -> None:
    """What was refused may be repeated, as SDKs do."""
    for error in failures:
        assert isinstance(error, ClientError), error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        assert error.response["Error"]["Code"] == "ServiceUnavailable"


def test_the_database_restarts_and_fails_over(
    start_platform: Callable[..., Platform],
    servers: tuple[PostgreSql, PostgreSql],
    tmp_path: Path,
) -> None:
    """Three nodes with the servers in one URL. First the primary is away for a while. Then it is
    gone, and the standby takes over."""
    primary, standby = servers
    database = name_in(primary.new_database())
    hosts = f"host=127.0.0.1,127.0.0.1&port={primary.port},{standby.port}"
    environment = {
        "LAMBENT_STORE__URL": (
            f"postgresql+psycopg://postgres@/{database}?{hosts}&target_session_attrs=read-write"
        ),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(tmp_path / "packages"),
        "LAMBENT_ASYNCHRONOUS__BACKOFF_S": "0.1",
    }
    nodes = [start_platform(tmp_path / name, environment=environment) for name in "abc"]
    wait_for(lambda: all(len(numbers(node)) == 3 for node in nodes), "all nodes are there")
    before = numbers(nodes[0])
    deploy(nodes[0].client("lambda"), "who", {"app.py": WHO})
    deploy(nodes[0].client("lambda"), "kept", {"app.py": KEPT})
    loads = []
    for node in nodes:
        assert invoke(node.client("lambda"), "who")[0] == "who"
        port = int(node.endpoint.rpartition(":")[2])
        loads.append(SteadyLoad("127.0.0.1", port, "who", clients=2, rate=RATE))
    with ExitStack() as stack:
        for load in loads:
            stack.enter_context(load.running())
        events = [stack.enter_context(sending_events(node.endpoint)) for node in nodes]
        made = stack.enter_context(creating_functions(nodes[1]))

        def went_on(how: str) -> None:
            """Calls, events and changes are served by all."""
            for node in nodes:
                wait_for(lambda node=node: changes_work(node), f"changes work {how}", 120)
            counts = [
                (load.calls, len(sent.acknowledged))
                for load, sent in zip(loads, events, strict=True)
            ]
            wait_for(
                lambda: all(
                    load.calls > calls + 10 and len(sent.acknowledged) > accepted + 3
                    for load, sent, (calls, accepted) in zip(loads, events, counts, strict=True)
                ),
                f"calls and events go on {how}",
                120,
            )

        went_on("at first")
        primary.stop()
        calls = [load.calls for load in loads]
        assert not changes_work(nodes[2])
        time.sleep(AWAY_S)  # noqa: TID251 - the length of the outage
        assert all(load.calls > before for load, before in zip(loads, calls, strict=True))
        primary.start()
        went_on("after the restart")
        primary.kill()
        killed_at = time.monotonic()
        standby.promote()
        went_on("after the failover")
        print(f"all is well {time.monotonic() - killed_at:.1f} s after the primary was killed")
    accepted = {event for sent in events for event in sent.acknowledged}
    refused = [error for sent in events for error in sent.failures]
    print(*loads, sep="\n")
    print(
        f"{len(accepted)} events and {len(made.acknowledged)} functions made, {len(refused)} and"
        f" {len(made.failures)} refused"
    )
    for load in loads:
        assert not load.failures, load.failures[:5]
    assert_temporary(refused)
    assert_temporary(made.failures)
    assert refused
    assert made.failures
    assert set(made.acknowledged) <= functions(nodes[0])

    def delivered() -> set[str]:
        return {number for node in nodes for number in printed_on(node, "got")}

    wait_for(lambda: accepted <= delivered(), "all events are delivered", 120)
    for node in nodes:
        assert numbers(node) == before
    for node in nodes:
        node.process.send_signal(signal.SIGTERM)
    for node in nodes:
        assert node.stop() == 0, node.output
        assert "Traceback" not in node.output, node.output
