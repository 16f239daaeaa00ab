"""Event source mappings, as values, and what each kind of source lets one configure.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from lambent.model.arn import Scope, has_right_partition
from lambent.model.function import FunctionKey


class Source(enum.Enum):
    """The kinds of event sources."""

    SQS = "sqs"
    SQS_FIFO = "sqs-fifo"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "msk"
    KAFKA = "kafka"
    MQ = "mq"

    @property
    def is_stream(self) -> bool:
        """Whether it has shards and checkpoints."""
        return self in (Source.KINESIS, Source.DYNAMODB)

    @property
    def is_kafka(self) -> bool:
        """Whether it speaks Kafka's protocol."""
        return self in (Source.MSK, Source.KAFKA)


class MappingState(enum.StrEnum):
    """Where a mapping is in its life. What has a conclusion is on its way there."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


CONCLUSIONS: Mapping[MappingState, MappingState | None] = {
    MappingState.CREATING: MappingState.ENABLED,
    MappingState.ENABLING: MappingState.ENABLED,
    MappingState.UPDATING: MappingState.ENABLED,
    MappingState.DISABLING: MappingState.DISABLED,
    MappingState.DELETING: None,
}
"""What a state that passes becomes; None is the end of the mapping."""

_ARNS = (
    (Source.SQS_FIFO, re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,75}\.fifo")),
    (Source.SQS, re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}")),
    (
        Source.KINESIS,
        re.compile(
            r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream/[\w.-]+(/consumer/[\w.-]+:\d+)?"
        ),
    ),
    (
        Source.DYNAMODB,
        re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[\w.-]+/stream/[\w:.-]+"),
    ),
    (Source.MSK, re.compile(r"arn:aws[a-z-]*:kafka:[a-z0-9-]+:\d{12}:cluster/[\w.-]+/[\w-]+")),
    (Source.MQ, re.compile(r"arn:aws[a-z-]*:mq:[a-z0-9-]+:\d{12}:broker:[\w.-]+:[\w-]+")),
)

_EVERYWHERE = {
    "Enabled",
    "BatchSize",
    "FilterCriteria",
    "KMSKeyArn",
    "MetricsConfig",
    "MaximumBatchingWindowInSeconds",
}
_STREAM = _EVERYWHERE | {
    "StartingPosition",
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "TumblingWindowInSeconds",
    "FunctionResponseTypes",
    "DestinationConfig",
}
_SQS = _EVERYWHERE | {"FunctionResponseTypes", "ScalingConfig", "ProvisionedPollerConfig"}
_KAFKA = _EVERYWHERE | {
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "SourceAccessConfigurations",
    "ProvisionedPollerConfig",
    "DestinationConfig",
    "LoggingConfig",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
}

PARAMETERS: Mapping[Source, frozenset[str]] = {
    Source.SQS: frozenset(_SQS),
    Source.SQS_FIFO: frozenset(_SQS),
    Source.KINESIS: frozenset(_STREAM | {"StartingPositionTimestamp"}),
    Source.DYNAMODB: frozenset(_STREAM),
    Source.MSK: frozenset(_KAFKA | {"AmazonManagedKafkaEventSourceConfig"}),
    Source.KAFKA: frozenset(
        _KAFKA | {"SelfManagedKafkaEventSourceConfig", "SelfManagedEventSource"}
    ),
    Source.MQ: frozenset(_EVERYWHERE | {"Queues", "SourceAccessConfigurations"}),
}
"""Which members of CreateEventSourceMapping each kind of source understands."""

_STREAM_DEFAULTS: Mapping[str, Any] = {
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

_QUEUE_DEFAULTS: Mapping[str, Any] = {
    "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0,
    "FunctionResponseTypes": [],
}

DEFAULTS: Mapping[Source, Mapping[str, Any]] = {
    Source.SQS: _QUEUE_DEFAULTS,
    Source.SQS_FIFO: _QUEUE_DEFAULTS,
    Source.KINESIS: _STREAM_DEFAULTS,
    Source.DYNAMODB: _STREAM_DEFAULTS,
    Source.MSK: {"BatchSize": 100},
    Source.KAFKA: {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"},
    Source.MQ: {"BatchSize": 100},
}
"""What a mapping shows that was not asked for."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """One mapping. Immutable: changes make a new value."""

    uuid: str
    scope: Scope
    source: Source
    source_id: str
    """The source's ARN, or the bootstrap servers of a cluster of one's own, sorted."""
    function_arn: str
    """With the qualifier, if one was given."""
    function_name: str
    state: MappingState
    state_reason: str
    last_modified: float
    """Epoch seconds."""
    last_result: str | None = None
    configuration: Mapping[str, Any]
    """Members of the API that it was configured with, defaults included."""

    @property
    def function_key(self) -> FunctionKey:
        """The function it calls."""
        return FunctionKey(*self.scope, self.function_name)

    @property
    def qualifier(self) -> str | None:
        """The version or alias it calls, if it names one."""
        return self.function_arn.removeprefix(self.function_key.arn).removeprefix(":") or None

    @property
    def object_prefix(self) -> str:
        """Where a bucket has the records of batches that were given up."""
        return f"aws/lambda/{self.uuid}/"

    @property
    def arn(self) -> str:
        """The mapping's own ARN."""
        scope = self.scope
        return f"arn:aws:lambda:{scope.region}:{scope.account}:event-source-mapping:{self.uuid}"


def source_of(arn: str) -> Source | None:
    """What kind of source an ARN names; None if it is none that Lambda reads."""
    if not has_right_partition(arn):
        return None
    return next((source for source, pattern in _ARNS if pattern.fullmatch(arn)), None)
