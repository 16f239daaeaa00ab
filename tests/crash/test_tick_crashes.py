"""A platform that is killed around the ticks of its schedules sends exactly one event for each
tick. `make crash` kills more often."""

import datetime
import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lambent.store.settings import StoreSettings
from tests.crash.failpoints import ANY_TIME
from tests.crash.lives import Life
from tests.crash.queue_server import QueueServer
from tests.crash.tick_failpoints import POINTS
from tests.platforms import ACCOUNT, Platform, client_at, deploy, wait_for

KILLS = os.environ.get("CRASH_KILLS")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:ticks"
SOURCE = "def handler(event, context):\n    pass\n"
SCHEDULES = 3
"""In each life, due within two seconds."""


class Events:
    """The events that reached the function, by what they say; from the records at its
    destination."""

    def __init__(self, queue: QueueServer) -> None:
        self._queue = queue
        self.requests: dict[str, set[str]] = defaultdict(set)
        """By the name of a schedule, or by the time of the minute's tick: the request ids. An event
        keeps its id when a kill makes the function run again."""

    def receive(self) -> None:
        """Take what has arrived."""
        for body in self._queue.take():
            record = json.loads(body)
            request_id = record["requestContext"]["requestId"]
            self.requests[record["requestPayload"]["of"]].add(request_id)


def prepare(data: Path, options: list[str]) -> None:
    """A function with a destination, and a schedule of every minute."""
    platform = Platform(data, *options)
    client = platform.client("lambda")
    deploy(client, "ticks", {"app.py": SOURCE})
    client.put_function_event_invoke_config(
        FunctionName="ticks",
        DestinationConfig={
            "OnSuccess": {"Destination": f"arn:aws:sqs:us-east-1:{ACCOUNT}:records"}
        },
    )
    create(platform.client("scheduler"), "minutes", "cron(* * * * ? *)")
    platform.kill()


def create(scheduler: Any, name: str, expression: str) -> None:
    """A schedule whose event says which tick it is of."""
    of = "<aws.scheduler.scheduled-time>" if name == "minutes" else name
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion=random.choice(["NONE", "DELETE"]),
        Target={"Arn": FUNCTION, "RoleArn": ROLE, "Input": json.dumps({"of": of})},
    )


def live(life: Life, turn: int, within_s: float) -> set[str]:
    """Create schedules that are due soon, and wait for the kill. Returns those that the platform
    has accepted before they were due: a time that has passed is never due."""
    endpoint = life.read_endpoint()
    if endpoint is None:
        return set()
    scheduler = client_at(endpoint, "scheduler")
    accepted = set()
    try:
        for number in range(SCHEDULES):
            soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
            due = soon.replace(microsecond=0)
            create(scheduler, f"s{turn}-{number}", f"at({due:%Y-%m-%dT%H:%M:%S})")
            if datetime.datetime.now(datetime.UTC) < due:
                accepted.add(f"s{turn}-{number}")
    except (BotoCoreError, ClientError):
        pass  # It was killed.
    life.end(within_s)
    return accepted


@pytest.mark.timeout(180 + 15 * int(KILLS or 6))
def test_a_tick_sends_one_event(
    tmp_path: Path, queue: QueueServer, database: Callable[..., StoreSettings]
) -> None:
    """Killed before and after each commit on the way of an event, and at any time."""
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 1_000_000))
    numbers = random.Random(seed)
    print(f"CRASH_SEED={seed}")
    data, settings = tmp_path / "data", database()
    kills = int(KILLS or len(POINTS) + 1)
    options = ["--set", f"aws.sqs.endpoint_url={queue.url}"]
    if settings.url:
        options += ["--set", f"store.url={settings.url}"]
    prepare(data, options)
    accepted: set[str] = set()
    hits = Counter[str]()
    for turn in range(kills):
        point = (*POINTS, ANY_TIME)[turn % (len(POINTS) + 1)]
        within_s = numbers.uniform(0.05, 2.0) if point == ANY_TIME else 5.0
        with Life("tick_failpoints", data, options, point, numbers.randrange(1, 4)) as life:
            accepted |= live(life, turn, within_s)
    for line in (tmp_path / "witness").read_text().splitlines():
        hits[line.removeprefix("killed ")] += 1
    events = Events(queue)
    with Life("tick_failpoints", data, options, ANY_TIME, 0) as life:
        assert life.read_endpoint() is not None

        def all_arrived() -> bool:
            events.receive()
            return accepted <= events.requests.keys()

        try:
            wait_for(all_arrived, "every tick has sent its event", deadline_s=60 + kills)
        finally:
            print(f"missing: {sorted(accepted - events.requests.keys())}")
    several = {of: ids for of, ids in events.requests.items() if len(ids) != 1}
    assert not several
    ticks = sorted(of for of in events.requests if not of.startswith("s"))
    print(f"{kills} kills, {dict(hits)}; {len(accepted)} schedules and {len(ticks)} minutes,")
    print(f"{len(events.requests)} events, each once")
    assert sum(hits.values()) >= kills // 3
    if kills >= 10 * len(POINTS):
        assert hits.keys() == POINTS.keys()
