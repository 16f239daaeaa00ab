"""CloudWatch Logs as boto3 and the AWS CLI see it.

Gateway and log store are real and run in a thread of this process; the tests write the log
themselves, as an execution environment would.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from botocore.config import Config
from botocore.exceptions import ClientError

from lambent.control.log_groups import LogGroups
from lambent.control.metric_filters import MetricFilters
from lambent.control.query_definitions import QueryDefinitions
from lambent.gateway.server import open_front_door, open_gateway
from lambent.gateway.services.logs.insights import write_query_results
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.service import LOGS
from lambent.gateway.settings import GatewaySettings
from lambent.kit.clock import SystemClock
from lambent.model.peers import NoPeers
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from lambent.telemetry.all_logs import AllLogs
from lambent.telemetry.caller_events import CallerEvents
from lambent.telemetry.insights.all_queries import AllQueries
from lambent.telemetry.insights.gathering import Gathering
from lambent.telemetry.insights.runner import LogQueries
from lambent.telemetry.live_tail import LiveTails
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.settings import TelemetrySettings
from tests.authorizers import relaxed

ACCOUNT = "111111111111"
REGION = "us-east-1"
STREAM = "2024/01/31/[$LATEST]3893xmpl7fac4485b47bb75b671a283c"
NO_GROUP = "The specified log group does not exist."
NO_STREAM = "The specified log stream does not exist."


@asynccontextmanager
async def open_api(data: Path) -> AsyncIterator[tuple[str, LogStore]]:
    """A gateway with the log store behind it, on a free port of loopback."""
    settings = GatewaySettings(shutdown_grace_s=1.0)
    async with (
        open_logs(TelemetrySettings(), data, SystemClock()) as logs,
        open_store(StoreSettings(synchronous="OFF"), data) as store,
        open_gateway(settings, relaxed()) as gateway,
    ):
        peers = NoPeers()
        all_logs = AllLogs(logs, peers)
        groups = LogGroups(store, all_logs, SystemClock())
        logs.load_retentions = groups.all_retentions
        clock = SystemClock()
        rooms = LogsRooms(
            all_logs,
            groups,
            MetricFilters(groups, clock),
            QueryDefinitions(store, clock),
            CallerEvents(logs, clock),
            LiveTails(logs, peers, clock),
            AllQueries(
                LogQueries(logs, Gathering(logs, peers, data / "copies"), gateway.tasks, clock),
                peers,
            ),
        )
        gateway.register(LOGS, LOGS.bind(rooms))
        gateway.register_writer(LOGS, "GetQueryResults", write_query_results)
        sock = socket.create_server(("127.0.0.1", 0))
        async with open_front_door(gateway, settings, sock):
            yield f"http://127.0.0.1:{sock.getsockname()[1]}", logs


class Api:
    """The API, and the log store's other side."""

    def __init__(self, endpoint: str, logs: LogStore, portal: BlockingPortal) -> None:
        self.endpoint = endpoint
        self._logs = logs
        self._portal = portal
        self.client = self.connect()

    def connect(self, account: str = ACCOUNT, region: str = REGION) -> Any:
        """A client of an account and region."""
        return boto3.client(
            "logs",
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    def write(self, group: str, stream: str, *events: tuple[int, bytes]) -> None:
        """Log events to a stream, as one environment."""

        def write() -> None:
            writer = self._logs.open_stream(ACCOUNT, REGION, group, stream)
            for timestamp_ms, message in events:
                writer.append(timestamp_ms, message)
            writer.close()

        self._portal.call(write)

    def run_cli(self, *arguments: str) -> Any:
        """`aws logs …`; returns its output."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("aws")), "logs", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "AWS_ACCESS_KEY_ID": ACCOUNT,
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            },
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The running API."""
    data = tmp_path_factory.mktemp("logs-api")
    with (
        start_blocking_portal("asyncio", {"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(open_api(data)) as (endpoint, logs),
    ):
        yield Api(endpoint, logs, portal)


@pytest.fixture
def group() -> str:
    """A group of the test's own."""
    return f"/aws/lambda/{uuid.uuid4()}"


def now_ms() -> int:
    return int(time.time() * 1000)


def events_of(begin_ms: int, count: int) -> list[tuple[int, bytes]]:
    return [(begin_ms + at, b"message %d" % at) for at in range(count)]


def messages(answer: Any) -> list[str]:
    """Without the newline that each has."""
    found = [event["message"] for event in answer["events"]]
    assert all(line.endswith("\n") for line in found)
    return [line[:-1] for line in found]


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """Code and message of the error a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_groups_are_described(api: Api, group: str) -> None:
    """By prefix or part of a name, with AWS's members, page by page, per account."""
    for suffix in ("a", "b", "c"):
        api.write(f"{group}-{suffix}", STREAM, (0, b"x"))
    paginator = api.client.get_paginator("describe_log_groups")
    pages = list(paginator.paginate(logGroupNamePrefix=group, limit=2))
    assert [len(page["logGroups"]) for page in pages] == [2, 1]
    first = pages[0]["logGroups"][0]
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}-a"
    assert (first["arn"], first["logGroupArn"]) == (f"{arn}:*", arn)
    assert abs(first["creationTime"] - now_ms()) < 60_000
    assert first["storedBytes"] > 0
    part = api.client.describe_log_groups(logGroupNamePattern=f"{group[12:]}-b")["logGroups"]
    assert [found["logGroupName"] for found in part] == [f"{group}-b"]
    for other in (api.connect("222222222222"), api.connect(region="eu-west-1")):
        assert other.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_streams_are_described(api: Api, group: str) -> None:
    """By name or by last event, forward or backward, page by page."""
    begin_ms = now_ms() - 10_000
    for number, stream in enumerate(("c", "a", "b")):
        api.write(group, stream, (begin_ms + number, b"x"), (begin_ms + 100 + number, b"y"))
    paginator = api.client.get_paginator("describe_log_streams")

    def names(**more: Any) -> list[str]:
        pages = paginator.paginate(logGroupName=group, limit=2, **more)
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert names() == ["a", "b", "c"]
    assert names(descending=True) == ["c", "b", "a"]
    assert names(orderBy="LastEventTime") == ["c", "a", "b"]
    assert names(orderBy="LastEventTime", descending=True) == ["b", "a", "c"]
    assert names(logStreamNamePrefix="b") == ["b"]
    stream = api.client.describe_log_streams(logGroupName=group)["logStreams"][0]
    assert stream["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:a"
    assert stream["firstEventTimestamp"] == begin_ms + 1
    assert stream["lastEventTimestamp"] == begin_ms + 101
    assert stream["lastIngestionTime"] > begin_ms


def test_a_stream_is_read_from_its_head(api: Api, group: str) -> None:
    """At the end the token stays the same; later events come with that token."""
    begin_ms = now_ms() - 10_000
    api.write(group, STREAM, *events_of(begin_ms, 25))
    got: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = api.client.get_log_events(
            logGroupName=group, logStreamName=STREAM, startFromHead=True, limit=10, **more
        )
        got += messages(answer)
        if more.get("nextToken") == answer["nextForwardToken"]:
            break
        more = {"nextToken": answer["nextForwardToken"]}
    assert got == [f"message {at}" for at in range(25)]
    api.write(group, STREAM, (begin_ms - 5_000, b"late"))
    answer = api.client.get_log_events(logGroupName=group, logStreamName=STREAM, **more)
    assert messages(answer) == ["late"]


def test_a_stream_is_read_from_its_tail(api: Api, group: str) -> None:
    """Without a token the last events are returned, in order; backward tokens return earlier
    ones."""
    api.write(group, STREAM, *events_of(now_ms() - 10_000, 25))
    got: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = api.client.get_log_events(
            logGroupName=group, logStreamName=STREAM, limit=10, **more
        )
        got = messages(answer) + got
        if more.get("nextToken") == answer["nextBackwardToken"]:
            break
        more = {"nextToken": answer["nextBackwardToken"]}
    assert got == [f"message {at}" for at in range(25)]


def test_an_answer_is_a_megabyte_at_most(api: Api, group: str) -> None:
    """Large events make short pages, in both operations and directions; none is left out."""
    begin_ms = now_ms() - 10_000
    api.write(group, STREAM, *[(begin_ms + at, b"%02d" % at + b"x" * 200_000) for at in range(12)])
    expected = [f"{at:02d}" for at in range(12)]
    pages = list(api.client.get_paginator("filter_log_events").paginate(logGroupName=group))
    assert [text[:2] for page in pages for text in messages(page)] == expected
    assert max(sum(map(len, messages(page))) for page in pages) <= 1 << 20
    for member, from_head in (("nextForwardToken", True), ("nextBackwardToken", False)):
        got: list[str] = []
        more: dict[str, Any] = {"startFromHead": from_head}
        while page := messages(
            answer := api.client.get_log_events(logGroupName=group, logStreamName=STREAM, **more)
        ):
            assert sum(map(len, page)) <= 1 << 20
            got = got + page if from_head else page + got
            more = {"nextToken": answer[member]}
        assert [text[:2] for text in got] == expected


def test_times_bound_what_is_read(api: Api, group: str) -> None:
    """The start counts; the end counts for FilterLogEvents only."""
    begin_ms = now_ms() - 10_000
    api.write(group, STREAM, *events_of(begin_ms, 10))
    times = {"startTime": begin_ms + 3, "endTime": begin_ms + 5}
    answer = api.client.get_log_events(logGroupName=group, logStreamName=STREAM, **times)
    assert messages(answer) == ["message 3", "message 4"]
    answer = api.client.filter_log_events(logGroupName=group, **times)
    assert messages(answer) == ["message 3", "message 4", "message 5"]


def test_events_of_a_group_are_filtered(api: Api, group: str) -> None:
    """By stream, prefix and pattern; by time across streams; each with an id."""
    begin_ms = now_ms() - 10_000
    for number, stream in enumerate(("2024/a", "2024/b", "2025/c")):
        api.write(
            group,
            stream,
            *[(begin_ms + 3 * at + number, f"{stream} {at}".encode()) for at in range(10)],
        )

    def found(**more: Any) -> list[dict[str, Any]]:
        pages = api.client.get_paginator("filter_log_events").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 7}, **more
        )
        return [event for page in pages for event in page["events"]]

    every = found()
    assert [event["timestamp"] for event in every] == list(range(begin_ms, begin_ms + 30))
    assert len({event["eventId"] for event in every}) == 30
    assert every == found(), "ids do not change"
    assert {event["logStreamName"] for event in found(logStreamNames=["2024/a"])} == {"2024/a"}
    assert len(found(logStreamNamePrefix="2024/")) == 20
    assert [event["message"].rstrip() for event in found(filterPattern='"c 7"')] == ["2025/c 7"]


@pytest.mark.parametrize("form", ["{name}", "{arn}"])
def test_groups_go_by_name_or_arn(api: Api, group: str, form: str) -> None:
    """As `logGroupIdentifier`."""
    api.write(group, STREAM, (0, b"here"))
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    identifier = form.format(name=group, arn=arn)
    client = api.client
    assert messages(client.filter_log_events(logGroupIdentifier=identifier)) == ["here"]
    assert client.describe_log_streams(logGroupIdentifier=identifier)["logStreams"]
    answer = client.get_log_events(logGroupIdentifier=identifier, logStreamName=STREAM)
    assert messages(answer) == ["here"]


def test_what_is_not_there(api: Api, group: str) -> None:
    """Is reported as in AWS."""
    client = api.client
    for call in (
        lambda: client.filter_log_events(logGroupName=group),
        lambda: client.describe_log_streams(logGroupName=group),
        lambda: client.get_log_events(logGroupName=group, logStreamName=STREAM),
    ):
        assert refusal(call) == ("ResourceNotFoundException", NO_GROUP)
    api.write(group, STREAM, (0, b"x"))
    for call in (
        lambda: client.get_log_events(logGroupName=group, logStreamName="none"),
        lambda: client.filter_log_events(logGroupName=group, logStreamNames=["none"]),
    ):
        assert refusal(call) == ("ResourceNotFoundException", NO_STREAM)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("filter_log_events", {"filterPattern": '"open'}),
        ("filter_log_events", {"filterPattern": "%(a+)+%"}),
        ("filter_log_events", {"nextToken": "x"}),
        ("filter_log_events", {"nextToken": "\u00e4"}),
        ("filter_log_events", {"nextToken": "W1tbW1tbW1tb" * 10_000}),
        ("filter_log_events", {"logStreamNames": ["a"], "logStreamNamePrefix": "a"}),
        ("filter_log_events", {"logGroupIdentifier": "also"}),
        ("get_log_events", {"logStreamName": STREAM, "nextToken": "f/-1"}),
        ("get_log_events", {"logStreamName": STREAM, "nextToken": "f/" + "9" * 40}),
        ("describe_log_streams", {"orderBy": "LastEventTime", "logStreamNamePrefix": "a"}),
        ("describe_log_streams", {"nextToken": "x"}),
    ],
)
def test_what_cannot_be_asked(api: Api, group: str, operation: str, params: Any) -> None:
    """Hostile patterns and tokens, and members that exclude each other."""
    api.write(group, STREAM, (0, b"x"))
    code, _ = refusal(lambda: getattr(api.client, operation)(logGroupName=group, **params))
    assert code == "InvalidParameterException"


def test_bytes_that_are_no_text(api: Api, group: str) -> None:
    """They are returned as replacement characters."""
    api.write(group, STREAM, (0, b"a\xff\xfeb \xf0\x9f\x90\x8d"))
    answer = api.client.filter_log_events(logGroupName=group)
    assert messages(answer) == ["a\ufffd\ufffdb \U0001f40d"]


def test_a_log_is_followed(api: Api, group: str) -> None:
    """Like `aws logs tail --follow`: interleaved, from the last timestamp seen on, recognizing
    events by their ids."""
    begin_ms = now_ms() - 60_000
    got: list[str] = []
    seen: set[str] = set()
    more: dict[str, Any] = {"startTime": begin_ms}
    for turn in range(6):
        # Two events of one millisecond, in two streams, of which one is new.
        for stream in ("old", f"new {turn}"):
            api.write(group, stream, (begin_ms + turn, f"{stream}, {turn}".encode()))
        while True:
            answer = api.client.filter_log_events(
                logGroupIdentifier=group, interleaved=True, limit=1, **more
            )
            fresh = [event for event in answer["events"] if event["eventId"] not in seen]
            got += [event["message"].rstrip() for event in fresh]
            seen |= {event["eventId"] for event in fresh}
            more.pop("nextToken", None)
            if token := answer.get("nextToken"):
                more["nextToken"] = token
                continue
            if answer["events"]:
                more["startTime"] = answer["events"][-1]["timestamp"]
            break
    assert sorted(got) == sorted(
        f"{stream}, {turn}" for turn in range(6) for stream in ("old", f"new {turn}")
    )


def test_the_command_line(api: Api, group: str) -> None:
    """`aws logs` describes, reads and filters, with its own pages."""
    api.write(group, STREAM, *events_of(now_ms() - 10_000, 5))
    groups = api.run_cli("describe-log-groups", "--log-group-name-prefix", group)
    assert [found["logGroupName"] for found in groups["logGroups"]] == [group]
    answer = api.run_cli("filter-log-events", "--log-group-name", group, "--page-size", "2")
    assert messages(answer) == [f"message {at}" for at in range(5)]
    assert all(re.fullmatch(r"\d{56}", event["eventId"]) for event in answer["events"])
    answer = api.run_cli(
        "get-log-events", "--log-group-name", group, "--log-stream-name", STREAM, "--limit", "1"
    )
    assert messages(answer) == ["message 4"]


def test_groups(api: Api, group: str) -> None:
    """Are created, tagged, kept for a time and deleted."""
    logs, named = api.client, {"logGroupName": group}
    logs.create_log_group(**named, tags={"team": "blue"})
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        logs.create_log_group(**named)
    logs.put_retention_policy(**named, retentionInDays=7)
    (shown,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert shown["retentionInDays"] == 7
    arn = shown["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"a": "b"})
    logs.untag_log_group(**named, tags=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}
    logs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert logs.list_tags_log_group(**named)["tags"] == {}
    logs.delete_retention_policy(**named)
    (shown,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in shown
    with pytest.raises(ClientError, match="retentionInDays must be one of"):
        logs.put_retention_policy(**named, retentionInDays=2)
    with pytest.raises(ClientError, match="kmsKeyId"):
        logs.create_log_group(logGroupName=f"{group}/k", kmsKeyId="k")
    api.write(group, STREAM, (now_ms(), b"line"))
    logs.delete_log_group(**named)
    for call in (
        logs.delete_log_group,
        logs.delete_retention_policy,
        logs.list_tags_log_group,
        logs.describe_log_streams,
    ):
        with pytest.raises(ClientError, match=NO_GROUP):
            call(**named)
    api.write(group, STREAM, (now_ms(), b"again"))
    (event,) = logs.get_log_events(**named, logStreamName=STREAM)["events"]
    assert event["message"] == "again\n"
