"""`HTTP` and `HTTP_PROXY`: servers.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlencode

import anyio

from lambent.kit.computing import computed
from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.function_uris import expand_variables
from lambent.triggers.apis.backends.exchange import BackendError, Prepared
from lambent.triggers.apis.backends.server import HOP_BY_HOP, Server, ServerRequest
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import (
    Done,
    mapped_parameters,
    takes_long_to_map,
)
from lambent.triggers.apis.rest.integrations.integration import TIMEOUT_MS


class HttpServer:
    """The server of one integration."""

    def __init__(self, context: ApiContext, body: Body, variables: Mapping[str, str]) -> None:
        """Raises ValueError for a URI that is none."""
        self._context = context
        self._body = body
        self._method = body.get("httpMethod") or "ANY"
        timeout_s = (body.get("timeoutInMillis") or TIMEOUT_MS) / 1000
        uri = expand_variables(body.get("uri") or "", variables)
        self._server = Server(context.outbound, uri, timeout_s)

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        self._start(call, partial(self._request_of, call, prepared), done)

    def handle(self, call: RestCall) -> None:
        """See `Integration`: the request goes to the server as it is, and so does the response."""
        self._start(call, partial(self._same_request, call), _pass_back)

    # -- the request ---------------------------------------------------------------------------

    def _request_of(self, call: RestCall, prepared: Prepared) -> ServerRequest:
        """What the templates have made. Raises `BackendError`."""
        given = prepared.parameters
        headers = {"Content-Type": prepared.content_type, **given["header"]}
        query = urlencode(list(given["querystring"].items()))
        return self._request(call, headers, query, given["path"], prepared.body)

    def _same_request(self, call: RestCall) -> ServerRequest:
        """What the client has sent, with mapped parameters. Raises `BackendError`."""
        mapped = mapped_parameters(self._body, call)
        headers = {
            name: ",".join(values)
            for name, values in call.parameters.headers.items()
            if name.lower() not in HOP_BY_HOP
        }
        query = urlencode({**call.parameters.query, **mapped["querystring"]}, doseq=True)
        body = call.request.exchange.body
        return self._request(call, headers | mapped["header"], query, mapped["path"], body)

    def _request(
        self,
        call: RestCall,
        headers: Mapping[str, str],
        query: str,
        path: Mapping[str, str],
        body: bytes,
    ) -> ServerRequest:
        exchange = call.request.exchange
        method = exchange.method if self._method == "ANY" else self._method
        via = exchange.headers.get("via", "")
        return self._server.request(method, headers, query, path, body, via=via)

    # -- the exchange --------------------------------------------------------------------------

    def _start(self, call: RestCall, make: Callable[[], ServerRequest], done: Done) -> None:
        start_task(self._context.tasks, call.fail, self._exchange, call, make, done)

    async def _exchange(
        self, call: RestCall, make: Callable[[], ServerRequest], done: Done
    ) -> None:
        try:
            takes_long = takes_long_to_map(self._body, call)
            request = await computed(make) if takes_long else make()
            call.note(f"Sending request to {request.url}")
            with anyio.CancelScope() as scope:
                call.request.exchange.on_disconnect(scope.cancel)
                response = await self._server.exchange(request)
                done(call, IntegrationResult(*response, str(response.status)))
        except BackendError as error:
            call.refuse(GatewayError(error.type, str(error)))
        except GatewayError as error:
            call.refuse(error)


def _pass_back(call: RestCall, result: IntegrationResult) -> None:
    call.integration_status = result.status
    call.note(f"Received response. Status: {result.status}")
    call.note_data("Endpoint response headers", result.headers)
    headers = [(name, value) for name, values in result.headers.items() for value in values]
    call.respond(result.status, headers, result.body)
