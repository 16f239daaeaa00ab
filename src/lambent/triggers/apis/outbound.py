"""Connections of APIs to other servers: HTTP integrations, and issuers of tokens.

Anyone who may configure an API chooses the addresses, and the platform makes the connection. So it
connects only to what functions may reach, by the rules of `[egress]`: without `egress.allow` to no
loopback, link-local or metadata address, and to no address of this host, which the front door has.
Names are resolved first, and the address that is connected to is the one that was judged.
"""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import aiohttp
import anyio
from yarl import URL

from lambent.kit.http.messages import Exchange
from lambent.sandbox.egress_policy import EgressPolicy, EgressSettings, is_host_address

_FETCH_S = 5.0
_FETCHED_BYTES_MAX = 256 * 1024
_CHUNK_BYTES = 64 * 1024
_CONNECTIONS_MAX = 1024
_CONNECTIONS_PER_HOST_MAX = 256
_KEPT_S = 3.0
"""How long an idle connection is kept: shorter than servers do, so that they do not close one while
the next request is being sent."""


class AddressRefused(OSError):
    """The rules do not allow a connection."""


class Outbound:
    """See the module."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def fetch(self, url: str) -> bytes:
        """Read a small document. Raises OSError."""
        try:
            address = URL(url)
            if address.scheme not in ("http", "https") or not address.host:
                raise OSError(f"{url[:256]!r} is not the address of a document")
            timeout = aiohttp.ClientTimeout(total=_FETCH_S)
            async with self._session.get(
                address, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise OSError(f"{url[:256]} responds with {response.status}")
                body = await response.content.read(_FETCHED_BYTES_MAX + 1)
                while len(body) <= _FETCHED_BYTES_MAX:
                    chunk = await response.content.read(_FETCHED_BYTES_MAX + 1)
                    if not chunk:
                        return body
                    body += chunk
                raise OSError(f"{url[:256]} is larger than {_FETCHED_BYTES_MAX} bytes")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OSError(f"{url[:256]}: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        deadline_s: float,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; yields the response when its head has come. `url` is percent-encoded and
        sent as it is. Until then, and between two chunks of the body, at most `deadline_s` pass.
        Raises `aiohttp.ClientError`, OSError, TimeoutError and ValueError."""
        with anyio.fail_after(deadline_s):
            response = await self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body or None,
                timeout=aiohttp.ClientTimeout(total=None, sock_read=deadline_s),
                allow_redirects=False,
            )
        async with response:
            yield response

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        deadline_s: float,
        bytes_max: int,
    ) -> tuple[int, bytes]:
        """Send a request; returns the status and up to `bytes_max` of the body. All of it takes at
        most `deadline_s`. Raises OSError, whose message has no address in it: that may be
        secret."""
        try:
            with anyio.fail_after(deadline_s):
                async with self.request(
                    method, url, headers, body, deadline_s=deadline_s
                ) as response:
                    read = b""
                    while len(read) < bytes_max:
                        chunk = await response.content.read(bytes_max - len(read))
                        if not chunk:
                            break
                        read += chunk
                    return response.status, read
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise OSError(type(error).__name__) from None

    @asynccontextmanager
    async def connect(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        connect_s: float,
        deadline_s: float,
    ) -> AsyncIterator["ServerResponse"]:
        """As `request`; a connection is made within `connect_s`. Raises OSError, TimeoutError and
        ValueError only."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=deadline_s)
        try:
            with anyio.fail_after(connect_s + deadline_s):
                response = await self._session.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=body or None,
                    timeout=timeout,
                    allow_redirects=False,
                )
        except aiohttp.ClientError as error:
            raise _os_error(error) from error
        async with response:
            yield ServerResponse(response)


class ServerResponse:
    """The response of a server, whose body is read chunk by chunk."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.raw_headers = response.raw_headers
        self.length = response.content_length
        """Bytes of the body; None if the server does not say it."""
        self._content = response.content

    async def read(self) -> bytes:
        """The next chunk; empty at the end. Raises OSError and TimeoutError."""
        try:
            return await self._content.read(_CHUNK_BYTES)
        except aiohttp.ClientError as error:
            raise _os_error(error) from error


def _os_error(error: aiohttp.ClientError) -> OSError:
    kind = TimeoutError if isinstance(error, TimeoutError) else OSError
    return kind(str(error) or type(error).__name__)


def cancel_when_gone(exchange: Exchange, scope: anyio.CancelScope) -> None:
    """End what runs in a scope when the client disconnects, or if it has already."""
    exchange.on_disconnect(scope.cancel)
    if not exchange.is_open:
        scope.cancel()


class PassedBody:
    """The body of a server's response, passed on to a client chunk by chunk. The client's response
    must have been started when it runs."""

    def __init__(
        self, exchange: Exchange, response: aiohttp.ClientResponse, begin: bytes = b""
    ) -> None:
        """`begin` was read already."""
        self.sent_bytes = 0
        self._exchange = exchange
        self._content = response.content
        self._begin = begin

    async def run(self) -> None:
        """Pass on what is left. A client that is behind holds the server back. Raises
        `aiohttp.ClientError`, OSError and TimeoutError if the server fails."""
        caught_up = anyio.Event()

        def note() -> None:
            caught_up.set()

        self._exchange.on_writable(note)
        chunk = self._begin or await self._content.read(_CHUNK_BYTES)
        while chunk:
            self.sent_bytes += len(chunk)
            if not self._exchange.write(chunk):
                await caught_up.wait()
                caught_up = anyio.Event()
            chunk = await self._content.read(_CHUNK_BYTES)


@asynccontextmanager
async def open_outbound(settings: EgressSettings) -> AsyncIterator[Outbound]:
    """Open what makes the connections; open ones end with it."""
    policy = EgressPolicy(settings, is_host_address)

    def make_socket(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        refusal = policy.refusal(ip_address(str(address[0]).partition("%")[0]))
        if refusal is not None:
            raise AddressRefused(f"{address[0]}: {refusal}, which [egress] does not allow")
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS_MAX,
        limit_per_host=_CONNECTIONS_PER_HOST_MAX,
        keepalive_timeout=_KEPT_S,
        socket_factory=make_socket,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        trust_env=False,
    ) as session:
        yield Outbound(session)
