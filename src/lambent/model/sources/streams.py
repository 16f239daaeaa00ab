"""Streams of shards: Amazon Kinesis and DynamoDB Streams.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
"""

from lambent.model.errors import invalid_parameter
from lambent.model.sources.kind import (
    COMMON_PARAMETERS,
    REGION_AND_ACCOUNT,
    FilterRules,
    Params,
    SourceKind,
    named_by_arn,
)

_PARAMETERS = COMMON_PARAMETERS | {
    "StartingPosition",
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "FunctionResponseTypes",
    "DestinationConfig",
}
_DEFAULTS: Params = {
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "BisectBatchOnFunctionError": False,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
    "DestinationConfig": {"OnFailure": {}},
}
_CONFLICT = (
    'The event source arn (" {source} ") and function (" {function} ") provided mapping already'
    " exists."
)


def _check_dynamodb(arn: str, members: Params) -> None:
    if members.get("StartingPosition") == "AT_TIMESTAMP":
        raise invalid_parameter(f"Unsupported starting position for arn type: {arn}")


KINESIS = SourceKind(
    name="kinesis",
    driver="lambent.polling.sources.streams.kinesis",
    identify=named_by_arn(rf"kinesis:{REGION_AND_ACCOUNT}:stream/[\w.-]+(/consumer/[\w.-]+:\d+)?"),
    parameters=_PARAMETERS | {"StartingPositionTimestamp"},
    defaults=_DEFAULTS,
    filters=FilterRules(data_key="data", metadata_key="kinesis", is_always_json=True),
    service="Kinesis",
    actions=(
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:DescribeStreamSummary",
        "kinesis:ListShards",
    ),
    conflict=_CONFLICT,
    state_reason="User action",
    has_iterator_age=True,
)

DYNAMODB = SourceKind(
    name="dynamodb",
    driver="lambent.polling.sources.streams.dynamodb",
    identify=named_by_arn(rf"dynamodb:{REGION_AND_ACCOUNT}:table/[\w.-]+/stream/[\w:.-]+"),
    parameters=_PARAMETERS,
    defaults=_DEFAULTS,
    check=_check_dynamodb,
    filters=FilterRules(data_key="dynamodb", is_always_json=True),
    service="DynamoDB",
    actions=("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
    conflict=_CONFLICT,
    state_reason="User action",
    has_iterator_age=True,
)
