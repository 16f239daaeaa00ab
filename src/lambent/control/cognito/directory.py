"""Lists of users, and single ones as an administrator sees them.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_ListUsers.html
"""

import base64
import re
from collections.abc import Sequence
from typing import NamedTuple

from lambent.control.cognito.errors import invalid
from lambent.control.cognito.factors import shown
from lambent.control.cognito.pool import Params, Pool, require_pool
from lambent.control.cognito.pools import read_marker
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.users import (
    ENABLED,
    FILTERED,
    STATUS,
    USERNAME,
    Users,
    comparable,
    view,
)
from lambent.model.arn import Scope
from lambent.store.pool_users import PoolUser, Position, Term
from lambent.store.store import Store, Transaction

_PAGE_MAX = 60
_FILTER = re.compile(r'\s*([A-Za-z_:]{1,64})\s*(\^?=)\s*"((?:[^"\\]|\\.){0,2048})"\s*')
_NAMES = (*FILTERED, STATUS, ENABLED, USERNAME)


class _Filter(NamedTuple):
    name: str
    value: str
    is_prefix: bool


class Directory:
    """See the module."""

    def __init__(self, store: Store, sealer: Sealer, users: Users) -> None:
        self._store = store
        self._sealer = sealer
        self._users = users

    async def list_users(self, scope: Scope, params: Params) -> Params:
        """ListUsers: by name, with a filter by the value of its attribute."""
        limit = min(params.get("Limit") or _PAGE_MAX, _PAGE_MAX)
        asked = read_filter(params.get("Filter") or "")
        marker = read_marker(self._sealer, params.get("PaginationToken"))
        value = base64.b64decode(marker.get("value", ""))
        after: Position = (value, marker.get("key", ""))

        def run(tx: Transaction) -> Sequence[tuple[Position, PoolUser]]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            if asked is None:
                page = tx.pool_users.page(pool.id, after=after[1], limit=limit + 1)
                return [((b"", user.key), user) for user in page]
            return _find(tx, pool, asked, after, limit + 1)

        found = await self._store.read(run)
        names = params.get("AttributesToGet")
        members: Params = {"Users": [view(user, names=names) for _, user in found[:limit]]}
        if len(found) <= limit:
            return members
        value, key = found[limit - 1][0]
        position = {"value": base64.b64encode(value).decode(), "key": key}
        return {**members, "PaginationToken": self._sealer.seal("page", position)}

    async def get_user(self, scope: Scope, params: Params) -> Params:
        """AdminGetUser."""

        def run(tx: Transaction) -> PoolUser:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return self._users.require(tx, pool, params["Username"])

        user = await self._store.read(run)
        return {**view(user, attributes="UserAttributes"), **shown(user)}


def read_filter(text: str) -> _Filter | None:
    """The filter of ListUsers; None if there is none. Raises `InvalidParameterException`."""
    if not text.strip():
        return None
    match = _FILTER.fullmatch(text)
    if match is None:
        raise invalid("One or more request parameters are invalid. Error while parsing filter.")
    name, operator, value = match.groups()
    if name not in _NAMES:
        raise invalid(f"Invalid search attribute: {name}")
    return _Filter(name, re.sub(r"\\(.)", r"\1", value), operator == "^=")


def _find(
    tx: Transaction, pool: Pool, asked: _Filter, after: Position, limit: int
) -> Sequence[tuple[Position, PoolUser]]:
    term = Term(asked.name, comparable(pool, asked.name, asked.value))
    return tx.pool_users.find(pool.id, term, is_prefix=asked.is_prefix, after=after, limit=limit)
