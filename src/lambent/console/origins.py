"""Which requests are the console's own pages', and what browsers may do with these pages.

The console has the rights of its user, so no page of another origin may use it: neither by a link,
a form, a script or a frame, nor by a name that leads to this machine (DNS rebinding). A request for
anything but a page has a header that browsers let no other origin send.
"""

import re
from collections.abc import Sequence

from lambent.console.settings import PREFIX
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

TOKEN_HEADER = "x-lambent-console"
"""Contains the second half of a session."""
_LOOPBACK = r"127(?:\.\d{1,3}){3}|\[::1\]"
_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\]"
_PORT = re.compile(r":\d{1,5}$")


class Origins:
    """Recognizes the console's own."""

    def __init__(self, names: Sequence[str], *, is_strict: bool) -> None:
        """`names` are accepted in addition to addresses and `localhost`. A relaxed platform accepts
        addresses of loopback alone."""
        self._names = frozenset(name.lower().strip(".") for name in (*names, "localhost"))
        self._address = re.compile(_ADDRESS if is_strict else _LOOPBACK)

    def accepts(self, exchange: Exchange) -> bool:
        """Whether a request came by a name or an address of the console."""
        host = exchange.headers.get("host", "").lower()
        name = _PORT.sub("", host)
        return name in self._names or self._address.fullmatch(name) is not None

    def check_host(self, exchange: Exchange) -> None:
        """Raise `AccessDeniedException` unless the request came by a name of the console."""
        if not self.accepts(exchange):
            raise _denied(
                f"The host '{exchange.headers.get('host', '')[:255]}' is not one of the console:"
                " use the address or localhost, or add the name to console.allowed_hosts."
            )

    def check(self, exchange: Exchange) -> None:
        """Raise `AccessDeniedException` unless a page of the console sent the request."""
        self.check_host(exchange)
        headers = exchange.headers
        site = headers.get("sec-fetch-site", "same-origin")
        origin = headers.get("origin", origin_of(exchange))
        if site != "same-origin" or origin != origin_of(exchange) or TOKEN_HEADER not in headers:
            raise _denied("The request does not come from a page of the console.")


def origin_of(exchange: Exchange) -> str:
    """The origin of a page that came by the request's host."""
    scheme = "https" if exchange.is_secure else "http"
    return f"{scheme}://{exchange.headers.get('host', '').lower()}"


def page_headers(exchange: Exchange, script_hash: str) -> list[tuple[str, str]]:
    """What restricts a page of the console. `script_hash` is that of the one inline script."""
    origin = origin_of(exchange)
    # A source with an IPv6 address is none to browsers.
    here = "'self'" if "[" in origin else f"{origin}{PREFIX}/"
    policy = (
        "default-src 'none'",
        f"script-src {here} '{script_hash}'",
        f"style-src {here}",
        f"img-src {here} data:",
        f"connect-src {here}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return [
        ("Content-Security-Policy", "; ".join(policy)),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        *RESOURCE_HEADERS,
    ]


RESOURCE_HEADERS = (
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of all responses."""


def _denied(message: str) -> ApiError:
    return ApiError("AccessDeniedException", message, status=403)
