"""Servers. The platform makes the connections, by the rules of `[egress]`."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import anyio

from lambent.kit.http.messages import Exchange
from lambent.triggers.apis.backends.exchange import BackendError, BackendResponse, path_value
from lambent.triggers.apis.outbound import Outbound, PassedBody

RESPONSE_BYTES_MAX = 10 * 1024 * 1024
HOP_BY_HOP = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding"),
        "upgrade",
    }
)
"""Headers that are not passed on."""
_CHUNK_BYTES = 64 * 1024
_ID = f"lambent-{secrets.token_hex(8)}"
"""This platform, in `Via`."""
_HOPS_MAX = 8
"""As often a request may pass this platform before it is taken for a loop."""
_VARIABLE = re.compile(r"\{([^{}+]{1,128})\+?\}")
_SAFE = "!$&'()*+,:;=@~-._/"


class ServerRequest(NamedTuple):
    """A request for a server."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class ServerStream(NamedTuple):
    """A server's response whose body follows."""

    status: int
    headers: Mapping[str, Sequence[str]]
    """By lower-case name."""
    length: int | None
    """Bytes of the body, if the server says it."""
    body: PassedBody


class Server:
    """The server of one integration."""

    def __init__(self, outbound: Outbound, uri: str, timeout_s: float) -> None:
        """`uri` may have variables in its path and query. Raises ValueError for a URI that is
        none."""
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc:
            raise ValueError(f"{uri[:256]!r} is not the address of a server")
        self._outbound = outbound
        self._uri = uri
        self._timeout_s = timeout_s

    def request(
        self,
        method: str,
        headers: Mapping[str, str],
        query: str,
        path: Mapping[str, str],
        body: bytes,
        *,
        via: str,
    ) -> ServerRequest:
        """A request. `query` is encoded and is added to that of the URI, `path` has the values of
        the URI's variables, `via` is that header of the client's request. Raises `BackendError`."""
        if via.count(_ID) >= _HOPS_MAX:
            raise BackendError("INTEGRATION_FAILURE", "The request goes round in circles.")
        parts = urlsplit(
            _VARIABLE.sub(lambda found: path_value(path, found[1], safe=_SAFE), self._uri)
        )
        queries = "&".join(text for text in (parts.query, query) if text)
        url = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}{'?' if queries else ''}{queries}"
        ours = {"Via": f"{via + ', ' if via else ''}1.1 {_ID}"}
        return ServerRequest(method, url, {**headers, **ours}, body)

    async def exchange(self, request: ServerRequest) -> BackendResponse:
        """Send a request; returns the response when it is complete. Raises `BackendError`."""
        async with self._opened(request, self._timeout_s) as response:
            return await _read(response)

    @asynccontextmanager
    async def streamed(
        self, request: ServerRequest, exchange: Exchange, *, idle_s: float
    ) -> AsyncIterator[ServerStream]:
        """Send a request; yields the response when its head has come, with a body for the client of
        `exchange`. Until then, and between two chunks, at most `idle_s` pass. Raises
        `BackendError`, also if the body fails."""
        async with self._opened(request, min(idle_s, self._timeout_s)) as response:
            body = PassedBody(exchange, response)
            headers = _headers_of(response)
            yield ServerStream(response.status, headers, response.content_length, body)

    @asynccontextmanager
    async def _opened(
        self, request: ServerRequest, idle_s: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            with anyio.fail_after(self._timeout_s):
                async with self._outbound.request(*request, deadline_s=idle_s) as response:
                    yield response
        except TimeoutError:
            raise BackendError("INTEGRATION_TIMEOUT", "The integration has timed out.") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise BackendError("INTEGRATION_FAILURE", f"The server fails: {error!r}") from error


def _headers_of(response: aiohttp.ClientResponse) -> Mapping[str, Sequence[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in response.raw_headers:
        lowered = name.decode("latin-1").lower()
        if lowered not in HOP_BY_HOP:
            headers.setdefault(lowered, []).append(value.decode("latin-1"))
    return headers


async def _read(response: aiohttp.ClientResponse) -> BackendResponse:
    body = bytearray()
    while chunk := await response.content.read(_CHUNK_BYTES):
        body += chunk
        if len(body) > RESPONSE_BYTES_MAX:
            raise BackendError("INTEGRATION_FAILURE", "The response is larger than 10 MB.")
    return BackendResponse(response.status, _headers_of(response), bytes(body))
