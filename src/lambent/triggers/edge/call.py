"""One request of a viewer, that memory alone cannot serve: functions, cache, origin, error page."""

import dataclasses
from collections.abc import Mapping
from contextlib import AsyncExitStack

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.triggers.apis.outbound import cancel_when_gone
from lambent.triggers.edge.cache import EdgeCache, Entry, Flight
from lambent.triggers.edge.distribution import Behavior, Distribution
from lambent.triggers.edge.errors import EdgeFailure, OriginFailed
from lambent.triggers.edge.fetching import OriginFetch
from lambent.triggers.edge.hits import answer_from, wanted
from lambent.triggers.edge.keeping import Keeping
from lambent.triggers.edge.messages import Answer, EdgeRequest, without
from lambent.triggers.edge.origins import OriginConnections, OriginResponse
from lambent.triggers.edge.replies import send
from lambent.triggers.edge.selection import Key, joined, made_headers
from lambent.triggers.edge.triggers import Triggers

_WAIT_S = 5.0
"""How long a request waits for another one's response before it asks the origin itself: a viewer
who reads slowly must not hold up others."""
_NOT_FOR_PAGES = frozenset({"range", "content-type"})


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
        if page is None or page.path == self._request.uri:
            return answer
        behavior = self._distribution.behavior(page.path)
        request = dataclasses.replace(
            self._request,
            method="HEAD" if self._request.method == "HEAD" else "GET",
            uri=page.path,
            query="",
            headers=without(self._request.headers, _NOT_FOR_PAGES),
            body=b"",
        )
        found = await self._obtain(request, behavior)
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
                try:
                    return await self._from(entry, headers, "Hit")
                except OSError:
                    cache.remove(entry)  # Its file is gone.
                    entry = None
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
        return await answer_from(self._stack, entry, wanted(entry, headers), now, cache)

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
        context, distribution = self._context, self._distribution
        fetch = OriginFetch(
            context.origins, context.triggers, self._stack, distribution, behavior, request, uri
        )
        cache, clock = context.cache, context.clock
        keeping = Keeping(cache, clock, self._stack, distribution, behavior, request)
        if stale is not None and stale.status >= 400:
            stale = None
        flight = None if kept is None else kept[1]
        found: Answer | OriginResponse
        try:
            found = await fetch.ask(stale, is_kept=kept is not None)
        except OriginFailed as failed:
            found = failed.answer(request.id)
        status, now = found.status, clock.now()
        if stale is not None and status >= 500 and stale.may_outlive(now):
            keeping.outlive(stale, status, flight)
            return await self._from_stale(stale, request, "Hit")
        if stale is not None and kept is not None and status == 304:
            keeping.refresh(stale, found.headers, kept[1])
            return await self._from_stale(stale, request, "RefreshHit")
        answer = await fetch.accept(found) if isinstance(found, OriginResponse) else found
        if answer.status >= 400 and answer.cache == "Miss":
            answer.cache = "Error"
        return await keeping.keep(answer, uri, kept)

    async def _from_stale(self, stale: Entry, request: EdgeRequest, cache: str) -> Answer:
        try:
            return await self._from(stale, joined(request.headers), cache)
        except OSError as error:
            raise EdgeFailure(502, "The cache cannot be read.") from error
