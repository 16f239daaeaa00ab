"""Users, roles, groups, managed policies, access keys and the platform's own secrets."""

import dataclasses
import secrets
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import AccountId
from lambent.model.changes import Directory
from lambent.model.identity import AccessKey, Identity, IdentityKey, Kind
from lambent.model.managed_policy import ManagedPolicy, PolicyKey, PolicyVersion
from lambent.store.tables import access_keys, identities, platform_secrets
from lambent.store.upserts import upsert

_identities = identities.c
_POLICY = "policy"
"""The kind of managed policies, which share the table of users and roles."""


class IdentityRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[str]) -> None:
        self._connection = connection
        self._changed = changed
        """The names and ids of identities and policies that were changed."""

    def get(self, key: IdentityKey) -> Identity | None:
        """The user, role or group, or None if there is none."""
        row = self._connection.execute(sa.select(identities).where(_is(key))).first()
        return None if row is None else _to_identity(row)

    def is_taken(self, key: IdentityKey) -> bool:
        """Whether one of that kind and name exists, ignoring case."""
        same = sa.func.lower(_identities.name) == key.name.lower()
        return bool(
            self._select(_identities.account == key.account, _identities.kind == key.kind, same)
        )

    def list_of(self, account: AccountId, kind: Kind) -> list[Identity]:
        """An account's users, roles or groups, by name."""
        return self._select(_identities.account == account, _identities.kind == kind)

    def directory(self) -> Directory:
        """All users, roles, groups, keys and managed policies in all accounts."""
        return Directory(self._select(), self.keys(), self._select_policies())

    def put(self, identity: Identity) -> None:
        """Add a user, role or group, or replace it."""
        document = {
            name: value for name, value in dataclasses.asdict(identity).items() if name != "key"
        }
        self._changed.add(_name(identity.key))
        upsert(self._connection, identities, identity.key._asdict(), {"document": document})

    def delete(self, key: IdentityKey) -> None:
        """Delete a user, role or group."""
        self._changed.add(_name(key))
        self._connection.execute(sa.delete(identities).where(_is(key)))

    def policy(self, key: PolicyKey) -> ManagedPolicy | None:
        """A managed policy, or None if there is none."""
        found = self._select_policies(
            _identities.account == key.account, _identities.name == key.name
        )
        return found[0] if found else None

    def is_policy_taken(self, key: PolicyKey) -> bool:
        """Whether a managed policy of that name exists, ignoring case."""
        same = sa.func.lower(_identities.name) == key.name.lower()
        return bool(self._select_policies(_identities.account == key.account, same))

    def policies_of(self, account: AccountId) -> list[ManagedPolicy]:
        """An account's managed policies, by name."""
        return self._select_policies(_identities.account == account)

    def put_policy(self, policy: ManagedPolicy) -> None:
        """Add a managed policy, or replace it."""
        document = dataclasses.asdict(policy)
        key = PolicyKey(*document.pop("key"))
        self._changed.add(f"{key.account}:{_POLICY}:{key.name}")
        row = {"account": key.account, "kind": _POLICY, "name": key.name}
        upsert(self._connection, identities, row, {"document": document})

    def delete_policy(self, key: PolicyKey) -> None:
        """Delete a managed policy."""
        self._changed.add(f"{key.account}:{_POLICY}:{key.name}")
        self._connection.execute(
            sa.delete(identities).where(
                _identities.account == key.account,
                _identities.kind == _POLICY,
                _identities.name == key.name,
            )
        )

    def keys(
        self, account: AccountId | None = None, user_name: str | None = None
    ) -> list[AccessKey]:
        """The access keys of a user, or of an account's root; all keys if no account is given."""
        query = sa.select(access_keys).order_by(access_keys.c.created_ms, access_keys.c.id)
        if account is not None:
            query = query.where(
                access_keys.c.account == account,
                access_keys.c.user_name.is_not_distinct_from(user_name),
            )
        return [AccessKey(**row._mapping) for row in self._connection.execute(query)]

    def put_key(self, key: AccessKey) -> None:
        """Add a key, or replace it."""
        self._changed.add(key.id)
        values = dataclasses.asdict(key)
        upsert(self._connection, access_keys, {"id": values.pop("id")}, values)

    def delete_key(self, key_id: str) -> None:
        """Delete a key."""
        self._changed.add(key_id)
        self._connection.execute(sa.delete(access_keys).where(access_keys.c.id == key_id))

    def platform_secret(self, name: str) -> bytes:
        """Random bytes known only to the platform, created at first use."""
        is_it = platform_secrets.c.name == name
        value: bytes | None = self._connection.execute(
            sa.select(platform_secrets.c.value).where(is_it)
        ).scalar()
        if value is not None:
            return value
        # Another platform on the same database may create it at the same moment.
        self._connection.execute(
            sa.text(
                "INSERT INTO platform_secrets (name, value) VALUES (:name, :value)"
                " ON CONFLICT DO NOTHING"
            ),
            {"name": name, "value": secrets.token_bytes(32)},
        )
        made: bytes = self._connection.execute(
            sa.select(platform_secrets.c.value).where(is_it)
        ).scalar_one()
        return made

    def _select(self, *where: sa.ColumnElement[bool]) -> list[Identity]:
        rows = self._connection.execute(
            sa.select(identities)
            .where(_identities.kind != _POLICY, *where)
            .order_by(_identities.account, _identities.kind, _identities.name)
        )
        return [_to_identity(row) for row in rows]

    def _select_policies(self, *where: sa.ColumnElement[bool]) -> list[ManagedPolicy]:
        rows = self._connection.execute(
            sa.select(identities)
            .where(_identities.kind == _POLICY, *where)
            .order_by(_identities.account, _identities.name)
        )
        return [_to_policy(row) for row in rows]


def _name(key: IdentityKey) -> str:
    return f"{key.account}:{key.kind}:{key.name}"


def _is(key: IdentityKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        _identities.account == key.account,
        _identities.kind == key.kind,
        _identities.name == key.name,
    )


def _to_identity(row: sa.Row[Any]) -> Identity:
    return Identity(key=IdentityKey(row.account, row.kind, row.name), **row.document)


def _to_policy(row: sa.Row[Any]) -> ManagedPolicy:
    document = dict(row.document)
    versions = {
        int(number): PolicyVersion(**version)
        for number, version in document.pop("versions").items()
    }
    return ManagedPolicy(key=PolicyKey(row.account, row.name), versions=versions, **document)
