"""The way to the management API: below a stage of a WebSocket API, `/@connections/{id}`."""

from collections.abc import Mapping
from functools import partial
from urllib.parse import unquote

import anyio.abc

from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.protocols.rest_json import REST_JSON
from lambent.gateway.request import Request, send
from lambent.gateway.routing import Dialect
from lambent.gateway.services.apigatewaymanagementapi.service import APIGATEWAYMANAGEMENTAPI
from lambent.identity.authorizer import Authorizer
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.kit.http.messages import Exchange
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import start_task
from lambent.model.document import Root
from lambent.model.errors import ApiError, service_failure

_MESSAGE_BYTES_MAX = 128 * 1024
_OPERATIONS: Mapping[str, str] = {
    "DELETE": "DeleteConnection",
    "GET": "GetConnection",
    "POST": "PostToConnection",
}


class ConnectionsEntrance:
    """Serves requests for the connections of a stage."""

    def __init__(
        self, dispatcher: Dispatcher, authorizer: Authorizer, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._dispatcher = dispatcher
        self._authorizer = authorizer
        self._tasks = tasks
        self._dialect = Dialect(APIGATEWAYMANAGEMENTAPI, REST_JSON)

    def handle(self, exchange: Exchange, api: Root, stage: str, id: str) -> None:
        """Serve a request about the connection `id`, which is still percent-encoded."""
        failed = partial(self._fail, exchange)
        start_task(self._tasks, failed, self._serve, exchange, api, stage, id)

    async def _serve(self, exchange: Exchange, api: Root, stage: str, id: str) -> None:
        request_id = new_request_id()
        try:
            operation = _OPERATIONS.get(exchange.method)
            if operation is None:
                raise REST_JSON.unknown_operation(exchange)
            if len(exchange.body) > _MESSAGE_BYTES_MAX:
                raise ApiError("PayloadTooLargeException", "Message too long", status=413)
            if len(exchange.body) > LOOP_BYTES_MAX:
                caller = await computed(self._authorizer.authenticate, exchange)
            else:
                caller = self._authorizer.authenticate(exchange)
            model = APIGATEWAYMANAGEMENTAPI.model.operation_model(operation)
            labels = {"connectionId": unquote(id)}
            request = Request(exchange, self._dialect, model, labels, caller, request_id)
            where = {
                "Account": api.account,
                "Region": api.region,
                "ApiId": api.id,
                "Stage": stage,
            }
            output = await self._dispatcher.perform(
                APIGATEWAYMANAGEMENTAPI,
                operation,
                request.params() | where,
                caller,
                request_id=request_id,
                endpoint="",
            )
            request.respond(output)
        except ApiError as error:
            self._refuse(exchange, error, request_id)

    def _refuse(self, exchange: Exchange, error: ApiError, request_id: str) -> None:
        send(exchange, self._dialect.render_error(error, request_id), request_id)

    def _fail(self, exchange: Exchange, _: Exception) -> None:
        self._refuse(exchange, service_failure("InternalFailure"), new_request_id())
