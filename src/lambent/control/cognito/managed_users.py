"""Users as administrators make and change them.
https://docs.aws.amazon.com/cognito/latest/developerguide/how-to-manage-user-accounts.html
"""

from collections.abc import Sequence

from lambent.control.cognito import schema
from lambent.control.cognito.codes import CONFIRM, Codes, verification_of
from lambent.control.cognito.errors import invalid, not_authorized
from lambent.control.cognito.messages import INVITATION, Messages
from lambent.control.cognito.own_account import removing
from lambent.control.cognito.passwords import check_policy, make_verifier, random_password
from lambent.control.cognito.pool import Params, Pool, require_pool
from lambent.control.cognito.recovery import Recovery
from lambent.control.cognito.schema import EMAIL, PHONE, VERIFIED
from lambent.control.cognito.sign_up import SignUp, named
from lambent.control.cognito.tokens import sign_out
from lambent.control.cognito.users import (
    CONFIRMED,
    FORCE_CHANGE,
    RESET_REQUIRED,
    UNCONFIRMED,
    Change,
    UserEdit,
    Users,
    view,
)
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser
from lambent.store.store import Store, Transaction

_DAY_S = 86_400.0
_MEDIUMS = {"EMAIL": EMAIL, "SMS": PHONE}


class ManagedUsers:
    """See the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        users: Users,
        codes: Codes,
        messages: Messages,
        sign_up: SignUp,
        recovery: Recovery,
    ) -> None:
        self._store = store
        self._clock = clock
        self._users = users
        self._codes = codes
        self._messages = messages
        self._sign_up = sign_up
        self._recovery = recovery

    async def create(self, scope: Scope, params: Params) -> Params:
        """AdminCreateUser."""
        pool = await self._pool(scope, params)
        name, action = params["Username"], params.get("MessageAction")
        password = params.get("TemporaryPassword") or random_password(pool.password_policy)
        check_policy(pool.password_policy, password)
        if action == "RESEND":
            return {"User": view(await self._invite_again(pool, params, password))}
        attributes = named(pool, name, schema.from_list(params.get("UserAttributes")))
        attributes.pop("sub", None)
        schema.check_values(pool.body["SchemaAttributes"], attributes)
        edit = self._users.new(pool, name, attributes, FORCE_CHANGE)
        edit.force_alias = bool(params.get("ForceAliasCreation"))
        mediums = self._mediums(pool, params, edit.attributes, action)
        await self._sign_up.ask(pool, edit, "AdminCreateUser", params.get("ValidationData"), params)
        await self._set_temporary(edit, password)
        user = await self._sign_up.add(edit)
        await self._invite(pool, user, params, password, mediums)
        return {"User": view(user)}

    async def confirm(self, scope: Scope, params: Params) -> Params:
        """AdminConfirmSignUp."""

        def change(_: Transaction, edit: UserEdit) -> None:
            status = edit.document["status"]
            if status != UNCONFIRMED:
                raise not_authorized(f"User cannot be confirmed. Current status is {status}")
            edit.document["status"] = CONFIRMED
            codes = {**edit.secrets.get("codes", {})}
            codes.pop(CONFIRM, None)
            edit.secrets["codes"] = codes

        pool, user = await self._change(scope, params, change)
        await self._sign_up.confirmed(pool, user, "ConfirmSignUp", params, None)
        return {}

    async def set_password(self, scope: Scope, params: Params) -> Params:
        """AdminSetUserPassword."""
        pool, user = await self._find(scope, params)
        password, is_permanent = params["Password"], bool(params.get("Permanent"))
        check_policy(pool.password_policy, password)
        verifier = await make_verifier(pool.short_name, user.document["username"], password)
        ends_at = self._temporary_until(pool)

        def change(_: Transaction, edit: UserEdit) -> None:
            edit.secrets |= verifier.to_document()
            edit.secrets.pop("password_ends_at", None)
            edit.document["status"] = CONFIRMED if is_permanent else FORCE_CHANGE
            if not is_permanent:
                edit.secrets["password_ends_at"] = ends_at

        await self._users.change(pool, user.key, change)
        return {}

    async def reset_password(self, scope: Scope, params: Params) -> Params:
        """AdminResetUserPassword."""
        pool, user = await self._find(scope, params)
        await self._recovery.send(pool, user, params, None)

        def change(_: Transaction, edit: UserEdit) -> None:
            edit.document["status"] = RESET_REQUIRED

        await self._users.change(pool, user.key, change)
        return {}

    async def update_attributes(self, scope: Scope, params: Params) -> Params:
        """AdminUpdateUserAttributes."""
        pool, user = await self._find(scope, params)
        given = schema.from_list(params["UserAttributes"])
        schema.check_values(pool.body["SchemaAttributes"], given)
        present = user.document["attributes"]
        schema.check_mutable(pool.body["SchemaAttributes"], given, present)
        codes = {}
        for name in VERIFIED:
            is_new = given.get(name) and given[name] != present.get(name)
            is_sent = name in pool.names("AutoVerifiedAttributes") and VERIFIED[name] not in given
            if is_new and is_sent:
                self._messages.check(pool, name)
                codes[name] = self._codes.make()

        def change(_: Transaction, edit: UserEdit) -> None:
            for name in VERIFIED:
                if name in given and given[name] != edit.attributes.get(name):
                    edit.attributes[VERIFIED[name]] = "false"
            edit.attributes |= given
            for name, code in codes.items():
                self._codes.put(edit, verification_of(name), code, name, given[name])

        user = await self._users.change(pool, user.key, change)
        for name, code in codes.items():
            await self._messages.send(
                *(pool, user, "UpdateUserAttribute", name, given[name], code),
                client_metadata=params.get("ClientMetadata"),
            )
        return {}

    async def delete_attributes(self, scope: Scope, params: Params) -> Params:
        """AdminDeleteUserAttributes."""
        pool = await self._pool(scope, params)
        remove = removing(pool.body["SchemaAttributes"], params["UserAttributeNames"])
        await self._change(scope, params, remove)
        return {}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """AdminDeleteUser."""

        def run(tx: Transaction) -> None:
            pool = require_pool(tx, scope, params["UserPoolId"])
            user = self._users.require(tx, pool, params["Username"])
            tx.pool_users.delete(pool.id, user.key)

        await self._store.transact(run)
        return {}

    async def disable(self, scope: Scope, params: Params) -> Params:
        """AdminDisableUser: the user is signed out everywhere, too."""
        now = self._clock.now()

        def change(_: Transaction, edit: UserEdit) -> None:
            edit.document["enabled"] = False
            sign_out(edit.secrets, now)

        await self._change(scope, params, change)
        return {}

    async def enable(self, scope: Scope, params: Params) -> Params:
        """AdminEnableUser."""

        def change(_: Transaction, edit: UserEdit) -> None:
            edit.document["enabled"] = True

        await self._change(scope, params, change)
        return {}

    async def sign_out(self, scope: Scope, params: Params) -> Params:
        """AdminUserGlobalSignOut."""
        now = self._clock.now()
        await self._change(scope, params, lambda _, edit: sign_out(edit.secrets, now))
        return {}

    async def _invite_again(self, pool: Pool, params: Params, password: str) -> PoolUser:
        user = await self._store.read(lambda tx: self._users.require(tx, pool, params["Username"]))
        if user.document["status"] != FORCE_CHANGE:
            raise ApiError("UnsupportedUserStateException", "Resend not possible.")
        mediums = self._mediums(pool, params, user.document["attributes"], None)
        edit = UserEdit(pool, user)
        await self._set_temporary(edit, password)
        made = edit.secrets

        def change(_: Transaction, edit: UserEdit) -> None:
            edit.secrets |= made

        user = await self._users.change(pool, user.key, change)
        await self._invite(pool, user, params, password, mediums)
        return user

    async def _set_temporary(self, edit: UserEdit, password: str) -> None:
        pool, username = edit.pool, edit.document["username"]
        edit.secrets |= (await make_verifier(pool.short_name, username, password)).to_document()
        edit.secrets["password_ends_at"] = self._temporary_until(pool)

    def _temporary_until(self, pool: Pool) -> float:
        policy, admin = pool.password_policy, pool.body["AdminCreateUserConfig"]
        usual = admin.get("UnusedAccountValidityDays", 7)
        days: int = policy.get("TemporaryPasswordValidityDays") or usual or 7
        return self._clock.now() + days * _DAY_S

    def _mediums(
        self, pool: Pool, params: Params, attributes: schema.Attributes, action: str | None
    ) -> Sequence[str]:
        """The addresses that an invitation goes to. Raises `ApiError`."""
        if action == "SUPPRESS":
            return ()
        asked = params.get("DesiredDeliveryMediums")
        names = [_MEDIUMS[each] for each in asked or ("SMS",)]
        found = [name for name in names if attributes.get(name)]
        if asked and not found:
            raise invalid(
                "User has no attribute for the desired delivery mediums: "
                + ", ".join(sorted(asked))
            )
        for name in found:
            self._messages.check(pool, name)
        return found

    async def _invite(
        self, pool: Pool, user: PoolUser, params: Params, password: str, mediums: Sequence[str]
    ) -> None:
        for name in mediums:
            await self._messages.send(
                *(pool, user, INVITATION, name, user.document["attributes"][name], password),
                client_metadata=params.get("ClientMetadata"),
            )

    async def _pool(self, scope: Scope, params: Params) -> Pool:
        return await self._store.read(lambda tx: require_pool(tx, scope, params["UserPoolId"]))

    async def _find(self, scope: Scope, params: Params) -> tuple[Pool, PoolUser]:
        def run(tx: Transaction) -> tuple[Pool, PoolUser]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return pool, self._users.require(tx, pool, params["Username"])

        return await self._store.read(run)

    async def _change(self, scope: Scope, params: Params, change: Change) -> tuple[Pool, PoolUser]:
        pool, user = await self._find(scope, params)
        return pool, await self._users.change(pool, user.key, change)
