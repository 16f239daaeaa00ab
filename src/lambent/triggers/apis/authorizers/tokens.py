"""JSON Web Tokens: who issued them, for whom, until when.

The algorithm of a token never decides which kind of key verifies it: only RSA signatures are
accepted, and only with keys that the issuer publishes.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jwt

from lambent.triggers.apis.authorizers.keys import Key

ALGORITHMS = ("RS256", "RS384", "RS512")
TOKEN_CHARS_MAX = 8192
Claims = Mapping[str, Any]


class TokenRefused(Exception):
    """A token is not accepted; the message is for its sender."""


class TokenExpired(TokenRefused):
    """A token was valid."""


class TokenHead(NamedTuple):
    """What a token says about its signature."""

    key_id: str
    algorithm: str


class TokenRules(NamedTuple):
    """What a token has to say."""

    issuer: str
    audiences: Sequence[str] | None
    """One of them has to be in `aud`, or be the `client_id` of a token without `aud`. With None,
    the token may be for anyone."""


def without_scheme(text: str) -> str:
    """A token without the word `Bearer` in front of it."""
    kind, _, rest = text.strip().partition(" ")
    return rest.strip() if kind.lower() == "bearer" else text.strip()


def read_head(token: str) -> TokenHead:
    """The head of a token, which is not verified. Raises `TokenRefused`."""
    if len(token) > TOKEN_CHARS_MAX:
        raise TokenRefused("the token is too long")
    try:
        head = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenRefused("the token is malformed") from error
    algorithm, key_id = head.get("alg"), head.get("kid")
    if algorithm not in ALGORITHMS:
        raise TokenRefused("the token is not signed with an RSA algorithm")
    if not isinstance(key_id, str) or not key_id:
        raise TokenRefused("the token does not name its key")
    return TokenHead(key_id, algorithm)


def read_claims(token: str, head: TokenHead, key: Key, rules: TokenRules, now: float) -> Claims:
    """The claims of a token with a valid signature, for whom and when it is valid. `now` is epoch
    seconds. Raises `TokenRefused`."""
    try:
        data = jwt.api_jws.decode(token, key, algorithms=[head.algorithm])
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("the token has an invalid signature") from error
    try:
        claims = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TokenRefused("the token is malformed") from error
    if not isinstance(claims, Mapping):
        raise TokenRefused("the token is malformed")
    if claims.get("iss") != rules.issuer:
        raise TokenRefused("the token does not have a valid issuer")
    _check_times(claims, now)
    if rules.audiences is not None and not _is_for(claims, rules.audiences):
        raise TokenRefused("the token does not have a valid audience")
    return claims


def expires(claims: Claims) -> float:
    """When a token ends, in epoch seconds."""
    return float(claims["exp"])


def scopes_of(claims: Claims) -> Sequence[str]:
    """The scopes of a token: `scope`, separated by blanks, or `scp`."""
    found = claims.get("scope", claims.get("scp"))
    if isinstance(found, str):
        return found.split()
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def as_text(value: Any) -> str:
    """A claim as events have it: numbers in digits, lists as `[a b]`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return f"[{' '.join(map(as_text, value))}]"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{name}:{as_text(value[name])}' for name in sorted(value))}]"
    return str(value)


def _check_times(claims: Claims, now: float) -> None:
    if not _time(claims.get("exp")) > now:
        raise TokenExpired("the token has expired")
    if claims.get("nbf") is not None and not _time(claims["nbf"]) <= now:
        raise TokenRefused("the token is not valid yet")
    if claims.get("iat") is not None and not _time(claims["iat"]) <= now:
        raise TokenRefused("the token is issued in the future")


def _time(value: Any) -> float:
    """NaN, which compares as false with everything, for what is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _is_for(claims: Claims, audiences: Sequence[str]) -> bool:
    found = claims.get("aud")
    if found is None:
        found = claims.get("client_id")
    named = found if isinstance(found, list) else [found]
    return any(isinstance(name, str) and name in audiences for name in named)
