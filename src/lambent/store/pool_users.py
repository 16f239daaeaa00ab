"""Users of Cognito's user pools.

A pool may have millions of users, so each is a row of its own, and what users are found by are rows
of an index: the attributes that ListUsers filters by, the aliases for signing in, the groups. So
each lookup and each page of a list reads only the rows that it returns.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lambent.store.tables import pool_answers, pool_user_terms, pool_users
from lambent.store.upserts import upsert

_users = pool_users.c
_terms = pool_user_terms.c
_VALUE_MAX = 256
_SWEPT = 100
"""Expired answers that one transaction deletes."""


class Term(NamedTuple):
    """What a user is found by."""

    name: str
    """Such as `email` or `group:admins`."""
    value: str


Position = tuple[bytes, str]
"""Where a user is in a list by term: the value and the user's name."""
START: Position = b"", ""


@dataclasses.dataclass(frozen=True, slots=True)
class PoolUser:
    """One user."""

    pool: str
    key: str
    """The user name, in lower case if the pool's names are not case-sensitive."""
    document: Mapping[str, Any]
    """What the API shows."""
    secrets: Mapping[str, Any] = dataclasses.field(repr=False)
    """What no caller sees."""


class PoolUserRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, pool: str, key: str) -> PoolUser | None:
        """The user with this name; None if there is none."""
        found = self._select(_users.pool == pool, _users.key == key)
        return found[0] if found else None

    def lock(self, pool: str, key: str) -> PoolUser | None:
        """As `get`. No other transaction can change the user until this one ends."""
        query = sa.select(pool_users).where(_users.pool == pool, _users.key == key)
        row = self._connection.execute(query.with_for_update()).first()
        return None if row is None else _to_user(row)

    def count(self, pool: str) -> int:
        """How many users a pool has."""
        query = sa.select(sa.func.count()).select_from(pool_users).where(_users.pool == pool)
        found: int = self._connection.execute(query).scalar_one()
        return found

    def page(self, pool: str, *, after: str, limit: int) -> Sequence[PoolUser]:
        """Users with names after `after`, by name."""
        return self._select(_users.pool == pool, _users.key > after, limit=limit)

    def find(
        self,
        pool: str,
        term: Term,
        *,
        is_prefix: bool = False,
        after: Position = START,
        limit: int,
    ) -> Sequence[tuple[Position, PoolUser]]:
        """Users that have a term, by value and name, with their positions. With `is_prefix` their
        value only begins with the term's. Values are compared by their first 256 characters."""
        value = _stored(term.value)
        which = [_terms.pool == pool, _terms.name == term.name]
        if is_prefix:
            # Users who have this term are found from where the page, or the prefix, begins.
            start = max(after, (value, ""))
            which.append(
                sa.tuple_(_terms.value, _terms.key) > sa.tuple_(sa.literal(start[0]), start[1])
            )
            # No UTF-8 has this byte.
            which.append(_terms.value < value + b"\xff")
        else:
            which += [_terms.value == value, _terms.key > after[1]]
        query = sa.select(_terms.value, _terms.key).where(*which)
        rows = self._connection.execute(query.order_by(_terms.value, _terms.key).limit(limit)).all()
        if not rows:
            return []
        users = {
            user.key: user
            for user in self._select(_users.pool == pool, _users.key.in_([row.key for row in rows]))
        }
        return [((bytes(row.value), row.key), users[row.key]) for row in rows]

    def terms_of(self, pool: str, key: str, prefix: str) -> Sequence[Term]:
        """The terms of a user whose names begin with `prefix`, by name."""
        query = sa.select(_terms.name, _terms.value).where(
            _terms.pool == pool, _terms.key == key, _terms.name.startswith(prefix, autoescape=True)
        )
        rows = self._connection.execute(query.order_by(_terms.name))
        return [Term(row.name, bytes(row.value).decode()) for row in rows]

    def put(self, user: PoolUser, terms: Iterable[Term]) -> None:
        """Add a user, or replace it and its terms, but for those of groups."""
        self.put_row(user)
        which = sa.and_(
            _terms.pool == user.pool,
            _terms.key == user.key,
            sa.not_(_terms.name.startswith("group:")),
        )
        present = {
            (row.name, bytes(row.value))
            for row in self._connection.execute(sa.select(_terms.name, _terms.value).where(which))
        }
        wanted = {(term.name, _stored(term.value)) for term in terms}
        for name, value in present - wanted:
            self._remove_term(user.pool, user.key, name, value)
        for name, value in wanted - present:
            self._add_term(user.pool, user.key, name, value)

    def put_row(self, user: PoolUser) -> None:
        """Add a user, or replace it, without its terms."""
        upsert(
            self._connection,
            pool_users,
            {"pool": user.pool, "key": user.key},
            {"document": dict(user.document), "secrets": dict(user.secrets)},
        )

    def add_term(self, pool: str, key: str, term: Term) -> None:
        """Have a user found by a term."""
        self._add_term(pool, key, term.name, _stored(term.value))

    def remove_term(self, pool: str, key: str, term: Term) -> None:
        """Have a user no longer found by a term."""
        self._remove_term(pool, key, term.name, _stored(term.value))

    def remove_terms(self, pool: str, name: str) -> None:
        """Delete the terms of a name, of all users."""
        self._connection.execute(
            sa.delete(pool_user_terms).where(_terms.pool == pool, _terms.name == name)
        )

    def delete(self, pool: str, key: str) -> bool:
        """Delete a user; returns whether there was one."""
        self._connection.execute(
            sa.delete(pool_user_terms).where(_terms.pool == pool, _terms.key == key)
        )
        which = sa.and_(_users.pool == pool, _users.key == key)
        return bool(self._connection.execute(sa.delete(pool_users).where(which)).rowcount)

    def delete_pool(self, pool: str) -> None:
        """Delete all users of a pool."""
        self._connection.execute(sa.delete(pool_user_terms).where(_terms.pool == pool))
        self._connection.execute(sa.delete(pool_users).where(_users.pool == pool))

    def note_answer(self, id: str, *, now: float, ends_at: float) -> bool:
        """Note that the challenge with this id has its answer; returns whether it had none before.
        The note may be deleted after `ends_at`."""
        answers = pool_answers.c
        old = sa.select(answers.id).where(answers.ends_at < now).limit(_SWEPT)
        self._connection.execute(sa.delete(pool_answers).where(answers.id.in_(old)))
        done = self._connection.execute(
            sa.text(
                "INSERT INTO pool_answers (id, ends_at) VALUES (:id, :ends_at)"
                " ON CONFLICT DO NOTHING"
            ),
            {"id": id, "ends_at": ends_at},
        )
        return bool(done.rowcount)

    def _add_term(self, pool: str, key: str, name: str, value: bytes) -> None:
        self._connection.execute(
            sa.text(
                "INSERT INTO pool_user_terms (pool, name, value, key)"
                " VALUES (:pool, :name, :value, :key) ON CONFLICT DO NOTHING"
            ),
            {"pool": pool, "name": name, "value": value, "key": key},
        )

    def _remove_term(self, pool: str, key: str, name: str, value: bytes) -> None:
        self._connection.execute(
            sa.delete(pool_user_terms).where(
                *(_terms.pool == pool, _terms.name == name),
                *(_terms.value == value, _terms.key == key),
            )
        )

    def _select(
        self, *where: sa.ColumnElement[bool], limit: int | None = None
    ) -> Sequence[PoolUser]:
        query = sa.select(pool_users).where(*where).order_by(_users.key).limit(limit)
        return [_to_user(row) for row in self._connection.execute(query)]


def _to_user(row: sa.Row[Any]) -> PoolUser:
    return PoolUser(row.pool, row.key, row.document, row.secrets)


def _stored(value: str) -> bytes:
    return value[:_VALUE_MAX].encode("utf-8", "replace")
