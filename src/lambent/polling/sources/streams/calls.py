"""What the APIs of Kinesis and DynamoDB Streams have in common: their refusals, and the form of
failure records."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.aws.client import AwsClient, error_code
from lambent.aws.errors import ClientError
from lambent.model.arn import Arn
from lambent.model.errors import invalid_parameter
from lambent.polling.drivers import CHECK_DEADLINE_S
from lambent.polling.failure_records import timestamp
from lambent.polling.ports import Record
from lambent.polling.role_client import RoleClient, refused
from lambent.polling.sources.streams.shard import NotFound, PositionLost, Slower

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
"""Refusals of requests that name a sequence number. If it is the shard that does not exist, the
next request is refused, too."""


class StreamCalls:
    """Requests about one stream, as the function's role."""

    def __init__(self, aws: RoleClient, service: str, stream_arn: str) -> None:
        self._aws = aws
        self._service = service
        self.stream_arn = stream_arn
        self._account = Arn.parse(stream_arn).account

    async def call(
        self, operation: str, parameters: Mapping[str, Any], *, names_record: bool = False
    ) -> Any:
        """Make a request and return the members of the response. `names_record` says whether a
        sequence number is among the parameters. Raises `SourceError`, `PositionLost`."""
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
    """Which records a failure record is about: their places, not their data."""
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


async def check_stream(
    aws: AwsClient, service: str, operation: str, parameters: Mapping[str, Any], stream_arn: str
) -> None:
    """Describe a stream, see `drivers.CheckSource`. A refusal names `stream_arn`."""
    account, region = Arn.parse(stream_arn).scope
    try:
        await aws.call(
            service,
            operation,
            parameters,
            region=region,
            account=account,
            deadline_s=CHECK_DEADLINE_S,
        )
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise invalid_parameter(f"Stream not found: {stream_arn}") from error
