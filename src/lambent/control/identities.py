"""Users, roles, groups, their policies and keys: the part of IAM that controls access to this
platform.

Requests and responses have IAM's own members. The keyring follows the store, so a change is in
force before the response is sent. https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
"""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.groups import users_of_group
from lambent.control.identity_paging import iam_page
from lambent.control.identity_parts import (
    identity_key,
    new_id,
    read_document,
    require_identity,
)
from lambent.control.identity_tags import changed_tags, listed_tags
from lambent.control.identity_views import encoded, identity_view, key_view
from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Scope
from lambent.model.errors import ApiError
from lambent.model.identity import AccessKey, Identity, IdentityKey, Kind
from lambent.model.principal import Principal
from lambent.model.resources import parse_role_arn
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_KEYS_MAX = 2
_ID_PREFIXES = {"user": "AIDA", "role": "AROA", "group": "AGPA"}


class Identities:
    """Use cases of users, roles and access keys."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """CreateUser, CreateRole, CreateGroup."""
        key = identity_key(scope, params, kind)
        if "PermissionsBoundary" in params:
            raise ApiError(
                "InvalidInput", "Lambent does not offer permissions boundaries. Leave it out."
            )
        trust = None
        if kind == "role":
            trust = read_document(params["AssumeRolePolicyDocument"], "trust")
        identity = Identity(
            key=key,
            id=new_id(_ID_PREFIXES[kind]),
            path=params.get("Path", "/"),
            created_ms=int(self._clock.now() * 1000),
            description=params.get("Description", ""),
            max_session_s=params.get("MaxSessionDuration", 3600),
            trust=trust,
            tags=changed_tags({}, params),
        )

        def run(tx: Transaction) -> None:
            # Names that differ only in case are the same name.
            if tx.identities.is_taken(key):
                raise ApiError(
                    "EntityAlreadyExists",
                    f"{kind.title()} with name {key.name} already exists.",
                    status=409,
                )
            tx.identities.put(identity)

        await self._change(scope.account, run)
        return {kind.title(): identity_view(identity)}

    async def get(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """GetUser, GetRole."""
        key = identity_key(scope, params, kind)
        identity = await self._store.read(lambda tx: require_identity(tx, key))
        return {kind.title(): identity_view(identity)}

    async def list(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """ListUsers, ListRoles, ListGroups."""
        prefix = params.get("PathPrefix", "/")
        found = await self._store.read(lambda tx: tx.identities.list_of(scope.account, kind))
        below = [identity for identity in found if identity.path.startswith(prefix)]
        page, more = iam_page(below, params, lambda identity: identity.key.name)
        return {f"{kind.title()}s": [identity_view(entry) for entry in page], **more}

    async def delete(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """DeleteUser, DeleteRole, DeleteGroup; refused if they have keys, policies, inline or
        attached, groups or users."""
        key = identity_key(scope, params, kind)

        def run(tx: Transaction) -> None:
            identity = require_identity(tx, key)
            has_keys = kind == "user" and tx.identities.keys(key.account, key.name)
            remaining = None
            if identity.groups or (kind == "group" and users_of_group(tx, key)):
                remaining = "remove users from group"
            elif has_keys:
                remaining = "delete access keys"
            elif identity.attached:
                remaining = "detach all policies"
            elif identity.policies:
                remaining = "delete policies"
            if remaining is not None:
                raise ApiError(
                    "DeleteConflict", f"Cannot delete entity, must {remaining} first.", status=409
                )
            tx.identities.delete(key)

        await self._change(scope.account, run)
        return {}

    async def update_role(self, scope: Scope, params: Params) -> Params:
        """UpdateRole, UpdateRoleDescription: change what the request has. Returns the role."""
        key = identity_key(scope, params, "role")

        def run(tx: Transaction) -> Identity:
            tx.locks.account(scope.account)
            role = require_identity(tx, key)
            role = dataclasses.replace(
                role,
                description=params.get("Description", role.description),
                max_session_s=params.get("MaxSessionDuration", role.max_session_s),
            )
            tx.identities.put(role)
            return role

        return {"Role": identity_view(await self._store.transact(run))}

    async def set_trust(self, scope: Scope, params: Params) -> Params:
        """UpdateAssumeRolePolicy."""
        key = identity_key(scope, params, "role")
        trust = read_document(params["PolicyDocument"], "trust")

        def run(tx: Transaction) -> None:
            tx.identities.put(dataclasses.replace(require_identity(tx, key), trust=trust))

        await self._change(scope.account, run)
        return {}

    async def tag(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """TagUser, TagRole, UntagUser, UntagRole."""
        key = identity_key(scope, params, kind)

        def run(tx: Transaction) -> None:
            identity = require_identity(tx, key)
            tags = changed_tags(identity.tags, params)
            tx.identities.put(dataclasses.replace(identity, tags=tags))

        await self._change(scope.account, run)
        return {}

    async def list_tags(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """ListUserTags, ListRoleTags."""
        key = identity_key(scope, params, kind)
        identity = await self._store.read(lambda tx: require_identity(tx, key))
        page, more = iam_page(listed_tags(identity.tags), params, lambda tag: tag["Key"])
        return {"Tags": page, **more}

    async def put_policy(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """PutUserPolicy, PutRolePolicy, PutGroupPolicy."""
        key = identity_key(scope, params, kind)
        document = read_document(params["PolicyDocument"], "identity")

        def run(tx: Transaction) -> None:
            identity = require_identity(tx, key)
            changed = {**identity.policies, params["PolicyName"]: document}
            tx.identities.put(dataclasses.replace(identity, policies=changed))

        await self._change(scope.account, run)
        return {}

    async def get_policy(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """GetUserPolicy, GetRolePolicy, GetGroupPolicy."""
        key, name = identity_key(scope, params, kind), params["PolicyName"]
        identity = await self._store.read(lambda tx: require_identity(tx, key))
        if name not in identity.policies:
            raise _missing_policy(kind, name)
        return {
            f"{kind.title()}Name": key.name,
            "PolicyName": name,
            "PolicyDocument": encoded(identity.policies[name]),
        }

    async def list_policies(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """ListUserPolicies, ListRolePolicies, ListGroupPolicies."""
        key = identity_key(scope, params, kind)
        identity = await self._store.read(lambda tx: require_identity(tx, key))
        page, more = iam_page(list(identity.policies), params, lambda name: name)
        return {"PolicyNames": page, **more}

    async def delete_policy(self, scope: Scope, params: Params, kind: Kind) -> Params:
        """DeleteUserPolicy, DeleteRolePolicy, DeleteGroupPolicy."""
        key, name = identity_key(scope, params, kind), params["PolicyName"]

        def run(tx: Transaction) -> None:
            identity = require_identity(tx, key)
            if name not in identity.policies:
                raise _missing_policy(kind, name)
            rest = {entry: value for entry, value in identity.policies.items() if entry != name}
            tx.identities.put(dataclasses.replace(identity, policies=rest))

        await self._change(scope.account, run)
        return {}

    async def create_key(self, scope: Scope, params: Params, caller: Principal) -> Params:
        """CreateAccessKey; for the caller if no user is named. No other response contains the
        secret."""
        user = _user_name(params, caller)
        key = self.new_key(scope.account, user)

        def run(tx: Transaction) -> None:
            if user is not None:
                require_identity(tx, IdentityKey(scope.account, "user", user))
            if len(tx.identities.keys(scope.account, user)) >= _KEYS_MAX and user is not None:
                raise ApiError(
                    "LimitExceeded",
                    f"Cannot exceed quota for AccessKeysPerUser: {_KEYS_MAX}",
                    status=409,
                )
            tx.identities.put_key(key)

        await self._change(scope.account, run)
        return {"AccessKey": {**key_view(key), "SecretAccessKey": key.secret}}

    async def list_keys(self, scope: Scope, params: Params, caller: Principal) -> Params:
        """ListAccessKeys, without secrets."""
        user = _user_name(params, caller)

        def run(tx: Transaction) -> "list[AccessKey]":
            if user is not None:
                require_identity(tx, IdentityKey(scope.account, "user", user))
            return tx.identities.keys(scope.account, user)

        keys = await self._store.read(run)
        return {"AccessKeyMetadata": [key_view(key) for key in keys], "IsTruncated": False}

    async def update_key(self, scope: Scope, params: Params, caller: Principal) -> Params:
        """UpdateAccessKey: make it active or inactive."""
        is_active = params["Status"] == "Active"

        def run(tx: Transaction) -> None:
            key = _require_key(tx, scope, params, caller)
            tx.identities.put_key(dataclasses.replace(key, is_active=is_active))

        await self._change(scope.account, run)
        return {}

    async def delete_key(self, scope: Scope, params: Params, caller: Principal) -> Params:
        """DeleteAccessKey."""

        def run(tx: Transaction) -> None:
            tx.identities.delete_key(_require_key(tx, scope, params, caller).id)

        await self._change(scope.account, run)
        return {}

    async def ensure_root_key(self, scope: Scope, write: Callable[[AccessKey], None]) -> None:
        """Create a key of the account's root and write it to a file if there is no key at all. The
        first start of a platform needs one."""
        key = self.new_key(scope.account, None)

        def run(tx: Transaction) -> bool:
            tx.locks.account(scope.account)  # Several nodes may be the first at once.
            if tx.identities.keys():
                return False
            tx.identities.put_key(key)
            return True

        if await self._store.transact(run):
            write(key)

    async def create_root_key(self, scope: Scope) -> AccessKey:
        """Create a key of the account's root."""
        key = self.new_key(scope.account, None)
        await self._change(scope.account, lambda tx: tx.identities.put_key(key))
        return key

    async def role(self, arn: str) -> Identity | None:
        """The role with this ARN, None if there is none."""
        name = parse_role_arn(arn)
        if name is None:
            return None
        key = IdentityKey(name.account, "role", name.name)
        found = await self._store.read(lambda tx: tx.identities.get(key))
        return found if found is not None and found.arn == arn else None

    def new_key(self, account: AccountId, user: str | None) -> AccessKey:
        """A new key, not stored yet."""
        return AccessKey(
            id=new_id("AKIA"),
            account=account,
            user_name=user,
            secret=secrets.token_urlsafe(30),
            is_active=True,
            created_ms=int(self._clock.now() * 1000),
        )

    async def _change(self, account: AccountId, work: Callable[[Transaction], None]) -> None:
        """Change identities of an account while no other transaction does."""

        def run(tx: Transaction) -> None:
            tx.locks.account(account)
            work(tx)

        await self._store.transact(run)


def own_name(caller: Principal) -> str:
    """The name of the user who calls. Raises `ApiError` if the caller is not a user: a role's
    session has a name too, but not a user's."""
    if caller.kind != "user":
        raise ApiError(
            "ValidationError", "Must specify userName when calling with non-User credentials"
        )
    return caller.name


def _user_name(params: Params, caller: Principal) -> str | None:
    """The user that a request about keys refers to; None means the account's root.

    Raises `ApiError` if the request must name one: only users and the root have keys of their own.
    """
    name: str | None = params.get("UserName")
    return name or (None if caller.kind == "root" else own_name(caller))


def _require_key(tx: Transaction, scope: Scope, params: Params, caller: Principal) -> AccessKey:
    wanted = params["AccessKeyId"]
    for key in tx.identities.keys(scope.account, _user_name(params, caller)):
        if key.id == wanted:
            return key
    raise ApiError("NoSuchEntity", f"The Access Key with id {wanted} cannot be found.", status=404)


def _missing_policy(kind: Kind, name: str) -> ApiError:
    return ApiError(
        "NoSuchEntity", f"The {kind} policy with name {name} cannot be found.", status=404
    )
