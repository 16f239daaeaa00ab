"""Ways in that are not the AWS API: function URLs, pages for operators, links to packages.

A front is reached by a host name or by a path that no AWS API has. It declares how large a body it
takes, and whether unauthenticated clients may send it one.
"""

import dataclasses
import re
from collections.abc import Callable

from lambent.kit.http.messages import Exchange, Handler

INTERNAL = "/_lambent/"
"""What the paths of fronts begin with: no path of an AWS API does."""
_PREFIXES = (INTERNAL, "/_aws/execute-api/")
"""The same, with that of other emulators."""
SMALL_BODY_BYTES_MAX = 1 << 20
"""Every front and operation takes a body of this size."""
_HOSTS_MAX = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """One way in."""

    handle: Handler
    """Serves a request. It authenticates the caller if it needs one."""
    body_bytes_max: int = SMALL_BODY_BYTES_MAX
    """At least so much."""
    is_open: bool = False
    """Whether unauthenticated clients may send it a body. If not, the gateway checks the signature
    of a request before it reads a body of more than a few KB. The front checks all others."""
    oversized: Handler | None = None
    """Responds to a request whose body is too large; None for the usual error."""
    screen: Callable[[Exchange], bool] | None = None
    """Checks the head of a request with a body instead of its signature: returns whether the sender
    is known, and raises `ApiError` if the body need not be read. None to check the signature."""
    has_own_names: bool = False
    """Whether it is found only by host names that no other party can register, or that the owner of
    the platform has configured, or by paths that no other party can guess. Then a relaxed platform
    accepts any name with it."""


FindByName = Callable[[str], Front | None]
"""Finds the front of a host name, as it is spelled and with the port. Must be fast."""


class Fronts:
    """All of them, by host name and by path."""

    def __init__(self) -> None:
        self._hosts: list[tuple[re.Pattern[str], Front]] = []
        self._known: dict[str, Front | None] = {}
        """Fronts by the hosts of earlier requests, as they were spelled."""
        self._paths: dict[str, dict[str | None, Front]] = {}
        """By path and method; None stands for every other method."""
        self._patterns: list[tuple[str, re.Pattern[str], Front]] = []
        self._find_by_name: list[FindByName] = []
        self._longest = 0
        """Characters of the longest path: what follows them cannot matter."""
        self._nothing = Front(handle=_respond_not_found)

    def add_hosts(self, hosts: re.Pattern[str], front: Front) -> None:
        """Send requests to `front` whose `Host`, in lower case and with the port, `hosts` matches
        as a whole. No two fronts may match the same host: the first one wins."""
        self._hosts.append((hosts, front))
        self._known.clear()

    def add_path(self, path: str, front: Front, *, method: str | None = None) -> None:
        """Send requests for `path` to `front`; those for all paths below it if it ends with a
        slash. The longest path wins. With a method, other methods go to the front that is added
        for the path without one."""
        assert path.startswith(_PREFIXES)
        self._paths.setdefault(path, {})[method] = front
        self._longest = max(self._longest, len(path))

    def add_pattern(self, prefix: str, pattern: re.Pattern[str], front: Front) -> None:
        """Send requests to `front` whose path begins with `prefix`, and which `pattern` matches as
        a whole."""
        self._patterns.append((prefix, pattern, front))

    def add_names(self, find: FindByName) -> None:
        """Ask `find` about host names that no other front has. The first one that is added is asked
        first."""
        self._find_by_name.append(find)

    def find(self, exchange: Exchange) -> Front | None:
        """The front that serves a request, None for a request to the AWS API."""
        path = exchange.path
        if path.startswith(_PREFIXES):
            return self._by_path(exchange.method, path) or self._nothing
        host = exchange.headers.get("host", "")
        try:
            front = self._known[host]
        except KeyError:
            front = self._by_host(host)
        if front is None:
            for find in self._find_by_name:
                front = front or find(host)
        if front is None:
            for prefix, pattern, other in self._patterns:
                if path.startswith(prefix) and pattern.fullmatch(path) is not None:
                    return other
        return front

    def _by_path(self, method: str, path: str) -> Front | None:
        end = len(path) if len(path) <= self._longest else path.rfind("/", 0, self._longest) + 1
        while end > len(INTERNAL):
            methods = self._paths.get(path[:end])
            if methods is not None:
                front = methods.get(method) or methods.get(None)
                if front is not None:
                    return front
            # From a path to the one above it: `/a/b` is below `/a/`, which is below `/`.
            end = path.rfind("/", 0, end - 1) + 1
        return None

    def _by_host(self, host: str) -> Front | None:
        lowered = host.lower()
        found = (front for hosts, front in self._hosts if hosts.fullmatch(lowered) is not None)
        front = next(found, None)
        if len(self._known) >= _HOSTS_MAX:
            self._known.clear()
        self._known[host] = front
        return front


def _respond_not_found(exchange: Exchange) -> None:
    exchange.respond(404, [("Content-Type", "text/plain")], b"There is no such page.\n")
