"""One shard, read from services that expire, trim, throttle and lose what they have."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import botocore.exceptions
import pytest

from lambent.model.sources.streams import DYNAMODB
from lambent.polling.ports import EndOfPart, Record, SourceError
from lambent.polling.sources.streams.dynamodb import DynamodbStream
from lambent.polling.sources.streams.kinesis import KinesisStream
from lambent.polling.sources.streams.shard import Shard, ShardPart
from lambent.store.positions import Position
from tests.unit.polling.rig import STREAM, Calls, Rig, ids, make_rig

pytestmark = pytest.mark.anyio

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-31T00:00:00.000"
Refusal = str


class Kinesis:
    """A shard with records, whose iterators are their numbers."""

    def __init__(self, count: int = 0) -> None:
        self.records = [self.make(number) for number in range(count)]
        self.is_closed = False
        self.behind_ms = 0
        self.refusals: dict[str, list[Refusal]] = {}
        """By operation: how the next calls are refused."""
        self.first = 0
        """The oldest record that is kept."""

    def make(self, number: int, arrived_at: float = 1_700_000_000.0) -> Mapping[str, Any]:
        return {
            "SequenceNumber": f"{number:05d}",
            "ApproximateArrivalTimestamp": datetime.fromtimestamp(arrived_at, UTC),
            "Data": f"d{number}".encode(),
            "PartitionKey": "k",
        }

    def answer(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        if self.refusals.get(operation):
            code = self.refusals[operation].pop(0)
            raise botocore.exceptions.ClientError(
                {"Error": {"Code": code, "Message": "no"}}, operation
            )
        if operation == "GetShardIterator":
            after = parameters.get("StartingSequenceNumber")
            since = parameters.get("Timestamp")
            at = self.first
            if after is not None:
                at = int(after) + 1
            elif since is not None:
                times = [record["ApproximateArrivalTimestamp"] for record in self.records]
                at = sum(time < since for time in times)
            return {"ShardIterator": str(at)}
        at = int(parameters["ShardIterator"])
        page = self.records[at : at + parameters["Limit"]]
        end = at + len(page)
        is_end = self.is_closed and end == len(self.records)
        return {
            "Records": page,
            "MillisBehindLatest": self.behind_ms,
            **({} if is_end else {"NextShardIterator": str(end)}),
        }


def stream_of(rig: Rig) -> KinesisStream:
    return KinesisStream(rig.polled.aws, rig.polled.mapping.source_id)


class Reading:
    """A shard, while it is read."""

    def __init__(self, kinesis: Kinesis, position: Position | None = None, **more: Any) -> None:
        self.calls = Calls(kinesis.answer)
        self.rig = make_rig(calls=self.calls, **more)
        self.is_listed = True
        self.part = ShardPart(
            self.rig.polled,
            stream_of(self.rig),
            "shard",
            position or Position(),
            is_listed=lambda: self.is_listed,
        )

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls.made]

    async def read(self) -> list[str]:
        """At once, which fails if it waits."""
        with anyio.fail_after(1):
            return list(ids(await self.part.read()))

    async def waits(self) -> float:
        """How many seconds the next read waits, at most 20."""
        async with anyio.create_task_group() as tasks:
            before = len(self.calls.made)
            tasks.start_soon(self.part.read)
            await anyio.wait_all_tasks_blocked()
            tenths = 0
            while len(self.calls.made) == before and tenths < 200:
                await self.rig.advance(0.1)
                tenths += 1
            tasks.cancel_scope.cancel()
        return tenths / 10


def about(seconds: float) -> Any:
    """`waits` looks ten times a second."""
    return pytest.approx(seconds, abs=0.11)


async def test_shards_are_busy_or_idle() -> None:
    """A shard with records is read at once again; one without after a second, or soon if the
    service says that there are more."""
    kinesis = Kinesis(150)
    reading = Reading(kinesis)
    assert len(await reading.read()) == 100
    assert len(await reading.read()) == 50
    assert await reading.read() == []
    assert await reading.waits() == about(1.0)
    kinesis.behind_ms = 1
    assert await reading.waits() == about(1.0)
    assert await reading.waits() == about(0.2)


async def test_many_shards_are_looked_at_less_often() -> None:
    """All that have nothing new share so many looks a second."""
    reading = Reading(Kinesis(0))
    reading.rig.polled.open_shards.number = 150
    assert await reading.read() == []
    assert await reading.waits() == about(3.0)


async def test_closed_shards_end() -> None:
    """After their last record."""
    kinesis = Kinesis(2)
    kinesis.is_closed = True
    reading = Reading(kinesis)
    assert await reading.read() == ["00000", "00001"]
    for _ in range(2):
        with pytest.raises(EndOfPart):
            await reading.read()


async def test_expired_iterators_are_renewed() -> None:
    """After the records that were read, even if they are not committed."""
    kinesis = Kinesis(3)
    reading = Reading(kinesis, Position(after="00000"))
    assert await reading.read() == ["00001", "00002"]
    kinesis.refusals["GetRecords"] = ["ExpiredIteratorException"]
    kinesis.records.append(kinesis.make(3))
    assert await reading.read() == []
    await reading.waits()
    assert reading.calls.made[-2:] == [
        (
            "GetShardIterator",
            {
                "StreamARN": STREAM,
                "ShardId": "shard",
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": "00002",
            },
        ),
        ("GetRecords", {"StreamARN": STREAM, "ShardIterator": "3", "Limit": 100}),
    ]


@pytest.mark.parametrize(
    "refusal",
    ["TrimmedDataAccessException", "InvalidArgumentException", "ResourceNotFoundException"],
)
async def test_positions_that_are_gone_begin_at_the_oldest_record(refusal: Refusal) -> None:
    """However the service says that it does not have the record any more."""
    kinesis = Kinesis(5)
    kinesis.first = 3
    kinesis.refusals["GetShardIterator"] = [refusal]
    reading = Reading(kinesis, Position(after="00000"))
    assert await reading.read() == ["00003", "00004"]


@pytest.mark.parametrize(
    "refusal", ["ProvisionedThroughputExceededException", "LimitExceededException"]
)
@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
async def test_who_is_asked_too_often_is_asked_less(operation: str, refusal: Refusal) -> None:
    """The interval grows, and it is not reported as a problem."""
    kinesis = Kinesis(1)
    kinesis.refusals[operation] = [refusal] * 3
    reading = Reading(kinesis)
    assert await reading.read() == []
    assert await reading.waits() == about(0.2)
    assert await reading.waits() == about(0.4)
    assert await reading.waits() == about(0.8)
    assert reading.rig.polled.status.result is None


async def test_shards_that_are_gone_have_ended() -> None:
    """If the stream does not list them any more; else the stream is gone, which may pass."""
    kinesis = Kinesis(1)
    kinesis.refusals["GetShardIterator"] = ["ResourceNotFoundException"] * 2
    reading = Reading(kinesis)
    with pytest.raises(SourceError, match=f"PROBLEM: Stream not found: {STREAM}"):
        await reading.read()
    reading.is_listed = False
    with pytest.raises(EndOfPart):
        await reading.read()


async def test_after_a_problem_reading_goes_on_where_it_was() -> None:
    """With a new iterator."""
    kinesis = Kinesis(2)
    reading = Reading(kinesis)
    await reading.read()
    kinesis.refusals["GetRecords"] = ["InternalFailure"]
    with pytest.raises(SourceError, match="PROBLEM: InternalFailure: no"):
        await reading.read()
    kinesis.records.append(kinesis.make(2))
    assert await reading.read() == ["00002"]


async def test_wrong_credentials_are_reported() -> None:
    """With AWS's code for it."""
    kinesis = Kinesis(1)
    kinesis.refusals["GetRecords"] = ["UnrecognizedClientException"]
    reading = Reading(kinesis)
    with pytest.raises(SourceError, match="PROBLEM: UnrecognizedClientException") as caught:
        await reading.read()
    assert caught.value.reason == "EVENT_SOURCE_AUTHZ_ERROR"


async def test_what_came_before_is_not_wanted() -> None:
    """Where records are only wanted since some time; to the millisecond, though services look
    times up to the second."""
    kinesis = Kinesis()
    begin = 1_700_000_000.0
    kinesis.records = [kinesis.make(n, begin + n / 10) for n in range(4)]
    reading = Reading(kinesis, Position(since=begin + 0.2004))
    assert await reading.read() == ["00002", "00003"]
    await reading.part.commit(Record("00003", b"{}", None, 0.0))
    assert reading.rig.store.kept == {"shard": Position(after="00003")}


async def test_windows_are_kept_with_the_position() -> None:
    """Until they are closed; a shard that ended has none."""
    reading = Reading(Kinesis(1), Position(after="0", state="{}"))
    part, kept = reading.part, reading.rig.store.kept
    assert part.state == b"{}"
    await part.commit(Record("00003", b"{}", None, 0.0), b'{"n":1}')
    assert kept == {"shard": Position(after="00003", state='{"n":1}')}
    await part.close_window()
    assert kept == {"shard": Position(after="00003")}
    assert await part.close() == Position(after="00003", is_end=True)
    assert kept == {"shard": Position(after="00003", is_end=True)}


async def test_lists_of_shards_have_pages() -> None:
    """Kinesis's and DynamoDB's."""
    pages = {
        None: {"Shards": [{"ShardId": "a", "SequenceNumberRange": {}}], "NextToken": "more"},
        "more": {
            "Shards": [
                {
                    "ShardId": "b",
                    "ParentShardId": "a",
                    "AdjacentParentShardId": "c",
                    "SequenceNumberRange": {"EndingSequenceNumber": "9"},
                }
            ]
        },
    }
    calls = Calls(lambda _, parameters: pages[parameters.get("NextToken")])
    expected = [Shard("a"), Shard("b", ("a", "c"), is_closed=True)]
    assert await stream_of(make_rig(calls=calls)).list() == expected
    assert [parameters for _, parameters in calls.made] == [
        {"StreamARN": STREAM},
        {"NextToken": "more"},
    ]

    described = {
        None: {"Shards": [{"ShardId": "a"}], "LastEvaluatedShardId": "a"},
        "a": {"Shards": [{"ShardId": "b", "ParentShardId": "a"}]},
    }
    calls = Calls(
        lambda _, parameters: {
            "StreamDescription": described[parameters.get("ExclusiveStartShardId")]
        }
    )
    rig = make_rig(calls=calls, kind=DYNAMODB, arn=TABLE)
    assert await DynamodbStream(rig.polled.aws, TABLE).list() == [Shard("a"), Shard("b", ("a",))]


async def test_a_consumers_records_come_from_its_stream() -> None:
    """Requests name the stream; failure records, too."""
    calls = Calls(Kinesis(1).answer)
    stream = stream_of(make_rig(calls=calls, arn=f"{STREAM}/consumer/c:1"))
    page = await stream.read("shard", await stream.open("shard"), 10)
    assert all(parameters["StreamARN"] == STREAM for _, parameters in calls.made)
    assert b'"eventSourceARN":"%b/consumer/c:1"' % STREAM.encode() in page.records[0].document
    assert stream.describe("shard", page.records)["KinesisBatchInfo"]["streamArn"] == STREAM


async def test_deletions_by_time_to_live_say_who_deleted() -> None:
    """With the spelling of events, which differs from the API's."""
    change = {
        "eventID": "1",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime.fromtimestamp(1_479_499_740, UTC),
            "Keys": {"b": {"N": "1"}, "a": {"B": b"\xff"}},
            "SequenceNumber": "111",
            "SizeBytes": 26,
            "StreamViewType": "KEYS_ONLY",
        },
        "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
    }
    calls = Calls(lambda *_: {"Records": [change]})
    stream = DynamodbStream(make_rig(calls=calls, kind=DYNAMODB, arn=TABLE).polled.aws, TABLE)
    (record,) = (await stream.read("shard", "iterator", 10)).records
    assert record.document.decode() == (
        '{"eventID":"1","eventName":"REMOVE","eventVersion":"1.1","eventSource":"aws:dynamodb",'
        '"awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1479499740.0,'
        '"Keys":{"b":{"N":"1"},"a":{"B":"/w=="}},"SequenceNumber":"111","SizeBytes":26,'
        '"StreamViewType":"KEYS_ONLY"},'
        '"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},'
        f'"eventSourceARN":"{TABLE}"}}'
    )
    assert record.key == '{"a":{"B":"/w=="},"b":{"N":"1"}}'
    metadata, data = stream.view(record)
    assert metadata["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert data["Keys"]["a"] == {"B": "/w=="}
