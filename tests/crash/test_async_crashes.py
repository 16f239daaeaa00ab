"""A platform that is killed again and again loses no event that it has accepted.

After each kill the auditor looks into the database: what was answered with 202 is either still an
event, or what its destination is to get, or has arrived there; and an event whose end is written
down is an event no more. `make crash` kills more often.
"""

import http.client
import json
import logging
import os
import random
import re
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.crash.failpoints import POINTS
from tests.platforms import ACCOUNT, Platform, deploy, wait_for

KILLS = int(os.environ.get("CRASH_KILLS", "20"))
CLIENTS = 4
RETRIES = 1
SOURCE = """
def handler(event, context):
    if event["fails"]:
        raise ValueError("as asked")
"""


@pytest.fixture
def queue() -> Iterator[Any]:
    """Where records go: a queue in a server that is not killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "sqs", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id=ACCOUNT, aws_secret_access_key="x",
    )  # fmt: skip
    client.create_queue(QueueName="records")
    yield client
    server.stop()


class Auditor:
    """Knows what was accepted and what has arrived."""

    def __init__(self, queue: Any, database: Path) -> None:
        self._queue = queue
        self._url = queue.get_queue_url(QueueName="records")["QueueUrl"]
        self._database = database
        self.accepted: dict[str, bool] = {}
        """By request id, whether the function is to fail."""
        self.arrived = Counter[str]()

    def receive(self) -> None:
        """Take what has arrived."""
        while messages := self._queue.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                self._note(json.loads(message["Body"]))
                self._queue.delete_message(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                )

    def _note(self, record: Any) -> None:
        context = record["requestContext"]
        fails = record["requestPayload"]["fails"]
        assert context["condition"] == ("RetriesExhausted" if fails else "Success")
        assert context["approximateInvokeCount"] == (RETRIES + 1 if fails else 1)
        self.arrived[context["requestId"]] += 1

    def audit(self) -> tuple[int, int]:
        """Look at what the dead platform has left; gives how many events and deliveries."""
        self.receive()
        database = sqlite3.connect(self._database)
        try:
            events = {row[0] for row in database.execute("SELECT request_id FROM async_events")}
            deliveries = {
                json.loads(row[0])["requestContext"]["requestId"]
                for row in database.execute("SELECT body FROM deliveries")
            }
        finally:
            database.close()
        over = deliveries | self.arrived.keys()
        lost = self.accepted.keys() - events - over
        assert not lost, f"{len(lost)} events were accepted and are lost: {sorted(lost)[:5]}"
        assert not events & over, "events whose end is written down are tried again"
        return len(events), len(deliveries)


def enqueue(endpoint: str, auditor: Auditor, numbers: random.Random) -> None:
    """Hand in events until the platform is gone."""
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


def start(data: Path, options: list[str], point: str, number: int) -> tuple[Any, str | None]:
    """A platform that will kill itself; its endpoint, None if it died before it had one."""
    command = [sys.executable, "-m", "tests.crash.failpoints", point, str(number)]
    command += ["up", "--port", "0", "--data-dir", str(data), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if found := re.search(r"ready at (http://\S+)", line):
            return process, found[1]
    process.stdout.close()
    assert process.wait(30) == -signal.SIGKILL, output
    return process, None


def end(process: Any, within_s: float) -> None:
    """Wait for a platform to die, and see to it."""
    watched = os.pidfd_open(process.pid)
    try:
        if not select.select([watched], [], [], within_s)[0]:
            process.kill()
    finally:
        os.close(watched)
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()


@pytest.mark.timeout(60 + 10 * KILLS)
def test_nothing_accepted_is_lost(tmp_path: Path, queue: Any) -> None:
    """Killed at chosen points and at any time, while clients hand in events."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    numbers = random.Random(seed)
    print(f"CRASH_SEED={seed}")
    data = tmp_path / "data"
    auditor = Auditor(queue, data / "state" / "lambent.db")
    options = ["--set", f"aws.sqs.endpoint_url={queue.meta.endpoint_url}"]
    options += ["--set", "asynchronous.retry_s=0.05", "--set", "asynchronous.backoff_s=0.1"]
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
    for turn in range(KILLS):
        point = (*POINTS, "any")[turn % (len(POINTS) + 1)]
        number = numbers.randrange(1, 60) if point in POINTS else 1_000_000
        process, endpoint = start(data, options, point if point in POINTS else POINTS[0], number)
        if endpoint is not None:
            clients = [
                threading.Thread(
                    target=enqueue, args=(endpoint, auditor, random.Random(numbers.random()))
                )
                for _ in range(CLIENTS)
            ]
            for one in clients:
                one.start()
            end(process, within_s=numbers.uniform(0.05, 1.0) if point == "any" else 5.0)
            for one in clients:
                one.join(30)
        auditor.audit()
    assert len(auditor.accepted) > KILLS
    platform = Platform(data, *options)
    try:
        wait_for(
            lambda: (auditor.receive(), auditor.accepted.keys() <= auditor.arrived.keys())[1],
            "everything that was accepted arrives",
            deadline_s=60 + KILLS,
        )
    finally:
        platform.stop()
    assert auditor.audit() == (0, 0)
    # What is told twice was told right before a kill.
    assert sum(auditor.arrived.values()) - len(auditor.arrived) <= KILLS * 64
    assert max(auditor.arrived.values()) <= KILLS
    print(f"{KILLS} kills, {len(auditor.accepted)} accepted, {len(auditor.arrived)} arrived,")
    print(f"{sum(auditor.arrived.values()) - len(auditor.arrived)} of them twice")
