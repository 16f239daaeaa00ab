"""Authenticator apps as second factor: time-based passwords of six digits (RFC 6238).

A user adds an app with an access token, and then chooses to be asked for its passwords. The shared
secret is stored encrypted. A password counts for its half minute and the ones before and after, and
only once.
"""

import base64
import hmac
import secrets as random
from collections.abc import Mapping
from typing import Any

from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.errors import invalid, missing, not_authorized, not_offered
from lambent.control.cognito.pool import Params, Pool, require_pool
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.tokens import Tokens
from lambent.control.cognito.users import UserEdit, Users
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction

_STEP_S = 30
_PURPOSE = "software token"


class SoftwareTokens:
    """See the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sealer: Sealer,
        users: Users,
        tokens: Tokens,
        attempts: Attempts,
        sessions: Sessions,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer
        self._users = users
        self._tokens = tokens
        self._attempts = attempts
        self._sessions = sessions

    async def associate(self, params: Params, _: str) -> Params:
        """AssociateSoftwareToken: a new secret for the user's app."""
        pool, user = await self._bearer(params)
        if not pool.body.get("software_tokens"):
            raise ApiError(
                "SoftwareTokenMFANotFoundException",
                "Software Token MFA has not been enabled by the userPool",
            )
        secret = random.token_bytes(32)
        sealed = self._sealer.encrypt(_PURPOSE, secret)

        def change(stored: dict[str, Any]) -> None:
            stored["new_token"] = sealed

        await self._users.change_secrets(pool, user.key, change)
        return {"SecretCode": base64.b32encode(secret).decode().rstrip("=")}

    async def verify(self, params: Params, address: str) -> Params:
        """VerifySoftwareToken: the app has the secret."""
        pool, user = await self._bearer(params)
        self._attempts.check_code(pool.id, user.key, _PURPOSE, address)

        def change(_: Transaction, edit: UserEdit) -> None:
            sealed = edit.secrets.get("new_token")
            step = None if sealed is None else self._step_of(sealed, params["UserCode"])
            if step is None:
                raise ApiError("EnableSoftwareTokenMFAException", "Code mismatch")
            edit.secrets["token"] = edit.secrets.pop("new_token")
            edit.secrets["token_step"] = step
            edit.document["software_token"] = True

        try:
            await self._users.change(pool, user.key, change)
        except ApiError:
            self._attempts.note_wrong_code(pool.id, user.key, _PURPOSE, address)
            raise
        return {"Status": "SUCCESS"}

    async def prefer(self, params: Params, _: str) -> Params:
        """SetUserMFAPreference."""
        pool, user = await self._bearer(params)
        await self._prefer(pool, user, params)
        return {}

    async def prefer_for(self, scope: Scope, params: Params) -> Params:
        """AdminSetUserMFAPreference."""

        def run(tx: Transaction) -> tuple[Pool, PoolUser]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return pool, self._users.require(tx, pool, params["Username"])

        await self._prefer(*await self._store.read(run), params)
        return {}

    async def answered(self, attempt: Attempt, session: Params, given: Params) -> None:
        """The answer to SOFTWARE_TOKEN_MFA. Raises `CodeMismatchException`."""
        pool, user = attempt.client.pool, attempt.user
        if user is None or "token" not in user.secrets:
            raise not_authorized()
        self._attempts.check_code(pool.id, user.key, _PURPOSE, attempt.address)
        step = self._step_of(user.secrets["token"], given.get("SOFTWARE_TOKEN_MFA_CODE") or "")
        if step is None:
            self._attempts.note_wrong_code(pool.id, user.key, _PURPOSE, attempt.address)
            raise ApiError("CodeMismatchException", "Invalid code received for user")
        await self._sessions.use_up(session)

        def change(stored: dict[str, Any]) -> None:
            if stored.get("token_step", 0) >= step:
                raise ApiError(
                    "ExpiredCodeException", "Your software token has already been used once."
                )
            stored["token_step"] = step

        await self._users.change_secrets(pool, user.key, change)

    async def _prefer(self, pool: Pool, user: PoolUser, params: Params) -> None:
        for name in ("SMSMfaSettings", "EmailMfaSettings", "WebAuthnMfaSettings"):
            if (params.get(name) or {}).get("Enabled"):
                raise not_offered(f"{name}: the second factor is an authenticator app")
        settings: Mapping[str, bool] = params.get("SoftwareTokenMfaSettings") or {}
        if settings.get("Enabled") and not user.document.get("software_token"):
            raise invalid("User has not verified software token mfa")
        is_on = bool(settings.get("Enabled"))
        if settings.get("PreferredMfa") and not is_on:
            raise invalid("A second factor that is not enabled cannot be preferred.")

        def change(_: Transaction, edit: UserEdit) -> None:
            edit.document["preferred_mfa"] = is_on

        await self._users.change(pool, user.key, change)

    async def _bearer(self, params: Params) -> tuple[Pool, PoolUser]:
        if "AccessToken" not in params:
            raise missing("Lambent does not offer MFA_SETUP: an access token is needed.")
        bearer = await self._tokens.read_access(params["AccessToken"])
        return bearer.client.pool, bearer.user

    def _step_of(self, sealed: str, code: str) -> int | None:
        """The half minute, counted from the epoch, that a password is of; None for none that is
        near."""
        secret = self._sealer.decrypt(_PURPOSE, sealed)
        if secret is None:
            return None
        now, found = int(self._clock.now()) // _STEP_S, None
        for step in (now - 1, now, now + 1):
            if random.compare_digest(password_of(secret, step), code.encode("utf-8", "replace")):
                found = step
        return found


def password_of(secret: bytes, step: int) -> bytes:
    """The password of a half minute."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 0xF
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}".encode()
