"""Hands an event of a rule or schedule over to its target, once.

A function's event goes into the queue of asynchronous invocations, where the function's own
configuration decides about retries. Everything else is one request to another service.

The service itself is the caller of a function, whose policy has to allow it, unless the target
names a role. A relaxed platform asks no policy within an account.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.asynchronous.retries import AGE_S_MIN
from lambent.aws.client import AwsClient, AwsUnreachable, error_code
from lambent.aws.errors import ClientError
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.checks import tenant_error
from lambent.invocation.invoker import Invoker
from lambent.kit.strict_json import fault_of
from lambent.model.arn import AccountId, Arn, Region
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery
from lambent.model.events.targets import SERVICES
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import parse_function_name
from lambent.model.principal import service

_PERMANENT_STATUS = (400, 401, 403, 404, 413)
_PASSING = frozenset({"InternalError", "ServiceUnavailable", "ThrottlingException", "Throttling"})
"""Codes of refusals with a status below 500 that retrying may change."""


class NotHandedOver(Exception):
    """One attempt that failed."""

    def __init__(self, code: str, message: str, *, is_permanent: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        """As dead-letter queues have it: `NO_PERMISSIONS`, `SDK_CLIENT_ERROR`, …"""
        self.message = message
        self.is_permanent = is_permanent
        """Whether it would fail again."""


class EventTargets:
    """See the module."""

    def __init__(
        self, aws: AwsClient, invoker: Invoker, authorizer: Authorizer, roles: ServiceRoles
    ) -> None:
        self._aws = aws
        self._invoker = invoker
        self._authorizer = authorizer
        self._roles = roles
        self._senders: Mapping[str, Callable[[EventDelivery], Awaitable[None]]] = {
            "sqs": self._send_message,
            "sns": self._publish,
            "kinesis": self._put_record,
            "states": self._start_execution,
        }

    async def hand_over(self, delivery: EventDelivery, now: float) -> AsyncEvent | None:
        """Make one attempt. Returns what is to be put into the queue of asynchronous invocations,
        with no id yet, if the target is a function. Raises `NotHandedOver`."""
        try:
            await self._authorize(delivery)
            if delivery.target_service == "lambda":
                return await self._event_for_function(delivery, now)
            await self._senders[delivery.target_service](delivery)
        except ApiError as error:
            raise NotHandedOver(
                _code_for(error),
                error.message,
                is_permanent=error.status in _PERMANENT_STATUS,
            ) from error
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            code = error_code(error)
            message = error.response.get("Error", {}).get("Message", "")
            raise NotHandedOver(
                "NO_PERMISSIONS" if status == 403 else "SDK_CLIENT_ERROR",
                f"{code}: {message}",
                is_permanent=status < 500 and status != 429 and code not in _PASSING,
            ) from error
        except AwsUnreachable as error:
            raise NotHandedOver("SDK_CLIENT_ERROR", str(error), is_permanent=False) from error
        return None

    async def _authorize(self, delivery: EventDelivery) -> None:
        """Raise `AccessDeniedException` unless the sender may send there. Who named a target
        without a role was allowed to send there when it was configured."""
        arn = Arn.parse(delivery.target)
        owner = arn.account or delivery.scope.account
        is_function = arn.service == "lambda"
        if not self._authorizer.is_strict and owner == delivery.scope.account:
            return
        if delivery.role:
            caller = self._roles.assume(
                delivery.role, delivery.service, delivery.scope, uuid.uuid4().hex
            )
        elif is_function:
            principal = service(delivery.service)
            caller = Caller(
                principal=principal, scope=delivery.scope, service=None, access_key_id=None
            )
        elif owner != delivery.scope.account:
            raise ApiError(
                "AccessDeniedException",
                f"{delivery.target} belongs to another account, so its target needs a role.",
                status=403,
            )
        else:
            return
        context = (
            ("aws:sourcearn", (delivery.source_arn,)),
            ("aws:sourceaccount", (delivery.scope.account,)),
        )
        resource = delivery.target
        if is_function:
            resource = parse_function_name(delivery.target, delivery.scope).arn
        await self._authorizer.check(
            caller, Access(SERVICES[arn.service], resource, owner, context)
        )

    async def _event_for_function(self, delivery: EventDelivery, now: float) -> AsyncEvent:
        if len(delivery.body) > ASYNCHRONOUS_EVENT_BYTES_MAX:
            raise ApiError("RequestTooLargeException", "The event is too large.", status=413)
        fault = fault_of(delivery.body)
        if fault is not None:
            raise ApiError("InvalidRequestContentException", f"The input is not JSON: {fault}")
        reference = parse_function_name(delivery.target, delivery.scope)
        function = await self._invoker.resolve(reference.key, reference.qualifier)
        error = tenant_error(function, "")
        if error is not None:
            raise error
        return AsyncEvent(
            request_id=str(uuid.uuid4()),
            key=reference.key,
            qualifier=reference.qualifier,
            payload=delivery.body,
            trace_id=delivery.trace_id,
            accepted_at=now,
            due_at=now,
            expires_at=now + AGE_S_MIN,
        )

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
        message = {"TopicArn": delivery.target, "Message": _text(delivery)}
        await self._call(delivery, "sns", "Publish", message)

    async def _put_record(self, delivery: EventDelivery) -> None:
        record = {
            "StreamARN": delivery.target,
            "Data": delivery.body,
            "PartitionKey": str(delivery.id),
            **delivery.parameters,
        }
        await self._call(delivery, "kinesis", "PutRecord", record)

    async def _start_execution(self, delivery: EventDelivery) -> None:
        # The same name for each attempt: one that was made twice starts one execution.
        name = f"{uuid.uuid5(uuid.NAMESPACE_OID, f'{delivery.source_arn} {delivery.id}')}"
        execution = {"stateMachineArn": delivery.target, "input": _text(delivery), "name": name}
        await self._call(delivery, "stepfunctions", "StartExecution", execution)

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


def _code_for(error: ApiError) -> str:
    if error.status == 403:
        return "NO_PERMISSIONS"
    if error.status == 404:
        return "NO_RESOURCE"
    return "SDK_CLIENT_ERROR"
