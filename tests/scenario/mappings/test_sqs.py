"""Queues, read from a real server of SQS's protocol."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.servers.ministack import Ministack

from .conftest import Function, wait_for

NewFunction = Callable[..., Function]


class Queue:
    """A queue of the server."""

    def __init__(self, ministack: Ministack, name: str, **attributes: str) -> None:
        self.client = ministack.client("sqs")
        self.url = self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def send(self, *bodies: str, **more: Any) -> list[str]:
        """Messages, one by one; gives their ids."""
        return [
            self.client.send_message(QueueUrl=self.url, MessageBody=body, **more)["MessageId"]
            for body in bodies
        ]

    def count(self) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return tuple(int(found["Attributes"][name]) for name in names)  # type: ignore[return-value]

    def wait_empty(self) -> None:
        """Until there are none."""
        wait_for(lambda: self.count() == (0, 0), "the queue is empty")


@pytest.fixture
def queue(ministack: Ministack, request: pytest.FixtureRequest) -> Queue:
    return Queue(ministack, request.node.name[:70].replace("[", "-").replace("]", ""))


def test_messages_arrive_and_are_deleted(queue: Queue, new_function: NewFunction) -> None:
    """The event is AWS's, attributes included; what was processed is gone."""
    function = new_function()
    function.map(queue.arn)
    (sent,) = queue.send(
        "grüße",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "v"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    (event,) = function.wait_events(1)
    (record,) = event["Records"]
    assert record["messageId"] == sent
    assert record["body"] == "grüße"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["bytes"] == {
        "binaryValue": "AP8=",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "Binary",
    }
    assert record["messageAttributes"]["text"]["stringValue"] == "v"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == queue.arn
    assert record["awsRegion"] == "us-east-1"
    assert record["md5OfBody"]
    queue.wait_empty()
