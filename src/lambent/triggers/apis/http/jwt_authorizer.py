"""JWT authorizers of HTTP APIs."""

from collections.abc import Sequence

from lambent.kit.clock import Clock
from lambent.model.document import Body
from lambent.model.selections import IDENTITY_SOURCES, parse_selection
from lambent.triggers.apis.authorizers.decisions import Decision
from lambent.triggers.apis.authorizers.issuers import Issuers
from lambent.triggers.apis.authorizers.tokens import (
    Claims,
    TokenRefused,
    TokenRules,
    as_text,
    scopes_of,
    without_scheme,
)
from lambent.triggers.apis.authorizers.verifier import TokenVerifier
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.variables import look_up

_MISSING = Decision(401, challenge="Bearer")


class JwtAuthorizer:
    """Verifies tokens of one issuer."""

    def __init__(self, issuers: Issuers, clock: Clock, body: Body) -> None:
        """Raises ValueError for an identity source that cannot be read."""
        configuration = body.get("JwtConfiguration") or {}
        sources = body.get("IdentitySource") or ["$request.header.Authorization"]
        self._source = parse_selection(sources[0], IDENTITY_SOURCES)
        rules = TokenRules(configuration["Issuer"], configuration.get("Audience") or [])
        self._verifier = TokenVerifier(issuers, clock, [rules])

    def decide_nowait(self, call: HttpCall, scopes: Sequence[str]) -> Decision | None:
        """As `Authorization`; one of `scopes` has to be in the token, if there are any."""
        token = self._token(call)
        if not token:
            return _MISSING
        try:
            claims = self._verifier.verify_nowait(token)
        except TokenRefused as error:
            return _refuse(error)
        return None if claims is None else _decide(claims, scopes)

    async def decide(self, call: HttpCall, scopes: Sequence[str]) -> Decision:
        """See `decide_nowait`."""
        try:
            return _decide(await self._verifier.verify(self._token(call)), scopes)
        except TokenRefused as error:
            return _refuse(error)

    def _token(self, call: HttpCall) -> str:
        return without_scheme(look_up(call)(self._source) or "")


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
