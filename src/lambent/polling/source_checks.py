"""What is asked of a source, and of the role that is to read it, when a mapping is configured."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.aws.client import AwsClient, AwsUnreachable, error_code
from lambent.aws.errors import ClientError
from lambent.identity.execution_roles import ExecutionRoles
from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.mapping import Source

logger = logging.getLogger(__name__)

_DEADLINE_S = 5.0
_QUEUE_MISSING = ("NonExistentQueue", "QueueDoesNotExist")
_ACTIONS: Mapping[Source, tuple[str, Sequence[str]]] = {
    Source.SQS: ("SQS", ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")),
    Source.KINESIS: (
        "Kinesis",
        (
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:DescribeStreamSummary",
            "kinesis:ListShards",
        ),
    ),
    Source.DYNAMODB: (
        "DynamoDB",
        ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream"),
    ),
    Source.MSK: ("Kafka", ("kafka:GetBootstrapBrokers",)),
    Source.MQ: ("MQ", ("mq:DescribeBroker",)),
}
"""What a role must be allowed, as AWS's policies for such roles have it, and the service's name."""


class SourceChecks:
    """Asks. A source that does not answer now is not held against the mapping: its poller says what
    is wrong and goes on trying."""

    def __init__(self, aws: AwsClient, roles: ExecutionRoles) -> None:
        self._aws = aws
        self._roles = roles

    async def check(
        self, source: Source, source_id: str, secrets: Sequence[str], function: FunctionVersion
    ) -> None:
        """Raise `InvalidParameterValueException` if the source is not there, does not go with the
        function, or the role may not read it or the secrets, by ARN, that lead to it."""
        kind = Source.SQS if source is Source.SQS_FIFO else source
        service, actions = _ACTIONS.get(kind, ("", ()))
        for action in actions:
            await self._require(function, action, source_id, service)
        for secret in secrets:
            await self._require(
                function, "secretsmanager:GetSecretValue", secret, "Secrets Manager"
            )
        try:
            if kind is Source.SQS:
                await self._check_queue(source_id, function)
            elif kind is Source.KINESIS:
                stream, _, _ = source_id.partition("/consumer/")
                await self._call("kinesis", "DescribeStreamSummary", {"StreamARN": stream}, stream)
            elif kind is Source.DYNAMODB:
                await self._call(
                    "dynamodbstreams", "DescribeStream", {"StreamArn": source_id}, source_id
                )
        except AwsUnreachable as error:
            logger.info("cannot look at %s: %s", source_id, error)
        except ClientError as error:
            self._judge(source_id, error)

    async def _check_queue(self, arn: str, function: FunctionVersion) -> None:
        *_, account, name = arn.split(":")
        url = await self._call(
            "sqs", "GetQueueUrl", {"QueueName": name, "QueueOwnerAWSAccountId": account}, arn
        )
        found = await self._call(
            "sqs",
            "GetQueueAttributes",
            {"QueueUrl": url["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]},
            arn,
        )
        visible_s = int(found.get("Attributes", {}).get("VisibilityTimeout", 30))
        if visible_s < function.timeout_s:
            raise invalid_parameter(
                f"Queue visibility timeout: {visible_s} seconds is less than Function timeout:"
                f" {function.timeout_s} seconds"
            )

    async def _call(
        self, service: str, operation: str, parameters: Mapping[str, Any], arn: str
    ) -> Any:
        _, _, _, region, account, *_ = arn.split(":")
        return await self._aws.call(
            service, operation, parameters, region=region, account=account, deadline_s=_DEADLINE_S
        )

    def _judge(self, source_id: str, error: ClientError) -> None:
        code = error_code(error)
        if code.endswith(_QUEUE_MISSING):
            raise invalid_parameter(
                "Error occurred while ReceiveMessage. SQS Error Code:"
                " AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue"
                " does not exist."
            ) from error
        if code == "ResourceNotFoundException":
            raise invalid_parameter(f"Stream not found: {source_id}") from error
        logger.info("cannot look at %s: %s", source_id, error)

    async def _require(
        self, function: FunctionVersion, action: str, resource: str, service: str
    ) -> None:
        await self._roles.require_call(function.key, function.role, action, resource, service)
