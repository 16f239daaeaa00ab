"""Integrations with HTTP servers: `HTTP_PROXY`.

The request goes to the server as it is, with its changes, and the response comes back chunk by
chunk. The values of the route's variables take their place in the URI.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html
"""

import logging
import re
import secrets
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import aiohttp
import anyio

from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.function_uris import expand_variables
from lambent.model.selections import BODY_BYTES_MAX
from lambent.model.traces import traceparent_of
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.integration import Common
from lambent.triggers.apis.http.mapping import map_request, map_response
from lambent.triggers.apis.outbound import PassedBody, cancel_when_gone
from lambent.triggers.cors import Headers

logger = logging.getLogger(__name__)

_ID = f"lambent-{secrets.token_hex(8)}"
"""This platform, in `Via`."""
_HOPS_MAX = 8
"""As often a request may pass this platform before it is taken for a loop."""
_PARAMETER = re.compile(r"\{([^{}+]{1,128})\+?\}")
_SAFE = "!$&'()*+,:;=@~-._/"
_HOP_BY_HOP = frozenset(
    {
        *("connection", "content-length", "expect", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding"),
        "upgrade",
    }
)


class _Refused(Exception):
    """A request that is not sent to the server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Sent(NamedTuple):
    """The request for the server."""

    method: str
    url: str
    headers: Mapping[str, str]


class ProxyIntegration:
    """Passes requests on to one server."""

    def __init__(self, context: ApiContext, stage: Stage, body: Body) -> None:
        """Raises ValueError for a URI that is none, or a mapping that cannot be read."""
        self._context = context
        variables = stage.body.get("StageVariables") or {}
        self._uri = expand_variables(body["IntegrationUri"], variables)
        parts = urlsplit(self._uri)
        if parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc:
            raise ValueError(f"{self._uri[:256]!r} is not the address of a server")
        self._method = body.get("IntegrationMethod") or "ANY"
        self._common = Common.of(body)

    def handle(self, call: HttpCall) -> None:
        """See `Integration`."""
        call.integration_started = self._context.clock.now()
        start_task(self._context.tasks, call.fail, self._handle, call)

    async def _handle(self, call: HttpCall) -> None:
        exchange, common, scope = call.request.exchange, self._common, anyio.CancelScope()
        try:
            sent = self._sent(call)
            with scope:
                cancel_when_gone(exchange, scope)
                async with self._context.outbound.request(
                    *sent, exchange.body, deadline_s=common.timeout_s
                ) as response:
                    call.integration_status = response.status
                    call.integration_ended = self._context.clock.now()
                    await self._pass_back(call, response)
        except _Refused as refused:
            call.refuse(refused.status, refused.message)
        except TimeoutError:
            call.integration_error = "The integration has timed out."
            call.refuse(503, "Service Unavailable")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            call.integration_error = f"The server cannot be reached: {error}"
            call.refuse(503, "Service Unavailable")
        if scope.cancelled_caught:
            call.abandoned()

    # -- the request ---------------------------------------------------------------------------

    def _sent(self, call: HttpCall) -> _Sent:
        """Raises `_Refused` and ValueError."""
        exchange = call.request.exchange
        given = exchange.headers
        if given.get("via", "").count(_ID) >= _HOPS_MAX:
            raise _Refused(508, "Loop Detected")
        headers = {name: value for name, value in given.items() if name not in _HOP_BY_HOP}
        del headers["host"]
        outgoing = map_request(self._common.request_changes, call, headers)
        parts = urlsplit(_PARAMETER.sub(partial(_parameter, call), self._uri))
        path = parts.path if outgoing.path is None else quote(outgoing.path, safe=_SAFE)
        queries = [text for text in (parts.query, outgoing.query) if text]
        query = quote("&".join(queries), safe=_SAFE + "?%", encoding="latin-1", errors="replace")
        sent = {name: _as_sent(value) for name, value in outgoing.headers.items()}
        via = given.get("via")
        scheme = "https" if exchange.is_secure else "http"
        sent["via"] = f"{via + ', ' if via else ''}1.1 {_ID}"
        sent["forwarded"] = (
            f"for={exchange.client_address};host={call.request.domain};proto={scheme}"
        )
        sent["x-amzn-trace-id"] = call.request.trace_id
        if (parent := traceparent_of(call.request.trace_id)) is not None:
            sent["traceparent"] = parent
        method = exchange.method if self._method == "ANY" else self._method
        url = f"{parts.scheme}://{parts.netloc}{path or '/'}{'?' if query else ''}{query}"
        return _Sent(method, url, sent)

    # -- the response --------------------------------------------------------------------------

    async def _pass_back(self, call: HttpCall, response: aiohttp.ClientResponse) -> None:
        exchange, status = call.request.exchange, response.status
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.raw_headers
            if name.decode("latin-1").lower() not in _HOP_BY_HOP
        ]
        changes, begin = self._common.response_changes.get(status, ()), b""
        if any(
            selection.source == "response.body"
            for change in changes
            for selection in change.value.selections
        ):
            begin = await _read_at_most(response, BODY_BYTES_MAX)
        status, headers = map_response(changes, call, status, headers, begin)
        if exchange.method == "HEAD" or status in (204, 304):
            call.respond(status, headers)
        else:
            await _stream(call, response, status, headers, begin)


async def _read_at_most(response: aiohttp.ClientResponse, size: int) -> bytes:
    """The beginning of a body."""
    found = b""
    while len(found) < size and (chunk := await response.content.read(size - len(found))):
        found += chunk
    return found


async def _stream(
    call: HttpCall,
    response: aiohttp.ClientResponse,
    status: int,
    headers: Headers,
    begin: bytes,
) -> None:
    """Pass a body on, of which `begin` was read already."""
    exchange = call.request.exchange
    body = PassedBody(exchange, response, begin)
    call.start(status, headers, length=response.content_length)
    try:
        await body.run()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        call.integration_error = f"The response broke off: {error}"
        exchange.abort()
    else:
        exchange.finish()
    finally:
        # Also if the client has gone, which cancels this.
        call.ended(body.sent_bytes)


def _parameter(call: HttpCall, match: re.Match[str]) -> str:
    """The value of a variable of the path, encoded. Raises `_Refused` for one that would lead out
    of the URI's path."""
    value = call.parameters.get(match[1])
    if value is None:
        raise ValueError(f"the route has no variable {match[1]!r}")
    if any(segment in (".", "..") for segment in re.split(r"[/\\]", value)):
        raise _Refused(400, "Bad Request")
    return quote(value, safe=_SAFE)


def _as_sent(value: str) -> str:
    """A header's value so that it is sent with the bytes that were received."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
