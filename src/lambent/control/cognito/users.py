"""Users of a pool: how they are found, stored and shown."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.cognito import schema
from lambent.control.cognito.errors import user_not_found
from lambent.control.cognito.pool import Client, Params, Pool, instant
from lambent.control.cognito.schema import EMAIL, PHONE, VERIFIED
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser, Term
from lambent.store.store import Store, Transaction

FILTERED = (*("sub", EMAIL, PHONE, "name", "given_name", "family_name", "preferred_username"),)
"""Attributes that ListUsers finds users by."""
STATUS, ENABLED, USERNAME = "cognito:user_status", "status", "username"
_ALIAS = "alias"
UNCONFIRMED, CONFIRMED = "UNCONFIRMED", "CONFIRMED"
RESET_REQUIRED, FORCE_CHANGE = "RESET_REQUIRED", "FORCE_CHANGE_PASSWORD"
Change = Callable[[Transaction, "UserEdit"], None]


class UserEdit:
    """A user while it is changed."""

    def __init__(self, pool: Pool, user: PoolUser) -> None:
        self.pool = pool
        self.key = user.key
        self.document: dict[str, Any] = dict(user.document)
        self.secrets: dict[str, Any] = dict(user.secrets)
        self.attributes: dict[str, str] = dict(user.document["attributes"])
        self.force_alias = False
        """Whether it takes its aliases away from other users."""

    def freeze(self) -> PoolUser:
        """As it is stored."""
        document = {**self.document, "attributes": self.attributes}
        return PoolUser(self.pool.id, self.key, document, self.secrets)


class Users:
    """See the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, tx: Transaction, pool: Pool, name: str) -> PoolUser | None:
        """The user with a name, an alias or a `sub`."""
        folded = pool.folded(name)[:128]
        found = tx.pool_users.get(pool.id, folded)
        if found is not None:
            return found
        for term in (Term(_ALIAS, pool.folded(name)), Term("sub", name)):
            listed = tx.pool_users.find(pool.id, term, limit=1)
            if listed:
                return listed[0][1]
        return None

    def require(self, tx: Transaction, pool: Pool, name: str) -> PoolUser:
        """As `find`. Raises `UserNotFoundException`."""
        found = self.find(tx, pool, name)
        if found is None:
            raise user_not_found()
        return found

    async def get(self, pool: Pool, name: str) -> PoolUser | None:
        """As `find`, in a transaction of its own."""
        return await self._store.read(lambda tx: self.find(tx, pool, name))

    def new(self, pool: Pool, name: str, attributes: Mapping[str, str], status: str) -> UserEdit:
        """A user who is not stored yet. Where users are named by their address, the name that is
        stored is the `sub`."""
        sub, now = str(uuid.uuid4()), self._clock.now()
        username = sub if pool.names("UsernameAttributes") else name
        document = {
            "username": username,
            "attributes": {"sub": sub, **attributes},
            "status": status,
            "enabled": True,
            "created": now,
            "changed": now,
        }
        return UserEdit(pool, PoolUser(pool.id, pool.folded(username), document, {}))

    def save(self, tx: Transaction, edit: UserEdit) -> PoolUser:
        """Store a user with all it is found by. Raises `AliasExistsException`."""
        edit.document["changed"] = self._clock.now()
        user = edit.freeze()
        terms = list(_terms(edit.pool, user))
        for term in terms:
            if term.name == _ALIAS:
                self._take_alias(tx, edit, term)
        tx.pool_users.put(user, terms)
        return user

    async def change(self, pool: Pool, key: str, change: Change) -> PoolUser:
        """Change a user by the stored name. Raises `UserNotFoundException`, and what `change`
        raises."""

        def run(tx: Transaction) -> PoolUser:
            tx.locks.scope(pool.root.scope)
            user = tx.pool_users.lock(pool.id, key)
            if user is None:
                raise user_not_found()
            edit = UserEdit(pool, user)
            change(tx, edit)
            return self.save(tx, edit)

        return await self._store.transact(run)

    async def change_secrets(
        self, pool: Pool, key: str, change: Callable[[dict[str, Any]], None]
    ) -> None:
        """Change the hidden part of a user."""

        def run(tx: Transaction) -> None:
            user = tx.pool_users.lock(pool.id, key)
            if user is None:
                raise user_not_found()
            secrets = dict(user.secrets)
            change(secrets)
            tx.pool_users.put_row(PoolUser(user.pool, user.key, user.document, secrets))

        await self._store.transact(run)

    async def pretend(self) -> None:
        """Take the time of a change, for a user who does not exist."""
        now, id = self._clock.now(), str(uuid.uuid4())
        await self._store.transact(lambda tx: tx.pool_users.note_answer(id, now=now, ends_at=now))

    def _take_alias(self, tx: Transaction, edit: UserEdit, alias: Term) -> None:
        for _, other in tx.pool_users.find(edit.pool.id, alias, limit=2):
            if other.key == edit.key:
                continue
            attribute = _attribute_of(edit, alias.value)
            if not edit.force_alias:
                raise ApiError(
                    "AliasExistsException",
                    f"An account with the {attribute} already exists.",
                )
            loser = UserEdit(edit.pool, other)
            if attribute in VERIFIED:
                loser.attributes[VERIFIED[attribute]] = "false"
            else:
                loser.attributes.pop(attribute, None)
            self.save(tx, loser)


def _attribute_of(edit: UserEdit, value: str) -> str:
    for name in (EMAIL, PHONE):
        if edit.pool.folded(edit.attributes.get(name, "")) == value:
            return name
    return "preferred_username"


def _terms(pool: Pool, user: PoolUser) -> Any:
    """What a user is found by."""
    document = user.document
    attributes: Mapping[str, str] = document["attributes"]
    yield Term(USERNAME, user.key)
    yield Term(STATUS, document["status"].lower())
    yield Term(ENABLED, "Enabled" if document["enabled"] else "Disabled")
    for name in FILTERED:
        if name in attributes:
            yield Term(name, comparable(pool, name, attributes[name]))
    for name in pool.names("UsernameAttributes"):
        if attributes.get(name):
            yield Term(_ALIAS, pool.folded(attributes[name]))
    for name in pool.names("AliasAttributes"):
        is_verified = name not in VERIFIED or attributes.get(VERIFIED[name]) == "true"
        if attributes.get(name) and is_verified:
            yield Term(_ALIAS, pool.folded(attributes[name]))


def comparable(pool: Pool, name: str, value: str) -> str:
    """A value of an attribute as it is compared."""
    if name == STATUS:
        return value.lower()
    if name in (USERNAME, EMAIL, "preferred_username"):
        return pool.folded(value)
    return value


def is_verified(user: PoolUser, attribute: str) -> bool:
    """Whether the user has proved to own an address."""
    attributes = user.document["attributes"]
    return attributes.get(VERIFIED[attribute]) == "true" and bool(attributes.get(attribute))


def view(user: PoolUser, *, attributes: str = "Attributes", names: Any = None) -> Params:
    """A user as the API shows it. `names` are the attributes to show; all if None."""
    document = user.document
    shown = document["attributes"]
    if names:
        shown = {name: value for name, value in shown.items() if name in names}
    return {
        "Username": document["username"],
        attributes: schema.to_list(shown),
        "UserCreateDate": instant(document["created"]),
        "UserLastModifiedDate": instant(document["changed"]),
        "Enabled": document["enabled"],
        "UserStatus": document["status"],
    }


def event_attributes(user: PoolUser) -> dict[str, str]:
    """`userAttributes` of events: with the status, as AWS has it."""
    document = user.document
    return {**document["attributes"], STATUS: document["status"]}


def name_for_srp(user: PoolUser) -> str:
    """The name that SRP hashes."""
    return str(user.document["username"])


def readable(client: Client, user: PoolUser) -> Mapping[str, str]:
    """The attributes of a user that a client may see."""
    return schema.readable(client.body, user.document["attributes"])
