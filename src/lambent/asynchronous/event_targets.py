"""Hands an event of a rule or schedule over to its target, once.

A function's event goes into the queue of asynchronous invocations, where the function's own
configuration decides about retries. Other targets of this platform are registered by kind.
Everything else is one request to another service.

The service itself is the caller of a function, whose policy has to allow it, unless the target
names a role. A relaxed platform asks no policy within an account.
"""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from lambent.asynchronous.event_requests import EventRequests
from lambent.asynchronous.retries import AGE_S_MIN
from lambent.aws.client import AwsClient, AwsUnreachable, error_code
from lambent.aws.errors import ClientError
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.checks import tenant_error
from lambent.invocation.invoker import Invoker
from lambent.kit.strict_json import fault_of, parse_plain
from lambent.model.arn import Arn
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery, Next, NotHandedOver
from lambent.model.events.targets import ACTIONS, BUS, EVENTS, UNIVERSAL, kind_of, resource_of
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import parse_function_name
from lambent.model.principal import service

_PERMANENT_STATUS = (400, 401, 403, 404, 413)
_PASSING = frozenset({"InternalError", "ServiceUnavailable", "ThrottlingException", "Throttling"})
"""Codes of refusals with a status below 500 that retrying may change."""


Send = Callable[[EventDelivery, float], Awaitable[Next]]
"""Sends an event to a target of one kind, at a moment. Raises `ApiError` and `NotHandedOver`."""


class EventTargets:
    """See the module."""

    def __init__(
        self, aws: AwsClient, invoker: Invoker, authorizer: Authorizer, roles: ServiceRoles
    ) -> None:
        self._aws = aws
        self._invoker = invoker
        self._authorizer = authorizer
        self._roles = roles
        self._requests = EventRequests(aws)
        self._own: dict[str, Send] = {"lambda": self._event_for_function}
        """By kind: targets of this platform."""

    def register(self, kind: str, send: Send) -> None:
        """From now on, events for targets of a kind stay on this platform."""
        self._own[kind] = send

    async def hand_over(self, delivery: EventDelivery, now: float) -> Next:
        """Make one attempt. Raises `NotHandedOver`."""
        kind = kind_of(Arn.parse(delivery.target)) or ""
        try:
            if kind != UNIVERSAL:  # The service that performs the operation authorizes it.
                await self._authorize(delivery, kind)
            if kind in self._own:
                return await self._own[kind](delivery, now)
            if kind not in self._requests.senders:
                raise NotHandedOver("SDK_CLIENT_ERROR", "not ready yet", is_permanent=False)
            await self._requests.senders[kind](delivery)
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
        return Next()

    def assume_role(self, delivery: EventDelivery) -> Caller:
        """The sender as a session of the target's role. Raises `ApiError`."""
        return self._roles.assume(
            delivery.role,
            delivery.service,
            delivery.scope,
            uuid.uuid4().hex,
            source_arn=delivery.source_of_role,
        )

    async def _authorize(self, delivery: EventDelivery, kind: str) -> None:
        """Raise `AccessDeniedException` unless the sender may send there. Who named a target
        without a role was allowed to send there when it was configured."""
        arn = Arn.parse(delivery.target)
        owner = arn.account or delivery.scope.account
        is_function = kind == "lambda"
        if not self._authorizer.is_strict and owner == delivery.scope.account:
            return
        if delivery.role:
            caller = self.assume_role(delivery)
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
        context: list[tuple[str, tuple[str, ...]]] = [
            ("aws:sourcearn", (delivery.source_arn,)),
            ("aws:sourceaccount", (delivery.scope.account,)),
        ]
        if kind == BUS:
            context += about_event(delivery)
        resource = resource_of(delivery.target, delivery.source_arn)
        if is_function:
            resource = parse_function_name(delivery.target, delivery.scope).arn
        await self._authorizer.check(caller, Access(ACTIONS[kind], resource, owner, tuple(context)))

    async def _event_for_function(self, delivery: EventDelivery, now: float) -> Next:
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
        event = AsyncEvent(
            request_id=str(uuid.uuid4()),
            key=reference.key,
            qualifier=reference.qualifier,
            payload=delivery.body,
            trace_id=delivery.trace_id,
            accepted_at=now,
            due_at=now,
            expires_at=now + AGE_S_MIN,
        )
        return Next(events=(event,))


def about_event(delivery: EventDelivery) -> list[tuple[str, tuple[str, ...]]]:
    """What policies of buses ask about an event."""
    event: Any = delivery.parameters
    names = (("events:source", "Source"), ("events:detail-type", "DetailType"))
    if not event:
        event = parse_plain(delivery.body.decode(errors="replace"))
        names = (("events:source", "source"), ("events:detail-type", "detail-type"))
    found = [(key, (str(event[name]),)) for key, name in names if event.get(name)]
    is_from_bus = "true" if delivery.service == EVENTS else "false"
    return [*found, ("events:eventbusinvocation", (is_from_bus,))]


def _code_for(error: ApiError) -> str:
    if error.status == 403:
        return "NO_PERMISSIONS"
    if error.status == 404:
        return "NO_RESOURCE"
    return "SDK_CLIENT_ERROR"
