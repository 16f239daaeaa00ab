"""Access tokens of connections with OAuth: client credentials, kept in memory until they expire.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from lambent.kit.clock import Clock
from lambent.kit.strict_json import parse_plain
from lambent.model.events.connections import values
from lambent.model.events.http_requests import HttpRequest, build
from lambent.triggers.apis.outbound import Outbound

_TOKENS_MAX = 1_000
_TOKEN_BYTES_MAX = 64 * 1024
_EARLY_S = 60.0
"""A token is replaced this long before it expires, as in AWS."""
_LIFETIME_S = 3600.0
"""Of a token whose server names none."""
_DEADLINE_S = 5.0


class TokenRefused(Exception):
    """There is no token; the message has no secrets."""


class _Token(NamedTuple):
    header: str
    fresh_until: float


class Tokens:
    """See the module."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock
        self._known: OrderedDict[str, _Token] = OrderedDict()

    async def header(self, oauth: Mapping[str, Any], *, is_new: bool = False) -> str:
        """The `Authorization` header; `is_new` asks the server, even if a token is known. Raises
        `TokenRefused` and OSError."""
        # By all of the parameters: those of another or of a changed connection have another token.
        key = hashlib.sha256(json.dumps(oauth, sort_keys=True).encode()).hexdigest()
        known = self._known.get(key)
        if known is not None and not is_new and self._clock.monotonic() < known.fresh_until:
            return known.header
        token = await self._fetch(oauth)
        self._known[key] = token
        self._known.move_to_end(key)
        if len(self._known) > _TOKENS_MAX:
            self._known.popitem(last=False)
        return token.header

    async def _fetch(self, oauth: Mapping[str, Any]) -> _Token:
        status, data = await self._outbound.exchange(
            *_request(oauth), deadline_s=_DEADLINE_S, bytes_max=_TOKEN_BYTES_MAX
        )
        if status not in (200, 201):
            raise TokenRefused(f"The authorization endpoint responds with {status}.")
        try:
            document = parse_plain(data.decode())
        except ValueError:
            document = None
        token = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(token, str) or not token or not token.isprintable():
            raise TokenRefused("The response of the authorization endpoint has no access_token.")
        assert isinstance(document, dict)
        lifetime = document.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else _LIFETIME_S
        fresh_s = max(min(seconds, 1e9) - _EARLY_S, 0.0)
        return _Token(f"Bearer {token}", self._clock.monotonic() + fresh_s)


def _request(oauth: Mapping[str, Any]) -> HttpRequest:
    client, more = oauth["ClientParameters"], oauth.get("OAuthHttpParameters") or {}
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientID"],
        "client_secret": client["ClientSecret"],
        **values(more, "BodyParameters"),
    }
    method, lists = oauth["HttpMethod"], {**more, "BodyParameters": []}
    request = build(oauth["AuthorizationEndpoint"], method, b"", {}, lists)
    if method == "GET":
        separator = "&" if urlsplit(request.url).query else "?"
        return request._replace(url=f"{request.url}{separator}{urlencode(form)}")
    headers = {**request.headers, "content-type": "application/x-www-form-urlencoded"}
    return request._replace(headers=headers, body=urlencode(form).encode())
