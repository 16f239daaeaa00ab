"""`HTTP` and `HTTP_PROXY`: servers. The platform makes the connections, by the rules of `[egress]`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

import aiohttp
import anyio

from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.function_uris import expand_variables
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.outbound import PassedBody, cancel_when_gone
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done, Prepared, mapped_parameters
from lambent.triggers.apis.rest.integrations.integration import TIMEOUT_MS
from lambent.triggers.apis.rest.parameters import Multi

RESPONSE_BYTES_MAX = 10 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_ID = f"lambent-{secrets.token_hex(8)}"
"""This platform, in `Via`."""
_HOPS_MAX = 8
"""As often a request may pass this platform before it is taken for a loop."""
_VARIABLE = re.compile(r"\{([^{}+]{1,128})\+?\}")
_SAFE = "!$&'()*+,:;=@~-._/%"
_HOP_BY_HOP = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding"),
        "upgrade",
    }
)


_Take = Callable[[aiohttp.ClientResponse], Awaitable[None]]
"""Takes a response whose head has come."""


class _Sent(NamedTuple):
    """The request for the server."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer:
    """The server of one integration."""

    def __init__(self, context: ApiContext, body: Body, variables: Mapping[str, str]) -> None:
        """Raises ValueError for a URI that is none."""
        self._context = context
        self._body = body
        self._uri = expand_variables(body.get("uri") or "", variables)
        parts = urlsplit(self._uri)
        if parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc:
            raise ValueError(f"{self._uri[:256]!r} is not the address of a server")
        self._method = body.get("httpMethod") or "ANY"
        self._timeout_s = (body.get("timeoutInMillis") or TIMEOUT_MS) / 1000

    # -- as a backend, behind templates ----------------------------------------------------------

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        given = prepared.parameters
        headers = {"Content-Type": prepared.content_type, **given["header"]}
        query = urlencode(list(given["querystring"].items()))
        self._begin(call, self._sent(call, headers, query, given["path"], prepared.body), done)

    # -- as a proxy --------------------------------------------------------------------------------

    def handle(self, call: RestCall) -> None:
        """See `Integration`: the request goes to the server as it is, and so does the response."""
        self._begin(call, self._passed(call), _pass_back)

    def handle_stream(self, call: RestCall, idle_s: float) -> None:
        """As `handle`, but the response is passed on chunk by chunk; between two chunks at most
        `idle_s` pass."""
        sent = self._passed(call)
        start_task(self._context.tasks, call.fail, self._exchange_stream, call, sent, idle_s)

    def _passed(self, call: RestCall) -> _Sent:
        """The client's request for the server, with what is mapped. Raises `GatewayError`."""
        exchange = call.request.exchange
        mapped = mapped_parameters(self._body, call)
        headers = {
            name: ",".join(values)
            for name, values in call.parameters.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        query = {**call.parameters.query, **mapped["querystring"]}
        return self._sent(
            call,
            headers | mapped["header"],
            urlencode(query, doseq=True),
            mapped["path"],
            exchange.body,
        )

    # -- both --------------------------------------------------------------------------------------

    def _sent(
        self,
        call: RestCall,
        headers: Mapping[str, str],
        query: str,
        path: Mapping[str, str],
        body: bytes,
    ) -> _Sent:
        """Raises `GatewayError`."""
        via = call.request.exchange.headers.get("via", "")
        if via.count(_ID) >= _HOPS_MAX:
            raise GatewayError("INTEGRATION_FAILURE", "The request goes round in circles.")
        parts = urlsplit(_VARIABLE.sub(lambda found: _variable(path, found[1]), self._uri))
        queries = "&".join(text for text in (parts.query, query) if text)
        method = call.request.exchange.method if self._method == "ANY" else self._method
        url = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}{'?' if queries else ''}{queries}"
        ours = {"Via": f"{via + ', ' if via else ''}1.1 {_ID}"}
        return _Sent(method, url, {**headers, **ours}, body)

    def _begin(self, call: RestCall, sent: _Sent, done: Done) -> None:
        start_task(self._context.tasks, call.fail, self._exchange, call, sent, done)

    async def _exchange(self, call: RestCall, sent: _Sent, done: Done) -> None:
        async def take(response: aiohttp.ClientResponse) -> None:
            done(call, await _read(response))

        await self._send(call, sent, self._timeout_s, take)

    async def _exchange_stream(self, call: RestCall, sent: _Sent, idle_s: float) -> None:
        async def take(response: aiohttp.ClientResponse) -> None:
            await _stream(call, response)

        await self._send(call, sent, min(self._timeout_s, idle_s), take)

    async def _send(self, call: RestCall, sent: _Sent, idle_s: float, take: _Take) -> None:
        """Send a request and take the response, for as long as the client is there. Until the
        response begins, and between two chunks, at most `idle_s` pass."""
        call.note(f"Sending request to {sent.url}")
        scope = anyio.CancelScope()
        try:
            with anyio.fail_after(self._timeout_s), scope:
                cancel_when_gone(call.request.exchange, scope)
                async with self._context.outbound.request(*sent, deadline_s=idle_s) as response:
                    await take(response)
        except GatewayError as error:
            call.refuse(error)
        except TimeoutError:
            call.refuse(GatewayError("INTEGRATION_TIMEOUT", "The integration has timed out."))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            call.refuse(GatewayError("INTEGRATION_FAILURE", f"The server fails: {error!r}"))
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


def _variable(path: Mapping[str, str], name: str) -> str:
    """The value of a variable of the URI, encoded. Raises `GatewayError` for one that would lead
    out of the URI's path."""
    value = path.get(name)
    if value is None:
        raise GatewayError(
            "API_CONFIGURATION_ERROR", f"Nothing is mapped to the variable {name!r}."
        )
    if any(segment in (".", "..") for segment in re.split(r"[/\\]", unquote(value))):
        raise GatewayError("BAD_REQUEST_PARAMETERS", "A path leads out of the server's.")
    return quote(value, safe=_SAFE)


def _headers_of(response: aiohttp.ClientResponse) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in response.raw_headers:
        lowered = name.decode("latin-1").lower()
        if lowered not in _HOP_BY_HOP:
            headers.setdefault(lowered, []).append(value.decode("latin-1"))
    return headers


async def _read(response: aiohttp.ClientResponse) -> IntegrationResult:
    body = bytearray()
    while chunk := await response.content.read(_CHUNK_BYTES):
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            raise GatewayError("INTEGRATION_FAILURE", "The response is larger than 10 MB.")
    status = response.status
    return IntegrationResult(status, _headers_of(response), bytes(body), str(status))


def _noted(call: RestCall, status: int, headers: Multi) -> list[tuple[str, str]]:
    """The headers for the client; the log learns of the response."""
    call.integration_status = status
    if call.log is not None:
        call.note(f"Received response. Status: {status}")
        call.note_data("Endpoint response headers", headers)
    return [(name, value) for name, values in headers.items() for value in values]


def _pass_back(call: RestCall, result: IntegrationResult) -> None:
    call.respond(result.status, _noted(call, result.status, result.headers), result.body)


async def _stream(call: RestCall, response: aiohttp.ClientResponse) -> None:
    """Pass a response on. If it breaks off, so does the client's."""
    exchange, status = call.request.exchange, response.status
    headers = _noted(call, status, _headers_of(response))
    if exchange.method == "HEAD" or status in (204, 304):
        call.respond(status, headers)
        return
    body = PassedBody(exchange, response)
    call.start(status, headers, length=response.content_length)
    try:
        await body.run()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        call.cut(GatewayError("INTEGRATION_FAILURE", f"It broke off: {error!r}"), body.sent_bytes)
    except BaseException:
        # The client has gone, or the time is over.
        call.cut(GatewayError("INTEGRATION_TIMEOUT"), body.sent_bytes)
        raise
    else:
        exchange.finish()
        call.ended(body.sent_bytes)
