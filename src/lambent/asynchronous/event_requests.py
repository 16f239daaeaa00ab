"""Sending an event to a target that belongs to another service: one request each."""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.aws.client import AwsClient
from lambent.kit.strict_json import fault_of, parse_plain
from lambent.model.arn import AccountId, Arn, Region
from lambent.model.events.delivery import EventDelivery
from lambent.model.events.inputs import find_in
from lambent.model.events.targets import BUS

_PARTITION_KEY_MAX = 256


class EventRequests:
    """Makes the requests, at the endpoints of the settings. All raise `ClientError` and
    `AwsUnreachable`."""

    def __init__(self, aws: AwsClient) -> None:
        self._aws = aws
        self.senders: Mapping[str, Callable[[EventDelivery], Awaitable[None]]] = {
            "sqs": self._send_message,
            "sns": self._publish,
            "kinesis": self._put_record,
            "firehose": self._put_to_delivery_stream,
            "states": self._start_execution,
            BUS: self._put_events,
        }
        """By kind of target."""

    async def _send_message(self, delivery: EventDelivery) -> None:
        queue = Arn.parse(delivery.target)
        found = await self._call(
            delivery,
            "sqs",
            "GetQueueUrl",
            {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account},
        )
        message: dict[str, Any] = {
            "QueueUrl": found["QueueUrl"],
            "MessageBody": _text(delivery),
            **delivery.parameters,
        }
        if delivery.attributes:
            message["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value}
                for name, value in delivery.attributes.items()
            }
        await self._call(delivery, "sqs", "SendMessage", message)

    async def _publish(self, delivery: EventDelivery) -> None:
        message = {"TopicArn": delivery.target, "Message": _text(delivery), **delivery.parameters}
        await self._call(delivery, "sns", "Publish", message)

    async def _put_record(self, delivery: EventDelivery) -> None:
        record = {
            "StreamARN": delivery.target,
            "Data": delivery.body,
            "PartitionKey": _partition_key(delivery),
        }
        await self._call(delivery, "kinesis", "PutRecord", record)

    async def _put_to_delivery_stream(self, delivery: EventDelivery) -> None:
        name = Arn.parse(delivery.target).name
        record = {"DeliveryStreamName": name, "Record": {"Data": delivery.body}}
        await self._call(delivery, "firehose", "PutRecord", record)

    async def _start_execution(self, delivery: EventDelivery) -> None:
        # The same name for each attempt: one that was made twice starts one execution.
        name = f"{uuid.uuid5(uuid.NAMESPACE_OID, f'{delivery.source_arn} {delivery.id}')}"
        execution = {"stateMachineArn": delivery.target, "input": _text(delivery), "name": name}
        await self._call(delivery, "stepfunctions", "StartExecution", execution)

    async def _put_events(self, delivery: EventDelivery) -> None:
        """What a schedule puts on a bus of another server."""
        entry = {"EventBusName": delivery.target, "Detail": _text(delivery), **delivery.parameters}
        await self._call(delivery, "events", "PutEvents", {"Entries": [entry]})

    async def _call(
        self, delivery: EventDelivery, name: str, operation: str, params: Mapping[str, Any]
    ) -> Any:
        account, region = Arn.parse(delivery.target).scope
        return await self._aws.call(
            name,
            operation,
            params,
            region=Region(region or delivery.scope.region),
            account=AccountId(account or delivery.scope.account),
        )


def _text(delivery: EventDelivery) -> str:
    """The event as a text; one that is a JSON text loses its quotes, as in AWS."""
    text = delivery.body.decode(errors="replace")
    if text.startswith('"') and fault_of(delivery.body) is None:
        return str(json.JSONDecoder().decode(text))
    return text


def _partition_key(delivery: EventDelivery) -> str:
    """The key that the target names, or a value of the event; else one of its own for each
    event."""
    key, path = (delivery.parameters.get(name) for name in ("PartitionKey", "PartitionKeyPath"))
    if key is None and path is not None:
        try:
            key = find_in(parse_plain(delivery.body.decode()), path)
        except ValueError:  # The event was replaced by a text.
            key = None
    return str(key)[:_PARTITION_KEY_MAX] if key not in (None, "") else str(delivery.id)
