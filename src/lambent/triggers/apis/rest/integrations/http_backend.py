"""`HTTP` and `HTTP_PROXY`: servers.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import urlencode

import anyio

from lambent.kit.computing import computed
from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.function_uris import expand_variables
from lambent.triggers.apis.backends.exchange import BackendError, Prepared
from lambent.triggers.apis.backends.server import HOP_BY_HOP, Server, ServerRequest, ServerStream
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.outbound import cancel_when_gone
from lambent.triggers.apis.parameters import Multi
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

    def handle_stream(self, call: RestCall, idle_s: float) -> None:
        """As `handle`, but the response is passed on chunk by chunk; between two chunks at most
        `idle_s` pass."""
        start_task(self._context.tasks, call.fail, self._exchange_stream, call, idle_s)

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
        async def send(request: ServerRequest) -> None:
            response = await self._server.exchange(request)
            done(call, IntegrationResult(*response, str(response.status)))

        await self._send(call, make, send)

    async def _exchange_stream(self, call: RestCall, idle_s: float) -> None:
        async def send(request: ServerRequest) -> None:
            exchange = call.request.exchange
            async with self._server.streamed(request, exchange, idle_s=idle_s) as stream:
                await _pass_on(call, stream)

        await self._send(call, partial(self._same_request, call), send)

    async def _send(
        self,
        call: RestCall,
        make: Callable[[], ServerRequest],
        send: Callable[[ServerRequest], Awaitable[None]],
    ) -> None:
        """Make and send a request, for as long as the client is there."""
        scope = anyio.CancelScope()
        try:
            takes_long = takes_long_to_map(self._body, call)
            request = await computed(make) if takes_long else make()
            call.note(f"Sending request to {request.url}")
            with scope:
                cancel_when_gone(call.request.exchange, scope)
                await send(request)
        except BackendError as error:
            call.refuse(GatewayError(error.type, str(error)))
        except GatewayError as error:
            call.refuse(error)
        if scope.cancelled_caught:
            call.abandoned()


class StreamedServer:
    """A server whose responses are passed on chunk by chunk. See `Integration`."""

    def __init__(self, server: HttpServer, *, idle_s: float) -> None:
        self._server = server
        self._idle_s = idle_s

    def handle(self, call: RestCall) -> None:
        """See `Integration`."""
        self._server.handle_stream(call, self._idle_s)


def _noted(call: RestCall, status: int, headers: Multi) -> list[tuple[str, str]]:
    """The headers for the client; the log learns of the response."""
    call.integration_status = status
    if call.log is not None:
        call.note(f"Received response. Status: {status}")
        call.note_data("Endpoint response headers", headers)
    return [(name, value) for name, values in headers.items() for value in values]


def _pass_back(call: RestCall, result: IntegrationResult) -> None:
    call.respond(result.status, _noted(call, result.status, result.headers), result.body)


async def _pass_on(call: RestCall, stream: ServerStream) -> None:
    """Pass a response on. If it breaks off, or takes too long, so does the client's."""
    exchange, status = call.request.exchange, stream.status
    headers = _noted(call, status, stream.headers)
    if exchange.method == "HEAD" or status in (204, 304):
        call.respond(status, headers)
        return
    call.start(status, headers, length=stream.length)
    try:
        await stream.body.run()
    except BaseException:
        error = GatewayError("INTEGRATION_FAILURE", "The response has broken off.")
        call.cut(error, stream.body.sent_bytes)
        raise
    exchange.finish()
    call.ended(stream.body.sent_bytes)
