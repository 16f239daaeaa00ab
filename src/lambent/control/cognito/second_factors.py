"""The second factor of a user who has proved the first: which is asked for, and whether the answer
is right. Codes are sent by text message or mail; passwords of authenticator apps are in
`software_tokens.py`.
https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-mfa-sms-email-message.html
"""

import json
from collections.abc import Mapping, Sequence

from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.code_sending import CodeSending
from lambent.control.cognito.codes import SECOND_FACTOR, Codes
from lambent.control.cognito.errors import invalid, not_authorized
from lambent.control.cognito.factors import (
    ADDRESSES,
    SELECT,
    SET_UP,
    SOFTWARE_TOKEN,
    choose,
    mode_of,
    offered,
    preferred,
    usable,
)
from lambent.control.cognito.pool import Params, Pool, require_pool
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.software_tokens import WAS_SET_UP, SoftwareTokens
from lambent.control.cognito.tokens import Tokens
from lambent.control.cognito.users import UserEdit, Users
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction

_SENT_MAX = 20
"""Codes for one user in an hour: each needs the password first."""
_SOURCE = "Authentication"


class SecondFactors:
    """See the module."""

    def __init__(
        self,
        store: Store,
        users: Users,
        tokens: Tokens,
        codes: Codes,
        sending: CodeSending,
        attempts: Attempts,
        sessions: Sessions,
        software_tokens: SoftwareTokens,
    ) -> None:
        self._store = store
        self._users = users
        self._tokens = tokens
        self._codes = codes
        self._sending = sending
        self._attempts = attempts
        self._sessions = sessions
        self._software_tokens = software_tokens

    async def ask(self, attempt: Attempt, user: PoolUser) -> Params | None:
        """The challenge for a user; None if no second factor is wanted. Raises `ApiError`."""
        pool = attempt.client.pool
        names = usable(pool, user)
        if not names:
            return self._ask_to_set_up(attempt, user) if mode_of(pool.body) == "ON" else None
        first = preferred(user.document)
        if first is not None and first in names:
            return await self._ask_for(first, attempt, user)
        if len(names) > 1:
            return self._ask_to_select(attempt, user, names)
        return await self._ask_for(names[0], attempt, user)

    async def answered(
        self, attempt: Attempt, name: str, session: Params, given: Params
    ) -> Params | None:
        """The answer to a challenge. Returns the next challenge, and None for the right answer to
        the last. Raises `ApiError`."""
        if attempt.user is None:
            raise not_authorized()
        if name == SELECT:
            choice: str = given.get("ANSWER") or ""
            if choice not in session["choices"] or choice not in usable(
                attempt.client.pool, attempt.user
            ):
                raise invalid(f"ANSWER must be one of {', '.join(session['choices'])}.")
            await self._sessions.use_up(session)
            return await self._ask_for(choice, attempt, attempt.user)
        if name == SOFTWARE_TOKEN:
            await self._software_tokens.answered(attempt, session, given)
        elif name == SET_UP:
            await self._sessions.use_up(session)
        else:
            await self._code_answered(attempt, attempt.user, session, given.get(f"{name}_CODE"))
        return None

    async def prefer(self, params: Params, _: str) -> Params:
        """SetUserMFAPreference."""
        bearer = await self._tokens.read_access(params["AccessToken"])
        return await self._prefer(bearer.client.pool, bearer.user, params)

    async def prefer_for(self, scope: Scope, params: Params) -> Params:
        """AdminSetUserMFAPreference."""

        def run(tx: Transaction) -> tuple[Pool, PoolUser]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return pool, self._users.require(tx, pool, params["Username"])

        return await self._prefer(*await self._store.read(run), params)

    async def _prefer(self, pool: Pool, user: PoolUser, params: Params) -> Params:
        await self._users.change(pool, user.key, lambda _, edit: choose(edit, params))
        return {}

    # -- challenges ----------------------------------------------------------------------------

    def _ask_to_set_up(self, attempt: Attempt, user: PoolUser) -> Params:
        can = json.dumps(list(offered(attempt.client.pool.body)))
        return self._challenge(SET_UP, attempt, user, {"MFAS_CAN_SETUP": can})

    def _ask_to_select(self, attempt: Attempt, user: PoolUser, names: Sequence[str]) -> Params:
        can = {"MFAS_CAN_CHOOSE": json.dumps(list(names))}
        return self._challenge(SELECT, attempt, user, can, choices=list(names))

    async def _ask_for(self, name: str, attempt: Attempt, user: PoolUser) -> Params:
        if name == SOFTWARE_TOKEN:
            return self._challenge(name, attempt, user, {})
        pool = attempt.client.pool
        self._attempts.note_sending(
            *(pool.id, user.key, SECOND_FACTOR, attempt.address), most=_SENT_MAX
        )
        sent = await self._sending.send(
            *(pool, user, ADDRESSES[name], _SOURCE, SECOND_FACTOR, attempt.client),
            {"ClientMetadata": attempt.client_metadata},
        )
        where = {
            "CODE_DELIVERY_DELIVERY_MEDIUM": sent["DeliveryMedium"],
            "CODE_DELIVERY_DESTINATION": sent["Destination"],
        }
        return self._challenge(name, attempt, user, where)

    def _challenge(
        self,
        name: str,
        attempt: Attempt,
        user: PoolUser,
        parameters: Mapping[str, str],
        **kept: object,
    ) -> Params:
        identity = attempt._replace(user=user).identity
        return {
            "ChallengeName": name,
            "ChallengeParameters": {"USER_ID_FOR_SRP": user.document["username"], **parameters},
            "Session": self._sessions.make(attempt.client, name, {**identity, **kept}),
        }

    async def _code_answered(
        self, attempt: Attempt, user: PoolUser, session: Params, code: str | None
    ) -> None:
        pool = attempt.client.pool
        self._attempts.check_code(pool.id, user.key, SECOND_FACTOR, attempt.address)

        def change(_: Transaction, edit: UserEdit) -> None:
            self._codes.take(edit, SECOND_FACTOR, code or "")

        try:
            await self._users.change(pool, user.key, change)
        except ApiError as error:
            if error.code == "CodeMismatchException":
                self._attempts.note_wrong_code(pool.id, user.key, SECOND_FACTOR, attempt.address)
            raise
        self._attempts.forget_codes(pool.id, user.key, SECOND_FACTOR)
        await self._sessions.use_up(session)


def session_kind(name: str) -> str:
    """The kind of the session that answers a challenge."""
    return WAS_SET_UP if name == SET_UP else name
