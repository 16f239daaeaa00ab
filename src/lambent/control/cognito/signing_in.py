"""Users sign in, with the password or the answers to challenges, and stay so with refresh tokens.
https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flows-public-server-side.html
"""

import base64
import re
import secrets
from collections.abc import Mapping

from lambent.control.cognito import srp
from lambent.control.cognito.accounts import check_account
from lambent.control.cognito.attempt import Attempt
from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.custom_challenges import (
    CUSTOM,
    PASSWORD,
    SRP_A,
    CustomChallenges,
    History,
)
from lambent.control.cognito.errors import invalid, not_authorized, not_offered, user_not_found
from lambent.control.cognito.factors import CHALLENGES
from lambent.control.cognito.finishing import (
    NEW_PASSWORD,
    Finishing,
    challenge,
)
from lambent.control.cognito.migration import Migration
from lambent.control.cognito.passwords import is_password
from lambent.control.cognito.pool import (
    Client,
    Params,
    require_client,
    require_client_of,
    require_pool,
)
from lambent.control.cognito.refreshing import Refreshing
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.second_factors import SecondFactors, session_kind
from lambent.control.cognito.sessions import Sessions
from lambent.control.cognito.triggers import Triggers
from lambent.control.cognito.users import Users
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction

_SRP, _PLAIN, _CUSTOM, _REFRESH = "SRP", "PLAIN", "CUSTOM", "REFRESH"
_FLOWS: Mapping[str, tuple[str, set[str]]] = {
    "USER_SRP_AUTH": (_SRP, {"ALLOW_USER_SRP_AUTH"}),
    "USER_PASSWORD_AUTH": (_PLAIN, {"ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"}),
    "CUSTOM_AUTH": (_CUSTOM, {"ALLOW_CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY"}),
    "REFRESH_TOKEN": (_REFRESH, {"ALLOW_REFRESH_TOKEN_AUTH"}),
    "REFRESH_TOKEN_AUTH": (_REFRESH, {"ALLOW_REFRESH_TOKEN_AUTH"}),
    "ADMIN_USER_PASSWORD_AUTH": (_PLAIN, {"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"}),
    "ADMIN_NO_SRP_AUTH": (_PLAIN, {"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"}),
}
"""How a flow works, and the settings of clients that allow it."""
_OLD = {"ADMIN_NO_SRP_AUTH", "USER_PASSWORD_AUTH"}
"""Clients with these settings allow the other flows as well, but for passwords."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{1,1024}")


class SigningIn:
    """See the module."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        users: Users,
        triggers: Triggers,
        attempts: Attempts,
        migration: Migration,
        sessions: Sessions,
        finishing: Finishing,
        factors: SecondFactors,
        refreshing: Refreshing,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._users = users
        self._triggers = triggers
        self._attempts = attempts
        self._migration = migration
        self._sessions = sessions
        self._finishing = finishing
        self._factors = factors
        self._refreshing = refreshing
        self._custom = CustomChallenges(triggers, sessions, finishing)

    async def initiate(self, params: Params, address: str, scope: Scope | None = None) -> Params:
        """InitiateAuth; with the scope of an administrator AdminInitiateAuth."""
        flow, given = params["AuthFlow"], params.get("AuthParameters") or {}
        client = await self._client(params, scope)
        if flow not in _FLOWS:
            raise not_offered(f"the flow {flow}")
        if flow.startswith("ADMIN_") and scope is None:
            raise invalid("Initiate Auth method not supported.")
        kind, allowing = _FLOWS[flow]
        flows = set(client.body["ExplicitAuthFlows"])
        if not flows & allowing and (kind == _PLAIN or flows - _OLD or not flows):
            raise invalid(f"{flow} flow not enabled for this client")
        if kind == _REFRESH:
            if client.rotates:
                raise invalid("Refresh token rotation is enabled: use GetTokensFromRefreshToken.")
            return await self._refreshing.refresh(client, given, params.get("ClientMetadata"))
        if "USERNAME" not in given:
            raise invalid("Missing required parameter USERNAME")
        client.check_hash(given.get("SECRET_HASH"), given["USERNAME"])
        password = given.get("PASSWORD") if kind == _PLAIN else None
        if kind == _PLAIN and password is None:
            raise invalid("Missing required parameter PASSWORD")
        attempt = await self._attempt(client, params, given["USERNAME"], address, password)
        self._attempts.check_password(client.pool.id, attempt.key, address)
        await self._triggers.ask(
            client.pool,
            "PreAuthentication",
            "Authentication",
            attempt.username,
            attempt.event(validationData=attempt.client_metadata),
            client=client,
        )
        if password is not None:
            return await self._with_password(attempt, password)
        if kind == _SRP:
            return await self._begin_srp(attempt, given.get("SRP_A"), None)
        return await self._begin_custom(attempt, given)

    async def respond(self, params: Params, address: str, scope: Scope | None = None) -> Params:
        """RespondToAuthChallenge; with the scope of an administrator
        AdminRespondToAuthChallenge."""
        name, given = params["ChallengeName"], params.get("ChallengeResponses") or {}
        client = await self._client(params, scope)
        if "USERNAME" not in given:
            raise invalid("Missing required parameter USERNAME")
        client.check_hash(given.get("SECRET_HASH"), given["USERNAME"])
        if name == PASSWORD:
            return await self._verify_srp(client, params, given, address)
        if name not in (CUSTOM, NEW_PASSWORD, *CHALLENGES):
            raise not_offered(f"the challenge {name}")
        session = self._sessions.read(client, session_kind(name), params.get("Session"))
        attempt = await self._attempt(client, params, session["name"], address)
        if attempt.identity["sub"] != session["sub"]:
            raise not_authorized("Invalid session for the user.")
        if attempt.key != client.pool.folded(given["USERNAME"]):
            other = await self._users.get(client.pool, given["USERNAME"])
            if other is None or other.key != attempt.key:
                raise not_authorized("Invalid session for the user.")
        if name == CUSTOM:
            return await self._custom.answered(attempt, session, given)
        if name == NEW_PASSWORD:
            return await self._finishing.set_new_password(attempt, session, given)
        asked = await self._factors.answered(attempt, name, session, given)
        return asked or await self._finishing.finish(attempt, "TokenGeneration_Authentication")

    # -- ways to prove who one is --------------------------------------------------------------

    async def _with_password(self, attempt: Attempt, password: str) -> Params:
        pool, stored = attempt.client.pool, attempt.verifier(self._sealer)
        if attempt.user is not None and "verifier" not in attempt.user.secrets:
            check_account(attempt.user)
        name = attempt.srp_name(self._sealer)
        is_right = await is_password(pool.short_name, name, password, stored)
        is_right = is_right and attempt.user is not None
        self._attempts.note_password(pool.id, attempt.key, attempt.address, is_right=is_right)
        if not is_right:
            raise not_authorized()
        return await self._finishing.after_password(attempt)

    async def _begin_srp(
        self, attempt: Attempt, client_public: str | None, history: History | None
    ) -> Params:
        number = _number(client_public)
        if attempt.user is not None and "verifier" not in attempt.user.secrets:
            check_account(attempt.user)
        stored, name = attempt.verifier(self._sealer), attempt.srp_name(self._sealer)
        begun = await computed(srp.challenge, stored.value)
        block = self._sessions.make(
            attempt.client,
            PASSWORD,
            {
                "name": attempt.name,
                "srp_name": name,
                "a": f"{number:x}",
                "b": f"{begun.secret:x}",
                "B": f"{begun.public:x}",
                **({} if history is None else {"history": list(history)}),
            },
        )
        parameters = {
            "SALT": stored.salt.hex(),
            "SECRET_BLOCK": base64.b64encode(block.encode()).decode(),
            "SRP_B": f"{begun.public:x}",
            "USERNAME": name,
            "USER_ID_FOR_SRP": name,
        }
        return challenge(PASSWORD, None if history is None else block, parameters)

    async def _verify_srp(
        self, client: Client, params: Params, given: Params, address: str
    ) -> Params:
        try:
            block = base64.b64decode(given.get("PASSWORD_CLAIM_SECRET_BLOCK", ""), validate=True)
            signed = base64.b64decode(given.get("PASSWORD_CLAIM_SIGNATURE", ""), validate=True)
            text = block.decode("ascii")
        except ValueError:
            raise not_authorized() from None
        session = self._sessions.read(client, PASSWORD, text)
        attempt = await self._attempt(client, params, session["name"], address)
        self._attempts.check_password(client.pool.id, attempt.key, address)
        await self._sessions.use_up(session)
        begun = srp.Challenge(int(session["b"], 16), int(session["B"], 16))
        stored, name = attempt.verifier(self._sealer), session["srp_name"]
        key = await computed(srp.key_of, int(session["a"], 16), begun, stored.value)
        pool, timestamp = client.pool, given.get("TIMESTAMP", "")[:64]
        expected = srp.signature(key, pool.short_name, name, block, timestamp)
        is_right = secrets.compare_digest(expected, signed) and attempt.user is not None
        self._attempts.note_password(pool.id, attempt.key, address, is_right=is_right)
        if not is_right:
            raise not_authorized()
        if "history" not in session:
            return await self._finishing.after_password(attempt)
        step = {"challengeName": PASSWORD, "challengeResult": True, "challengeMetadata": None}
        return await self._custom.decide(attempt, [*session["history"], step])

    async def _begin_custom(self, attempt: Attempt, given: Params) -> Params:
        if given.get("CHALLENGE_NAME") != SRP_A:
            return await self._custom.decide(attempt, [])

        async def ask_for_password(attempt: Attempt, history: History) -> Params:
            return await self._begin_srp(attempt, given.get("SRP_A"), history)

        step = {"challengeName": SRP_A, "challengeResult": True, "challengeMetadata": None}
        return await self._custom.decide(attempt, [step], ask_for_password)

    # -- who -----------------------------------------------------------------------------------

    async def _client(self, params: Params, scope: Scope | None) -> Client:
        def run(tx: Transaction) -> Client:
            if scope is None:
                return require_client(tx, params["ClientId"])
            pool = require_pool(tx, scope, params["UserPoolId"])
            return require_client_of(tx, pool, params["ClientId"])

        return await self._store.read(run)

    async def _attempt(
        self, client: Client, params: Params, name: str, address: str, password: str | None = None
    ) -> Attempt:
        """Who wants to sign in. With a password, users of other directories are added. Raises
        `UserNotFoundException` unless the client hides who exists."""
        metadata = params.get("ClientMetadata")
        user: PoolUser | None = await self._users.get(client.pool, name)
        if user is None and password is not None:
            self._attempts.check_password(client.pool.id, client.pool.folded(name), address)
            user = await self._migration.migrate(client, name, password, "Authentication", metadata)
        if user is None and not client.hides_users:
            self._attempts.note_password(
                client.pool.id, client.pool.folded(name), address, is_right=False
            )
            raise user_not_found()
        return Attempt(client, user, name, address, metadata)


def _number(text: str | None) -> int:
    """The client's public value. Raises `InvalidParameterException`."""
    if text is None:
        raise invalid("Missing required parameter SRP_A")
    number = int(text, 16) if _HEXADECIMAL.fullmatch(text) else 0
    if not srp.is_public_value(number):
        raise invalid("Invalid SRP_A: it must be a number of the group in hexadecimal digits.")
    return number
