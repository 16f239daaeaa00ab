"""DynamoDB Streams: the changes of a table.
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

import base64
import json
from collections.abc import Mapping, Sequence
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

_MEMBERS = ("eventID", "eventName", "eventVersion", "eventSource", "awsRegion")


class DynamodbStream:
    """See `shard.Stream`."""

    finds_times = False
    records_max = 1000

    def __init__(self, aws: RoleClient, arn: str) -> None:
        self.arn = arn
        self._calls = StreamCalls(aws, "dynamodbstreams", arn)

    async def list(self) -> list[Shard]:
        """All shards, including those that are closed and still have records."""
        shards: list[Shard] = []
        parameters = {"StreamArn": self.arn}
        while True:
            response = await self._calls.call("DescribeStream", parameters)
            found = response["StreamDescription"]
            shards += map(_to_shard, found.get("Shards", ()))
            if not found.get("LastEvaluatedShardId"):
                return shards
            parameters["ExclusiveStartShardId"] = found["LastEvaluatedShardId"]

    async def open(self, shard_id: str, *, after: str = "", since: float | None = None) -> str:
        """See `shard.Stream`."""
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if after:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        parameters = {"StreamArn": self.arn, "ShardId": shard_id, **start}
        found = await self._calls.call("GetShardIterator", parameters, names_record=bool(after))
        return str(found["ShardIterator"])

    async def read(self, shard_id: str, iterator: str, limit: int) -> RecordPage:
        """See `shard.Stream`."""
        found = await self._calls.call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        records = [self._to_record(raw) for raw in found.get("Records", ())]
        return RecordPage(records, found.get("NextShardIterator"))

    def view(self, record: Record) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """See `ports.Part`."""
        metadata = parse(record.document.decode())
        return metadata, metadata.pop("dynamodb")

    def describe(self, shard_id: str, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        about = batch_info(self.arn, shard_id, records, has_milliseconds=False)
        return {"DDBStreamBatchInfo": about}

    def _to_record(self, raw: Mapping[str, Any]) -> Record:
        change = raw["dynamodb"]
        created_at = change["ApproximateCreationDateTime"].timestamp()
        document = {name: raw[name] for name in _MEMBERS if name in raw}
        document["dynamodb"] = {**change, "ApproximateCreationDateTime": created_at}
        if identity := raw.get("userIdentity"):
            # The API spells the members in upper case, events in lower.
            document["userIdentity"] = {
                "type": identity.get("Type"),
                "principalId": identity.get("PrincipalId"),
            }
        document["eventSourceARN"] = self.arn
        return Record(
            id=change["SequenceNumber"],
            document=_json(document),
            raw=raw,
            arrived_at=created_at,
            key=_json(change.get("Keys", {}), sort_keys=True).decode(),
        )


def _json(value: Any, *, sort_keys: bool = False) -> bytes:
    text = json.dumps(
        value, separators=(",", ":"), ensure_ascii=False, sort_keys=sort_keys, default=_base64
    )
    return text.encode(errors="replace")


def _base64(value: Any) -> str:
    """The form of a binary attribute."""
    return base64.b64encode(value).decode()


def _to_shard(found: Mapping[str, Any]) -> Shard:
    parent = found.get("ParentShardId")
    return Shard(
        found["ShardId"],
        (parent,) if parent else (),
        "EndingSequenceNumber" in found.get("SequenceNumberRange", {}),
    )


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    await poll_stream(polled, DynamodbStream(polled.aws, polled.mapping.source_id))


async def check(aws: AwsClient, mapping: EventSourceMapping, _: FunctionVersion) -> None:
    """See `drivers.CheckSource`."""
    arn = mapping.source_id
    await check_stream(aws, "dynamodbstreams", "DescribeStream", {"StreamArn": arn}, arn)


DRIVER = SourceDriver(poll, check)
