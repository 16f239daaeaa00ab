"""Universal targets: a schedule performs an operation of a service, with the rights of its role."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

from lambent.asynchronous.event_targets import EventTargets
from lambent.identity.authorizer import Caller
from lambent.kit.strict_json import parse_plain
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery, Next
from lambent.model.events.universal import ServiceOperation, operation_of
from lambent.model.names import parse_function_name

_INVOKE = ServiceOperation("lambda", "Invoke")


class AwsApi(Protocol):
    """Performs operations; `services.any_service` does."""

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        """Raises `ApiError`."""
        ...


class UniversalTargets:
    """See the module."""

    def __init__(self, api: AwsApi, targets: EventTargets) -> None:
        self._api = api
        self._targets = targets

    async def take(self, delivery: EventDelivery, now: float) -> Next:
        """Perform the operation. An invocation of a function goes into the queue of asynchronous
        invocations. Raises `ApiError` and `NotHandedOver`."""
        operation = operation_of(delivery.target)
        try:
            params = parse_plain(delivery.body.decode(errors="replace"))
        except ValueError as error:
            raise ApiError("ValidationException", "The Input is no JSON.") from error
        if not isinstance(params, dict):
            raise ApiError("ValidationException", "The Input is no JSON object.")
        if operation == _INVOKE:
            return await self._targets.hand_over(_invocation(delivery, params), now)
        caller = self._targets.assume_role(delivery)
        await self._api.call(*operation, params, caller)
        return Next()


def _invocation(delivery: EventDelivery, params: Mapping[str, Any]) -> EventDelivery:
    """What hands an event to the function that an Invoke names. Raises `ApiError`."""
    name, payload = params.get("FunctionName"), params.get("Payload", "{}")
    if not isinstance(name, str) or not isinstance(payload, str):
        raise ApiError("ValidationException", "FunctionName and Payload must be texts.")
    function = parse_function_name(name, delivery.scope)
    qualifier = params.get("Qualifier") or function.qualifier
    arn = function.key.arn + (f":{qualifier}" if qualifier else "")
    return dataclasses.replace(delivery, target=arn, body=payload.encode(errors="replace"))
