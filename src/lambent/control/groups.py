"""Groups of users: what a group may do, its users may do.

A group is an identity with policies. A user has the names of its groups.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_groups.html
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.identity_paging import iam_page
from lambent.control.identity_parts import identity_key, require_identity
from lambent.control.identity_views import identity_view
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.identity import Identity, IdentityKey
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_GROUPS_MAX = 10
"""Of one user, as in AWS."""


class Groups:
    """Use cases of the membership in groups."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetGroup: the group with its users."""
        key = identity_key(scope, params, "group")

        def run(tx: Transaction) -> tuple[Identity, list[Identity]]:
            return require_identity(tx, key), users_of_group(tx, key)

        group, users = await self._store.read(run)
        page, more = iam_page(users, params, lambda user: user.key.name)
        return {"Group": identity_view(group), "Users": [identity_view(u) for u in page], **more}

    async def add(self, scope: Scope, params: Params) -> Params:
        """AddUserToGroup."""
        group = identity_key(scope, params, "group")

        def change(groups: frozenset[str]) -> frozenset[str]:
            changed = groups | {group.name}
            if len(changed) > _GROUPS_MAX:
                raise ApiError(
                    "LimitExceeded",
                    f"Cannot exceed quota for GroupsPerUser: {_GROUPS_MAX}",
                    status=409,
                )
            return changed

        await self._change(scope, params, group, change)
        return {}

    async def remove(self, scope: Scope, params: Params) -> Params:
        """RemoveUserFromGroup. A user that is not in the group stays as it is."""
        group = identity_key(scope, params, "group")
        await self._change(scope, params, group, lambda groups: groups - {group.name})
        return {}

    async def list_of_user(self, scope: Scope, params: Params) -> Params:
        """ListGroupsForUser."""
        key = identity_key(scope, params, "user")

        def run(tx: Transaction) -> list[Identity]:
            user = require_identity(tx, key)
            return [g for g in tx.identities.list_of(scope.account, "group") if _is_in(user, g)]

        found = await self._store.read(run)
        page, more = iam_page(found, params, lambda group: group.key.name)
        return {"Groups": [identity_view(group) for group in page], **more}

    async def _change(
        self,
        scope: Scope,
        params: Params,
        group: IdentityKey,
        change: Callable[[frozenset[str]], frozenset[str]],
    ) -> None:
        def run(tx: Transaction) -> None:
            tx.locks.account(scope.account)
            require_identity(tx, group)
            user = require_identity(tx, identity_key(scope, params, "user"))
            groups = sorted(change(frozenset(user.groups)))
            tx.identities.put(dataclasses.replace(user, groups=groups))

        await self._store.transact(run)


def users_of_group(tx: Transaction, group: IdentityKey) -> list[Identity]:
    """The users in a group, by name."""
    users = tx.identities.list_of(group.account, "user")
    return [user for user in users if group.name in user.groups]


def _is_in(user: Identity, group: Identity) -> bool:
    return group.key.name in user.groups
