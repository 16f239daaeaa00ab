"""`lambent up --cells`: several processes of one machine are one platform to their clients."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.databases import PostgreSql
from tests.platforms import Platform, deploy, invoke, wait_for
from tests.scenario.test_nodes import COUNTED, SAYS, WAITS, lambent, most_at_once

pytestmark = pytest.mark.timeout(300)
KEY = (
    "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/{}/aws4_request,"
    " SignedHeaders=host, Signature=0"
)
"""Of a request to a relaxed platform, which looks at the account and the Region."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def cells(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform of two cells."""
    environment = {}
    if request.param == "postgresql":
        postgresql: PostgreSql = request.getfixturevalue("postgresql")
        environment["LAMBENT_STORE__URL"] = postgresql.new_database()
    data = tmp_path_factory.mktemp(request.param) / "data"
    running = Platform(data, "--cells", "2", environment=environment)
    yield running
    code = running.stop()
    assert code == 0, running.output
    assert not running.cgroups()
    assert not running.mounts()


def nodes_of(session: requests.Session, platform: Platform) -> list[dict[str, Any]]:
    """The cells, as the one that a connection leads to sees them."""
    answer = session.get(f"{platform.endpoint}/_lambent/nodes", timeout=20)
    nodes: list[dict[str, Any]] = answer.json()["nodes"]
    return nodes


def connect_to_each(platform: Platform) -> dict[int, requests.Session]:
    """A connection to each of two cells, by the process id."""
    found: dict[int, requests.Session] = {}

    def look() -> bool:
        session = requests.Session()
        nodes = nodes_of(session, platform)
        (own,) = (node["pid"] for node in nodes if node["this"])
        found.setdefault(own, session)
        live = {node["pid"] for node in nodes if node["state"] == "live"}
        return len(live) == len(nodes) == 2 and live == found.keys()

    wait_for(look, "there is a connection to each cell")
    return found


def call_over(
    session: requests.Session,
    platform: Platform,
    name: str,
    event: Any = None,
    kind: str = "RequestResponse",
) -> tuple[int, Any]:
    """Invoke over one connection; returns the status and the payload."""
    answer = session.post(
        f"{platform.endpoint}/2015-03-31/functions/{name}/invocations",
        data=json.dumps(event),
        headers={
            "Authorization": KEY.format("lambda"),
            "X-Amz-Date": "20260101T000000Z",
            "X-Amz-Invocation-Type": kind,
        },
        timeout=60,
    )
    return answer.status_code, answer.json() if answer.content else None


def lines_over(session: requests.Session, platform: Platform, name: str) -> list[str]:
    """What a function has printed in the cell that a connection leads to."""
    answer = session.post(
        platform.endpoint,
        json={"logGroupName": f"/aws/lambda/{name}"},
        headers={
            "Authorization": KEY.format("logs"),
            "X-Amz-Date": "20260101T000000Z",
            "X-Amz-Target": "Logs_20140328.FilterLogEvents",
            "Content-Type": "application/x-amz-json-1.1",
        },
        timeout=60,
    )
    return [event["message"].strip() for event in answer.json().get("events", [])]


def test_cells_are_one_platform(cells: Platform) -> None:
    """A change through one connection is in force on all of them when it returns."""
    client, sessions = cells.client("lambda"), connect_to_each(cells)
    for number in range(5):
        deploy(client, f"says-{number}", {"app.py": SAYS.format(number)})
        for session in sessions.values():
            assert call_over(session, cells, f"says-{number}") == (200, str(number))
    client.delete_function(FunctionName="says-0")
    for session in sessions.values():
        assert call_over(session, cells, "says-0")[0] == 404


def test_no_limit_is_exceeded(cells: Platform) -> None:
    """Cells count reserved concurrency together, and use all of it, whichever gets the calls."""
    client, sessions = cells.client("lambda"), connect_to_each(cells)
    deploy(client, "counted", {"app.py": COUNTED})
    client.put_function_concurrency(FunctionName="counted", ReservedConcurrentExecutions=4)
    spans: list[tuple[float, float]] = []
    statuses: set[int] = set()
    is_enough = threading.Event()

    def call(session: requests.Session) -> None:
        while not is_enough.is_set():
            status, payload = call_over(session, cells, "counted")
            statuses.add(status)
            if status == 200:
                spans.append((payload[0], payload[1]))

    one, two = sessions.values()
    for load in ([one] * 6 + [two] * 6, [one] * 8, [two] * 8):
        spans.clear()
        statuses.clear()
        is_enough.clear()
        with ThreadPoolExecutor(16) as callers:
            try:
                for session in load:
                    callers.submit(call, session)
                wait_for(lambda: most_at_once(list(spans)) >= 4, "all of the limit is used")
            finally:
                is_enough.set()
        assert most_at_once(spans) == 4
        assert statuses == {200, 429}


def test_a_killed_cell_is_replaced(cells: Platform) -> None:
    """What it had accepted goes on, and no client is refused meanwhile: the others accept. A call
    that had been passed on to it fails, as in AWS when a host breaks; clients repeat it."""
    client, sessions = cells.client("lambda"), connect_to_each(cells)
    deploy(client, "waits", {"app.py": WAITS})
    deploy(client, "says", {"app.py": SAYS.format("hello")})
    until = time.time() + 3
    for number, session in enumerate([*sessions.values()] * 5):
        event = {"number": number, "until": until}
        assert call_over(session, cells, "waits", event, "Event") == (202, None)
    killed, left = sessions
    os.kill(killed, signal.SIGKILL)
    statuses = []

    def is_replaced() -> bool:
        with requests.Session() as session:
            statuses.append(call_over(session, cells, "says")[0])
            nodes = nodes_of(session, cells)
        pids = {node["pid"] for node in nodes if node["state"] == "live"}
        return len(nodes) == len(pids) == 2 and left in pids and killed not in pids

    wait_for(is_replaced, "another cell is there")
    assert 200 in statuses
    assert set(statuses) <= {200, 500}
    after = connect_to_each(cells).values()
    wait_for(
        lambda: (
            {line for session in after for line in lines_over(session, cells, "waits")}
            >= {f"ended {number}" for number in range(10)}
        ),
        "all events have ended",
    )


def test_its_operator_sees_all_cells(cells: Platform) -> None:
    """`lambent status` shows each, and which process supervises them."""
    pids = set(connect_to_each(cells))
    found = json.loads(lambent("status", "--data-dir", str(cells.data_dir), "--json"))
    assert found["pid"] == cells.process.pid
    assert found["url"] == cells.endpoint
    assert {cell["pid"] for cell in found["cells"]} == pids
    assert [cell["cell"] for cell in found["cells"]] == [1, 2]


def test_a_scrape_has_all_cells(cells: Platform) -> None:
    """Each series says of which cell it is, whichever takes the request."""
    client, sessions = cells.client("lambda"), connect_to_each(cells)
    deploy(client, "scraped", {"app.py": SAYS.format("yes")})
    for number, session in enumerate(sessions.values(), start=1):
        for _ in range(number):
            assert call_over(session, cells, "scraped")[0] == 200
    for session in sessions.values():
        for accept, read in (("", read_text), ("application/openmetrics-text", read_openmetrics)):
            page = session.get(
                f"{cells.endpoint}/_lambent/metrics", headers={"Accept": accept}, timeout=20
            )
            samples = [sample for family in read(page.text) for sample in family.samples]
            up = {each.labels["cell"]: each.value for each in samples if each.name.endswith("_up")}
            assert up == {"1": 1, "2": 1}
            ran = [
                each.value
                for each in samples
                if each.name == "lambent_invocations_total" and each.labels["function"] == "scraped"
            ]
            assert sum(ran) == 3
            memory = {
                each.labels["cell"]: each.value
                for each in samples
                if each.name == "process_resident_memory_bytes"
            }
            assert memory.keys() == {"1", "2"}


def test_nothing_is_left_of_a_killed_supervisor(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """Its cells and their boxes end with it, and the next start finds everything. The emulator of
    other services runs once, for all cells."""
    data = tmp_path / "data"
    first = start_platform(data, "--cells", "2", "--services")
    pids = list(connect_to_each(first))
    deploy(first.client("lambda"), "says", {"app.py": SAYS.format("hello")})
    sessions = connect_to_each(first)
    for session in sessions.values():
        assert call_over(session, first, "says") == (200, "hello")
    queue = first.client("sqs").create_queue(QueueName="one")["QueueUrl"]
    for number in range(8):  # Over different connections.
        first.client("sqs").send_message(QueueUrl=queue, MessageBody=f"{number}")
    found = first.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    assert found["Attributes"]["ApproximateNumberOfMessages"] == "8"
    first.kill()
    wait_for(lambda: not any(map(is_there, pids)), "the cells have ended")
    second = start_platform(data, "--cells", "2")
    for session in connect_to_each(second).values():
        assert call_over(session, second, "says") == (200, "hello")
    assert second.stop() == 0
    alone = start_platform(data)
    assert invoke(alone.client("lambda"), "says")[0] == "hello"
    assert nodes_of(requests.Session(), alone) == []


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
