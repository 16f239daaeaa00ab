"""A platform that is killed again and again while stacks are made, changed, rolled back and
deleted: each stack settles by itself, and nothing is left over, missing or made twice.
`make crash-stacks` kills more often."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from lambent.store.settings import StoreSettings
from tests.crash.emulated import emulated
from tests.crash.failpoints import ANY_TIME
from tests.crash.lives import Life
from tests.crash.stack_auditor import StackAuditor
from tests.crash.stack_failpoints import OFTEN, POINTS
from tests.crash.stack_templates import BUCKET, CHILD, MAKER, WORDS, random_template
from tests.platforms import Platform, deploy, wait_for, zip_of
from tests.servers.processes import free_port

KILLS = os.environ.get("CRASH_STACK_KILLS")
"""The number of kills on each kind of database; by default few enough for every run."""
STACKS = ("one", "two")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
SOURCE = """
import json, os, time, urllib.error, urllib.request

def send(url, document, method, **headers):
    body = json.dumps(document).encode()
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        raise ValueError(error.read()) from None

def handler(event, context):
    kind, word = event["RequestType"], event["ResourceProperties"]["Word"]
    id = event.get("PhysicalResourceId", "")
    url = event.pop("ResponseURL")
    is_bad = word == "bad" and kind != "Delete"
    if kind != "Delete" and not is_bad and not id.startswith(f"thing-{word}-"):
        id = f"thing-{word}-{event['RequestId']}"
    made = id if kind != "Delete" and not is_bad else ""
    witness = {**event, "PhysicalResourceId": id, "made": made}
    message = {"QueueUrl": os.environ["WITNESS"], "MessageBody": json.dumps(witness)}
    credential = "000000000000/20260101/us-east-1/sqs/aws4_request"
    send(os.environ["AWS_ENDPOINT_URL"], message, "POST", **{
        "X-Amz-Target": "AmazonSQS.SendMessage",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature="
        + 64 * "0",
        "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
    })
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "FAILED" if is_bad else "SUCCESS", "Reason": "It is bad."}
    if id:
        answer["PhysicalResourceId"] = id
    send(url, answer, "PUT", **{"Content-Type": ""})
"""


@pytest.fixture
def queues() -> Iterator[Any]:
    """A client of queues in a server that is not killed."""
    with emulated("sqs") as client:
        yield client


class World:
    """Two stacks, and what is expected of them."""

    def __init__(self, platform: Platform, queues: Any, numbers: random.Random) -> None:
        self._numbers = numbers
        self._expected: dict[str, set[str]] = {}
        """The statuses in which stacks may settle."""
        self.client = cache(platform.client)
        self.operations = Counter[str]()
        witness = queues.create_queue(QueueName="witness")["QueueUrl"]
        self.auditor = StackAuditor(self.client, queues, witness)
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="child.json", Body=CHILD)
        for word in WORDS:
            layer = zip_of({f"python/{word}.py": ""})
            s3.put_object(Bucket=BUCKET, Key=f"layer-{word}.zip", Body=layer)
        environment = {"Variables": {"WITNESS": witness}}
        deploy(self.client("lambda"), MAKER, {"app.py": SOURCE}, Environment=environment)

    def look(self) -> bool:
        """Judge everything if all is settled; returns whether it is."""
        found = {stack: self._status(stack) for stack in STACKS}
        if any(status.endswith("_IN_PROGRESS") for status in found.values()):
            return False
        for stack, expected in self._expected.items():
            reasons = self.auditor.reasons({"StackId": stack}) if found[stack] else ()
            assert found[stack] in expected, (stack, found[stack], expected, reasons)
        self._expected.clear()
        self.auditor.audit()
        return True

    def begin(self, stack: str) -> None:
        """Begin a random operation, of those that are possible."""
        numbers, now = self._numbers, self._status(stack)
        fails = numbers.random() < 0.35
        if now == "ROLLBACK_COMPLETE" or (now and numbers.random() < 0.3):
            self._expected[stack] = {now, ""}
            self.operations["delete"] += 1
            self.client("cloudformation").delete_stack(StackName=stack)
            return
        word = numbers.choice(WORDS)
        params = {
            "StackName": stack,
            "TemplateBody": random_template(numbers, word, fails=fails),
            "Parameters": [{"ParameterKey": "Word", "ParameterValue": word}],
            "Capabilities": CAPABILITIES,
        }
        verb = "UPDATE" if now else "CREATE"
        status = f"{verb}_COMPLETE"
        if fails:
            status = "UPDATE_ROLLBACK_COMPLETE" if now else "ROLLBACK_COMPLETE"
        self._expected[stack] = {now, status}
        self.operations[f"{verb.lower()}{', failing' if fails else ''}"] += 1
        client = self.client("cloudformation")
        try:
            (client.update_stack if now else client.create_stack)(**params)
        except ClientError as error:
            assert "No updates are to be performed" in str(error), error

    def delete_all(self) -> None:
        """Begin the deletion of both stacks."""
        for stack in STACKS:
            self._expected[stack] = {""}
            self.client("cloudformation").delete_stack(StackName=stack)

    def _status(self, stack: str) -> str:
        """Empty if there is none."""
        try:
            (found,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            assert "does not exist" in str(error), error
            return ""
        return str(found["StackStatus"])


def live(life: Life, world: World, numbers: random.Random, within_s: float) -> None:
    """Deploy stacks until the platform is dead."""
    if life.read_endpoint() is None:
        return
    ends_at = time.monotonic() + within_s
    try:
        while time.monotonic() < ends_at and not life.is_dead:
            if world.look():
                for stack in STACKS:
                    world.begin(stack)
            time.sleep(numbers.uniform(0, 0.1))  # noqa: TID251 - it is another process
    except (ConnectionError, HTTPClientError):
        pass
    life.end(0 if time.monotonic() >= ends_at else 10)


@pytest.mark.timeout(240 + 15 * int(KILLS or 6))
def test_every_stack_settles(
    tmp_path: Path, queues: Any, database: Callable[..., StoreSettings]
) -> None:
    """Killed at chosen points and at any time."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    numbers = random.Random(seed)
    print(f"CRASH_SEED={seed}")
    data = tmp_path / "data"
    settings = database()
    kills = int(KILLS or 3)
    options = ["--port", str(free_port())]
    options += ["--set", f"aws.sqs.endpoint_url={queues.meta.endpoint_url}"]
    options += ["--set", "asynchronous.retry_s=0.05", "--set", "asynchronous.backoff_s=0.1"]
    if settings.url:
        options += ["--set", f"store.url={settings.url}"]
    platform = Platform(data, *options)
    world = World(platform, queues, numbers)
    platform.kill()
    targets = [*POINTS, ANY_TIME]
    for _ in range(kills):
        point = numbers.choice(targets)
        within_s = numbers.uniform(0.05, 4) if point == ANY_TIME else 10.0
        number = numbers.randrange(1, 50 if point in OFTEN else 4)
        with Life("stack_failpoints", data, options, point, number) as life:
            live(life, world, numbers, within_s)
    with Life("stack_failpoints", data, options, ANY_TIME, 0) as life:
        assert life.read_endpoint() is not None
        wait_for(world.look, "all stacks settle", deadline_s=120)
        world.delete_all()
        wait_for(world.look, "all stacks are deleted", deadline_s=120)
    hits = Counter((tmp_path / "witness").read_text().split()[1::2])
    hits[ANY_TIME] = kills - hits.total()
    auditor = world.auditor
    print(f"{kills} kills, {dict(hits)}; {dict(world.operations)};")
    print(f"{auditor.resources} resources and {auditor.events} events were judged, and")
    print(f"{len(auditor.requests)} requests to custom resources, {auditor.repeated} of them again")
