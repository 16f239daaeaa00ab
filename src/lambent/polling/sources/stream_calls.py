"""What the APIs of Kinesis and DynamoDB Streams have in common: how they refuse, and how failure
records tell of their records."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.failure_records import timestamp
from lambent.polling.ports import Record
from lambent.polling.role_client import refused
from lambent.polling.sources.shard_stream import NotFound, PositionLost, Slower

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "LimitExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "KMSThrottlingException",
    }
)
_LOST = frozenset({"ExpiredIteratorException", "TrimmedDataAccessException"})
_NO_SUCH_RECORD = frozenset(
    {"InvalidArgumentException", "ValidationException", "ResourceNotFoundException"}
)
"""Where a sequence number was named. If it is the shard that is not there, the next request says
so, too."""


class StreamCalls:
    """Requests about one stream, as the function's role."""

    def __init__(self, polled: ActiveMapping, service: str, stream_arn: str) -> None:
        self._aws = polled.aws
        self._service = service
        self.stream_arn = stream_arn
        self._account = stream_arn.split(":")[4]

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, names_record: bool = False
    ) -> Any:
        """The members of the answer. `names_record`: whether a sequence number is among the
        parameters. Raises `SourceError`, `PositionLost`."""
        try:
            return await self._aws.call(
                self._service,
                operation,
                parameters,
                resource=self.stream_arn,
                account=self._account,
            )
        except ClientError as error:
            code = error_code(error)
            if code in _LOST or (names_record and code in _NO_SUCH_RECORD):
                raise PositionLost from error
            if code in _THROTTLES:
                raise Slower(refused(error).result) from error
            if code == "ResourceNotFoundException":
                raise NotFound(f"PROBLEM: Stream not found: {self.stream_arn}") from error
            raise refused(error) from error


def batch_info(
    stream_arn: str, shard_id: str, records: Sequence[Record], *, has_milliseconds: bool
) -> Mapping[str, Any]:
    """Which records a failure record is about; where they are, not what they carry."""
    first, last = records[0], records[-1]
    return {
        "shardId": shard_id,
        "startSequenceNumber": first.id,
        "endSequenceNumber": last.id,
        "approximateArrivalOfFirstRecord": timestamp(
            first.arrived_at, has_milliseconds=has_milliseconds
        ),
        "approximateArrivalOfLastRecord": timestamp(
            last.arrived_at, has_milliseconds=has_milliseconds
        ),
        "batchSize": len(records),
        "streamArn": stream_arn,
    }
