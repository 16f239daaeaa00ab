"""One request of a viewer, that memory alone cannot serve: functions, cache, origin, error page."""

import dataclasses
from collections.abc import Mapping
from contextlib import AsyncExitStack

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.triggers.apis.outbound import cancel_when_gone
from lambent.triggers.edge.cache import SMALL_BYTES, EdgeCache, Entry, Flight
from lambent.triggers.edge.compression import Compressed, choose
from lambent.triggers.edge.distribution import Behavior, Distribution, Origin
from lambent.triggers.edge.errors import EdgeFailure, OriginFailed
from lambent.triggers.edge.forwarding import (
    forwarded_headers,
    forwarded_query,
    headers_for,
    passed_headers,
    viewer_host,
)
from lambent.triggers.edge.hits import answer_from, wanted
from lambent.triggers.edge.lifetimes import ERROR_TTL, Lifetime, lifetime
from lambent.triggers.edge.messages import Answer, EdgeRequest, Whole, find_header, without
from lambent.triggers.edge.origins import OriginConnections, OriginRequest, OriginResponse
from lambent.triggers.edge.replies import send
from lambent.triggers.edge.selection import Key, joined, made_headers
from lambent.triggers.edge.storing import Stored
from lambent.triggers.edge.triggers import ForOrigin, Triggers

_WAIT_S = 5.0
"""How long a request waits for another one's response before it asks the origin itself: a viewer
who reads slowly must not hold up others."""
_COOKIES = frozenset({"set-cookie"})
_ENCODED = frozenset({"content-length", "content-encoding", "accept-ranges", "etag"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EdgeContext:
    """What calls use."""

    cache: EdgeCache
    origins: OriginConnections
    triggers: Triggers
    clock: Clock
    tasks: anyio.abc.TaskGroup


class EdgeCall:
    """See the module."""

    def __init__(
        self,
        context: EdgeContext,
        exchange: Exchange,
        distribution: Distribution,
        behavior: Behavior,
        request: EdgeRequest,
    ) -> None:
        self._context = context
        self._exchange = exchange
        self._distribution = distribution
        self._behavior = behavior
        self._request = request
        self._stack = AsyncExitStack()

    async def run(self) -> None:
        """Serve the request."""
        with anyio.CancelScope() as scope:
            cancel_when_gone(self._exchange, scope)
            async with self._stack:
                try:
                    answer = await self._answer()
                except EdgeFailure as failure:
                    answer = failure.answer(self._request.id)
                await send(
                    self._exchange, self._distribution, self._behavior, self._request, answer
                )

    async def _answer(self) -> Answer:
        triggers, distribution, request = self._context.triggers, self._distribution, self._request
        behavior = self._behavior
        made = await triggers.viewer_request(distribution, behavior, request)
        if made is not None:
            return made
        answer = await self._obtain(request, behavior)
        answer = await self._with_error_page(answer)
        if max(answer.status, answer.origin_status) < 400:
            await triggers.response("viewer-response", distribution, behavior, request, answer)
        return answer

    async def _with_error_page(self, answer: Answer) -> Answer:
        """What the viewer gets for an error of the origin."""
        page = self._distribution.error_pages.get(answer.status)
        if page is None:
            return answer
        behavior = self._distribution.behavior(page.path)
        request = dataclasses.replace(
            self._request,
            method="HEAD" if self._request.method == "HEAD" else "GET",
            uri=page.path,
            query="",
            headers=without(self._request.headers, frozenset({"range", "content-type"})),
            body=b"",
        )
        try:
            found = await self._obtain(request, behavior)
        except OriginFailed:
            return answer
        if found.status >= 400:
            return answer
        found.origin_status, found.status = answer.status, page.status
        found.cache = "Error"
        return found

    # -- the cache -----------------------------------------------------------------------------

    async def _obtain(self, request: EdgeRequest, behavior: Behavior) -> Answer:
        """The response from the cache or the origin. Raises `EdgeFailure`."""
        cache, clock = self._context.cache, self._context.clock
        uri = self._distribution.object_path(request.uri)
        if not behavior.is_cached or request.method not in behavior.cached:
            return await self._fetch(request, behavior, uri, None, None)
        headers = joined(request.headers)
        if behavior.key.needs_made:
            headers |= made_headers(request)
        key = behavior.key.key(self._distribution.id, request.method, uri, request.query, headers)
        deadline = clock.now() + _WAIT_S
        while True:
            entry, now = cache.get(key), clock.now()
            if entry is not None and now < entry.fresh_until:
                return await self._from(entry, headers, "Hit")
            # A part, or only the head, is not what others wait for.
            if request.method == "HEAD" or "range" in headers:
                return await self._fetch(request, behavior, uri, None, entry)
            flight = cache.flights.get(key)
            if flight is None:
                return await self._lead(request, behavior, uri, key, entry)
            if not await flight.wait(deadline - now) or not flight.is_shared:
                return await self._fetch(request, behavior, uri, None, entry)

    async def _from(self, entry: Entry, headers: Mapping[str, str], cache: str) -> Answer:
        if entry.status >= 400:
            cache = "Error"
        now = self._context.clock.now()
        try:
            return await answer_from(self._stack, entry, wanted(entry, headers), now, cache)
        except OSError as error:
            raise EdgeFailure(500, "The cache cannot be read.") from error

    async def _lead(
        self,
        request: EdgeRequest,
        behavior: Behavior,
        uri: str,
        key: Key,
        stale: Entry | None,
    ) -> Answer:
        """Ask the origin while others with the same key wait."""
        flight = Flight(key, self._context.cache.flights)
        self._stack.callback(flight.end)
        return await self._fetch(request, behavior, uri, (key, flight), stale)

    # -- the origin ----------------------------------------------------------------------------

    async def _fetch(
        self,
        request: EdgeRequest,
        behavior: Behavior,
        uri: str,
        kept: tuple[Key, Flight] | None,
        stale: Entry | None,
    ) -> Answer:
        """The response of the origin, which is kept under a key if there is one. `stale` is what
        the cache has. Raises `EdgeFailure`."""
        distribution, now = self._distribution, self._context.clock.now()
        headers = [
            *forwarded_headers(
                request,
                behavior,
                is_kept=kept is not None,
                has_range=request.header("range") is not None,
            ),
            *passed_headers(request, distribution),
        ]
        if kept is not None and stale is not None and stale.status < 400:
            for name, condition in (
                ("etag", "If-None-Match"),
                ("last-modified", "If-Modified-Since"),
            ):
                value = find_header(stale.headers, name)
                if value is not None:
                    headers.append((condition, value))
        first = behavior.origins.first
        host = viewer_host(request, behavior)
        shown = host or first.domain
        sent = await self._context.triggers.origin_request(
            distribution,
            behavior,
            request,
            ForOrigin(
                uri,
                forwarded_query(request, behavior),
                [("Host", shown), *headers],
                request.body,
                first,
            ),
        )
        if isinstance(sent, Answer):
            answer = sent
        else:
            given = find_header(sent.headers, "host")
            try:
                response = await self._send(
                    behavior, request, sent, None if given == shown and host is None else given
                )
            except OriginFailed:
                if stale is not None and stale.may_outlive(now) and stale.status < 400:
                    return await self._outlive(stale, request, 504, kept)
                raise
            if stale is not None and stale.status < 400 and kept is not None:
                if response.status == 304:
                    return await self._refresh(stale, behavior, request, response, kept[1])
                if response.status >= 500 and stale.may_outlive(now):
                    return await self._outlive(stale, request, response.status, kept)
            answer = Answer(response.status, response.headers, response.content)
            await self._context.triggers.response(
                "origin-response", distribution, behavior, request, answer
            )
        if not behavior.forwards_cookies and behavior.is_cached and not isinstance(sent, Answer):
            answer.headers = without(answer.headers, _COOKIES)
        if answer.status >= 400 and answer.cache == "Miss":
            answer.cache = "Error"
        return await self._kept(request, behavior, uri, kept, answer)

    async def _send(
        self, behavior: Behavior, request: EdgeRequest, sent: ForOrigin, host: str | None
    ) -> OriginResponse:
        """Send a request to the first origin, and to the second if it fails there."""
        origins = behavior.origins
        second = origins.second if request.method in ("GET", "HEAD", "OPTIONS") else None
        if sent.origin is not origins.first:
            second = None
        try:
            response = await self._open(request, sent, host, sent.origin)
        except OriginFailed as failed:
            if second is None or failed.status not in origins.fails_over:
                raise
        else:
            if second is None or response.status not in origins.fails_over:
                return response
        assert second is not None
        return await self._open(request, sent, host, second)

    async def _open(
        self, request: EdgeRequest, sent: ForOrigin, host: str | None, origin: Origin
    ) -> OriginResponse:
        return await self._context.origins.open(
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

    # -- what is kept --------------------------------------------------------------------------

    async def _outlive(
        self, stale: Entry, request: EdgeRequest, status: int, kept: tuple[Key, Flight] | None
    ) -> Answer:
        """Serve what is in the cache although it is not fresh: the origin fails."""
        if kept is not None:
            kept[1].end()
        seconds = self._distribution.error_ttls.get(status, ERROR_TTL)
        stale.fresh_until = self._context.clock.now() + seconds
        return await self._from(stale, joined(request.headers), "Hit")

    async def _refresh(
        self,
        stale: Entry,
        behavior: Behavior,
        request: EdgeRequest,
        response: OriginResponse,
        flight: Flight,
    ) -> Answer:
        """The origin says that what is in the cache is current."""
        now = self._context.clock.now()
        changed = {name.lower(): value for name, value in response.headers}
        again = self._lifetime(
            behavior, request, stale.status, {**joined(stale.headers), **changed}, now
        )
        kept = [each for each in stale.headers if each[0].lower() not in _RENEWED]
        renewed = [each for each in response.headers if each[0].lower() in _RENEWED]
        if renewed:
            stale.headers = [*kept, *renewed]
            stale.heads.clear()
        stale.stored = now
        stale.fresh_until = now + again.seconds
        flight.end(is_shared=again.seconds > 0)
        return await self._from(stale, joined(request.headers), "RefreshHit")

    def _lifetime(
        self,
        behavior: Behavior,
        request: EdgeRequest,
        status: int,
        headers: Mapping[str, str],
        now: float,
    ) -> Lifetime:
        is_private = (
            request.header("authorization") is not None
            and "authorization" not in behavior.key.headers
        )
        return lifetime(
            status,
            headers,
            behavior.ttls,
            self._distribution.error_ttls,
            now,
            is_private=is_private,
        )

    async def _kept(
        self,
        request: EdgeRequest,
        behavior: Behavior,
        uri: str,
        kept: tuple[Key, Flight] | None,
        answer: Answer,
    ) -> Answer:
        """The response, compressed if it is to be, and kept when it has been read."""
        headers, content = joined(answer.headers), answer.content
        accepted = behavior.key.encodings.of(request.header("accept-encoding"))
        form = ""
        if behavior.compresses and request.method != "HEAD":
            form = choose(answer.status, headers, content.length, accepted)
        if form:
            content = Compressed(content, form)
            tag = headers.get("etag")
            weak = [("ETag", f"W/{tag.removeprefix('W/')}")] if tag else []
            answer.headers = [
                *without(answer.headers, _ENCODED),
                ("Content-Encoding", form),
                *weak,
                *(() if "accept-encoding" in headers.get("vary", "").lower() else (_VARY,)),
            ]
        answer.content = content
        if kept is None:
            return answer
        key, flight = kept
        now = self._context.clock.now()
        life = self._lifetime(behavior, request, answer.status, headers, now)
        if not life.is_kept or (content.length or 0) > self._context.cache.object_bytes_max:
            flight.end(is_shared=False)
            return answer
        if life.seconds <= 0:
            flight.end(is_shared=False)  # Each request asks the origin.
        query = behavior.key.queries.of_query(request.query)
        path = f"{uri}?{query}" if query else uri
        status, saved = answer.status, list(answer.headers)

        def keep(stored: Stored) -> None:
            if not self._distribution.is_current:
                return  # Perhaps it was invalidated meanwhile.
            body = stored.body
            self._context.cache.put(
                Entry(
                    key,
                    path,
                    status,
                    saved,
                    now=now,
                    fresh_until=now + life.seconds,
                    if_error=life.if_error,
                    body=body,
                    file=stored.file if body is None else None,
                    size=stored.size,
                )
            )
            flight.end()

        stored = Stored(content, self._context.cache, keep)
        self._stack.callback(stored.close)
        answer.content = stored
        if stored.length is not None and stored.length <= SMALL_BYTES:
            answer.content = Whole(await _read_whole(stored))
        return answer


_VALIDATORS = (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"))
_VARY = ("Vary", "Accept-Encoding")
_RENEWED = frozenset({"cache-control", "expires", "etag", "last-modified"})


async def _read_whole(content: Stored) -> bytes:
    """All of a body. Raises `OriginFailed`."""
    chunks = []
    try:
        while chunk := await content.read():
            chunks.append(chunk)
    except (OSError, TimeoutError) as error:
        raise OriginFailed(502, "The response of the origin broke off.") from error
    return b"".join(chunks)
