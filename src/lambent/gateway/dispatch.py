"""Performs an operation: validates its input, authorizes the caller, calls its handler.

Nothing here knows HTTP. The gateway calls `perform` with the input that it has parsed. Other rooms
call `dispatch` to use an AWS API as a client would, without a connection.
"""

from collections.abc import Mapping

from lambent.gateway.authorization import Authorization
from lambent.gateway.call import Call, Members, OperationHandler
from lambent.gateway.definitions import AnyService
from lambent.gateway.validation import validate
from lambent.identity.authorizer import Caller
from lambent.kit.ids import new_request_id
from lambent.model.errors import ApiError

_ENDPOINT = "http://127.0.0.1"


class Dispatcher:
    """Knows the handlers of all operations."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization
        self._services: dict[str, AnyService] = {}
        self._handlers: dict[tuple[str, str], OperationHandler] = {}
        """By service and operation: several services have a TagResource."""

    def register(self, service: AnyService, handlers: Mapping[str, OperationHandler]) -> None:
        """Offer operations of a service, by name."""
        self._services[service.name] = service
        for name, handler in handlers.items():
            self._handlers[service.name, name] = handler

    async def dispatch(
        self,
        service: str,
        operation: str,
        params: Members,
        caller: Caller,
        *,
        endpoint: str = _ENDPOINT,
    ) -> Members:
        """Perform an operation for a caller; returns its output members.

        `service` is botocore's name (`lambda`, `logs`). `params` are input members by API name,
        typed as in botocore: blobs are bytes, timestamps are datetimes. Links in the output begin
        with `endpoint`. Raises `ApiError` as the API does, `AccessDeniedException` included;
        `UnknownOperationException` if no registered service has the operation.
        """
        definition = self._services.get(service)
        if definition is None or operation not in definition.model.operation_names:
            raise ApiError("UnknownOperationException", f"Unknown operation: {service}.{operation}")
        validate(definition.model.operation_model(operation), params)
        return await self.perform(
            definition, operation, params, caller, request_id=new_request_id(), endpoint=endpoint
        )

    async def perform(
        self,
        service: AnyService,
        operation: str,
        params: Members,
        caller: Caller,
        *,
        request_id: str,
        endpoint: str,
    ) -> Members:
        """As `dispatch`, with input that is validated already."""
        handler = self._handlers.get((service.name, operation))
        if handler is None:
            raise ApiError(
                service.unoffered_code,
                f"Lambent does not offer the operation {operation} yet.",
            )
        hidden = await self._authorization.check(caller, service, operation, params)
        return await handler(
            Call(
                params=params,
                scope=caller.scope,
                request_id=request_id,
                caller=caller,
                endpoint=endpoint,
                hidden=hidden,
            )
        )
