"""Users who have forgotten their password get a code, and choose a new one with it.
https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html
"""

from collections.abc import Sequence

from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.code_sending import CodeSending
from lambent.control.cognito.codes import FORGOT, Codes
from lambent.control.cognito.errors import invalid, not_authorized, user_not_found, wrong_code
from lambent.control.cognito.factors import is_address_of_factor
from lambent.control.cognito.messages import Messages
from lambent.control.cognito.migration import Migration
from lambent.control.cognito.passwords import check_policy, make_verifier
from lambent.control.cognito.pool import Client, Params, Pool, require_client
from lambent.control.cognito.pool_rules import recovery_attributes
from lambent.control.cognito.schema import VERIFIED
from lambent.control.cognito.sign_up import SignUp, pool_name, pretended
from lambent.control.cognito.tokens import sign_out
from lambent.control.cognito.users import (
    CONFIRMED,
    FORCE_CHANGE,
    UNCONFIRMED,
    UserEdit,
    Users,
    is_verified,
)
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction


class Recovery:
    """See the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        users: Users,
        codes: Codes,
        messages: Messages,
        attempts: Attempts,
        sign_up: SignUp,
        migration: Migration,
    ) -> None:
        self._store = store
        self._clock = clock
        self._users = users
        self._codes = codes
        self._messages = messages
        self._sending = CodeSending(users, codes, messages)
        self._attempts = attempts
        self._sign_up = sign_up
        self._migration = migration

    async def forgot(self, params: Params, address: str) -> Params:
        """ForgotPassword."""
        client, user = await self._client_and_user(params)
        pool, name = client.pool, params["Username"]
        self._attempts.note_sending(pool.id, pool.folded(name), FORGOT, address)
        if user is None:
            user = await self._migration.migrate(
                client, name, None, "ForgotPassword", params.get("ClientMetadata")
            )
        if user is None:
            if not client.hides_users:
                raise user_not_found("Username/client id combination not found.")
            await self._messages.pretend(pool)
            await self._users.pretend()
            return {"CodeDeliveryDetails": pretended(pool, name)}
        if client.hides_users and _fault(pool, user) is not None:
            await self._messages.pretend(pool)
            await self._users.pretend()
            return {"CodeDeliveryDetails": pretended(pool, name)}
        return {"CodeDeliveryDetails": await self.send(pool, user, params, client)}

    async def send(
        self, pool: Pool, user: PoolUser, params: Params, client: Client | None
    ) -> Params:
        """Send a user a code for a new password. Raises `ApiError`."""
        fault = _fault(pool, user)
        if fault is not None:
            raise fault
        attribute = _recoverable(pool, user)[0]
        return await self._sending.send(
            pool, user, attribute, "ForgotPassword", FORGOT, client, params
        )

    async def confirm(self, params: Params, address: str) -> Params:
        """ConfirmForgotPassword."""
        client, user = await self._client_and_user(params)
        pool, name, password = client.pool, pool_name(client, params), params["Password"]
        self._attempts.check_code(pool.id, name, FORGOT, address)
        check_policy(pool.password_policy, password)
        if user is None and not client.hides_users:
            raise user_not_found("Username/client id combination not found.")
        # A hash is made for each name: it takes longer than all the rest.
        srp_name = name if user is None else user.document["username"]
        verifier = await make_verifier(pool.short_name, srp_name, password)
        if user is None:
            await self._users.pretend()
            self._attempts.note_wrong_code(pool.id, name, FORGOT, address)
            raise wrong_code()
        now = self._clock.now()

        def change(_: Transaction, edit: UserEdit) -> None:
            used = self._codes.take(edit, FORGOT, params["ConfirmationCode"])
            if edit.document["status"] == UNCONFIRMED:
                raise ApiError("UserNotConfirmedException", "User is not confirmed.")
            if edit.attributes.get(used["attribute"]) == used["value"]:
                edit.attributes[VERIFIED[used["attribute"]]] = "true"
            edit.document["status"] = CONFIRMED
            edit.secrets |= verifier.to_document()
            sign_out(edit.secrets, now)

        try:
            user = await self._users.change(pool, user.key, change)
        except ApiError as error:
            if error.code == "CodeMismatchException":
                self._attempts.note_wrong_code(pool.id, name, FORGOT, address)
            raise
        self._attempts.forget_codes(pool.id, name, FORGOT)
        await self._sign_up.confirmed(pool, user, "ConfirmForgotPassword", params, client)
        return {}

    async def _client_and_user(self, params: Params) -> tuple[Client, PoolUser | None]:
        def run(tx: Transaction) -> tuple[Client, PoolUser | None]:
            client = require_client(tx, params["ClientId"])
            client.check_hash(params.get("SecretHash"), params["Username"])
            return client, self._users.find(tx, client.pool, params["Username"])

        return await self._store.read(run)


def _fault(pool: Pool, user: PoolUser) -> ApiError | None:
    """Why a user gets no code; None if they get one."""
    if not user.document["enabled"]:
        return not_authorized("User is disabled.")
    if user.document["status"] == FORCE_CHANGE:
        return not_authorized("User password cannot be reset in the current state.")
    if not _recoverable(pool, user):
        return invalid(
            "Cannot reset password for the user as there is no registered/verified email or"
            " phone_number"
        )
    return None


def _recoverable(pool: Pool, user: PoolUser) -> Sequence[str]:
    """The addresses that a code can go to, the first choice first."""
    return [
        name
        for name in recovery_attributes(pool.body)
        if is_verified(user, name) and not is_address_of_factor(pool, user, name)
    ]
