"""Users sign up and confirm that an address is theirs.
https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html
"""

from collections.abc import Mapping

from lambent.control.cognito import schema
from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.code_sending import CodeSending
from lambent.control.cognito.codes import CONFIRM, Codes
from lambent.control.cognito.errors import invalid, not_authorized, user_not_found, wrong_code
from lambent.control.cognito.messages import Messages, details
from lambent.control.cognito.passwords import check_policy, make_verifier
from lambent.control.cognito.pool import Client, Params, Pool, require_client
from lambent.control.cognito.schema import EMAIL, PHONE, VERIFIED
from lambent.control.cognito.triggers import Triggers, metadata
from lambent.control.cognito.users import (
    CONFIRMED,
    UNCONFIRMED,
    UserEdit,
    Users,
    event_attributes,
)
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction


class SignUp:
    """See the module."""

    def __init__(
        self,
        store: Store,
        users: Users,
        triggers: Triggers,
        codes: Codes,
        messages: Messages,
        attempts: Attempts,
    ) -> None:
        self._store = store
        self._users = users
        self._triggers = triggers
        self._codes = codes
        self._messages = messages
        self._sending = CodeSending(users, codes, messages)
        self._attempts = attempts

    async def sign_up(self, params: Params, address: str) -> Params:
        """SignUp."""
        self._attempts.note_sign_up(address)
        client, present = await self._client_and_user(params)
        pool, name = client.pool, params["Username"]
        if pool.body["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"]:
            raise not_authorized("SignUp is not permitted for this user pool")
        attributes = schema.from_list(params.get("UserAttributes"))
        schema.check_writable(client.body, attributes)
        attributes = named(pool, name, attributes)
        schema.check_values(pool.body["SchemaAttributes"], attributes)
        schema.check_required(pool.body["SchemaAttributes"], attributes)
        password = params.get("Password")
        if not password:
            raise ApiError("InvalidPasswordException", "Password did not conform with policy.")
        check_policy(pool.password_policy, password)
        if present is not None:
            raise exists(pool, name)
        edit = self._users.new(pool, name, attributes, UNCONFIRMED)
        edit.document["client"] = client.id
        answer = await self.ask(
            pool, edit, "SignUp", params.get("ValidationData"), params, client=client
        )
        verifier = await make_verifier(pool.short_name, edit.document["username"], password)
        edit.secrets |= verifier.to_document()
        if answer.get("autoConfirmUser") is True:
            user = await self.add(edit)
            await self.confirmed(pool, user, "ConfirmSignUp", params, client)
            return {"UserConfirmed": True, "UserSub": edit.attributes["sub"]}
        sent = await self._add_with_code(client, edit, params)
        return {"UserConfirmed": False, "UserSub": edit.attributes["sub"], **sent}

    async def resend(self, params: Params, address: str) -> Params:
        """ResendConfirmationCode."""
        client, user = await self._client_and_user(params)
        pool, name = client.pool, params["Username"]
        self._attempts.note_sending(pool.id, pool.folded(name), CONFIRM, address)
        if user is None or user.document["status"] != UNCONFIRMED:
            if client.hides_users:
                await self._messages.pretend(pool)
                await self._users.pretend()
                return {"CodeDeliveryDetails": pretended(pool, name)}
            if user is None:
                raise user_not_found("Username/client id combination not found.")
            raise invalid("User is already confirmed.")
        attribute = self._attribute(pool, user.document["attributes"])
        if attribute is None:
            raise invalid("Cannot resend codes. Auto verification not turned on.")
        sent = await self._sending.send(
            pool, user, attribute, "ResendCode", CONFIRM, client, params
        )
        return {"CodeDeliveryDetails": sent}

    async def confirm(self, params: Params, address: str) -> Params:
        """ConfirmSignUp."""
        client, user = await self._client_and_user(params)
        pool, name = client.pool, pool_name(client, params)
        self._attempts.check_code(pool.id, name, CONFIRM, address)
        if user is None and not client.hides_users:
            raise user_not_found("Username/client id combination not found.")
        status = None if user is None else user.document["status"]
        if status != UNCONFIRMED and not client.hides_users:
            raise not_authorized(f"User cannot be confirmed. Current status is {status}")
        if user is None or status != UNCONFIRMED:
            await self._users.pretend()
            self._attempts.note_wrong_code(pool.id, name, CONFIRM, address)
            raise wrong_code()

        def change(_: Transaction, edit: UserEdit) -> None:
            used = self._codes.take(edit, CONFIRM, params["ConfirmationCode"])
            attribute = used["attribute"]
            if edit.attributes.get(attribute) == used["value"]:
                edit.attributes[VERIFIED[attribute]] = "true"
            edit.document["status"] = CONFIRMED
            edit.force_alias = bool(params.get("ForceAliasCreation"))

        try:
            user = await self._users.change(pool, user.key, change)
        except ApiError as error:
            if error.code == "CodeMismatchException":
                self._attempts.note_wrong_code(pool.id, name, CONFIRM, address)
            raise
        self._attempts.forget_codes(pool.id, name, CONFIRM)
        await self.confirmed(pool, user, "ConfirmSignUp", params, client)
        return {}

    # -- for other ways to get users -----------------------------------------------------------

    async def ask(
        self,
        pool: Pool,
        edit: UserEdit,
        source: str,
        validation: object,
        params: Params,
        client: Client | None = None,
    ) -> Mapping[str, object]:
        """Ask the PreSignUp function, and verify what it says is verified. Raises `ApiError`."""
        listed = validation if isinstance(validation, list | tuple) else None
        answer = await self._triggers.ask(
            pool,
            "PreSignUp",
            source,
            edit.document["username"],
            {
                "userAttributes": {
                    name: value for name, value in edit.attributes.items() if name != "sub"
                },
                "validationData": schema.from_list(listed) if listed else None,
                **metadata(params.get("ClientMetadata")),
            },
            client=client,
        )
        for name, attribute in (("autoVerifyEmail", EMAIL), ("autoVerifyPhone", PHONE)):
            if (answer or {}).get(name) is True and edit.attributes.get(attribute):
                edit.attributes[VERIFIED[attribute]] = "true"
        if (answer or {}).get("autoConfirmUser") is True and edit.document["status"] == UNCONFIRMED:
            edit.document["status"] = CONFIRMED
        return answer or {}

    async def add(self, edit: UserEdit) -> PoolUser:
        """Store a new user. Raises `UsernameExistsException`."""

        def run(tx: Transaction) -> PoolUser:
            tx.locks.scope(edit.pool.root.scope)
            names = [edit.document["username"]]
            names += [
                edit.attributes[name]
                for name in edit.pool.names("UsernameAttributes")
                if edit.attributes.get(name)
            ]
            for name in names:
                if self._users.find(tx, edit.pool, name) is not None:
                    raise exists(edit.pool, name)
            return self._users.save(tx, edit)

        return await self._store.transact(run)

    async def confirmed(
        self, pool: Pool, user: PoolUser, source: str, params: Params, client: Client | None
    ) -> None:
        """Tell the PostConfirmation function. Raises `ApiError`."""
        await self._triggers.ask(
            pool,
            "PostConfirmation",
            source,
            user.document["username"],
            {
                "userAttributes": event_attributes(user),
                **metadata(params.get("ClientMetadata")),
            },
            client=client,
        )

    async def _add_with_code(self, client: Client, edit: UserEdit, params: Params) -> Params:
        """Store a new user, and send a code if an address is to be verified."""
        pool = client.pool
        attribute = self._attribute(pool, edit.attributes)
        if attribute is None:
            await self.add(edit)
            return {}
        self._messages.check(pool, attribute)
        code, value = self._codes.make(), edit.attributes[attribute]
        self._codes.put(edit, CONFIRM, code, attribute, value)
        user = await self.add(edit)
        sent = await self._messages.send(
            *(pool, user, "SignUp", attribute, value, code),
            client=client,
            client_metadata=params.get("ClientMetadata"),
        )
        return {"CodeDeliveryDetails": sent}

    def _attribute(self, pool: Pool, attributes: Mapping[str, str]) -> str | None:
        """The address that a code is sent to: the phone number first, as in AWS."""
        for name in (PHONE, EMAIL):
            if name in pool.names("AutoVerifiedAttributes") and attributes.get(name):
                return name
        return None

    async def _client_and_user(self, params: Params) -> tuple[Client, PoolUser | None]:
        def run(tx: Transaction) -> tuple[Client, PoolUser | None]:
            client = require_client(tx, params["ClientId"])
            client.check_hash(params.get("SecretHash"), params["Username"])
            return client, self._users.find(tx, client.pool, params["Username"])

        return await self._store.read(run)


def pool_name(client: Client, params: Params) -> str:
    """The user name of a request, as attempts are counted by."""
    return client.pool.folded(params["Username"])


def named(pool: Pool, name: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes with the address that is the user's name, if it is. Raises
    `InvalidParameterException` for names that the pool does not take."""
    allowed = pool.names("UsernameAttributes")
    found = dict(attributes)
    if allowed:
        if EMAIL in allowed and schema.is_email(name):
            attribute = EMAIL
        elif PHONE in allowed and schema.is_phone(name):
            attribute = PHONE
        elif len(allowed) == 2:
            raise invalid("Username should be either an email or a phone number.")
        else:
            what = "an email" if EMAIL in allowed else "a phone number"
            raise invalid(f"Username should be {what}.")
        if found.get(attribute, name) != name:
            raise invalid(f"The {attribute} must be the user name.")
        found[attribute] = name
    for alias, is_one, what in (
        (EMAIL, schema.is_email, "email"),
        (PHONE, schema.is_phone, "phone number"),
    ):
        if alias in pool.names("AliasAttributes") and is_one(name):
            raise invalid(
                f"Username cannot be of {what} format, since user pool is configured for"
                f" {what} alias."
            )
    return found


def exists(pool: Pool, name: str) -> ApiError:
    """400 `UsernameExistsException`."""
    text = "User already exists"
    if pool.names("UsernameAttributes"):
        kind = "email" if "@" in name else "phone_number"
        text = f"An account with the given {kind} already exists."
    return ApiError("UsernameExistsException", text)


def pretended(pool: Pool, name: str) -> Params:
    """`CodeDeliveryDetails` for a user who does not exist."""
    return details(EMAIL, name if "@" in name else f"{name[:1]}@{name[-1:]}")
