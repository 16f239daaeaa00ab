"""Pages whose users sign in: a browser lets a page of any origin use the operations that need no
signature, as in AWS.

No page may send a signature this way. So a page reaches nothing but what everyone may call.

A page of a function, of an API or in a bucket that is reached by a path of the platform's own
address would have the origin of the console, and with it the rights of the console's user. So
browsers show it in an origin of its own. By a host name of its own it has that anyway.
https://www.w3.org/TR/CSP3/#directive-sandbox
"""

from collections.abc import Iterable, Sequence

from lambent.gateway.recognition import is_public
from lambent.identity.authorizer import KnownExchange
from lambent.kit.http.messages import Exchange
from lambent.kit.http.passed import PassedExchange

Headers = Sequence[tuple[str, str]]

_ALLOWED = frozenset(
    {
        *("amz-sdk-invocation-id", "amz-sdk-request", "cache-control", "content-type"),
        *("x-amz-target", "x-amz-user-agent"),
    }
)
"""Headers that libraries of user pools send."""
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_SHOWN = ("Access-Control-Expose-Headers", "x-amzn-errortype,x-amzn-requestid")
_LENGTH_MAX = 1024


def preflight(exchange: Exchange) -> Headers | None:
    """The headers that allow a page to send what it asks for; None for any other request."""
    headers = exchange.headers
    if exchange.method != "OPTIONS" or exchange.path != "/" or exchange.query:
        return None
    if "origin" not in headers or headers.get("access-control-request-method") != "POST":
        return None
    text = headers.get("access-control-request-headers", "")[:_LENGTH_MAX]
    asked = {name.strip().lower() for name in text.split(",")}
    if "x-amz-target" not in asked or not asked <= _ALLOWED:
        return None
    return [
        _ANY_ORIGIN,
        ("Access-Control-Allow-Methods", "POST"),
        ("Access-Control-Allow-Headers", ",".join(sorted(asked))),
        ("Access-Control-Max-Age", "600"),
        ("Vary", "Access-Control-Request-Headers"),
    ]


def shown_to_pages(exchange: Exchange) -> Headers:
    """The headers that let a page read the response to a request; none for operations that need a
    signature."""
    if "origin" in exchange.headers and is_public(exchange):
        return [_ANY_ORIGIN, _SHOWN]
    return ()


_SANDBOX = (
    "Content-Security-Policy",
    "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts",
)


def is_from_browser(exchange: Exchange) -> bool:
    """Whether a browser has sent a request. What it wants the response for does not matter: it may
    keep a response to a script, and show it as a page later."""
    headers = exchange.headers
    return "sec-fetch-dest" in headers or headers.get("user-agent", "").startswith("Mozilla/")


def sandboxed(exchange: Exchange) -> Exchange:
    """The exchange of a page that gets an origin of its own. The console's requests keep their
    caller."""
    if isinstance(exchange, KnownExchange):
        exchange.passed = Sandboxed(exchange.passed)
        return exchange
    return Sandboxed(exchange)


class Sandboxed(PassedExchange):
    """The exchange of a page that gets an origin of its own."""

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """See `Exchange`."""
        self.passed.respond(status, [*headers, _SANDBOX], body)

    def respond_raw(self, head: bytes, body: bytes) -> None:
        """See `Exchange`."""
        self.passed.respond_raw(head[:-2] + ": ".join(_SANDBOX).encode() + b"\r\n\r\n", body)

    def start(
        self, status: int, headers: Iterable[tuple[str, str]] = (), *, length: int | None = None
    ) -> None:
        """See `Exchange`."""
        self.passed.start(status, [*headers, _SANDBOX], length=length)
