"""JWT authorizers of HTTP APIs."""

from collections.abc import Sequence

from lambent.kit.clock import Clock
from lambent.model.document import Body
from lambent.model.selections import IDENTITY_SOURCES, parse_selection
from lambent.triggers.apis.authorizers.decisions import Cache, Decision
from lambent.triggers.apis.authorizers.issuers import Issuers
from lambent.triggers.apis.authorizers.tokens import (
    Claims,
    TokenRefused,
    TokenRules,
    as_text,
    expires,
    read_claims,
    read_head,
    scopes_of,
)
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.variables import look_up

_VERIFIED_MAX = 4096
_VERIFIED_S = 300.0
"""How long a token that was verified is not verified again."""
_MISSING = Decision(401, challenge="Bearer")


class JwtAuthorizer:
    """Verifies tokens of one issuer."""

    def __init__(self, issuers: Issuers, clock: Clock, body: Body) -> None:
        """Raises ValueError for an identity source that cannot be read."""
        configuration = body.get("JwtConfiguration") or {}
        sources = body.get("IdentitySource") or ["$request.header.Authorization"]
        self._source = parse_selection(sources[0], IDENTITY_SOURCES)
        self._rules = TokenRules(configuration["Issuer"], configuration.get("Audience") or [])
        self._issuers = issuers
        self._clock = clock
        self._verified = Cache[Claims](clock, size=_VERIFIED_MAX)
        """By token."""

    def decide_nowait(self, call: HttpCall, scopes: Sequence[str]) -> Decision | None:
        """As `Authorization`; one of `scopes` has to be in the token, if there are any."""
        token = self._token(call)
        if not token:
            return _MISSING
        claims = self._verified.get(token)
        if claims is not None and expires(claims) > self._clock.now():
            return _decide(claims, scopes)
        try:
            head = read_head(token)
            key = self._issuers.find_nowait(self._rules.issuer, head.key_id)
            if key is None:
                return None
            return _decide(self._verify(token, key), scopes)
        except TokenRefused as error:
            return _refuse(error)

    async def decide(self, call: HttpCall, scopes: Sequence[str]) -> Decision:
        """See `decide_nowait`."""
        token = self._token(call)
        try:
            head = read_head(token)
            key = await self._issuers.find(self._rules.issuer, head.key_id)
            if key is None:
                raise TokenRefused("the key of the token is not one of its issuer")
            return _decide(self._verify(token, key), scopes)
        except TokenRefused as error:
            return _refuse(error)

    def _token(self, call: HttpCall) -> str:
        text = (look_up(call)(self._source) or "").strip()
        kind, _, rest = text.partition(" ")
        return rest.strip() if kind.lower() == "bearer" else text

    def _verify(self, token: str, key: object) -> Claims:
        now = self._clock.now()
        claims = read_claims(token, read_head(token), key, self._rules, now)
        self._verified.put(token, claims, lifetime_s=min(_VERIFIED_S, expires(claims) - now))
        return claims


class ScopedJwt:
    """A JWT authorizer with the scopes of a route. See `Authorization`."""

    def __init__(self, authorizer: JwtAuthorizer, scopes: Sequence[str]) -> None:
        self._authorizer = authorizer
        self._scopes = scopes

    def decide_nowait(self, call: HttpCall) -> Decision | None:
        """See `Authorization`."""
        return self._authorizer.decide_nowait(call, self._scopes)

    async def decide(self, call: HttpCall) -> Decision:
        """See `Authorization`."""
        return await self._authorizer.decide(call, self._scopes)


def _decide(claims: Claims, scopes: Sequence[str]) -> Decision:
    granted = None
    if scopes:
        granted = [scope for scope in scopes_of(claims) if scope in scopes]
        if not granted:
            challenge = (
                f'Bearer scope="{" ".join(scopes)}" error="insufficient_scope"'
                ' error_description="the token does not have a scope that the route requires"'
            )
            return Decision(403, challenge=challenge)
    texts = {name: as_text(value) for name, value in claims.items()}
    return Decision(event={"jwt": {"claims": texts, "scopes": granted}}, values={"claims": texts})


def _refuse(error: TokenRefused) -> Decision:
    challenge = f'Bearer scope="" error="invalid_token" error_description="{error}"'
    return Decision(401, challenge=challenge)
