"""The documents that say which keys a pool's tokens are signed with.

They are at `/<pool>/.well-known/`, on every host name that leads here, such as
`cognito-idp.<region>.<domain>`. Authorizers of APIs read them without a connection.
"""

import json
import re
from collections.abc import Awaitable, Callable

import anyio.abc

from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task

Jwks = Callable[[str], Awaitable[bytes | None]]
"""Returns the keys of a pool by its id; None if there is no such pool."""

PATHS = re.compile(
    r"/(?P<pool>(?P<region>[a-z]{2}[a-z0-9-]{1,30})_[0-9a-zA-Z]{1,55})/\.well-known/"
    r"(?P<name>jwks\.json|openid-configuration)",
    re.ASCII,
)
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Access-Control-Allow-Origin", "*"),
    ("Cache-Control", "public, max-age=86400"),
]


class PoolDocuments:
    """See the module."""

    def __init__(self, jwks: Jwks, tasks: anyio.abc.TaskGroup) -> None:
        self._jwks = jwks
        self._tasks = tasks

    def handle(self, exchange: Exchange) -> None:
        """Serve one request."""

        def failed(_: Exception) -> None:
            exchange.respond(500, _HEADERS[:2], b'{"message":"Internal server error"}')

        start_task(self._tasks, failed, self._serve, exchange)

    async def _serve(self, exchange: Exchange) -> None:
        match = PATHS.fullmatch(exchange.path)
        keys = None if match is None else await self._jwks(match["pool"])
        if match is None or keys is None:
            body = b'{"message":"User pool does not exist."}'
            exchange.respond(404, _HEADERS[:2], body)
        elif exchange.method not in ("GET", "HEAD"):
            exchange.respond(405, _HEADERS[:2], b'{"message":"Method Not Allowed"}')
        elif match["name"] == "jwks.json":
            exchange.respond(200, _HEADERS, keys)
        else:
            issuer = f"https://cognito-idp.{match['region']}.amazonaws.com/{match['pool']}"
            host = exchange.headers.get("host", "")
            scheme = "https" if exchange.is_secure else "http"
            here = f"{scheme}://{host}/{match['pool']}"
            exchange.respond(200, _HEADERS, configuration(issuer, f"{here}/.well-known/jwks.json"))


def configuration(issuer: str, jwks_uri: str) -> bytes:
    """The document of OpenID Connect's discovery."""
    return json.dumps(
        {
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": issuer,
            "jwks_uri": jwks_uri,
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
        }
    ).encode()
