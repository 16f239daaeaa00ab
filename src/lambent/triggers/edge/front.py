"""The ways to distributions, and the fast way through one.

A distribution is reached by its host name, `d….cloudfront.<domain>`, by its aliases, and by the
path `/_lambent/cloudfront/<id>/` where names cannot be resolved.
"""

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.cloudfront.names import ID, PATH_PREFIX, id_of
from lambent.triggers.edge.call import EdgeCall, EdgeContext
from lambent.triggers.edge.directory import EdgeDirectory, Unread
from lambent.triggers.edge.distribution import Behavior, Distribution
from lambent.triggers.edge.errors import EdgeFailure
from lambent.triggers.edge.messages import Whole, read_exchange
from lambent.triggers.edge.replies import hit_head, new_edge_id

_URI_MAX = 8192
_NOT_FOUND = "Bad request. No distribution is here."
_METHOD = (
    "This distribution is not configured to allow the HTTP request method that was used for this"
    " request. The distribution supports only {}."
)
_BODY = "Bad request. A GET request has no body."
_SECURE = "Bad request. This distribution is served over HTTPS only."


class EdgeFront:
    """See the module."""

    def __init__(
        self, directory: EdgeDirectory, context: EdgeContext, *, https_port: int | None
    ) -> None:
        """`https_port` is where viewers that have to use HTTPS are sent; None if that is the usual
        port."""
        self._directory = directory
        self._context = context
        self._clock: Clock = context.clock
        self._port = f":{https_port}" if https_port is not None else ""

    # -- ways in -------------------------------------------------------------------------------

    def handle_host(self, exchange: Exchange) -> None:
        """Serve a request whose host name is one of `HOSTS`."""
        host = exchange.headers.get("host", "").lower()
        self._enter(exchange, id_of(host.partition(".")[0]), exchange.path)

    def handle_path(self, exchange: Exchange) -> None:
        """Serve a request below `PATH_PREFIX`."""
        id, _, rest = exchange.path.removeprefix(PATH_PREFIX).partition("/")
        self._enter(exchange, id, f"/{rest}")

    def handle_alias(self, exchange: Exchange) -> None:
        """Serve a request whose host name is an alias."""
        found = self._directory.find_alias_nowait(_name_of(exchange.headers.get("host", "")))
        id = found if isinstance(found, str) else ""
        self._enter(exchange, id, exchange.path)

    def is_alias(self, host: str) -> bool | None:
        """Whether a `Host` is an alias; None if that is not in memory: then await
        `read_aliases`."""
        found = self._directory.find_alias_nowait(_name_of(host))
        return None if isinstance(found, Unread) else found is not None

    async def read_aliases(self) -> None:
        """Have all aliases in memory."""
        await self._directory.read_aliases()

    def handle_oversized(self, exchange: Exchange) -> None:
        """Respond to a request whose body is too large."""
        _refuse(exchange, 413, "Request Entity Too Large")

    def _enter(self, exchange: Exchange, id: str, path: str) -> None:
        if ID.fullmatch(id) is None:
            _refuse(exchange, 403, _NOT_FOUND)
            return
        found = self._directory.get_nowait(id)
        if isinstance(found, Unread):
            start_task(
                self._context.tasks,
                lambda _: _fail(exchange),
                self._enter_slowly,
                exchange,
                id,
                path,
            )
        else:
            self._serve(exchange, found, path)

    async def _enter_slowly(self, exchange: Exchange, id: str, path: str) -> None:
        self._serve(exchange, await self._directory.get(id), path)

    # -- the way through -----------------------------------------------------------------------

    def _serve(self, exchange: Exchange, distribution: Distribution | None, path: str) -> None:
        if distribution is None or not distribution.is_enabled:
            _refuse(exchange, 403, _NOT_FOUND)
            return
        behavior = distribution.behavior(path)
        if not exchange.is_secure and behavior.protocol != "allow-all":
            self._ask_for_https(exchange, behavior, path)
            return
        method = exchange.method
        if method not in behavior.allowed:
            shown = ", ".join(sorted(behavior.allowed))
            _refuse(exchange, 403, _METHOD.format(shown))
        elif exchange.body and method in ("GET", "HEAD"):
            _refuse(exchange, 403, _BODY)
        elif len(path) + len(exchange.query) > _URI_MAX:
            _refuse(exchange, 414, "Request-URI Too Long")
        elif not self._hits(exchange, distribution, behavior, path):
            request = read_exchange(exchange, new_edge_id(), path)
            call = EdgeCall(self._context, exchange, distribution, behavior, request)
            start_task(self._context.tasks, lambda _: _fail(exchange), call.run)

    def _hits(
        self, exchange: Exchange, distribution: Distribution, behavior: Behavior, path: str
    ) -> bool:
        """Respond from memory, if that is all it takes; returns whether it is."""
        method = exchange.method
        if (
            behavior.has_viewer_function
            or not behavior.is_cached
            or behavior.key.needs_made
            or method not in behavior.cached
        ):
            return False
        headers = exchange.headers
        key = behavior.key.key(
            distribution.id, method, distribution.object_path(path), exchange.query, headers
        )
        entry = self._context.cache.get_small(key)
        now = self._clock.now()
        if (
            entry is None
            or now >= entry.fresh_until
            or entry.body is None
            or entry.status in distribution.error_pages
        ):
            return False
        policy, origin = behavior.headers, headers.get("origin")
        if (
            "if-none-match" in headers
            or "if-modified-since" in headers
            or "range" in headers
            or (origin is not None and policy is not None and policy.depends_on_origin)
        ):
            return False
        head = entry.heads.get(behavior)
        if head is None:
            head = hit_head(entry, distribution, behavior, method, origin)
            if len(entry.heads) >= 4:
                entry.heads.clear()
            entry.heads[behavior] = head
        close = "" if exchange.keep_alive else "Connection: close\r\n"
        more = f"Age: {entry.age(now)}\r\nX-Amz-Cf-Id: {new_edge_id()}\r\n{close}\r\n"
        exchange.respond_raw(head + more.encode(), b"" if method == "HEAD" else entry.body)
        return True

    def _ask_for_https(self, exchange: Exchange, behavior: Behavior, path: str) -> None:
        if behavior.protocol == "https-only":
            _refuse(exchange, 403, _SECURE)
            return
        name = _name_of(exchange.headers.get("host", ""))
        query = f"?{exchange.query}" if exchange.query else ""
        exchange.respond(
            301,
            [
                ("Location", f"https://{name}{self._port}{path}{query}"),
                ("X-Cache", "Redirect from cloudfront"),
            ],
        )


def _name_of(host: str) -> str:
    """A host name without port, in lower case."""
    return host.lower().partition(":")[0]


def _refuse(exchange: Exchange, status: int, message: str) -> None:
    answer = EdgeFailure(status, message).answer(new_edge_id())
    assert isinstance(answer.content, Whole)
    headers = [*answer.headers, ("X-Cache", "Error from cloudfront")]
    exchange.respond(status, headers, answer.content.data)


def _fail(exchange: Exchange) -> None:
    if exchange.is_open:
        _refuse(exchange, 500, "Internal Server Error")
