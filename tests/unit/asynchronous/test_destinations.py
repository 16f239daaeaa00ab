"""Where records go."""

from typing import Any

import pytest

from lambent.asynchronous.destinations import Destinations
from lambent.model.delivery import Delivery, DeliveryKind
from lambent.model.function import FunctionKey
from tests.authorizers import unchecked_roles

KEY = FunctionKey("000000000000", "us-east-1", "f")


class Queues:
    """A client, and its factory."""

    def __init__(self) -> None:
        self.looked_up: list[str] = []
        self.sent: list[str] = []

    def get(self, service: str, region: str, account: str) -> "Queues":
        return self

    def get_queue_url(self, **members: str) -> dict[str, str]:
        self.looked_up.append(members["QueueName"])
        return {"QueueUrl": f"http://queues/{members['QueueName']}"}

    def send_message(self, **members: Any) -> None:
        self.sent.append(members["QueueUrl"])


def delivery(queue: str) -> Delivery:
    return Delivery(
        key=KEY,
        arn=KEY.arn,
        target=f"arn:aws:sqs:us-east-1:000000000000:{queue}",
        kind=DeliveryKind.ON_SUCCESS,
        body=b"{}",
        object_prefix="",
        trace_id="t",
        role="",
        created_at=0.0,
        due_at=0.0,
    )


@pytest.mark.anyio
async def test_where_queues_are_is_remembered_of_some_only() -> None:
    """Names come and go; memory does not grow with them."""
    queues = Queues()
    clients: Any = queues

    async def invoke(_arn: str, _payload: bytes, _trace_id: str) -> None:
        raise AssertionError("no function is a destination here")

    destinations = Destinations(clients, clients, invoke, unchecked_roles())
    for _ in range(3):
        await destinations.send(delivery("first"))
    assert queues.looked_up == ["first"]
    for number in range(1024):
        await destinations.send(delivery(f"q{number}"))
    await destinations.send(delivery("first"))
    assert queues.looked_up.count("first") == 2
    assert len(queues.sent) == 3 + 1024 + 1
