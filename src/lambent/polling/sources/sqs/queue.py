"""The requests to one queue of Amazon SQS."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.model.arn import Arn
from lambent.polling.ports import Record, SourceError
from lambent.polling.role_client import RoleClient, refused

AT_ONCE_MAX = 10
"""Most messages in one request."""
_DEADLINE_S = 30.0
_ACTIONS = {
    "GetQueueUrl": "sqs:GetQueueAttributes",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ReceiveMessage",
}
"""What execution roles are allowed instead of the operation itself."""


class Queue:
    """One queue. All methods raise `SourceError`."""

    def __init__(self, aws: RoleClient, arn: str) -> None:
        self.arn = arn
        self._aws = aws
        queue = Arn.parse(arn)
        self._account, self._name = queue.account, queue.resource
        self._url = ""
        self.visibility_s = 0.0
        """The queue's visibility timeout, as `open` or `look` read it last."""

    async def open(self) -> None:
        """Find the queue."""
        found = await self._call(
            "GetQueueUrl", {"QueueName": self._name, "QueueOwnerAWSAccountId": self._account}
        )
        self._url = found["QueueUrl"]
        await self.look()

    async def look(self) -> int:
        """Read the visibility timeout. Returns how many messages wait."""
        names = ["VisibilityTimeout", "ApproximateNumberOfMessages"]
        found = await self._call("GetQueueAttributes", {"AttributeNames": names})
        attributes = found.get("Attributes", {})
        self.visibility_s = float(attributes.get("VisibilityTimeout", 30))
        return int(attributes.get("ApproximateNumberOfMessages", 0))

    async def receive(self, most: int, wait_s: int) -> list[Mapping[str, Any]]:
        """Receive messages. They are invisible to others for the visibility timeout."""
        parameters = {
            "MaxNumberOfMessages": min(most, AT_ONCE_MAX),
            "WaitTimeSeconds": wait_s,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        found = await self._call("ReceiveMessage", parameters, deadline_s=wait_s + _DEADLINE_S)
        messages: list[Mapping[str, Any]] = found.get("Messages") or []
        return messages

    async def delete(self, records: Sequence[Record]) -> list[Record]:
        """Delete up to ten messages. Returns those whose deletion can be retried."""
        entries = [
            {"Id": str(number), "ReceiptHandle": record.raw["ReceiptHandle"]}
            for number, record in enumerate(records)
        ]
        response = await self._call("DeleteMessageBatch", {"Entries": entries})
        failed = response.get("Failed") or ()
        return [records[int(entry["Id"])] for entry in failed if not entry.get("SenderFault")]

    async def hide(self, records: Sequence[Record], seconds: int) -> None:
        """Keep up to ten messages invisible for that long from now on."""
        entries = [
            {
                "Id": str(number),
                "ReceiptHandle": record.raw["ReceiptHandle"],
                "VisibilityTimeout": seconds,
            }
            for number, record in enumerate(records)
        ]
        await self._call("ChangeMessageVisibilityBatch", {"Entries": entries})

    async def _call(
        self, operation: str, parameters: Mapping[str, Any], deadline_s: float = _DEADLINE_S
    ) -> Any:
        if self._url:
            parameters = {"QueueUrl": self._url, **parameters}
        try:
            return await self._aws.call(
                "sqs",
                operation,
                parameters,
                resource=self.arn,
                action=_ACTIONS.get(operation),
                account=self._account,
                deadline_s=deadline_s,
            )
        except ClientError as error:
            if is_missing(error):
                raise SourceError("PROBLEM: The specified queue does not exist") from error
            raise refused(error) from error


def is_missing(error: ClientError) -> bool:
    """Whether a refusal says that there is no such queue."""
    return error_code(error).endswith(("NonExistentQueue", "QueueDoesNotExist"))
