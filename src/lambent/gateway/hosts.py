"""Which host names the front door of a relaxed platform answers to.

Whoever owns a name can have it lead to this machine's loopback, and a page from there is then of
the same origin as the API: its scripts may send what they like and read the answers. So only names
are answered to that nobody else can give out.
"""

import re
from collections.abc import Sequence

from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?")
_NAME = re.compile(r"([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,16})\.?(?::\d{1,5})?")
_KNOWN_MAX = 1024


class Hosts:
    """Tells them from others."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` and all names below them are answered to, besides addresses and `localhost`."""
        self._names = frozenset(name.lower().strip(".") for name in (*names, "localhost"))
        self._known: set[str] = set()
        """Hosts that are, as they were spelled before."""

    def check(self, exchange: Exchange) -> None:
        """Raise `AccessDeniedException` if a request is for a host name of somebody else's."""
        host = exchange.headers.get("host", "")
        if host in self._known:
            return
        if not self._is_ours(host):
            raise ApiError(
                "AccessDeniedException",
                f"The host '{host[:255]}' is not answered to: a page in a browser could have it"
                " lead here, and this platform asks for no signatures. Use 127.0.0.1 or localhost,"
                " add the name to gateway.allowed_hosts, or start it with --auth strict.",
                status=403,
            )
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known.add(host)

    def _is_ours(self, host: str) -> bool:
        if not host or _ADDRESS.fullmatch(host) is not None:
            return True  # Without one nobody was asked for: no browser does that.
        match = _NAME.fullmatch(host.lower())
        if match is None:
            return False
        labels = match[1].split(".")
        return any(".".join(labels[at:]) in self._names for at in range(len(labels)))
