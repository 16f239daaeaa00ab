"""Conversations with bots of Lex: what is kept between two turns."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from lambent.model.document import Body, Root
from lambent.store.tables import lex_sessions
from lambent.store.upserts import upsert

_columns = lex_sessions.c
_SWEPT = 20
"""Old conversations that a write deletes."""


class SessionKey(NamedTuple):
    """Which conversation."""

    root: Root
    """The bot."""
    alias: str
    locale: str
    id: str
    """The client's."""


class StoredSession(NamedTuple):
    """A conversation."""

    document: Body
    turns: int
    """How often it was written."""


class LexSessionRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, key: SessionKey, now: float) -> StoredSession | None:
        """A conversation; None if there is none whose time has not ended."""
        query = sa.select(_columns.document, _columns.turns)
        row = self._connection.execute(query.where(_is(key), _columns.ends_at > now)).one_or_none()
        return None if row is None else StoredSession(row.document, row.turns)

    def put(
        self, key: SessionKey, document: Body, *, turns: int, now: float, ends_at: float
    ) -> None:
        """Write a conversation, which ends if nothing is said until `ends_at`."""
        old = sa.select(_columns.bot, _columns.id).where(_columns.ends_at < now).limit(_SWEPT)
        for row in self._connection.execute(old).all():
            self._connection.execute(
                sa.delete(lex_sessions).where(
                    _columns.bot == row.bot, _columns.id == row.id, _columns.ends_at < now
                )
            )
        values: dict[str, Any] = {"document": dict(document), "turns": turns, "ends_at": ends_at}
        upsert(self._connection, lex_sessions, _row_key(key), values)

    def delete(self, key: SessionKey) -> None:
        """Delete a conversation, if there is one."""
        self._connection.execute(sa.delete(lex_sessions).where(_is(key)))

    def delete_alias(self, root: Root, alias: str) -> None:
        """Delete the conversations of an alias."""
        begins = _columns.id.startswith(f"{alias}/", autoescape=True)
        self._connection.execute(sa.delete(lex_sessions).where(_columns.bot == _bot(root), begins))

    def delete_bot(self, root: Root) -> None:
        """Delete the conversations of a bot."""
        self._connection.execute(sa.delete(lex_sessions).where(_columns.bot == _bot(root)))


def _bot(root: Root) -> str:
    return f"{root.account}/{root.region}/{root.id}"


def _row_key(key: SessionKey) -> dict[str, str]:
    return {"bot": _bot(key.root), "id": f"{key.alias}/{key.locale}/{key.id}"}


def _is(key: SessionKey) -> sa.ColumnElement[bool]:
    names = _row_key(key)
    return sa.and_(_columns.bot == names["bot"], _columns.id == names["id"])
