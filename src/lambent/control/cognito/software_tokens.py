"""Authenticator apps as second factor: time-based passwords of six digits (RFC 6238).

A user adds an app with an access token, and then chooses to be asked for its passwords; or with the
session of MFA_SETUP, where a pool asks everyone for a second factor. The shared
secret is stored encrypted. A password counts for its half minute and the ones before and after, and
only once.
"""

import base64
import hmac
import secrets as random
from typing import Any, NamedTuple

from lambent.control.cognito.accounts import check_account
from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.errors import not_authorized
from lambent.control.cognito.factors import ENABLED, SET_UP, SOFTWARE_TOKEN, mode_of, usable
from lambent.control.cognito.pool import Client, Params, Pool, require_client
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.tokens import Tokens
from lambent.control.cognito.users import UserEdit, Users
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction

WAS_SET_UP = "MFA_SETUP done"
"""The kind of the session after an app was added in place of MFA_SETUP's."""
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
        holder = await self._holder(params)
        if not holder.pool.body.get("software_tokens"):
            raise ApiError(
                "SoftwareTokenMFANotFoundException",
                "Software Token MFA has not been enabled by the userPool",
            )
        secret = random.token_bytes(32)
        sealed = self._sealer.encrypt(_PURPOSE, secret)

        def change(stored: dict[str, Any]) -> None:
            stored["new_token"] = sealed

        await self._users.change_secrets(holder.pool, holder.user.key, change)
        made = {"SecretCode": base64.b32encode(secret).decode().rstrip("=")}
        return {**made, **self._next_session(holder, SET_UP)}

    async def verify(self, params: Params, address: str) -> Params:
        """VerifySoftwareToken: the app has the secret."""
        holder = await self._holder(params)
        pool, key = holder.pool, holder.user.key
        self._attempts.check_code(pool.id, key, _PURPOSE, address)

        def change(_: Transaction, edit: UserEdit) -> None:
            if holder.session is not None:
                _check_first(edit)
                edit.document[ENABLED] = [SOFTWARE_TOKEN]
            sealed = edit.secrets.get("new_token")
            step = None if sealed is None else self._step_of(sealed, params["UserCode"])
            if step is None:
                raise ApiError("EnableSoftwareTokenMFAException", "Code mismatch")
            edit.secrets["token"] = edit.secrets.pop("new_token")
            edit.secrets["token_step"] = step
            edit.document["software_token"] = True

        try:
            await self._users.change(pool, key, change)
        except ApiError:
            self._attempts.note_wrong_code(pool.id, key, _PURPOSE, address)
            raise
        return {"Status": "SUCCESS", **self._next_session(holder, WAS_SET_UP)}

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

    async def _holder(self, params: Params) -> "_Holder":
        """Whose app it is, by an access token or by the session of MFA_SETUP."""
        if "AccessToken" in params:
            bearer = await self._tokens.read_access(params["AccessToken"])
            return _Holder(bearer.client, bearer.user, None)
        session = self._sessions.open(SET_UP, params.get("Session"))

        def run(tx: Transaction) -> _Holder:
            client = require_client(tx, session["client"])
            user = tx.pool_users.get(client.pool.id, session["name"])
            is_same = user is not None and user.document["attributes"]["sub"] == session["sub"]
            if user is None or not is_same or client.pool.id != session["pool"]:
                raise not_authorized("Invalid session for the user.")
            check_account(user)
            _check_first(UserEdit(client.pool, user))
            return _Holder(client, user, session)

        return await self._store.read(run)

    def _next_session(self, holder: "_Holder", kind: str) -> Params:
        if holder.session is None:
            return {}
        identity = {name: holder.session[name] for name in ("name", "sub")}
        return {"Session": self._sessions.make(holder.client, kind, identity)}

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


class _Holder(NamedTuple):
    """Whose app is added, and the session if that is a part of signing in."""

    client: Client
    user: PoolUser
    session: Params | None

    @property
    def pool(self) -> Pool:
        return self.client.pool


def _check_first(edit: UserEdit) -> None:
    """Raise `NotAuthorizedException` for a user who has a second factor: the password alone does
    not replace it."""
    if mode_of(edit.pool.body) != "ON" or usable(edit.pool, edit.freeze()):
        raise not_authorized("Invalid session for the user.")


def password_of(secret: bytes, step: int) -> bytes:
    """The password of a half minute."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 0xF
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}".encode()
