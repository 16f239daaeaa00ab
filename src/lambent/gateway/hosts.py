"""Which host names the front door of a relaxed platform accepts.

The owner of a domain can resolve a name in it to this machine's loopback. A page from that name
then has the same origin as the API: its scripts may send any request and read the responses. So
only names that no other party can register are accepted.
"""

import re
from collections.abc import Sequence

from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

_ADDRESS = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?")
_NAME = re.compile(r"([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,16})\.?(?::\d{1,5})?")
_OF_AWS = re.compile(r"cognito-idp\.[a-z0-9-]{1,32}\.amazonaws\.com")
"""Programs in boxes reach user pools by it."""
_PREFIXED = re.compile(
    r"stream(?:ing)?-(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?", re.IGNORECASE
)
"""SDKs put `stream-` before the host for StartLiveTail; no party can register such a name."""
_KNOWN_MAX = 1024


class Hosts:
    """Accepts or refuses host names."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` and all names below them are accepted, as are addresses and `localhost`."""
        self._names = frozenset(name.lower().strip(".") for name in (*names, "localhost"))
        self._known: set[str] = set()
        """Hosts that were accepted before, as they were spelled."""

    def check(self, exchange: Exchange) -> None:
        """Raise `AccessDeniedException` if a request is for a host name that is not accepted."""
        host = exchange.headers.get("host", "")
        if host in self._known:
            return
        if not self._is_ours(host):
            raise ApiError(
                "AccessDeniedException",
                f"The host '{host[:255]}' is not accepted: it could belong to a page in a"
                " browser, and this platform does not require signatures. Use 127.0.0.1 or"
                " localhost, add the name to gateway.allowed_hosts, or start it with --auth"
                " strict.",
                status=403,
            )
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known.add(host)

    def _is_ours(self, host: str) -> bool:
        if not host or _ADDRESS.fullmatch(host) is not None:
            return True  # Every browser sends a name.
        if _PREFIXED.fullmatch(host) is not None:
            return True
        match = _NAME.fullmatch(host.lower())
        if match is None:
            return False
        if _OF_AWS.fullmatch(match[1]) is not None:
            return True
        labels = match[1].split(".")
        return any(".".join(labels[at:]) in self._names for at in range(len(labels)))
