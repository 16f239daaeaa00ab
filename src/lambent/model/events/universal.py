"""Universal targets of schedules: one operation of a service, named in an ARN.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

_ARN = re.compile(
    r"arn:aws:scheduler:::aws-sdk:([a-z0-9-]{1,64}):([a-z][A-Za-z0-9]{1,128})", re.ASCII
)
_SERVICES: Mapping[str, str] = {
    "cloudwatchlogs": "logs",
    "cognitoidentity": "cognito-identity",
    "cognitoidentityprovider": "cognito-idp",
    "eventbridge": "events",
    "sfn": "stepfunctions",
    **{
        name: name
        for name in (
            *("apigateway", "apigatewayv2", "cloudformation", "cloudwatch", "dynamodb", "ecr"),
            *("firehose", "iam", "kinesis", "kms", "lambda", "s3", "scheduler", "secretsmanager"),
            *("ses", "sns", "sqs", "ssm", "sts"),
        )
    },
}
"""By AWS SDKs' names: botocore's names of services that there can be a server for."""
_READING = (
    *("get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read"),
    *("lookup", "discover", "validate", "batchGet", "batchDescribe", "batchRead", "transactGet"),
    *("adminGet", "adminList", "testMigration", "retrieve", "testConnection", "isAuthorized"),
)
"""Operations that begin so are no targets, as in AWS."""


class ServiceOperation(NamedTuple):
    """An operation, by botocore's names."""

    service: str
    operation: str


def operation_of(arn: str) -> ServiceOperation:
    """The operation that a universal target names. Raises `ValueError`, whose message says why
    there is none."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise ValueError("Provided Arn is not in correct format.")
    service, action = match[1], match[2]
    if service not in _SERVICES:
        raise ValueError(f"{service} is not a supported service for a target.")
    if action.startswith(_READING):
        raise ValueError(f"{arn} is a read-only operation, which cannot be a target.")
    return ServiceOperation(_SERVICES[service], action[0].upper() + action[1:])
