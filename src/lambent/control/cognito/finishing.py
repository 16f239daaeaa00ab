"""What follows when a user has proved who they are: checks of the account, a second factor or a new
password if one is needed, and tokens."""

import json
from collections.abc import Mapping

from lambent.control.cognito import schema
from lambent.control.cognito.accounts import check_account
from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.claims import claims_of
from lambent.control.cognito.errors import not_authorized
from lambent.control.cognito.groups import PoolGroups
from lambent.control.cognito.passwords import check_policy, make_verifier
from lambent.control.cognito.pool import Params
from lambent.control.cognito.second_factors import SecondFactors
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.tokens import SignIn, Tokens
from lambent.control.cognito.triggers import Triggers
from lambent.control.cognito.users import (
    CONFIRMED,
    FORCE_CHANGE,
    UserEdit,
    Users,
)
from lambent.kit.clock import Clock
from lambent.store.pool_users import PoolUser
from lambent.store.store import Transaction

NEW_PASSWORD = "NEW_PASSWORD_REQUIRED"
_PREFIX = "userAttributes."


class Finishing:
    """See the module."""

    def __init__(
        self,
        clock: Clock,
        users: Users,
        triggers: Triggers,
        tokens: Tokens,
        groups: PoolGroups,
        sessions: Sessions,
        factors: SecondFactors,
    ) -> None:
        self._clock = clock
        self._users = users
        self._triggers = triggers
        self._tokens = tokens
        self._groups = groups
        self._sessions = sessions
        self._factors = factors

    async def after_password(self, attempt: Attempt) -> Params:
        """The password was right: tokens, or the challenge that comes first. Raises `ApiError`."""
        user = self._require(attempt)
        check_account(user)
        if user.document["status"] == FORCE_CHANGE:
            if user.secrets.get("password_ends_at", self._clock.now() + 1) <= self._clock.now():
                raise not_authorized(
                    "Temporary password has expired and must be reset by an administrator."
                )
            return self._ask_for_password(attempt, user)
        asked = await self._factors.ask(attempt, user)
        return asked or await self.finish(attempt, "TokenGeneration_Authentication")

    async def finish(self, attempt: Attempt, source: str) -> Params:
        """The user is signed in. Raises `ApiError`."""
        user = self._require(attempt)
        check_account(user)
        await self._triggers.ask(
            attempt.client.pool,
            "PostAuthentication",
            "Authentication",
            attempt.username,
            {
                name: value
                for name, value in attempt.event(newDeviceUsed=False).items()
                if name != "userNotFound"
            },
            client=attempt.client,
        )
        sign_in = self._tokens.sign_in()
        result = await self.tokens(attempt, user, sign_in, source)
        refresh = self._tokens.refresh_token(attempt.client, user, sign_in)
        return {
            "ChallengeParameters": {},
            "AuthenticationResult": {**result, "RefreshToken": refresh},
        }

    async def tokens(
        self, attempt: Attempt, user: PoolUser, sign_in: SignIn, source: str
    ) -> Params:
        """`AuthenticationResult` without a refresh token. Raises `ApiError`."""
        groups = await self._groups.of_tokens(attempt.client.pool, user)
        claims = await claims_of(
            self._triggers, attempt.client, user, groups, source, attempt.client_metadata
        )
        return await self._tokens.make(attempt.client, claims, sign_in)

    async def set_new_password(self, attempt: Attempt, session: Params, given: Params) -> Params:
        """The answer to NEW_PASSWORD_REQUIRED. Raises `ApiError`."""
        user, pool = self._require(attempt), attempt.client.pool
        password = given.get("NEW_PASSWORD") or ""
        check_policy(pool.password_policy, password)
        added = {
            name.removeprefix(_PREFIX): value
            for name, value in given.items()
            if name.startswith(_PREFIX)
        }
        schema.check_writable(attempt.client.body, added)
        schema.check_values(pool.body["SchemaAttributes"], added)
        present = user.document["attributes"]
        schema.check_mutable(pool.body["SchemaAttributes"], added, present)
        schema.check_required(pool.body["SchemaAttributes"], {**present, **added})
        verifier = await make_verifier(pool.short_name, attempt.username, password)
        await self._sessions.use_up(session)

        def change(_: Transaction, edit: UserEdit) -> None:
            if edit.document["status"] != FORCE_CHANGE:
                raise not_authorized("Invalid session for the user.")
            for name, value in added.items():
                if edit.attributes.get(name) != value and name in schema.VERIFIED:
                    edit.attributes[schema.VERIFIED[name]] = "false"
                edit.attributes[name] = value
            edit.document["status"] = CONFIRMED
            edit.secrets |= verifier.to_document()
            edit.secrets.pop("password_ends_at", None)

        user = await self._users.change(pool, user.key, change)
        changed = attempt._replace(user=user)
        asked = await self._factors.ask(changed, user)
        return asked or await self.finish(changed, "TokenGeneration_NewPasswordChallenge")

    def _ask_for_password(self, attempt: Attempt, user: PoolUser) -> Params:
        attributes: Mapping[str, str] = user.document["attributes"]
        wanted = schema.required(attempt.client.pool.body["SchemaAttributes"])
        missing = [_PREFIX + name for name in wanted if not attributes.get(name)]
        shown = {name: value for name, value in attributes.items() if name != "sub"}
        session = self._sessions.make(attempt.client, NEW_PASSWORD, attempt.identity)
        parameters = {
            "USER_ID_FOR_SRP": user.document["username"],
            "requiredAttributes": json.dumps(missing),
            "userAttributes": json.dumps(shown),
        }
        return challenge(NEW_PASSWORD, session, parameters)

    def _require(self, attempt: Attempt) -> PoolUser:
        if attempt.user is None:
            raise not_authorized()
        return attempt.user


def challenge(name: str, session: str | None, parameters: Mapping[str, str]) -> Params:
    """A response with a challenge."""
    members = {"ChallengeName": name, "ChallengeParameters": dict(parameters)}
    return members if session is None else {**members, "Session": session}
