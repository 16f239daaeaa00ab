"""Requests that the console passes on as they are, for responses that are no documents: calls of
functions, streams, packages, pages for operators.

What follows `/raw/NAME` is the path of the public API, and `NAME` is the signing name of the
service. The caller is the console's user.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from lambent.console.origins import RESOURCE_HEADERS
from lambent.identity.authorizer import Caller, KnownExchange
from lambent.kit.http.messages import Exchange

_DROPPED = ("authorization", "cookie", "origin", "referer", "sec-", "x-lambent-")
"""What the names of headers begin with that only concern the console."""
_KEPT = ("content-type", "content-encoding", "etag", "last-modified", "x-amz")
"""What the names of headers begin with that a response keeps. Others are for the address of an API,
not for that of the console: cookies, service workers, redirects."""
SHOWN = "X-Lambent-Headers"
"""Contains status and headers of the response as JSON."""
_SHOWN_BYTES_MAX = 16 * 1024


class RawExchange(KnownExchange):
    """See the module."""

    upgrade_offer = ""

    def __init__(self, exchange: Exchange, caller: Caller, path: str) -> None:
        super().__init__(exchange, caller)
        self.path = path
        self.header_items: Sequence[tuple[str, str]] = [
            (name, value)
            for name, value in exchange.header_items
            if not name.lower().startswith(_DROPPED)
        ]
        self.headers: Mapping[str, str] = {
            name: value for name, value in exchange.headers.items() if not name.startswith(_DROPPED)
        }
        self.body = exchange.body

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """See `Exchange`."""
        shown = list(headers)
        self.passed.respond(_status(status), _kept(status, shown), body)

    def start(
        self, status: int, headers: Iterable[tuple[str, str]] = (), *, length: int | None = None
    ) -> None:
        """See `Exchange`."""
        self.passed.start(_status(status), _kept(status, list(headers)), length=length)


def _status(status: int) -> int:
    """A browser must not follow where a function leads it."""
    return 200 if 300 <= status < 400 else status


def _kept(status: int, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers if name.lower().startswith(_KEPT)]
    shown = json.dumps({"status": status, "headers": headers})
    if len(shown) <= _SHOWN_BYTES_MAX:
        kept.append((SHOWN, shown))
    return [*kept, *RESOURCE_HEADERS]
