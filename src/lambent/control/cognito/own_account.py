"""What users do with their access token: read and change their own account."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.cognito import factors, schema
from lambent.control.cognito.attempts import Attempts
from lambent.control.cognito.code_sending import CodeSending
from lambent.control.cognito.codes import Codes, verification_of
from lambent.control.cognito.errors import invalid, not_authorized
from lambent.control.cognito.messages import Messages
from lambent.control.cognito.passwords import Verifier, check_policy, is_password, make_verifier
from lambent.control.cognito.pool import Params
from lambent.control.cognito.schema import VERIFIED
from lambent.control.cognito.tokens import Bearer, Tokens, sign_out
from lambent.control.cognito.users import Change, UserEdit, Users, readable
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction


class OwnAccount:
    """See the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        users: Users,
        codes: Codes,
        messages: Messages,
        attempts: Attempts,
        tokens: Tokens,
    ) -> None:
        self._store = store
        self._clock = clock
        self._users = users
        self._codes = codes
        self._messages = messages
        self._sending = CodeSending(users, codes, messages)
        self._attempts = attempts
        self._tokens = tokens

    async def get(self, params: Params, _: str) -> Params:
        """GetUser."""
        bearer = await self._bearer(params)
        shown = schema.to_list(readable(bearer.client, bearer.user))
        username = bearer.user.document["username"]
        return {"Username": username, "UserAttributes": shown, **factors.shown(bearer.user)}

    async def update_attributes(self, params: Params, _: str) -> Params:
        """UpdateUserAttributes."""
        bearer = await self._bearer(params)
        pool, given = bearer.client.pool, schema.from_list(params["UserAttributes"])
        schema.check_writable(bearer.client.body, given)
        schema.check_values(pool.body["SchemaAttributes"], given)
        present = bearer.user.document["attributes"]
        schema.check_mutable(pool.body["SchemaAttributes"], given, present)
        settings = pool.body.get("UserAttributeUpdateSettings") or {}
        waiting = settings.get("AttributesRequireVerificationBeforeUpdate") or ()
        changed = {name: value for name, value in given.items() if present.get(name) != value}
        sent_to = {*pool.names("AutoVerifiedAttributes"), *waiting}
        to_verify = [name for name in VERIFIED if changed.get(name) and name in sent_to]
        codes, sent = {}, []
        for name in to_verify:
            self._messages.check(pool, name)
            codes[name] = self._codes.make()

        def change(_: Transaction, edit: UserEdit) -> None:
            for name, value in changed.items():
                if name in waiting:
                    continue
                edit.attributes[name] = value
                if name in VERIFIED:
                    edit.attributes[VERIFIED[name]] = "false"
            for name, code in codes.items():
                self._codes.put(edit, verification_of(name), code, name, changed[name])

        user = await self._users.change(pool, bearer.user.key, change)
        for name, code in codes.items():
            sent.append(
                await self._messages.send(
                    *(pool, user, "UpdateUserAttribute", name, changed[name], code),
                    client=bearer.client,
                    client_metadata=params.get("ClientMetadata"),
                )
            )
        return {"CodeDeliveryDetailsList": sent}

    async def delete_attributes(self, params: Params, _: str) -> Params:
        """DeleteUserAttributes."""
        bearer = await self._bearer(params)
        names = params["UserAttributeNames"]
        schema.check_writable(bearer.client.body, names)
        remove = removing(bearer.client.pool.body["SchemaAttributes"], names)
        await self._users.change(bearer.client.pool, bearer.user.key, remove)
        return {}

    async def send_code(self, params: Params, address: str) -> Params:
        """GetUserAttributeVerificationCode."""
        bearer, name = await self._bearer(params), params["AttributeName"]
        pool, user = bearer.client.pool, bearer.user
        if name not in VERIFIED:
            raise invalid(f"{name} cannot be verified.")
        if not user.document["attributes"].get(name):
            raise invalid(f"The user has no {name}.")
        self._attempts.note_sending(pool.id, user.key, verification_of(name), address)
        purpose = verification_of(name)
        sent = await self._sending.send(
            pool, user, name, "VerifyUserAttribute", purpose, bearer.client, params
        )
        return {"CodeDeliveryDetails": sent}

    async def verify_attribute(self, params: Params, address: str) -> Params:
        """VerifyUserAttribute."""
        bearer, name = await self._bearer(params), params["AttributeName"]
        pool, key, purpose = bearer.client.pool, bearer.user.key, verification_of(name)
        if name not in VERIFIED:
            raise invalid(f"{name} cannot be verified.")
        self._attempts.check_code(pool.id, key, purpose, address)

        def change(_: Transaction, edit: UserEdit) -> None:
            used = self._codes.take(edit, purpose, params["Code"])
            edit.attributes[name] = used["value"]
            edit.attributes[VERIFIED[name]] = "true"

        try:
            await self._users.change(pool, key, change)
        except ApiError as error:
            if error.code == "CodeMismatchException":
                self._attempts.note_wrong_code(pool.id, key, purpose, address)
            raise
        self._attempts.forget_codes(pool.id, key, purpose)
        return {}

    async def change_password(self, params: Params, address: str) -> Params:
        """ChangePassword."""
        bearer = await self._bearer(params)
        pool, user = bearer.client.pool, bearer.user
        username, proposed = user.document["username"], params["ProposedPassword"]
        self._attempts.check_password(pool.id, user.key, address)
        stored = Verifier.from_document(user.secrets)
        previous = params.get("PreviousPassword", "")
        is_right = stored is not None and await is_password(
            pool.short_name, username, previous, stored
        )
        self._attempts.note_password(pool.id, user.key, address, is_right=is_right)
        if not is_right:
            raise not_authorized()
        check_policy(pool.password_policy, proposed)
        verifier = await make_verifier(pool.short_name, username, proposed)

        def change(secrets: dict[str, Any]) -> None:
            secrets |= verifier.to_document()

        await self._users.change_secrets(pool, user.key, change)
        return {}

    async def sign_out(self, params: Params, _: str) -> Params:
        """GlobalSignOut."""
        bearer, now = await self._bearer(params), self._clock.now()
        await self._users.change_secrets(
            bearer.client.pool, bearer.user.key, lambda secrets: sign_out(secrets, now)
        )
        return {}

    async def delete(self, params: Params, _: str) -> Params:
        """DeleteUser."""
        bearer = await self._bearer(params)
        pool, key = bearer.client.pool.id, bearer.user.key
        await self._store.transact(lambda tx: tx.pool_users.delete(pool, key))
        return {}

    async def _bearer(self, params: Mapping[str, str]) -> Bearer:
        return await self._tokens.read_access(params["AccessToken"])


def removing(spec: Sequence[Params], names: Sequence[str]) -> Change:
    """A change that removes attributes. Raises `InvalidParameterException` for those that stay."""
    fixed = {"sub", *schema.required(spec)} & set(names)
    if fixed:
        raise invalid(f"user.{min(fixed)}: Attribute cannot be deleted.")

    def change(_: Transaction, edit: UserEdit) -> None:
        addresses = edit.pool.names("UsernameAttributes")
        for name in names:
            if name in addresses or name in VERIFIED.values():
                raise invalid(f"user.{name}: Attribute cannot be deleted.")
            edit.attributes.pop(name, None)
            if name in VERIFIED:
                edit.attributes.pop(VERIFIED[name], None)

    return change
