"""`COGNITO_USER_POOLS` authorizers: a request has a token of one of a few user pools.

A method with scopes takes access tokens that have one of them, a method without takes id tokens.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html
"""

import time
from collections.abc import Mapping
from typing import Any

from lambent.kit.linear_regex import PatternError, Work, compile_pattern
from lambent.model.document import Body
from lambent.triggers.apis.authorizers.pools import issuer_of_pool
from lambent.triggers.apis.authorizers.tokens import (
    Claims,
    TokenExpired,
    TokenRefused,
    TokenRules,
    as_text,
    scopes_of,
    without_scheme,
)
from lambent.triggers.apis.authorizers.verifier import TokenVerifier
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.parameters import source_value
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError

_SOURCE = "method.request.header.Authorization"
_MOMENTS = frozenset({"exp", "iat"})
"""Claims that events have as dates."""


class PoolAuthorizer:
    """Verifies tokens. See `Authorization`."""

    def __init__(self, context: ApiContext, body: Body) -> None:
        """Raises ValueError if the document names no user pools, or has a pattern that cannot be
        used."""
        rules = [TokenRules(issuer_of_pool(arn), None) for arn in body.get("providerARNs") or ()]
        if not rules:
            raise ValueError("The authorizer names no user pool.")
        self._source = body.get("identitySource") or _SOURCE
        text = body.get("identityValidationExpression")
        self._audiences = compile_pattern(text) if text else None
        """Which clients a token may be for."""
        self._verifier = TokenVerifier(context.issuers, context.clock, rules)

    def decide_nowait(self, call: RestCall) -> bool:
        """See `Authorization`."""
        token = self._token(call)
        try:
            claims = self._verifier.verify_nowait(token)
        except TokenRefused as error:
            raise _refusal(error) from None
        if claims is not None:
            self._apply(call, claims)
        return claims is not None

    async def decide(self, call: RestCall) -> None:
        """See `Authorization`."""
        try:
            claims = await self._verifier.verify(self._token(call))
        except TokenRefused as error:
            raise _refusal(error) from None
        self._apply(call, claims)

    def _token(self, call: RestCall) -> str:
        text = source_value(self._source, call.parameters, call.context, call.variables)
        token = without_scheme(text or "")
        if not token:
            raise GatewayError("UNAUTHORIZED", "There is no token.")
        return token

    def _apply(self, call: RestCall, claims: Claims) -> None:
        """Let the request pass, or raise `GatewayError`."""
        scopes = call.method.get("authorizationScopes") or ()
        wanted = "access" if scopes else "id"
        if claims.get("token_use") != wanted:
            raise GatewayError("UNAUTHORIZED", f"The token is not an {wanted} token.")
        if not self._is_for(claims):
            raise GatewayError("UNAUTHORIZED", "The token is for another client.")
        if scopes and not any(scope in scopes for scope in scopes_of(claims)):
            raise GatewayError("UNAUTHORIZED", "The token has none of the method's scopes.")
        call.authorizer = {"claims": claims_of_event(claims)}

    def _is_for(self, claims: Claims) -> bool:
        if self._audiences is None:
            return True
        audience = claims.get("aud", claims.get("client_id"))
        try:
            return isinstance(audience, str) and self._audiences.matches(audience, Work())
        except PatternError:
            return False


def claims_of_event(claims: Claims) -> Mapping[str, str]:
    """Claims as REST APIs show them: all are texts, lists are joined by commas."""
    return {name: _text(name, value) for name, value in claims.items()}


def _text(name: str, value: Any) -> str:
    if name in _MOMENTS and isinstance(value, int | float):
        try:
            return time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(value))
        except (OverflowError, ValueError, OSError):
            return as_text(value)
    if isinstance(value, list):
        return ",".join(map(as_text, value))
    return as_text(value)


def _refusal(error: TokenRefused) -> GatewayError:
    if isinstance(error, TokenExpired):
        return GatewayError("UNAUTHORIZED", str(error), message="The incoming token has expired")
    return GatewayError("UNAUTHORIZED", str(error))
