"""A repeatedly killed platform loses no event that it has accepted, and repeats only what a kill
interrupted: see `auditor.py`. `make crash` kills more often."""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lambent.store.database import connect
from lambent.store.settings import StoreSettings
from tests.crash.auditor import RETRIES, Auditor
from tests.crash.failpoints import ANY_TIME, POINTS
from tests.crash.lives import Life
from tests.crash.queue_server import QueueServer
from tests.platforms import ACCOUNT, Platform, deploy, wait_for

KILLS = os.environ.get("CRASH_KILLS")
"""The number of kills on each kind of database; by default few enough for every run."""
PASSES_MAX = 60 if KILLS else 20
"""A kill is at one of the first so many times that the platform reaches its point."""
CLIENTS = 4
SOURCE = """
def handler(event, context):
    if event["fails"]:
        raise ValueError("as asked")
"""


def enqueue(endpoint: str, auditor: Auditor, numbers: random.Random) -> None:
    """Send events until the platform is gone."""
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    headers = {"X-Amz-Invocation-Type": "Event", "Content-Type": "application/json"}
    try:
        while True:
            fails = numbers.random() < 0.2
            size = 40_000 if numbers.random() < 0.1 else 10
            body = json.dumps({"fails": fails, "fill": "x" * size})
            path = "/2015-03-31/functions/crashes/invocations"
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                request_id = answer.headers["x-amzn-RequestId"]
                auditor.accepted[request_id] = fails
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def live(life: Life, auditor: Auditor, within_s: float, numbers: random.Random) -> None:
    """Send events to a platform until it is dead."""
    endpoint = life.read_endpoint()
    if endpoint is None:
        return
    clients = [
        threading.Thread(target=enqueue, args=(endpoint, auditor, random.Random(numbers.random())))
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    life.end(within_s)
    for client in clients:
        client.join(30)


def prepare(data: Path, options: list[str]) -> None:
    """A function, and the destination of its records."""
    platform = Platform(data, *options)
    client = platform.client("lambda")
    deploy(client, "crashes", {"app.py": SOURCE})
    target = {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:records"}
    client.put_function_event_invoke_config(
        FunctionName="crashes",
        MaximumRetryAttempts=RETRIES,
        DestinationConfig={"OnSuccess": target, "OnFailure": target},
    )
    platform.kill()


@pytest.mark.timeout(120 + 10 * int(KILLS or 20))
def test_nothing_accepted_is_lost(
    tmp_path: Path, queue: QueueServer, database: Callable[..., StoreSettings]
) -> None:
    """Killed at chosen points and at any time, while clients send events. SQLite flushes to disk,
    the tests' PostgreSQL does not: only the platform is killed, not the database."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    numbers = random.Random(seed)
    print(f"CRASH_SEED={seed}")
    data = tmp_path / "data"
    settings = database()
    kills = int(KILLS or (1 if settings.url else 2) * (len(POINTS) + 1))
    options = ["--set", f"aws.sqs.endpoint_url={queue.url}"]
    options += ["--set", "asynchronous.retry_s=0.05", "--set", "asynchronous.backoff_s=0.1"]
    if settings.url:
        options += ["--set", f"store.url={settings.url}"]
    prepare(data, options)
    engine = connect(settings, data / "state")
    auditor = Auditor(queue.take, engine, tmp_path / "witness")
    for turn in range(kills):
        point = (*POINTS, ANY_TIME)[turn % (len(POINTS) + 1)]
        within_s = numbers.uniform(0.05, 1.0) if point == ANY_TIME else 5.0
        with Life("failpoints", data, options, point, numbers.randrange(1, PASSES_MAX)) as life:
            live(life, auditor, within_s, numbers)
        auditor.audit()
        engine.dispose()
    assert len(auditor.accepted) > kills
    with Life("failpoints", data, options, ANY_TIME, 0) as life:
        assert life.read_endpoint() is not None
        wait_for(
            lambda: (auditor.receive(), auditor.accepted.keys() <= auditor.arrived.keys())[1],
            "everything that was accepted arrives",
            deadline_s=60 + kills,
        )
    auditor.audit()
    engine.dispose()
    print(f"{kills} kills, {dict(auditor.hits)}; {len(auditor.accepted)} accepted,")
    print(f"{len(auditor.arrived)} arrived, {auditor.repeated_records} of them again,")
    print(f"{auditor.repeated_attempts} attempts made again")
    if kills >= 10 * len(POINTS):
        assert auditor.hits.keys() == POINTS.keys()
