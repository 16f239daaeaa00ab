"""What becomes of the response of an origin: it is compressed, and kept."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from lambent.kit.clock import Clock
from lambent.triggers.edge.cache import SMALL_BYTES, EdgeCache, Entry, Flight
from lambent.triggers.edge.compression import Compressed, choose
from lambent.triggers.edge.distribution import Behavior, Distribution
from lambent.triggers.edge.errors import EdgeFailure
from lambent.triggers.edge.lifetimes import ERROR_TTL, NOT_KEPT, Lifetime, lifetime
from lambent.triggers.edge.messages import Answer, EdgeRequest, HeaderItems, Whole, without
from lambent.triggers.edge.selection import Key, joined
from lambent.triggers.edge.storing import Stored

_ENCODED = frozenset({"content-length", "content-encoding", "accept-ranges", "etag"})
_RENEWED = frozenset({"cache-control", "expires", "etag", "last-modified"})
_VARY = ("Vary", "Accept-Encoding")


class Keeping:
    """See the module."""

    def __init__(
        self,
        cache: EdgeCache,
        clock: Clock,
        stack: AsyncExitStack,
        distribution: Distribution,
        behavior: Behavior,
        request: EdgeRequest,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._stack = stack
        self._distribution = distribution
        self._behavior = behavior
        self._request = request

    async def keep(self, answer: Answer, uri: str, kept: tuple[Key, Flight] | None) -> Answer:
        """The response, compressed if it is to be, and kept under a key, if there is one, when it
        has been read. Raises `EdgeFailure` if it breaks off before that."""
        headers = joined(answer.headers)
        self._compress(answer, headers)
        if kept is None:
            return answer
        key, flight = kept
        life, now = self._lifetime(answer.status, headers), self._clock.now()
        if not life.is_kept or (answer.content.length or 0) > self._cache.object_bytes_max:
            flight.end(is_shared=False)
            return answer
        if life.seconds <= 0:
            flight.end(is_shared=False)  # Each request asks the origin.
        query = self._behavior.key.queries.of_query(self._request.query)
        path = f"{uri}?{query}" if query else uri
        status, saved = answer.status, list(answer.headers)

        def put(stored: Stored) -> None:
            if not self._distribution.is_current:
                return  # Perhaps it was invalidated meanwhile.
            body = stored.body
            self._cache.put(
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

        stored = Stored(answer.content, self._cache, put)
        self._stack.callback(stored.close)
        answer.content = stored
        if stored.length is not None and stored.length <= SMALL_BYTES:
            answer.content = Whole(await _read_whole(stored))
        return answer

    def outlive(self, stale: Entry, status: int, flight: Flight | None) -> None:
        """What is in the cache is served although it is not fresh: the origin fails."""
        seconds = self._distribution.error_ttls.get(status, ERROR_TTL)
        stale.fresh_until = self._clock.now() + seconds
        if flight is not None:
            flight.end()

    def refresh(self, stale: Entry, headers: HeaderItems, flight: Flight) -> None:
        """The origin says that what is in the cache is current."""
        changed = {name.lower(): value for name, value in headers}
        again = self._lifetime(stale.status, {**joined(stale.headers), **changed})
        renewed = [each for each in headers if each[0].lower() in _RENEWED]
        if renewed:
            kept = {name.lower() for name, _ in renewed}
            stale.headers = [*without(stale.headers, frozenset(kept)), *renewed]
            stale.heads.clear()
        stale.stored = self._clock.now()
        stale.fresh_until = stale.stored + again.seconds
        flight.end(is_shared=again.seconds > 0)

    def _lifetime(self, status: int, headers: Mapping[str, str]) -> Lifetime:
        behavior, request = self._behavior, self._request
        if "set-cookie" in headers and behavior.key.cookies.kind == "none":
            return NOT_KEPT  # The cookie is for one viewer.
        is_private = (
            request.header("authorization") is not None
            and "authorization" not in behavior.key.headers
            and behavior.forward.takes("authorization")
        )
        return lifetime(
            status,
            headers,
            behavior.ttls,
            self._distribution.error_ttls,
            self._clock.now(),
            is_private=is_private,
        )

    def _compress(self, answer: Answer, headers: Mapping[str, str]) -> None:
        if not self._behavior.compresses or self._request.method == "HEAD":
            return
        accepted = self._behavior.key.encodings.of(self._request.header("accept-encoding"))
        form = choose(answer.status, headers, answer.content.length, accepted)
        if not form:
            return
        answer.content = Compressed(answer.content, form)
        answer.headers = [*without(answer.headers, _ENCODED), ("Content-Encoding", form)]
        if "etag" in headers:
            # The compressed form is another representation of the same.
            answer.headers.append(("ETag", f"W/{headers['etag'].removeprefix('W/')}"))
        if "accept-encoding" not in headers.get("vary", "").lower():
            answer.headers.append(_VARY)


async def _read_whole(content: Stored) -> bytes:
    """All of a body. Raises `EdgeFailure`."""
    chunks = []
    try:
        while chunk := await content.read():
            chunks.append(chunk)
    except (OSError, TimeoutError) as error:
        raise EdgeFailure(502, "The response of the origin broke off.") from error
    return b"".join(chunks)
