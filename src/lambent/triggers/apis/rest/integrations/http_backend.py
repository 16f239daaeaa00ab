"""`HTTP` and `HTTP_PROXY`: servers. The platform makes the connections, by the rules of `[egress]`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

import aiohttp
import anyio

from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.function_uris import expand_variables
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done, Prepared, mapped_parameters
from lambent.triggers.apis.rest.integrations.integration import TIMEOUT_MS

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
        exchange = call.request.exchange
        mapped = mapped_parameters(self._body, call)
        headers = {
            name: ",".join(values)
            for name, values in call.parameters.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        query = {**call.parameters.query, **mapped["querystring"]}
        sent = self._sent(
            call,
            headers | mapped["header"],
            urlencode(query, doseq=True),
            mapped["path"],
            exchange.body,
        )
        self._begin(call, sent, _pass_back)

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
        call.note(f"Sending request to {sent.url}")
        try:
            with anyio.fail_after(self._timeout_s), anyio.CancelScope() as scope:
                call.request.exchange.on_disconnect(scope.cancel)
                async with self._context.outbound.request(
                    *sent, deadline_s=self._timeout_s
                ) as response:
                    result = await _read(response)
                done(call, result)
        except GatewayError as error:
            call.refuse(error)
        except TimeoutError:
            call.refuse(GatewayError("INTEGRATION_TIMEOUT", "The integration has timed out."))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            call.refuse(GatewayError("INTEGRATION_FAILURE", f"The server fails: {error!r}"))


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


async def _read(response: aiohttp.ClientResponse) -> IntegrationResult:
    headers: dict[str, list[str]] = {}
    for name, value in response.raw_headers:
        lowered = name.decode("latin-1").lower()
        if lowered not in _HOP_BY_HOP:
            headers.setdefault(lowered, []).append(value.decode("latin-1"))
    body = bytearray()
    while chunk := await response.content.read(_CHUNK_BYTES):
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            raise GatewayError("INTEGRATION_FAILURE", "The response is larger than 10 MB.")
    return IntegrationResult(response.status, headers, bytes(body), str(response.status))


def _pass_back(call: RestCall, result: IntegrationResult) -> None:
    call.integration_status = result.status
    call.note(f"Received response. Status: {result.status}")
    call.note_data("Endpoint response headers", result.headers)
    headers = [(name, value) for name, values in result.headers.items() for value in values]
    call.respond(result.status, headers, result.body)
