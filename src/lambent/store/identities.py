"""Users, roles, access keys and the platform's own secrets in the database."""

import dataclasses
import secrets
from typing import Any, Literal

import sqlalchemy as sa

from lambent.model.arn import AccountId
from lambent.model.changes import Directory
from lambent.model.identity import AccessKey, Identity, IdentityKey
from lambent.store.tables import access_keys, identities, platform_secrets
from lambent.store.upserts import upsert

_identities = identities.c


class IdentityRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed: set[str]) -> None:
        self._connection = connection
        self._changed = changed
        """The names and ids of identities that were changed."""

    def get(self, key: IdentityKey) -> Identity | None:
        """The user or role, or None if there is none."""
        row = self._connection.execute(sa.select(identities).where(_is(key))).first()
        return None if row is None else _to_identity(row)

    def is_taken(self, key: IdentityKey) -> bool:
        """Whether a user or role of that name exists, ignoring case."""
        same = sa.func.lower(_identities.name) == key.name.lower()
        return bool(
            self._select(_identities.account == key.account, _identities.kind == key.kind, same)
        )

    def list_of(self, account: AccountId, kind: Literal["user", "role"]) -> list[Identity]:
        """An account's users or roles, by name."""
        return self._select(_identities.account == account, _identities.kind == kind)

    def directory(self) -> Directory:
        """All users, roles and keys in all accounts."""
        return Directory(self._select(), self.keys())

    def put(self, identity: Identity) -> None:
        """Add a user or role, or replace it."""
        document = {
            name: value for name, value in dataclasses.asdict(identity).items() if name != "key"
        }
        self._changed.add(_name(identity.key))
        upsert(self._connection, identities, identity.key._asdict(), {"document": document})

    def delete(self, key: IdentityKey) -> None:
        """Delete a user or role."""
        self._changed.add(_name(key))
        self._connection.execute(sa.delete(identities).where(_is(key)))

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
            .where(*where)
            .order_by(_identities.account, _identities.kind, _identities.name)
        )
        return [_to_identity(row) for row in rows]


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
