"""The driver of Amazon SQS."""

from collections.abc import Mapping
from typing import Any

from lambent.aws.client import AwsClient
from lambent.aws.errors import ClientError
from lambent.model.arn import Arn
from lambent.model.errors import invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.mapping import EventSourceMapping
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.drivers import CHECK_DEADLINE_S, SourceDriver
from lambent.polling.sources.sqs.poller import SqsPoller
from lambent.polling.sources.sqs.queue import Queue, is_missing


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    queue = Queue(polled.aws, polled.mapping.source_id)
    with polled.stop.interrupts():
        await queue.open()
    if not polled.stop.is_set:
        await SqsPoller(polled, queue).run()


async def check(aws: AwsClient, mapping: EventSourceMapping, function: FunctionVersion) -> None:
    """See `drivers.CheckSource`. The visibility timeout must not be shorter than the function's
    timeout."""
    _, _, region, account, name = Arn.parse(mapping.source_id)

    async def call(operation: str, parameters: Mapping[str, Any]) -> Any:
        return await aws.call(
            "sqs",
            operation,
            parameters,
            region=region,
            account=account,
            deadline_s=CHECK_DEADLINE_S,
        )

    try:
        url = await call("GetQueueUrl", {"QueueName": name, "QueueOwnerAWSAccountId": account})
        found = await call(
            "GetQueueAttributes",
            {"QueueUrl": url["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]},
        )
    except ClientError as error:
        if not is_missing(error):
            raise
        raise invalid_parameter(
            "Error occurred while ReceiveMessage. SQS Error Code:"
            " AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue"
            " does not exist."
        ) from error
    visible_s = int(found.get("Attributes", {}).get("VisibilityTimeout", 30))
    if visible_s < function.timeout_s:
        raise invalid_parameter(
            f"Queue visibility timeout: {visible_s} seconds is less than Function timeout:"
            f" {function.timeout_s} seconds"
        )


DRIVER = SourceDriver(poll, check)
