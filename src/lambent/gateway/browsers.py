"""Pages whose users sign in: a browser lets a page of any origin use the operations that need no
signature, as in AWS.

No page may send a signature this way. So a page reaches nothing but what everyone may call.
"""

from collections.abc import Sequence

from lambent.gateway.recognition import is_public
from lambent.kit.http.messages import Exchange

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
