"""Groups of a pool's users."""

from collections.abc import Sequence
from typing import Any

from lambent.control.cognito.claims import Groups
from lambent.control.cognito.errors import invalid, missing
from lambent.control.cognito.pool import GROUP, Params, Pool, instant, require_pool
from lambent.control.cognito.pools import read_marker
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.users import Users, view
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser, Term
from lambent.store.store import Store, Transaction

_PREFIX = "group:"
_GROUPS_MAX, _PER_USER_MAX = 10_000, 100
_PAGE_MAX = 60


class PoolGroups:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer, users: Users) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer
        self._users = users

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateGroup."""
        name, now = params["GroupName"], self._clock.now()
        body = {**_given(params), "created": now, "changed": now}

        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            pool = require_pool(tx, scope, params["UserPoolId"])
            if tx.documents.get(pool.root, GROUP, name) is not None:
                raise ApiError("GroupExistsException", "A group with the name already exists.")
            if len(tx.documents.list_of(pool.root, GROUP)) >= _GROUPS_MAX:
                raise ApiError("LimitExceededException", "The user pool has too many groups.")
            return tx.documents.put(pool.root, GROUP, name, body)

        return {"Group": _view(await self._store.transact(run))}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetGroup."""
        return {"Group": _view(await self._store.read(lambda tx: _require(tx, scope, params)[1]))}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateGroup: change what the request has."""

        def run(tx: Transaction) -> Document:
            pool, found = _require(tx, scope, params)
            body = {**found.body, **_given(params), "changed": self._clock.now()}
            return tx.documents.put(pool.root, GROUP, found.id, body)

        return {"Group": _view(await self._store.transact(run))}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteGroup."""

        def run(tx: Transaction) -> None:
            pool, found = _require(tx, scope, params)
            tx.documents.delete(pool.root, GROUP, found.id)
            tx.pool_users.remove_terms(pool.id, _PREFIX + found.id)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListGroups."""
        after = read_marker(self._sealer, params.get("NextToken")).get("id", "")
        limit = params.get("Limit") or _PAGE_MAX

        def run(tx: Transaction) -> Sequence[Document]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return tx.documents.list_of(pool.root, GROUP, after=after, limit=limit + 1)

        return self._page(await self._store.read(run), limit)

    async def add_user(self, scope: Scope, params: Params) -> Params:
        """AdminAddUserToGroup."""

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            pool, found = _require(tx, scope, params)
            user = self._users.require(tx, pool, params["Username"])
            if len(tx.pool_users.terms_of(pool.id, user.key, _PREFIX)) >= _PER_USER_MAX:
                raise ApiError("LimitExceededException", "The user is in too many groups.")
            tx.pool_users.add_term(pool.id, user.key, Term(_PREFIX + found.id, ""))

        await self._store.transact(run)
        return {}

    async def remove_user(self, scope: Scope, params: Params) -> Params:
        """AdminRemoveUserFromGroup."""

        def run(tx: Transaction) -> None:
            pool, found = _require(tx, scope, params)
            user = self._users.require(tx, pool, params["Username"])
            tx.pool_users.remove_term(pool.id, user.key, Term(_PREFIX + found.id, ""))

        await self._store.transact(run)
        return {}

    async def of_user(self, scope: Scope, params: Params) -> Params:
        """AdminListGroupsForUser."""
        after = read_marker(self._sealer, params.get("NextToken")).get("id", "")
        limit = params.get("Limit") or _PAGE_MAX

        def run(tx: Transaction) -> Sequence[Document]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            user = self._users.require(tx, pool, params["Username"])
            return [each for each in _groups_of(tx, pool, user) if each.id > after]

        return self._page(await self._store.read(run), limit)

    async def list_users(self, scope: Scope, params: Params) -> Params:
        """ListUsersInGroup, by name."""
        after = read_marker(self._sealer, params.get("NextToken")).get("key", "")
        limit = params.get("Limit") or _PAGE_MAX

        def run(tx: Transaction) -> Any:
            pool, found = _require(tx, scope, params)
            term = Term(_PREFIX + found.id, "")
            return tx.pool_users.find(pool.id, term, after=(b"", after), limit=limit + 1)

        found = await self._store.read(run)
        members: Params = {"Users": [view(user) for _, user in found[:limit]]}
        if len(found) <= limit:
            return members
        marker = self._sealer.seal("page", {"key": found[limit - 1][0][1]})
        return {**members, "NextToken": marker}

    async def of_tokens(self, pool: Pool, user: PoolUser) -> Groups:
        """The groups of a user as tokens have them."""
        found = await self._store.read(lambda tx: _groups_of(tx, pool, user))
        ordered = sorted(found, key=lambda each: each.body.get("Precedence", 1 << 31))
        with_roles = [each for each in ordered if each.body.get("RoleArn")]
        preferred = None
        if with_roles:
            # Two groups that are equally important leave it open.
            best = with_roles[0].body.get("Precedence")
            equal = (each for each in with_roles if each.body.get("Precedence") == best)
            same = {each.body["RoleArn"] for each in equal}
            preferred = same.pop() if len(same) == 1 else None
        return Groups(
            [each.id for each in ordered],
            list(dict.fromkeys(each.body["RoleArn"] for each in with_roles)),
            preferred,
        )

    def _page(self, found: Sequence[Document], limit: int) -> Params:
        members: Params = {"Groups": [_view(each) for each in found[:limit]]}
        if len(found) <= limit:
            return members
        return {**members, "NextToken": self._sealer.seal("page", {"id": found[limit - 1].id})}


def _groups_of(tx: Transaction, pool: Pool, user: PoolUser) -> Sequence[Document]:
    names = [term.name for term in tx.pool_users.terms_of(pool.id, user.key, _PREFIX)]
    found = (tx.documents.get(pool.root, GROUP, name.removeprefix(_PREFIX)) for name in names)
    return [each for each in found if each is not None]


def _given(params: Params) -> dict[str, Any]:
    role = params.get("RoleArn")
    if role and ":role/" not in role:
        raise invalid(f"{role} is not the ARN of a role.")
    names = ("Description", "RoleArn", "Precedence")
    return {name: params[name] for name in names if name in params}


def _require(tx: Transaction, scope: Scope, params: Params) -> tuple[Pool, Document]:
    pool = require_pool(tx, scope, params["UserPoolId"])
    found = tx.documents.get(pool.root, GROUP, params["GroupName"])
    if found is None:
        raise missing("Group not found.")
    return pool, found


def _view(group: Document) -> Params:
    body = {name: value for name, value in group.body.items() if name[0].isupper()}
    return {
        "GroupName": group.id,
        "UserPoolId": group.root.id,
        **body,
        "CreationDate": instant(group.body["created"]),
        "LastModifiedDate": instant(group.body["changed"]),
    }
