"""One request to the origin, with the functions of Lambda@Edge before and after it."""

from contextlib import AsyncExitStack

from lambent.triggers.edge.cache import Entry
from lambent.triggers.edge.distribution import Behavior, Distribution, Origin
from lambent.triggers.edge.errors import OriginFailed
from lambent.triggers.edge.forwarding import (
    forwarded_headers,
    forwarded_query,
    headers_for,
    passed_headers,
    viewer_host,
)
from lambent.triggers.edge.messages import Answer, EdgeRequest, find_header, without
from lambent.triggers.edge.origins import OriginConnections, OriginRequest, OriginResponse
from lambent.triggers.edge.triggers import ForOrigin, Triggers

_VALIDATORS = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
_REPEATABLE = ("GET", "HEAD", "OPTIONS")
_COOKIES = frozenset({"set-cookie"})


class OriginFetch:
    """See the module."""

    def __init__(
        self,
        origins: OriginConnections,
        triggers: Triggers,
        stack: AsyncExitStack,
        distribution: Distribution,
        behavior: Behavior,
        request: EdgeRequest,
        uri: str,
    ) -> None:
        """`uri` is the path of the object. What is opened is open until the stack closes."""
        self._origins = origins
        self._triggers = triggers
        self._stack = stack
        self._distribution = distribution
        self._behavior = behavior
        self._request = request
        self._uri = uri

    async def ask(self, stale: Entry | None, *, is_kept: bool) -> Answer | OriginResponse:
        """The response of the origin, or of the function that makes one. If the response may be
        kept and the cache has a `stale` one, the origin is asked whether that is current. Raises
        `EdgeFailure`, `OriginFailed` among them."""
        request, behavior = self._request, self._behavior
        has_range = request.header("range") is not None
        headers = [
            *forwarded_headers(request, behavior, is_kept=is_kept, has_range=has_range),
            *passed_headers(request, self._distribution),
        ]
        if is_kept and stale is not None:
            for name, condition in _VALIDATORS:
                value = find_header(stale.headers, name)
                if value is not None:
                    headers.append((condition, value))
        first = behavior.origins.first
        host = viewer_host(request, behavior)
        shown = host or first.domain
        sent = await self._triggers.origin_request(
            self._distribution,
            behavior,
            request,
            ForOrigin(
                self._uri,
                forwarded_query(request, behavior),
                [("Host", shown), *headers],
                request.body,
                first,
            ),
        )
        if isinstance(sent, Answer):
            return sent
        given = find_header(sent.headers, "host")
        return await self._send(sent, None if given == shown and host is None else given)

    async def accept(self, response: OriginResponse) -> Answer:
        """The response after the function for responses of the origin. Raises `EdgeFailure`."""
        behavior = self._behavior
        answer = Answer(response.status, response.headers, response.content)
        await self._triggers.response(
            "origin-response", self._distribution, behavior, self._request, answer
        )
        if behavior.is_cached and not behavior.forwards_cookies:
            answer.headers = without(answer.headers, _COOKIES)
        return answer

    async def _send(self, sent: ForOrigin, host: str | None) -> OriginResponse:
        """Send a request to the first origin, and to the second if it fails there."""
        origins = self._behavior.origins
        second = origins.second if self._request.method in _REPEATABLE else None
        if sent.origin is not origins.first:
            second = None  # A function has chosen.
        try:
            response = await self._open(sent, host, sent.origin)
        except OriginFailed as failed:
            if second is None or failed.status not in origins.fails_over:
                raise
        else:
            if second is None or response.status not in origins.fails_over:
                return response
        assert second is not None
        return await self._open(sent, host, second)

    async def _open(self, sent: ForOrigin, host: str | None, origin: Origin) -> OriginResponse:
        request = self._request
        return await self._origins.open(
            self._stack,
            self._distribution,
            origin,
            OriginRequest(
                request.method,
                sent.uri,
                sent.query,
                headers_for(sent.headers, host, origin),
                sent.body,
                request.client_ip,
                request.is_secure,
            ),
        )
