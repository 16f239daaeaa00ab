"""Amazon SQS, standard and FIFO queues.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

import dataclasses

from lambent.model.errors import invalid_parameter
from lambent.model.sources.kind import (
    COMMON_PARAMETERS,
    REGION_AND_ACCOUNT,
    FilterRules,
    Params,
    SourceKind,
    named_by_arn,
)

_UNBATCHED_MAX = 10
"""The largest batch of a FIFO queue, or without a window."""


def _check_standard(_arn: str, members: Params) -> None:
    if members["BatchSize"] > _UNBATCHED_MAX and not members["MaximumBatchingWindowInSeconds"]:
        raise invalid_parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is"
            " greater than 10"
        )


def _check_fifo(_arn: str, members: Params) -> None:
    if members["BatchSize"] > _UNBATCHED_MAX:
        raise invalid_parameter("BatchSize of a FIFO queue cannot be greater than 10.")
    if members["MaximumBatchingWindowInSeconds"]:
        raise invalid_parameter(
            "Unsupported MaximumBatchingWindowInSeconds parameter for given event source mapping"
            " type."
        )


SQS = SourceKind(
    name="sqs",
    driver="lambent.polling.sources.sqs.driver",
    identify=named_by_arn(rf"sqs:{REGION_AND_ACCOUNT}:[\w-]{{1,80}}"),
    parameters=COMMON_PARAMETERS
    | {"FunctionResponseTypes", "ScalingConfig", "ProvisionedPollerConfig"},
    defaults={
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    },
    check=_check_standard,
    pollers_min=2,
    filters=FilterRules(data_key="body"),
    service="SQS",
    actions=("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    conflict=(
        'An event source mapping with SQS arn (" {source} ") and function (" {function} ") already'
        " exists."
    ),
    shows_success=False,
    is_ordered=False,
)

SQS_FIFO = dataclasses.replace(
    SQS,
    name="sqs-fifo",
    identify=named_by_arn(rf"sqs:{REGION_AND_ACCOUNT}:[\w-]{{1,75}}\.fifo"),
    check=_check_fifo,
)
