"""Tokens of users: made, refreshed, read and revoked.

ID and access tokens are signed with the pool's key (RS256). A refresh token is sealed: it says
whose it is, and nothing is stored for it. A sign-in has an id with its time in it (`origin_jti`, a
UUID of version 7), so that the user's row can revoke all sign-ins before a moment, and single ones.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-with-identity-providers.html
"""

import secrets
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt

from lambent.control.cognito.claims import SCOPE, Claims
from lambent.control.cognito.errors import not_authorized
from lambent.control.cognito.keys import PoolKeys
from lambent.control.cognito.pool import Client, Params, find_pool, require_client_of
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.users import Users
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction

_PURPOSE = "refresh token"
_REVOKED_MAX = 500
_TOKEN_MAX = 16 * 1024


class SignIn(NamedTuple):
    """What the tokens of one sign-in have in common."""

    origin: str
    """`origin_jti`."""
    at: float
    """When the user signed in."""


class Refresh(NamedTuple):
    """What a refresh token says."""

    client: str
    user: str
    """The stored name."""
    sub: str
    sign_in: SignIn
    jti: str
    ends_at: float


class Bearer(NamedTuple):
    """Who an access token is of."""

    client: Client
    user: PoolUser
    sign_in: SignIn


class Tokens:
    """See the module."""

    def __init__(
        self, store: Store, clock: Clock, sealer: Sealer, keys: PoolKeys, users: Users
    ) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer
        self._keys = keys
        self._users = users

    def sign_in(self) -> SignIn:
        """A new sign-in, now."""
        now = self._clock.now()
        bits = int(now * 1000) << 80 | secrets.randbits(80)
        bits = bits & ~(0xF << 76) | 0x7 << 76
        bits = bits & ~(0x3 << 62) | 0x2 << 62
        return SignIn(str(uuid.UUID(int=bits)), now)

    async def make(self, client: Client, claims: Claims, sign_in: SignIn) -> Params:
        """`AuthenticationResult` without a refresh token."""
        key = await self._keys.get(client.pool.id)
        if key is None:
            raise not_authorized("The user pool does not exist.")
        now = int(self._clock.now())
        common = {
            "iss": client.pool.issuer,
            "origin_jti": sign_in.origin,
            "event_id": str(uuid.uuid4()),
            "auth_time": int(sign_in.at),
            "iat": now,
        }
        id_claims = {
            **claims.id,
            **common,
            "aud": client.id,
            "token_use": "id",
            "exp": now + client.validity_s("IdToken"),
            "jti": str(uuid.uuid4()),
        }
        access_claims = {
            **claims.access,
            **common,
            "client_id": client.id,
            "token_use": "access",
            "exp": now + client.validity_s("AccessToken"),
            "jti": str(uuid.uuid4()),
        }
        headers: dict[str, Any] = {"kid": key.id, "typ": None}

        def sign() -> list[str]:
            return [
                jwt.encode(each, key.private, algorithm="RS256", headers=headers)
                for each in (access_claims, id_claims)
            ]

        access, id = await computed(sign)
        return {
            "AccessToken": access,
            "IdToken": id,
            "ExpiresIn": client.validity_s("AccessToken"),
            "TokenType": "Bearer",
        }

    def refresh_token(self, client: Client, user: PoolUser, sign_in: SignIn) -> str:
        """A refresh token for a sign-in."""
        ends_at = sign_in.at + client.validity_s("RefreshToken")
        value = {
            "pool": client.pool.id,
            "client": client.id,
            "user": user.key,
            "sub": user.document["attributes"]["sub"],
            "origin": sign_in.origin,
            "at": sign_in.at,
            "jti": str(uuid.uuid4()),
            "ends_at": ends_at,
        }
        return self._sealer.seal(_PURPOSE, value)

    def read_refresh(self, client: Client, text: str) -> Refresh:
        """What a refresh token of a client says. Raises `NotAuthorizedException`."""
        value = self._sealer.open(_PURPOSE, text)
        if value is None or (value["client"], value["pool"]) != (client.id, client.pool.id):
            raise not_authorized("Invalid Refresh Token")
        refresh = Refresh(
            value["client"],
            value["user"],
            value["sub"],
            SignIn(value["origin"], value["at"]),
            value["jti"],
            value["ends_at"],
        )
        if refresh.ends_at <= self._clock.now():
            raise not_authorized("Refresh Token has expired")
        return refresh

    async def read_access(self, text: str) -> Bearer:
        """Who an access token is of. Raises `NotAuthorizedException`, `UserNotFoundException`."""
        claims = await self._claims_in(text)
        if claims.get("token_use") != "access":
            raise not_authorized("Invalid Access Token")
        if SCOPE not in str(claims.get("scope", "")).split():
            raise not_authorized("Access Token does not have required scopes")
        pool_id = str(claims["iss"]).rpartition("/")[2]

        def run(tx: Transaction) -> Bearer:
            pool = find_pool(tx, pool_id)
            if pool is None:
                raise not_authorized("Invalid Access Token")
            client = require_client_of(tx, pool, claims["client_id"])
            user = tx.pool_users.get(pool.id, pool.folded(claims["username"]))
            if user is None or user.document["attributes"]["sub"] != claims["sub"]:
                raise ApiError("UserNotFoundException", "User does not exist.")
            return Bearer(client, user, SignIn(claims["origin_jti"], claims["auth_time"]))

        bearer = await self._store.read(run)
        if is_revoked(bearer.user, bearer.sign_in, None, self._clock.now()):
            raise not_authorized("Access Token has been revoked")
        if not bearer.user.document["enabled"]:
            raise not_authorized("User is disabled.")
        return bearer

    async def revoke(self, client: Client, text: str) -> None:
        """Revoke a sign-in by its refresh token, with all access tokens that came of it. Raises
        `UnsupportedTokenTypeException`, `NotAuthorizedException`."""
        if not client.body.get("EnableTokenRevocation", True):
            raise ApiError(
                "UnsupportedOperationException", "Token revocation is not enabled for this client."
            )
        if text.count(".") == 2:
            raise ApiError(
                "UnsupportedTokenTypeException", "Unsupported token type: only refresh tokens."
            )
        refresh = self.read_refresh(client, text)
        await self.revoke_one(client, refresh, refresh.sign_in.origin)

    async def revoke_one(
        self, client: Client, refresh: Refresh, id: str, *, grace_s: float = 0.0
    ) -> None:
        """Revoke a sign-in, or one refresh token, by its id, after so many seconds. Does nothing
        if the user is gone."""
        now = self._clock.now()

        def change(stored: dict[str, Any]) -> None:
            revoked = {
                each: times for each, times in stored.get("revoked", {}).items() if times[1] > now
            }
            revoked.setdefault(id, [now + grace_s, refresh.ends_at])
            if len(revoked) > _REVOKED_MAX:
                # Too many to remember: none of the earlier sign-ins counts any more.
                stored["signed_out_at"], revoked = now, {}
            stored["revoked"] = revoked

        try:
            await self._users.change_secrets(client.pool, refresh.user, change)
        except ApiError as error:
            if error.code != "UserNotFoundException":
                raise

    async def _claims_in(self, text: str) -> Mapping[str, Any]:
        """The claims of a token that is ours and valid. Raises `NotAuthorizedException`."""
        if len(text) > _TOKEN_MAX:
            raise not_authorized("Invalid Access Token")
        try:
            unverified = jwt.decode(text, options={"verify_signature": False})
            pool = str(unverified.get("iss", "")).rpartition("/")[2]
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise not_authorized("Invalid Access Token") from None
        key = await self._keys.get(pool) if len(pool) <= 64 else None
        if key is None:
            raise not_authorized("Invalid Access Token")
        options: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
        try:
            claims: Mapping[str, Any] = jwt.decode(
                text, key.public, algorithms=["RS256"], options=options
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise not_authorized("Invalid Access Token") from None
        if claims["exp"] <= self._clock.now():
            raise not_authorized("Access Token has expired")
        return claims


def sign_out(stored: dict[str, Any], now: float) -> None:
    """Have no sign-in before `now` count any more."""
    stored["signed_out_at"] = now
    stored.pop("revoked", None)


def is_revoked(user: PoolUser, sign_in: SignIn, jti: str | None, now: float) -> bool:
    """Whether a sign-in of a user, or one refresh token of it, is revoked."""
    stored = user.secrets
    signed_in_ms = uuid.UUID(sign_in.origin).int >> 80
    if signed_in_ms <= int(stored.get("signed_out_at", 0.0) * 1000):
        return True
    revoked = stored.get("revoked", {})
    ids = [id for id in (sign_in.origin, jti) if id is not None]
    return any(id in revoked and revoked[id][0] <= now for id in ids)
