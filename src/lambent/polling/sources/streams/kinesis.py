"""Amazon Kinesis data streams. A mapping of an enhanced fan-out consumer reads the stream itself.
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.aws.client import AwsClient
from lambent.kit.strict_json import parse
from lambent.model.function import FunctionVersion
from lambent.model.mapping import EventSourceMapping
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.drivers import SourceDriver
from lambent.polling.ports import Record
from lambent.polling.role_client import RoleClient
from lambent.polling.sources.streams.calls import StreamCalls, batch_info, check_stream
from lambent.polling.sources.streams.shard import RecordPage, Shard
from lambent.polling.sources.streams.shards import poll_stream


class KinesisStream:
    """See `shard.Stream`."""

    finds_times = True
    records_max = 10_000

    def __init__(self, aws: RoleClient, arn: str) -> None:
        self.arn = arn
        self._stream_arn = _stream_of(arn)
        self._calls = StreamCalls(aws, "kinesis", self._stream_arn)
        self._role = aws.role
        self._region = aws.region

    async def list(self) -> list[Shard]:
        """All shards, including those that were split or merged and still have records."""
        shards: list[Shard] = []
        parameters = {"StreamARN": self._stream_arn}
        while True:
            found = await self._calls.call("ListShards", parameters)
            shards += map(_to_shard, found.get("Shards", ()))
            if not found.get("NextToken"):
                return shards
            parameters = {"NextToken": found["NextToken"]}

    async def open(self, shard_id: str, *, after: str = "", since: float | None = None) -> str:
        """See `shard.Stream`."""
        start: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if after:
            start = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": after,
            }
        elif since is not None:
            start = {
                "ShardIteratorType": "AT_TIMESTAMP",
                "Timestamp": datetime.fromtimestamp(since, UTC),
            }
        parameters = {"StreamARN": self._stream_arn, "ShardId": shard_id, **start}
        found = await self._calls.call("GetShardIterator", parameters, names_record=bool(after))
        return str(found["ShardIterator"])

    async def read(self, shard_id: str, iterator: str, limit: int) -> RecordPage:
        """See `shard.Stream`."""
        parameters = {"StreamARN": self._stream_arn, "ShardIterator": iterator, "Limit": limit}
        found = await self._calls.call("GetRecords", parameters)
        records = [self._to_record(shard_id, raw) for raw in found.get("Records", ())]
        return RecordPage(
            records, found.get("NextShardIterator"), bool(found.get("MillisBehindLatest", 0))
        )

    def view(self, record: Record) -> tuple[Mapping[str, Any], bytes]:
        """See `ports.Part`."""
        metadata = parse(record.document.decode())
        del metadata["kinesis"]["data"]
        data: bytes = record.raw["Data"]
        return metadata, data

    def describe(self, shard_id: str, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        about = batch_info(self._stream_arn, shard_id, records, has_milliseconds=True)
        return {"KinesisBatchInfo": about}

    def _to_record(self, shard_id: str, raw: Mapping[str, Any]) -> Record:
        sequence_number = raw["SequenceNumber"]
        arrived_at = raw["ApproximateArrivalTimestamp"].timestamp()
        document = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": raw["PartitionKey"],
                "sequenceNumber": sequence_number,
                "data": base64.b64encode(raw["Data"]).decode(),
                "approximateArrivalTimestamp": arrived_at,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._role,
            "awsRegion": self._region,
            "eventSourceARN": self.arn,
        }
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        return Record(
            id=sequence_number,
            document=text.encode(errors="replace"),
            raw=raw,
            arrived_at=arrived_at,
            key=raw["PartitionKey"],
        )


def _to_shard(found: Mapping[str, Any]) -> Shard:
    parents = (found.get("ParentShardId"), found.get("AdjacentParentShardId"))
    return Shard(
        found["ShardId"],
        tuple(parent for parent in parents if parent),
        "EndingSequenceNumber" in found.get("SequenceNumberRange", {}),
    )


def _stream_of(arn: str) -> str:
    """The ARN of the stream; `arn` may be a consumer's."""
    return arn.partition("/consumer/")[0]


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    await poll_stream(polled, KinesisStream(polled.aws, polled.mapping.source_id))


async def check(aws: AwsClient, mapping: EventSourceMapping, _: FunctionVersion) -> None:
    """See `drivers.CheckSource`."""
    parameters = {"StreamARN": _stream_of(mapping.source_id)}
    await check_stream(aws, "kinesis", "DescribeStreamSummary", parameters, mapping.source_id)


DRIVER = SourceDriver(poll, check)
