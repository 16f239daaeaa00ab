"""Connections to origins: servers, names of the platform's own, and buckets.

A server is reached through `triggers.apis.outbound`, by the rules of `[egress]`. A name that leads
to this platform (a function URL, an API, another distribution) is served without a connection, as
if the account's own function had asked.
"""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import NamedTuple, Protocol
from urllib.parse import quote

import anyio

from lambent.identity.authorizer import Caller
from lambent.kit.http.messages import Exchange, Handler
from lambent.model.arn import AccountId
from lambent.model.cloudfront.names import scope_of
from lambent.model.principal import service
from lambent.triggers.apis.outbound import Outbound, ServerResponse
from lambent.triggers.edge.buckets import BucketRefused, Buckets
from lambent.triggers.edge.distribution import Distribution, Origin
from lambent.triggers.edge.errors import LATE, UNREACHABLE, OriginFailed
from lambent.triggers.edge.inner_exchange import InnerExchange
from lambent.triggers.edge.messages import HOP_BY_HOP, Content, HeaderItems, Whole, without
from lambent.triggers.edge.selection import joined
from lambent.triggers.function_urls import HOSTS as URL_HOSTS

CLOUDFRONT = "cloudfront.amazonaws.com"
_LOOPS_MAX = 4
"""As often a request may pass a distribution of this platform before it is taken for a loop."""
_VIA = "(CloudFront)"
_HOST = frozenset({"host"})
_SAFE = "!$&'()*+,:;=@~-._/%"


class OriginRequest(NamedTuple):
    """A request for an origin."""

    method: str
    uri: str
    query: str
    headers: HeaderItems
    body: bytes
    client_ip: str
    is_secure: bool


class OriginResponse(NamedTuple):
    """What an origin responds."""

    status: int
    headers: HeaderItems
    """Without those of the connection."""
    content: Content


class SignedUrls(Protocol):
    """Serves a request for a function URL that CloudFront has signed: `FunctionUrls`."""

    def handle_signed(self, exchange: Exchange, caller: Caller, source_arn: str) -> None: ...


IsOurs = Callable[[str, str], bool]
"""Whether a host name, in lower case, leads to the platform for an account."""


class OriginConnections:
    """See the module."""

    def __init__(
        self,
        outbound: Outbound,
        is_ours: IsOurs,
        handle: Handler,
        urls: SignedUrls,
        buckets: Buckets,
    ) -> None:
        self._outbound = outbound
        self._is_ours = is_ours
        self._handle = handle
        self._urls = urls
        self._buckets = buckets
        self._signer = service(CLOUDFRONT)

    async def open(
        self,
        stack: AsyncExitStack,
        distribution: Distribution,
        origin: Origin,
        request: OriginRequest,
    ) -> OriginResponse:
        """Send a request; the response can be read until the stack closes. Raises
        `OriginFailed`."""
        via = joined(request.headers).get("via", "")
        if via.count(_VIA) >= _LOOPS_MAX:
            raise OriginFailed(508, "The request passes this platform again and again.")
        try:
            if origin.is_bucket:
                return await self._from_bucket(stack, distribution, origin, request)
            if self._is_ours(origin.domain, distribution.account):
                return await self._from_platform(stack, distribution, origin, request)
            return await self._from_server(stack, origin, request)
        except TimeoutError as error:
            raise OriginFailed(504, LATE) from error
        except (OSError, ValueError) as error:
            raise OriginFailed(502, UNREACHABLE) from error

    # -- servers -------------------------------------------------------------------------------

    async def _from_server(
        self, stack: AsyncExitStack, origin: Origin, request: OriginRequest
    ) -> OriginResponse:
        is_secure = origin.protocol == "https-only" or (
            origin.protocol == "match-viewer" and request.is_secure
        )
        scheme, port, usual = (
            ("https", origin.https_port, 443) if is_secure else ("http", origin.http_port, 80)
        )
        host = origin.domain if port == usual else f"{origin.domain}:{port}"
        path = quote(origin.path + request.uri, safe=_SAFE)
        query = quote(request.query, safe=_SAFE + "?", encoding="latin-1", errors="replace")
        url = f"{scheme}://{host}{path or '/'}{'?' if query else ''}{query}"
        headers = {name: _as_sent(value) for name, value in joined(request.headers).items()}
        attempts = origin.attempts if request.method in ("GET", "HEAD", "OPTIONS") else 1
        for attempt in range(attempts):
            try:
                response = await stack.enter_async_context(
                    self._outbound.connect(
                        request.method,
                        url,
                        headers,
                        request.body,
                        connect_s=origin.connect_s,
                        deadline_s=origin.read_s,
                    )
                )
            except OSError as error:
                if attempt + 1 >= attempts or isinstance(error, TimeoutError):
                    raise
            else:
                return OriginResponse(response.status, _passed(response), response)
        raise AssertionError("there is at least one attempt")

    # -- the platform itself -------------------------------------------------------------------

    async def _from_platform(
        self,
        stack: AsyncExitStack,
        distribution: Distribution,
        origin: Origin,
        request: OriginRequest,
    ) -> OriginResponse:
        # It is found by its name, whatever `Host` a policy forwards.
        headers = [("Host", origin.domain), *without(request.headers, _HOST)]
        exchange = InnerExchange(
            request.method,
            origin.path + request.uri,
            request.query,
            headers,
            request.body,
            client_address=request.client_ip,
            is_secure=origin.protocol != "http-only",
        )
        stack.callback(exchange.close)
        is_signed = origin.signs == "always" or (
            origin.signs == "no-override" and "authorization" not in exchange.headers
        )
        if is_signed and URL_HOSTS.fullmatch(origin.domain) is not None:
            caller = self._caller(distribution.account)
            self._urls.handle_signed(exchange, caller, distribution.arn)
        else:
            self._handle(exchange)
        return await _response_of(exchange, origin.read_s)

    def _caller(self, account: AccountId) -> Caller:
        return Caller(
            principal=self._signer, scope=scope_of(account), service=None, access_key_id=None
        )

    async def _from_bucket(
        self,
        stack: AsyncExitStack,
        distribution: Distribution,
        origin: Origin,
        request: OriginRequest,
    ) -> OriginResponse:
        try:
            with anyio.fail_after(origin.read_s):
                exchange = await self._buckets.open(
                    distribution,
                    origin,
                    request.method,
                    request.uri,
                    request.headers,
                    request.body,
                )
        except BucketRefused as refused:
            headers = [("Content-Type", "application/xml")]
            return OriginResponse(refused.status, headers, Whole(refused.document))
        stack.callback(exchange.close)
        return await _response_of(exchange, origin.read_s)


async def _response_of(exchange: InnerExchange, seconds: float) -> OriginResponse:
    with anyio.fail_after(seconds):
        await exchange.head()
    headers = without(exchange.response_headers, HOP_BY_HOP)
    return OriginResponse(exchange.status, headers, _InnerContent(exchange, seconds))


class _InnerContent:
    def __init__(self, exchange: InnerExchange, seconds: float) -> None:
        self._exchange = exchange
        self._seconds = seconds
        self.length = exchange.length

    async def read(self) -> bytes:
        with anyio.fail_after(self._seconds):
            return await self._exchange.read()


def _passed(response: ServerResponse) -> HeaderItems:
    return [(name, value) for name, value in _decoded(response) if name.lower() not in HOP_BY_HOP]


def _decoded(response: ServerResponse) -> Iterator[tuple[str, str]]:
    for name, value in response.raw_headers:
        yield name.decode("latin-1"), value.decode("latin-1")


def _as_sent(value: str) -> str:
    """A header's value so that it is sent with the bytes that were received."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
