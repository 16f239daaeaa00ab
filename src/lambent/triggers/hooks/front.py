"""The way in for hooks: finds the hook, has its kind check the request, delivers, responds.

A caller that does not wait gets 202 when its events are on disk. What is refused is logged nowhere:
anyone may send anything. The counters that `lambent hook show` prints tell of it.
"""

import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError
from lambent.model.hooks.hook import BODY_BYTES_MAX, PATH_PREFIX
from lambent.model.peers import Peers
from lambent.model.traces import trace_id_of
from lambent.triggers.hooks.delivery import Delivery
from lambent.triggers.hooks.directory import HookDirectory, LiveHook
from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Once,
    Receive,
    Received,
    json_response,
)
from lambent.triggers.hooks.replays import Replays, Seen, Stale, TooMany
from lambent.triggers.url_response import UrlResponse

logger = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-f]{32}")
_BUSY = json_response(429, "Too Many Requests", ("Retry-After", "1"))
_UNAVAILABLE = json_response(503, "Service Unavailable")
_IN_PROGRESS = json_response(503, "The first copy is being delivered", ("Retry-After", "1"))
_ACCEPTED = json_response(202, "Accepted")
_COUNTS = ("accepted", "duplicates", "refused")
_DUPLICATE = json_response(202, "Accepted before")


class HookFront:
    """See the module."""

    def __init__(
        self,
        directory: HookDirectory,
        kinds: Mapping[str, Receive],
        delivery: Delivery,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        peers: Peers,
    ) -> None:
        """`peers` are the nodes that serve the same hooks."""
        self._peers = peers
        peers.serve("hooks/seen", self._serve_seen)
        peers.serve("hooks/counts", self._serve_counts)
        self._directory = directory
        self._kinds = kinds
        self._delivery = delivery
        self._replays = Replays(clock)
        self._clock = clock
        self._tasks = tasks

    def handle(self, exchange: Exchange) -> None:
        """Serve a request below `PATH_PREFIX`."""
        start_task(self._tasks, partial(_fail, exchange), self._serve, exchange)

    def handle_oversized(self, exchange: Exchange) -> None:
        """Serve a request whose body is so large that it was not read."""
        _send(exchange, json_response(413, f"A request has at most {BODY_BYTES_MAX} bytes."))

    async def observe(self, hook_id: str) -> Mapping[str, int | str | None]:
        """What has happened to a hook since the platform started, on all nodes that answer."""
        found = await self._serve_counts(hook_id)
        answers = await self._peers.ask("hooks/counts", hook_id)
        for theirs in answers.found.values():
            for name in _COUNTS:
                found[name] = found.get(name, 0) + theirs.get(name, 0)
            found["last_refusal"] = found.get("last_refusal") or theirs.get("last_refusal")
        return found

    async def _serve_counts(self, hook_id: str) -> dict[str, Any]:
        live = await self._directory.find(hook_id)
        if live is None:
            return {}
        return {name: getattr(live, name) for name in (*_COUNTS, "last_refusal")}

    async def _serve(self, exchange: Exchange) -> None:
        hook_id, slash, rest = exchange.path.removeprefix(PATH_PREFIX).partition("/")
        try:
            live = await self._directory.find(hook_id) if _ID.fullmatch(hook_id) else None
        except ApiError:
            _send(exchange, _UNAVAILABLE)
            return
        if live is None:
            _send(exchange, json_response(404, "Not Found"))
            return
        request = HookRequest(
            hook=live.hook,
            exchange=exchange,
            path=f"{slash}{rest}",
            now=self._clock.now(),
            request_id=new_request_id(),
            trace_id=trace_id_of(exchange.headers.get("x-amzn-trace-id")),
        )
        try:
            response = await self._respond(live, request)
        except HookRefused as error:
            live.note_refusal(error.message)
            response = json_response(error.status, error.message)
        except RecursionError:
            live.note_refusal("The body is nested too deeply.")
            response = json_response(400, "The body is nested too deeply.")
        except ApiError as error:
            response = _failure(live, error)
        except TimeoutError:
            response = json_response(504, "The function did not respond in time.")
        _send(exchange, response)

    async def _respond(self, live: LiveHook, request: HookRequest) -> UrlResponse:
        """Raises `HookRefused`, `ApiError` and `TimeoutError`."""
        if not live.tries.take():
            return _BUSY
        received = await self._kinds[request.hook.kind](request)
        if isinstance(received, UrlResponse):
            return received
        if not live.accepts.take():
            return _BUSY
        if received.once is None:
            return await self._deliver(live, request, received)
        try:
            seen = self._replays.add(request.hook.id, received.once)
        except TooMany:
            return _BUSY
        except Stale as error:
            raise HookRefused(401, "The request was signed before the platform started.") from error
        if seen is not Seen.NEVER:
            live.duplicates += 1
            # A copy must not be acknowledged before the first one is on disk.
            return _DUPLICATE if seen is Seen.BEFORE else _IN_PROGRESS
        try:
            elsewhere = await self._respond_if_seen(live, request.hook.id, received.once)
            if elsewhere is not None:
                self._replays.remove(request.hook.id, received.once)
                return elsewhere
            response = await self._deliver(live, request, received)
        except BaseException:
            self._replays.remove(request.hook.id, received.once)
            raise
        self._replays.settle(request.hook.id, received.once)
        return response

    async def _respond_if_seen(
        self, live: LiveHook, hook_id: str, once: Once
    ) -> UrlResponse | None:
        """The response to a copy of a request that another node has accepted or is delivering, and
        to a request of which that cannot be known."""
        answers = await self._peers.ask("hooks/seen", [hook_id, once.key.hex()])
        found = {Seen[each] for each in answers.found.values()}
        if found <= {Seen.NEVER}:
            return _UNAVAILABLE if answers.missing else None
        live.duplicates += 1
        return _DUPLICATE if Seen.BEFORE in found else _IN_PROGRESS

    async def _serve_seen(self, value: Any) -> str:
        hook_id, key = value
        return self._replays.find(hook_id, bytes.fromhex(key)).name

    async def _deliver(
        self, live: LiveHook, request: HookRequest, received: Received
    ) -> UrlResponse:
        if received.respond is not None:
            response = received.respond(await self._delivery.call(request, received))
        elif received.entries:
            await self._delivery.put(request.hook, received.entries)
            response = _ACCEPTED
        else:
            await self._delivery.keep(request, received)
            response = _ACCEPTED
        live.accepted += 1
        return response


def _failure(live: LiveHook, error: ApiError) -> UrlResponse:
    """The response to a request whose events could not be delivered, which is logged once: the
    sender sends them again."""
    if error.status == 429:
        return _BUSY
    if error.status == 503:
        return _UNAVAILABLE
    if error.status == 413:
        return json_response(413, "The event is too large.")
    message = f"Its events cannot be delivered ({error.code})."
    if live.last_refusal != message:
        logger.warning("%s: %s", live.hook.arn, error.message)
    live.note_refusal(message)
    return json_response(502, "The event cannot be delivered.")


def _fail(exchange: Exchange, _: Exception) -> None:
    _send(exchange, json_response(500, "Internal Server Error"))


def _send(exchange: Exchange, response: UrlResponse) -> None:
    exchange.respond(
        response.status,
        response.headers,
        response.body if response.status not in (204, 304) else b"",
    )
