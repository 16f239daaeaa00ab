"""Kinesis streams, read from a server whose shards split and merge."""

import base64
import functools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.kinesis import Kinesis
from tests.servers.ministack import Ministack

from .conftest import ROLE, Function, Platform, wait_for
from .streams import (
    FIRST,
    LAST,
    NewFunction,
    StartPlatform,
    Stream,
    options_of,
    positions,
    running,
    texts,
    wait_texts,
)

POISON = """
import base64
def act(event):
    if any(b"poison" in base64.b64decode(record["kinesis"]["data"]) for record in event["Records"]):
        raise ValueError("poison")
"""


@pytest.fixture(scope="module")
def platform(
    kinesis: Kinesis, ministack: Ministack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform that finds streams at one server, and destinations at another."""
    endpoints = {
        "kinesis": kinesis.endpoint,
        "s3": ministack.endpoint,
        **dict.fromkeys(("sqs", "sns"), ministack.strict_endpoint),
    }
    with running(tmp_path_factory.mktemp("kinesis") / "data", endpoints) as platform:
        yield platform


@pytest.fixture
def stream(kinesis: Kinesis, request: pytest.FixtureRequest) -> Stream:
    """With as many shards as the test's mark says."""
    name = request.node.name[:90].replace("[", "-").replace("]", "")
    return Stream(kinesis.client(), name, getattr(request, "param", 1))


def two_shards() -> Any:
    return pytest.mark.parametrize("stream", [2], indirect=True, ids=[""])


def test_events_are_as_in_aws(stream: Stream, new_function: NewFunction) -> None:
    """All members of a record, for any data."""
    put = stream.client.put_record(StreamName=stream.name, PartitionKey="grüße", Data=b"\x00\xff")
    function = new_function()
    function.map(stream.arn, StartingPosition="TRIM_HORIZON")
    (event,) = function.wait_events(1)
    (record,) = event["Records"]
    arrived_at = record["kinesis"].pop("approximateArrivalTimestamp")
    assert abs(arrived_at - time.time()) < 60
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "grüße",
            "sequenceNumber": put["SequenceNumber"],
            "data": "AP8=",
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{put['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": "us-east-1",
        "eventSourceARN": stream.arn,
    }


def test_starting_positions(stream: Stream, new_function: NewFunction) -> None:
    """TRIM_HORIZON begins at the first record, AT_TIMESTAMP at the first since then, LATEST after
    the mapping is enabled."""
    stream.put("old")
    old = time.time()
    wait_for(lambda: time.time() > old + 0.01, "a moment passes")
    middle = time.time()
    stream.put("middle")
    all_of, some, new = (new_function() for _ in range(3))
    all_of.map(stream.arn, StartingPosition="TRIM_HORIZON")
    some.map(stream.arn, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=middle)
    new.map(stream.arn, StartingPosition="LATEST")
    stream.put("new")
    assert wait_texts(all_of, "new") == ["old", "middle", "new"]
    assert wait_texts(some, "new") == ["middle", "new"]
    assert wait_texts(new, "new") == ["new"]


@two_shards()
def test_shards_that_split_and_merge_are_read_parents_first(
    stream: Stream, new_function: NewFunction
) -> None:
    """The records of a key stay in order, and each is delivered once, over splits and merges,
    including those before the mapping was created."""
    expected: dict[str, list[str]] = {FIRST: [], LAST: []}
    count = 0

    def put(number: int) -> None:
        nonlocal count
        for _ in range(number):
            for at, sent in expected.items():
                sent.append(f"{count}")
                stream.put(f"{count}", key=at, at=at)
                count += 1

    put(3)
    stream.split("shardId-000000000000")
    put(3)
    function = new_function(act="def act(event): import time; time.sleep(0.05)")
    function.map(stream.arn, StartingPosition="TRIM_HORIZON", BatchSize=2)
    put(3)
    stream.merge("shardId-000000000002", "shardId-000000000003")
    put(3)
    stream.split("shardId-000000000001")
    put(3)

    seen = wait_texts(function, *map(str, range(count)))
    assert sorted(seen, key=int) == [str(number) for number in range(count)]
    for sent in expected.values():
        assert [text for text in seen if text in sent] == sent
    events = function.events()
    assert max(len(event["Records"]) for event in events) == 2
    shards = [{record["eventID"].split(":")[0] for record in event["Records"]} for event in events]
    assert all(len(of_event) == 1 for of_event in shards)
    assert len(set().union(*shards)) == 5


@two_shards()
def test_a_poison_record_blocks_only_its_shard(stream: Stream, new_function: NewFunction) -> None:
    """Its batch is retried continuously; the other shard continues."""
    function = new_function(POISON)
    uuid = function.map(stream.arn, StartingPosition="TRIM_HORIZON")
    stream.put("poison", at=FIRST)
    wait_for(lambda: texts(function.events()).count("poison") > 2, "it is tried again")
    stream.put("behind", at=FIRST)
    stream.put("other", at=LAST)
    seen = wait_texts(function, "other")
    assert "behind" not in seen
    function.wait_result(uuid, "PROBLEM: Function call failed")
    function.update(uuid, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    wait_texts(function, "behind")
    function.wait_result(uuid, "OK")


def test_discarded_records_go_to_a_queue(
    stream: Stream, ministack: Ministack, new_function: NewFunction
) -> None:
    """A batch that fails is halved until the poison record is alone, which is tried as often as
    retries are allowed; a destination gets its position."""
    sqs = ministack.client("sqs")
    url = sqs.create_queue(QueueName="given-up")["QueueUrl"]
    sent = stream.put("1", "2", "poison", "4")
    function = new_function(POISON)
    function.map(
        stream.arn,
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=2,
        DestinationConfig={
            "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:given-up"}
        },
    )
    wait_texts(function, "4")
    (message,) = wait_for(
        lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the queue is told"
    )
    record = json.loads(message["Body"])
    assert record["requestContext"].pop("requestId")
    assert record["requestContext"] == {
        "functionArn": function.arn,
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["version"] == "1.0"
    assert record["timestamp"].endswith("Z")
    about = record["KinesisBatchInfo"]
    arrived = about.pop("approximateArrivalOfFirstRecord")
    assert len(arrived) == len("2019-11-14T00:38:04.835Z")
    assert about.pop("approximateArrivalOfLastRecord") == arrived
    assert about == {
        "shardId": "shardId-000000000000",
        "startSequenceNumber": sent[2]["SequenceNumber"],
        "endSequenceNumber": sent[2]["SequenceNumber"],
        "batchSize": 1,
        "streamArn": stream.arn,
    }
    batches = [texts([event]) for event in function.events()]
    alone = [["poison"]] * 3
    assert batches == [["1", "2", "poison", "4"], ["1", "2"], ["poison", "4"], *alone, ["4"]]


def test_buckets_get_the_event_too(
    stream: Stream, ministack: Ministack, new_function: NewFunction
) -> None:
    """An object under the mapping's and shard's prefix, with the event as its payload."""
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket="given-up")
    stream.put("poison")
    function = new_function(POISON)
    uuid = function.map(
        stream.arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::given-up"}},
    )
    (found,) = wait_for(
        lambda: s3.list_objects_v2(Bucket="given-up").get("Contents"), "the bucket is told"
    )
    assert found["Key"].startswith(f"aws/lambda/{uuid}/shardId-000000000000/20")
    record = json.loads(s3.get_object(Bucket="given-up", Key=found["Key"])["Body"].read())
    assert record["KinesisBatchInfo"]["batchSize"] == 1
    assert json.loads(record["payload"]) == function.events()[0]


def test_discarded_records_go_to_a_topic(
    stream: Stream, ministack: Ministack, new_function: NewFunction
) -> None:
    """As queues are."""
    sns, sqs = ministack.client("sns"), ministack.client("sqs")
    topic = sns.create_topic(Name="given-up")["TopicArn"]
    url = sqs.create_queue(QueueName="given-up-topic")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:000000000000:given-up-topic",
        Attributes={"RawMessageDelivery": "true"},
    )
    stream.put("poison")
    function = new_function(POISON)
    function.map(
        stream.arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": topic}},
    )
    (message,) = wait_for(
        lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the topic is told"
    )
    assert json.loads(message["Body"])["KinesisBatchInfo"]["streamArn"] == stream.arn


@pytest.mark.parametrize("identifier", ["", None, "unknown"])
def test_given_up_though_the_function_succeeded(
    identifier: str | None, stream: Stream, ministack: Ministack, new_function: NewFunction
) -> None:
    """It only reported failed records: the destination gets no function error. The
    message carries the trace of the call."""
    sqs = ministack.client("sqs")
    url = sqs.create_queue(QueueName=stream.name[:80])["QueueUrl"]
    stream.put("1")
    function = new_function(
        "import os\ndef act(event):\n    print('TRACE ' + os.environ['_X_AMZN_TRACE_ID'])\n"
        f"    return {{'batchItemFailures': [{{'itemIdentifier': {identifier!r}}}]}}",
        name=f"succeeds-{identifier}",
    )
    queue = f"arn:aws:sqs:us-east-1:000000000000:{stream.name[:80]}"
    function.map(
        stream.arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    (message,) = wait_for(
        lambda: sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"]).get(
            "Messages"
        ),
        "the queue is told",
    )
    assert json.loads(message["Body"])["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": None,
    }
    assert [message["Attributes"]["AWSTraceHeader"]] == function.lines("TRACE ")


def test_a_change_is_reported_when_reading_has_ended(
    stream: Stream, new_function: NewFunction
) -> None:
    """The batch in progress has ended by then, and no record is read after it."""
    function = new_function("import time\ndef act(event): time.sleep(1.5); print('ENDED')")
    uuid = function.map(stream.arn, StartingPosition="TRIM_HORIZON", BatchSize=1)
    stream.put("1", "2")
    function.wait_events(1)
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    function.wait_state(uuid, "Disabled")
    assert len(function.lines("ENDED")) == len(function.events())
    assert texts(function.events()) == ["1"]


REPORTS = """
import base64
SEEN = set()
def act(event):
    for record in event["Records"]:
        text = base64.b64decode(record["kinesis"]["data"])
        if text.startswith(b"later") and text not in SEEN:
            SEEN.add(text)
            return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
"""


def test_functions_report_where_they_failed(stream: Stream, new_function: NewFunction) -> None:
    """From there on the batch is retried; records before it are not."""
    stream.put("1", "2", "later-3", "4", "later-5")
    function = new_function(REPORTS)
    function.map(
        stream.arn,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=2,
    )
    events = function.wait_events(3)
    assert [texts([event]) for event in events] == [
        ["1", "2", "later-3", "4", "later-5"],
        ["later-3", "4", "later-5"],
        ["later-5"],
    ]


def test_filters_are_about_data_and_metadata(stream: Stream, new_function: NewFunction) -> None:
    """Data is decoded and read as JSON; records that do not match are skipped."""
    function = new_function()
    pattern = {"data": {"n": [{"numeric": [">", 1]}]}, "partitionKey": ["k"]}
    function.map(
        stream.arn,
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
    )
    stream.put('{"n": 1}', "plain", '{"n": 2}')
    stream.put('{"n": 3}', key="other")
    stream.put('{"n": 4}')
    assert wait_texts(function, '{"n": 4}') == ['{"n": 2}', '{"n": 4}']


def test_throttling_costs_no_attempts(stream: Stream, new_function: NewFunction) -> None:
    """While the function is throttled, no record is discarded or lost."""
    function = new_function()
    function.client.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=0
    )
    uuid = function.map(stream.arn, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=0)
    stream.put("1", "2")
    function.wait_result(uuid, "PROBLEM: Function call failed")
    function.client.delete_function_concurrency(FunctionName=function.name)
    assert wait_texts(function, "1", "2") == ["1", "2"]
    function.wait_result(uuid, "OK")


def test_a_consumer_is_read_as_its_stream(stream: Stream, new_function: NewFunction) -> None:
    """Records name the consumer as their source."""
    consumer = stream.client.register_stream_consumer(StreamARN=stream.arn, ConsumerName="c")
    arn = consumer["Consumer"]["ConsumerARN"]
    stream.put("1")
    function = new_function()
    function.map(arn, StartingPosition="TRIM_HORIZON")
    assert wait_texts(function, "1") == ["1"]
    assert function.events()[0]["Records"][0]["eventSourceARN"] == arn


TOGETHER = """
import time
def act(event):
    time.sleep(0.3)
    print("ENDED")
"""


def test_batches_of_a_shard_side_by_side(stream: Stream, new_function: NewFunction) -> None:
    """With a ParallelizationFactor, concurrent batches of a shard have different keys; the records
    of each key stay in order."""
    for round_ in range(3):
        for key in "abcdef":
            stream.put(f"{key}{round_}", key=key)
    function = new_function(TOGETHER)
    function.map(stream.arn, StartingPosition="TRIM_HORIZON", ParallelizationFactor=4, BatchSize=2)
    seen = wait_texts(function, *(f"{key}{round_}" for key in "abcdef" for round_ in range(3)))
    for key in "abcdef":
        assert [text for text in seen if text[0] == key] == [f"{key}{n}" for n in range(3)]
    logs = function.platform.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{function.name}"
    )["events"]
    under_way = most = 0
    for line in logs:
        under_way += line["message"].startswith("EVENT ")
        under_way -= line["message"].startswith("ENDED")
        most = max(most, under_way)
    assert most > 1


SUM = """
import base64
def act(event):
    total = event["state"].get("total", 0)
    for record in event["Records"]:
        total += int(base64.b64decode(record["kinesis"]["data"]))
    return {"state": {"total": total}}
"""


def test_tumbling_windows_carry_a_state(stream: Stream, new_function: NewFunction) -> None:
    """Each call gets the state that the previous call in its window returned; the last one has no
    records. The next window starts afresh."""
    function = new_function(SUM)
    function.map(
        stream.arn, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=2, BatchSize=2
    )

    def finals() -> list[Any]:
        return [event for event in function.events() if event["isFinalInvokeForWindow"]]

    stream.put(*map(str, range(1, 6)))
    wait_for(
        lambda: sum(final["state"]["total"] for final in finals()) == 15, "the first windows end"
    )
    stream.put("100")
    wait_for(lambda: finals()[-1]["state"] == {"total": 100}, "the next window ends")
    totals: dict[str, int] = {}
    for event in function.events():
        assert event["shardId"] == "shardId-000000000000"
        assert event["eventSourceARN"] == stream.arn
        assert event["isWindowTerminatedEarly"] is False
        assert len(event["window"]["start"]) == len("2020-12-09T07:04:00Z")
        assert bool(event["Records"]) != event["isFinalInvokeForWindow"]
        window = event["window"]["start"]
        assert event["state"].get("total", 0) == totals.get(window, 0)
        totals[window] = totals.get(window, 0) + sum(map(int, texts([event])))


def test_windows_without_state_have_failed(stream: Stream, new_function: NewFunction) -> None:
    """A function has to return the state."""
    stream.put("1")
    function = new_function("def act(event): return {}")
    uuid = function.map(stream.arn, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=60)
    events = function.wait_events(2)
    assert events[0] == events[1]
    function.wait_result(uuid, "PROBLEM: Function call failed")


def test_streams_that_go_and_come(stream: Stream, new_function: NewFunction) -> None:
    """The mapping reports that its stream is gone, and reads the new stream of the same name."""
    function = new_function()
    uuid = function.map(stream.arn, StartingPosition="TRIM_HORIZON")
    stream.put("1")
    wait_texts(function, "1")
    stream.client.delete_stream(StreamName=stream.name)
    function.wait_result(uuid, "PROBLEM: Stream not found")
    # Sequence numbers of different streams differ by their second.
    deleted = int(time.time())
    wait_for(lambda: int(time.time()) > deleted, "the second is over")
    stream.create()
    stream.put("2")
    assert wait_texts(function, "2") == ["1", "2"]
    function.wait_result(uuid, "OK")


def test_idle_mappings_go_on_after_changes(stream: Stream, new_function: NewFunction) -> None:
    """Disabled and enabled again, a mapping continues where it was."""
    function = new_function()
    uuid = function.map(stream.arn, StartingPosition="LATEST")
    stream.put("1")
    wait_texts(function, "1")
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    function.wait_state(uuid, "Disabled")
    stream.put("2")
    function.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    function.wait_state(uuid, "Enabled")
    stream.put("3")
    assert wait_texts(function, "3") == ["1", "2", "3"]
    assert base64.b64decode(function.events()[0]["Records"][0]["kinesis"]["data"]) == b"1"


@pytest.fixture(scope="module")
def own_kinesis() -> Iterator[Kinesis]:
    """A server that tests may stop."""
    with Kinesis() as server:
        yield server


def test_servers_that_go_and_come(
    own_kinesis: Kinesis, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """While the streams cannot be reached, the mapping reports it; then it continues where it
    was."""
    with running(tmp_path / "data", {"kinesis": own_kinesis.endpoint}) as platform:
        stream = Stream(own_kinesis.client(), "s")
        function = Function(platform, "f", "def act(event): return None")
        uuid = function.map(stream.arn, StartingPosition="LATEST")
        stream.put("1")
        wait_texts(function, "1")
        own_kinesis.stop()
        function.wait_result(uuid, "PROBLEM: Connection error")
        own_kinesis.start()
        stream.put("2")
        assert wait_texts(function, "2") == ["1", "2"]
        function.wait_result(uuid, "OK")


def delivered(function: Function, since: float) -> list[Any]:
    """The records a function was called with since then."""
    paginator = function.platform.client("logs").get_paginator("filter_log_events")
    pages = paginator.paginate(
        logGroupName=f"/aws/lambda/{function.name}", startTime=int(since * 1000)
    )
    events = [event["message"] for page in pages for event in page["events"]]
    delivered_events = [json.loads(line[6:]) for line in events if line.startswith("EVENT ")]
    return [record for event in delivered_events for record in event["Records"]]


def test_a_killed_platform_goes_on_where_it_was(
    kinesis: Kinesis, start_platform: StartPlatform, tmp_path: Path
) -> None:
    """Killed at any moment and restarted, it loses nothing, keys stay in order, and committed
    records are not delivered again; over a split, too. A mapping that had committed nothing yet
    begins at its starting position."""
    stream = Stream(kinesis.client(), "killed", shards=2)
    endpoints = {"kinesis": kinesis.endpoint}
    data = tmp_path / "data"
    platform = start_platform(data, *options_of(endpoints))
    function = Function(platform, "f", "import time\ndef act(event): time.sleep(0.02)")
    latest = Function(platform, "latest", "def act(event): return None")
    uuid = function.map(stream.arn, StartingPosition="TRIM_HORIZON", BatchSize=2)
    stream.put("before")
    latest.map(stream.arn, StartingPosition="LATEST")
    platform.kill()

    def count_of(round_: int) -> int:
        return sum(text.startswith(f"{round_}-") for text in texts(function.events()))

    expected: dict[str, list[str]] = {FIRST: [], LAST: []}
    committed: set[str] = set()
    places: dict[str, tuple[str, int]] = {}
    for round_ in range(3):
        done = positions(data, uuid)
        # A kill may have lost the last lines of a log.
        committed |= {text for text, (shard, at) in places.items() if at <= done.get(shard, 0)}
        for number in range(10):
            for at, sent in expected.items():
                sent.append(f"{round_}-{number}-{at}")
                (put,) = stream.put(sent[-1], key=at, at=at)
                places[sent[-1]] = put["ShardId"], int(put["SequenceNumber"])
        if round_ == 1:
            stream.split("shardId-000000000000")
        began_at = time.time()
        platform = start_platform(data, *options_of(endpoints))
        function, latest = function.at(platform), latest.at(platform)
        wait_for(functools.partial(lambda some: count_of(some) > 6, round_), "some are processed")
        for record in delivered(function, began_at):
            shard, number = record["eventID"].split(":")
            assert int(number) > done.get(shard, 0)
        if round_ < 2:
            platform.kill()

    everything = [text for sent in expected.values() for text in sent]
    seen = wait_texts(function, *(text for text in everything if text not in committed))
    for sent in expected.values():
        order = list(dict.fromkeys(text for text in seen if text in sent))
        assert order == [text for text in sent if text in order]
    # At most the batch of two that was in progress in each shard is delivered again after a kill.
    assert len(seen) - 1 - len(everything) <= 2 * 2 * 2
    assert "before" not in wait_texts(latest, *everything)
    assert platform.stop() == 0, platform.output


def test_a_window_outlives_a_kill(
    kinesis: Kinesis, start_platform: StartPlatform, tmp_path: Path
) -> None:
    """The state of an open window is stored with the position."""
    stream = Stream(kinesis.client(), "windowed")
    endpoints = {"kinesis": kinesis.endpoint}
    platform = start_platform(tmp_path / "data", *options_of(endpoints))
    function = Function(platform, "f", SUM)
    wait_for(lambda: time.time() % 900 < 870, "the window is young", 40)
    function.map(stream.arn, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=900)
    stream.put("1", "2")
    wait_texts(function, "1", "2")
    platform.kill()
    stream.put("4")
    with running(tmp_path / "data", endpoints) as platform:
        function = function.at(platform)
        wait_texts(function, "4")
        last = function.events()[-1]
        left = [text for text in texts([last]) if text != "4"]
        assert last["state"].get("total", 0) + sum(map(int, left)) == 3
