"""Amazon Kinesis data streams. A consumer of enhanced fan-out is read as its stream is.
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.kit.strict_json import parse
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.ports import Record
from lambent.polling.sources.shard_stream import RecordPage, Shard
from lambent.polling.sources.shards import poll_stream
from lambent.polling.sources.stream_calls import StreamCalls, batch_info


class KinesisStream:
    """See `shard_part.Stream`."""

    finds_times = True
    records_max = 10_000

    def __init__(self, polled: ActiveMapping) -> None:
        self.arn = polled.mapping.source_id
        self._stream_arn = self.arn.partition("/consumer/")[0]
        self._calls = StreamCalls(polled, "kinesis", self._stream_arn)
        self._role = polled.role
        self._region = polled.region

    async def list(self) -> list[Shard]:
        """All shards, those included that were split or merged and still have records."""
        shards: list[Shard] = []
        parameters = {"StreamARN": self._stream_arn}
        while True:
            found = await self._calls.call("ListShards", parameters)
            shards += map(_to_shard, found.get("Shards", ()))
            if not found.get("NextToken"):
                return shards
            parameters = {"NextToken": found["NextToken"]}

    async def open(self, shard_id: str, *, after: str = "", since: float | None = None) -> str:
        """See `shard_part.Stream`."""
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
        """See `shard_part.Stream`."""
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


async def poll(polled: ActiveMapping) -> None:
    """See `poller.Poll`."""
    await poll_stream(polled, KinesisStream(polled))
