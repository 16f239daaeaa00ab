"""The rows of nodes, and the mappings that each of them polls.

A platform that shares its database has a row from its start to its end, and each of its writing
transactions holds that row. So once another node has removed it, the platform can write nothing any
more, even if it was only paused and continues to run.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lambent.model.nodes import PROTOCOL, Node, NodeState
from lambent.store.holding import RUNNING, Holder
from lambent.store.shares import ShareRows
from lambent.store.tables import mapping_leases, nodes
from lambent.store.upserts import insert_new

_nodes = nodes.c
_leases = mapping_leases.c


class NodeRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection, changed_mappings: set[str]) -> None:
        self._connection = connection
        self._changed_mappings = changed_mappings
        """The UUIDs of mappings whose lease has become free."""

    def join(self, number: int, holder: Holder, release: str, place: str) -> None:
        """Add the row of a platform that starts. Earlier ones in the same `place`, its data
        directory, have ended."""
        for earlier in self._numbers(_nodes.place == place):
            self.remove(earlier)
        self._connection.execute(
            sa.insert(nodes).values(
                number=number,
                place=place,
                document={
                    **dataclasses.asdict(holder),
                    "release": release,
                    "protocol": PROTOCOL,
                    "url": "",
                },
                state=NodeState.LIVE,
                beats=0,
                is_suspect=False,
            )
        )

    def suspect(self, number: int, *, beats: int) -> None:
        """Mark a node that has not renewed its row since so many beats."""
        which = sa.and_(_nodes.number == number, _nodes.beats == beats)
        self._connection.execute(sa.update(nodes).where(which).values(is_suspect=True))

    def remove(self, number: int, *, beats: int | None = None, has_ended: bool = False) -> bool:
        """Remove a node and all it holds; with `beats`, only if it has not renewed its row since.
        Its shares of concurrency stay counted for a while, unless all it ran `has_ended`. Returns
        whether it was there."""
        which = _nodes.number == number
        if beats is not None:
            which &= _nodes.beats == beats
        if self._connection.execute(sa.delete(nodes).where(which)).rowcount == 0:
            return False
        held = self._connection.execute(
            sa.select(_leases.uuid).where(_leases.node == number)
        ).scalars()
        self._changed_mappings.update(held)
        self._connection.execute(sa.delete(mapping_leases).where(_leases.node == number))
        ShareRows(self._connection).leave(number, has_ended=has_ended)
        return True

    def remove_all(self, *, has_ended: bool) -> None:
        """Remove all nodes, because none runs any more; see `remove`."""
        for number in self._numbers():
            self.remove(number, has_ended=has_ended)

    def all(self) -> Sequence[Node]:
        """All nodes by number, as far as their rows say; nothing is known of their beats."""
        query = sa.select(_nodes.number, _nodes.document, _nodes.state, _nodes.seen)
        return [
            node_of((*row, 0, False, True))
            for row in self._connection.execute(query.order_by(_nodes.number))
        ]

    def time(self) -> float:
        """The server's time."""
        text = sa.text("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(self._connection.execute(text).scalar_one())

    def hold(self, number: int) -> bool:
        """Keep a node from being removed until this transaction ends. Returns whether it is still
        there. Its row can be renewed meanwhile."""
        query = sa.select(_nodes.number).where(_nodes.number == number)
        held = self._connection.execute(query.with_for_update(read=True, key_share=True))
        return held.first() is not None

    def is_running(self, number: int) -> bool:
        """Whether the node with this number is there."""
        return bool(self._numbers(_nodes.number == number))

    def describe(self, number: int, url: str) -> None:
        """Note where clients reach a node."""
        document: dict[str, Any] = self._connection.execute(
            sa.select(_nodes.document).where(_nodes.number == number).with_for_update()
        ).scalar_one()
        self._update(number, document={**document, "url": url})

    def set_state(self, number: int, state: NodeState) -> bool:
        """Say whether a node takes on work. Returns whether it is there."""
        return self._update(number, state=state)

    # -- leases ----------------------------------------------------------------------------

    def take_lease(self, uuid: str, number: int) -> bool:
        """Have a node poll a mapping, unless another one does. Returns whether it may."""
        insert_new(self._connection, mapping_leases, {"uuid": uuid, "node": number})
        query = sa.select(_leases.node).where(_leases.uuid == uuid)
        return self._connection.execute(query).scalar() == number

    def drop_lease(self, uuid: str, number: int) -> None:
        """A node has stopped polling a mapping: another one may begin."""
        which = sa.and_(_leases.uuid == uuid, _leases.node == number)
        if self._connection.execute(sa.delete(mapping_leases).where(which)).rowcount:
            self._changed_mappings.add(uuid)

    def _numbers(self, *where: sa.ColumnElement[bool]) -> Sequence[int]:
        return self._connection.execute(sa.select(_nodes.number).where(*where)).scalars().all()

    def _update(self, number: int, **values: object) -> bool:
        query = sa.update(nodes).where(_nodes.number == number).values(**values)
        return self._connection.execute(query).rowcount > 0


IS_CONNECTED = f"""number IN (
    SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND classid = {RUNNING}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)"""
"""Whether the node of a row holds the lock of a platform that runs."""
BEAT = f"""
WITH beat AS (UPDATE nodes SET beats = beats + 1, is_suspect = false, seen = %(seen)s
    WHERE number = %(number)s)
SELECT number, document, state, seen, beats, is_suspect, {IS_CONNECTED},
    extract(epoch FROM clock_timestamp())::float8
FROM nodes ORDER BY number
"""
"""Renews a node's row, and reads all as they were before, each with the server's time."""


def node_of(row: Sequence[Any]) -> Node:
    """A row of `BEAT`."""
    number, document, state, seen, beats, is_suspect, is_connected = row[:7]
    return Node(
        number=number,
        **_known(document),
        state=NodeState(state),
        seen=seen,
        beats=beats,
        is_suspect=is_suspect,
        is_connected=is_connected,
    )


def _known(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without members that a later release adds."""
    known = ("host", "pid", "data_dir", "since", "release", "url")
    return {**{name: document[name] for name in known}, "protocol": document.get("protocol", 1)}
