"""Sends one delivery to its destination, in AWS's format for it.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from lambent.aws.client import AwsClient, AwsUnreachable
from lambent.aws.clients import AwsClients
from lambent.aws.errors import BotoCoreError, ClientError
from lambent.identity.execution_roles import ExecutionRoles
from lambent.model.arn import Arn
from lambent.model.delivery import Delivery, DeliveryKind, service_of
from lambent.model.errors import ApiError
from lambent.model.traces import TRACE_ID_MAX, is_trace_header

_EVENT_TRACE_MAX = 500
"""Characters of an event's trace header."""
_NOT_IN_MESSAGES = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SENDERS = 16
"""Threads; each waits for a service."""
_QUEUE_URLS_MAX = 1024
_PERMANENT = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "AuthorizationError", "EntityTooLarge"),
        *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NoSuchBucket"),
        *("InvalidMessageContents", "NotFound", "ResourceNotFoundException"),
    }
)
"""What trying again does not change. A parameter that is refused is not among it: that the record
is wrong is the least likely reason, and it would be lost."""
_LAMBDA_NAMESPACE = uuid.UUID("3f0c7f7e-6d0b-4c5e-9a3a-2b1f5a1d7e55")


class DeliveryFailed(Exception):
    """One attempt to deliver; the message says what went wrong."""

    def __init__(self, message: str, *, is_permanent: bool = False) -> None:
        super().__init__(message)
        self.is_permanent = is_permanent
        """Whether it would fail again."""


InvokeLater = Callable[[str, bytes, str], Awaitable[None]]
"""Has a function, by ARN, invoked with an event and a trace header. Returns when the event is
kept; raises `ApiError`."""


class Destinations:
    """Sends deliveries."""

    def __init__(
        self, clients: AwsClients, aws: AwsClient, invoke: InvokeLater, roles: ExecutionRoles
    ) -> None:
        self._clients = clients
        self._aws = aws
        self._invoke = invoke
        self._roles = roles
        self._limiter = anyio.CapacityLimiter(_SENDERS)
        self._queue_urls: dict[str, str] = {}

    async def send(self, delivery: Delivery) -> None:
        """Deliver once. Raises DeliveryFailed."""
        send = {
            "sqs": self._send_message,
            "sns": self._publish,
        }.get(service_of(delivery.target))
        try:
            await self._roles.require_delivery(
                delivery.key, delivery.role, delivery.target, delivery.object_prefix
            )
            if service_of(delivery.target) == "events":
                await self._put_event(delivery)
            elif service_of(delivery.target) == "s3":
                await self._put_object(delivery)
            elif send is None:
                await self._invoke(delivery.target, delivery.body, delivery.trace_id)
            else:
                await anyio.to_thread.run_sync(send, delivery, limiter=self._limiter)
        except ApiError as error:
            is_permanent = error.status in (400, 403, 404, 413)
            raise DeliveryFailed(
                f"{error.code}: {error.message}", is_permanent=is_permanent
            ) from error
        except ClientError as error:
            details = error.response.get("Error", {})
            code = str(details.get("Code", "Unknown"))
            self._queue_urls.pop(delivery.target, None)
            raise DeliveryFailed(
                f"{code}: {details.get('Message', '')}", is_permanent=code in _PERMANENT
            ) from error
        except (AwsUnreachable, BotoCoreError, OSError, ValueError, KeyError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error

    def _client(self, delivery: Delivery, service: str) -> Any:
        account, region = Arn.parse(delivery.target).scope
        key = delivery.key
        return self._clients.get(service, region or key.region, account or key.account)

    def _send_message(self, delivery: Delivery) -> None:
        client = self._client(delivery, "sqs")
        url = self._queue_urls.get(delivery.target)
        if url is None:
            queue = Arn.parse(delivery.target)
            answer = client.get_queue_url(
                QueueName=queue.resource, QueueOwnerAWSAccountId=queue.account
            )
            url = answer["QueueUrl"]
            if len(self._queue_urls) >= _QUEUE_URLS_MAX:
                self._queue_urls.clear()
            self._queue_urls[delivery.target] = url
        client.send_message(
            QueueUrl=url,
            MessageBody=_text(delivery.body),
            MessageAttributes=_attributes(delivery.attributes),
            MessageSystemAttributes=_attributes({"AWSTraceHeader": _trace_header(delivery)}),
        )

    def _publish(self, delivery: Delivery) -> None:
        self._client(delivery, "sns").publish(
            TopicArn=delivery.target,
            Message=_text(delivery.body),
            MessageAttributes=_attributes(delivery.attributes),
        )

    async def _put_event(self, delivery: Delivery) -> None:
        outcome = "Success" if delivery.kind is DeliveryKind.ON_SUCCESS else "Failure"
        entry = {
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {outcome}",
            "Resources": [delivery.target, delivery.arn],
            "Detail": _text(delivery.body),
            "EventBusName": delivery.target,
        }
        if header := _trace_header(delivery, _EVENT_TRACE_MAX):
            entry["TraceHeader"] = header
        account, region = Arn.parse(delivery.target).scope
        answer = await self._aws.call(
            "events",
            "PutEvents",
            {"Entries": [entry]},
            region=region or delivery.key.region,
            account=account or delivery.key.account,
        )
        for result in answer.get("Entries", ()):
            if "ErrorCode" in result:
                code = result["ErrorCode"]
                raise DeliveryFailed(
                    f"{code}: {result.get('ErrorMessage', '')}", is_permanent=code in _PERMANENT
                )

    async def _put_object(self, delivery: Delivery) -> None:
        moment = datetime.fromtimestamp(delivery.created_at, UTC)
        # The same for each attempt, so that one that was made twice leaves one object.
        name = uuid.uuid5(_LAMBDA_NAMESPACE, f"{delivery.id}")
        params = {
            "Bucket": Arn.parse(delivery.target).resource,
            "Key": f"{delivery.object_prefix}{moment:%Y/%m/%d}/{moment:%Y-%m-%dT%H.%M.%S}-{name}",
            "Body": delivery.body,
            "ContentType": "application/json",
        }
        if self._aws.has_own("s3", "PutObject"):
            key = delivery.key
            await self._aws.call("s3", "PutObject", params, region=key.region, account=key.account)
            return
        # botocore finds the address of a bucket, in a thread.
        put = partial(self._client(delivery, "s3").put_object, **params)
        await anyio.to_thread.run_sync(put, limiter=self._limiter)


def _text(body: bytes) -> str:
    """JSON as messages may have it: what SQS takes in no message stands as an escape."""
    text = body.decode(errors="replace")
    return _NOT_IN_MESSAGES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _trace_header(delivery: Delivery, characters_max: int = TRACE_ID_MAX) -> str:
    """Empty if the service would refuse it, and the record with it."""
    header = delivery.trace_id
    return header if len(header) <= characters_max and is_trace_header(header) else ""


def _attributes(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Those that have a value: services refuse a message with an empty one."""
    return {
        name: {
            "DataType": "Number" if name == "ErrorCode" else "String",
            "StringValue": _NOT_IN_MESSAGES.sub("\ufffd", value),
        }
        for name, value in attributes.items()
        if value
    }
