"""Verifies tokens of a few issuers, and remembers those that it has verified."""

import json
from collections.abc import Mapping, Sequence

import jwt

from lambent.kit.clock import Clock
from lambent.triggers.apis.authorizers.decisions import Cache
from lambent.triggers.apis.authorizers.issuers import Issuers
from lambent.triggers.apis.authorizers.keys import Key
from lambent.triggers.apis.authorizers.tokens import (
    Claims,
    TokenHead,
    TokenRefused,
    TokenRules,
    expires,
    read_claims,
    read_head,
)

_VERIFIED_MAX = 4096
_VERIFIED_S = 300.0
"""How long a token that was verified is not verified again."""


class TokenVerifier:
    """See the module. There is one for each authorizer."""

    def __init__(self, issuers: Issuers, clock: Clock, rules: Sequence[TokenRules]) -> None:
        """A token has to follow the rules of its issuer."""
        self._issuers = issuers
        self._clock = clock
        self._rules = rules
        self._verified = Cache[Claims](clock, size=_VERIFIED_MAX)
        """By token."""

    def verify_nowait(self, token: str) -> Claims | None:
        """The claims of a token; None if the key is not in memory: then await `verify`. Raises
        `TokenRefused`."""
        claims = self._verified.get(token)
        if claims is not None and expires(claims) > self._clock.now():
            return claims
        head = read_head(token)
        rules = self._rules_of(token)
        key = self._issuers.find_nowait(rules.issuer, head.key_id)
        return None if key is None else self._verify(token, head, key, rules)

    async def verify(self, token: str) -> Claims:
        """As `verify_nowait`, reading the issuer's keys if they are missing."""
        head = read_head(token)
        rules = self._rules_of(token)
        key = await self._issuers.find(rules.issuer, head.key_id)
        if key is None:
            raise TokenRefused("the key of the token is not one of its issuer")
        return self._verify(token, head, key, rules)

    def _rules_of(self, token: str) -> TokenRules:
        """The rules for a token, which is not verified: that its issuer is the one of the rules is
        checked with its signature."""
        if len(self._rules) == 1:
            return self._rules[0]
        issuer = _issuer_of(token)
        for rules in self._rules:
            if rules.issuer == issuer:
                return rules
        raise TokenRefused("the token does not have a valid issuer")

    def _verify(self, token: str, head: TokenHead, key: Key, rules: TokenRules) -> Claims:
        now = self._clock.now()
        claims = read_claims(token, head, key, rules, now)
        self._verified.put(token, claims, lifetime_s=min(_VERIFIED_S, expires(claims) - now))
        return claims


def _issuer_of(token: str) -> object:
    try:
        payload = jwt.api_jws.decode_complete(token, options={"verify_signature": False})["payload"]
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenRefused("the token is malformed") from error
    return claims.get("iss") if isinstance(claims, Mapping) else None
