"""DynamoDB streams, read from a real server of their protocol."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers.ministack import Ministack

from .conftest import Function, wait_for
from .streams import NewFunction, StartPlatform, options_of, positions


class Table:
    """A table with a stream."""

    def __init__(self, ministack: Ministack, name: str, view: str = "NEW_AND_OLD_IMAGES") -> None:
        self.client = ministack.client("dynamodb")
        self.name = name
        self.stream: str = self.client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )["TableDescription"]["LatestStreamArn"]

    def put(self, *ids: str, **attributes: Any) -> None:
        """Put items, one by one."""
        for item_id in ids:
            self.client.put_item(TableName=self.name, Item={"id": {"S": item_id}, **attributes})

    def delete(self, item_id: str) -> None:
        """An item."""
        self.client.delete_item(TableName=self.name, Key={"id": {"S": item_id}})


@pytest.fixture
def table(ministack: Ministack, request: pytest.FixtureRequest) -> Table:
    return Table(ministack, request.node.name[:90].replace("[", "-").replace("]", ""))


def records(function: Function) -> list[Any]:
    """All its events, in order."""
    return [record for event in function.events() for record in event["Records"]]


def wait_records(function: Function, number: int) -> list[Any]:
    """Wait for at least that many events."""
    wait_for(lambda: len(records(function)) >= number, f"{function.name} sees {number} records")
    return records(function)


def ids(found: list[Any]) -> list[str]:
    """The item ids of some records."""
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in found]


def test_events_are_as_in_aws(table: Table, new_function: NewFunction) -> None:
    """Changes with typed values, binary ones in base64, and times as numbers."""
    table.put("ü", data={"B": b"\x00\xff"}, parts={"BS": [b"a"]}, deep={"M": {"x": {"NULL": True}}})
    table.put("ü", data={"B": b"\x01"})
    table.delete("ü")
    function = new_function()
    function.map(table.stream, StartingPosition="TRIM_HORIZON")
    first, second, third = wait_records(function, 3)
    created_at = first["dynamodb"].pop("ApproximateCreationDateTime")
    assert type(created_at) is float
    assert abs(created_at - time.time()) < 60
    assert first.pop("eventID")
    assert int(first["dynamodb"].pop("SequenceNumber"))
    assert type(first["dynamodb"].pop("SizeBytes")) is int
    assert first == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "Keys": {"id": {"S": "ü"}},
            "NewImage": {
                "id": {"S": "ü"},
                "data": {"B": "AP8="},
                "parts": {"BS": ["YQ=="]},
                "deep": {"M": {"x": {"NULL": True}}},
            },
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": table.stream,
    }
    assert second["eventName"] == "MODIFY"
    assert second["dynamodb"]["OldImage"]["data"] == {"B": "AP8="}
    assert second["dynamodb"]["NewImage"]["data"] == {"B": "AQ=="}
    assert third["eventName"] == "REMOVE"
    assert "NewImage" not in third["dynamodb"]


def test_latest_is_what_comes_later(table: Table, new_function: NewFunction) -> None:
    """Later than the second in which the mapping was created, because records have no finer
    time."""
    table.put("old")
    old = int(time.time())
    wait_for(lambda: int(time.time()) > old, "the second is over")
    function = new_function()
    function.map(table.stream, StartingPosition="LATEST")
    table.put("new", "newer")
    assert ids(wait_records(function, 2)) == ["new", "newer"]


def test_filters_are_about_changes(table: Table, new_function: NewFunction) -> None:
    """Filters apply to typed items and to metadata."""
    function = new_function()
    pattern = {
        "eventName": ["INSERT"],
        "dynamodb": {"NewImage": {"kind": {"S": ["wanted"]}}},
    }
    function.map(
        table.stream,
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]},
    )
    table.put("1", kind={"S": "unwanted"})
    table.put("2", kind={"S": "wanted"})
    table.put("2", kind={"S": "wanted"}, more={"N": "1"})
    table.put("3", kind={"S": "wanted"})
    assert ids(wait_records(function, 2)) == ["2", "3"]


def test_discarded_records_go_to_a_queue(
    table: Table, ministack: Ministack, new_function: NewFunction
) -> None:
    """Where they are, with times in whole seconds."""
    sqs = ministack.client("sqs")
    url = sqs.create_queue(QueueName="given-up-changes")["QueueUrl"]
    table.put("1", "2")
    function = new_function("def act(event): raise ValueError")
    function.map(
        table.stream,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        DestinationConfig={
            "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:given-up-changes"}
        },
    )
    (message,) = wait_for(
        lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the queue is told"
    )
    record = json.loads(message["Body"])
    first, second = records(function)[:2]
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    about = record["DDBStreamBatchInfo"]
    assert about.pop("shardId").startswith("shardId-")
    for end in ("First", "Last"):
        arrived = about.pop(f"approximateArrivalOf{end}Record")
        assert len(arrived) == len("2019-11-14T00:38:04Z")
    assert about == {
        "startSequenceNumber": first["dynamodb"]["SequenceNumber"],
        "endSequenceNumber": second["dynamodb"]["SequenceNumber"],
        "batchSize": 2,
        "streamArn": table.stream,
    }


REPORTS = """
SEEN = set()
def act(event):
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["id"]["S"]
        if key.startswith("later") and key not in SEEN:
            SEEN.add(key)
            number = record["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
"""


def test_functions_report_where_they_failed(table: Table, new_function: NewFunction) -> None:
    """From there on the batch is retried."""
    table.put("1", "later-2", "3")
    function = new_function(REPORTS)
    function.map(
        table.stream,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    assert ids(wait_records(function, 5)) == ["1", "later-2", "3", "later-2", "3"]


def test_changes_of_an_item_stay_in_order(table: Table, new_function: NewFunction) -> None:
    """With a ParallelizationFactor, too."""
    for number in range(4):
        for item in "abcd":
            table.put(item, n={"N": str(number)})
    function = new_function("import time\ndef act(event): time.sleep(0.05)")
    function.map(
        table.stream, StartingPosition="TRIM_HORIZON", ParallelizationFactor=3, BatchSize=1
    )
    found = wait_records(function, 16)
    for item in "abcd":
        images = [record["dynamodb"]["NewImage"] for record in found]
        assert [image["n"]["N"] for image in images if image["id"]["S"] == item] == list("0123")


def test_windows_count_changes(table: Table, new_function: NewFunction) -> None:
    """A window's last call gets the total of the calls before it."""
    table.put("1", "2", "3")
    function = new_function(
        "def act(event):\n"
        "    return {'state': {'n': event['state'].get('n', 0) + len(event['Records'])}}"
    )
    function.map(table.stream, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=1)

    def counted() -> int:
        events = function.events()
        return sum(event["state"]["n"] for event in events if event["isFinalInvokeForWindow"])

    wait_for(lambda: counted() == 3, "all are counted")


def test_a_killed_platform_goes_on_where_it_was(
    ministack: Ministack, table: Table, start_platform: StartPlatform, tmp_path: Path
) -> None:
    """Nothing is lost. A mapping that has committed does not get committed records again; one that
    has not, and starts at LATEST, does not get earlier records."""
    endpoints = {"dynamodbstreams": ministack.endpoint}
    data = tmp_path / "data"
    table.put("old")
    old = int(time.time())
    platform = start_platform(data, *options_of(endpoints))
    function = Function(platform, "f", "def act(event): return None")
    latest = Function(platform, "latest", "def act(event): return None")
    wait_for(lambda: int(time.time()) > old, "the second is over")
    uuid = function.map(table.stream, StartingPosition="TRIM_HORIZON")
    latest.map(table.stream, StartingPosition="LATEST")
    wait_records(function, 1)  # The log that was read is on disk.
    wait_for(lambda: positions(data, uuid), "the record is committed")
    platform.kill()
    table.put("1", "2")
    platform = start_platform(data, *options_of(endpoints))
    function, latest = function.at(platform), latest.at(platform)
    assert ids(wait_records(function, 3)) == ["old", "1", "2"]
    assert ids(wait_records(latest, 2)) == ["1", "2"]
    assert platform.stop() == 0, platform.output
