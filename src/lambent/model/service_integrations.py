"""Integrations of HTTP APIs with other AWS services: the subtypes, and the parameters of each.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html
"""

from collections.abc import Mapping
from typing import NamedTuple

from lambent.model.selections import Text, parse_text

CALLERS_OWN_ROLE = "arn:aws:iam::*:user/*"
"""As `CredentialsArn` of an integration: it acts with the permissions of the caller that signed the
request."""


class Subtype(NamedTuple):
    """One subtype."""

    service: str
    """botocore's name."""
    operation: str
    required: frozenset[str]
    optional: frozenset[str]

    @property
    def parameters(self) -> frozenset[str]:
        """All that `RequestParameters` may have."""
        return self.required | self.optional


def _subtype(service: str, operation: str, required: str, optional: str) -> Subtype:
    return Subtype(
        service, operation, frozenset(required.split()), frozenset([*optional.split(), "Region"])
    )


SUBTYPES: Mapping[str, Subtype] = {
    "AppConfig-GetConfiguration": _subtype(
        "appconfig",
        "GetConfiguration",
        "Application Environment Configuration ClientId",
        "ClientConfigurationVersion",
    ),
    "EventBridge-PutEvents": _subtype(
        "events",
        "PutEvents",
        "Detail DetailType Source",
        "Time EventBusName Resources TraceHeader",
    ),
    "Kinesis-PutRecord": _subtype(
        "kinesis",
        "PutRecord",
        "StreamName Data PartitionKey",
        "SequenceNumberForOrdering ExplicitHashKey",
    ),
    "SQS-DeleteMessage": _subtype("sqs", "DeleteMessage", "ReceiptHandle QueueUrl", ""),
    "SQS-PurgeQueue": _subtype("sqs", "PurgeQueue", "QueueUrl", ""),
    "SQS-ReceiveMessage": _subtype(
        "sqs",
        "ReceiveMessage",
        "QueueUrl",
        "AttributeNames MaxNumberOfMessages MessageAttributeNames ReceiveRequestAttemptId"
        " VisibilityTimeout WaitTimeSeconds",
    ),
    "SQS-SendMessage": _subtype(
        "sqs",
        "SendMessage",
        "QueueUrl MessageBody",
        "DelaySeconds MessageAttributes MessageDeduplicationId MessageGroupId"
        " MessageSystemAttributes",
    ),
    "StepFunctions-StartExecution": _subtype(
        "stepfunctions", "StartExecution", "StateMachineArn", "Name Input"
    ),
    "StepFunctions-StartSyncExecution": _subtype(
        "stepfunctions", "StartSyncExecution", "StateMachineArn", "Name Input TraceHeader"
    ),
    "StepFunctions-StopExecution": _subtype(
        "stepfunctions", "StopExecution", "ExecutionArn", "Cause Error"
    ),
}


def parse_parameters(subtype: Subtype, parameters: Mapping[str, str]) -> Mapping[str, Text]:
    """The parameters of an integration, parsed. Raises ValueError, with a message for the client,
    for one that is missing or unknown, or whose value cannot be read."""
    missing = sorted(subtype.required.difference(parameters))
    if missing:
        raise ValueError(f"Missing required request parameters: {', '.join(missing)}.")
    unknown = sorted(set(parameters).difference(subtype.parameters))
    if unknown:
        raise ValueError(f"Invalid request parameters: {', '.join(unknown)[:256]}.")
    return {name: parse_text(value) for name, value in parameters.items()}
