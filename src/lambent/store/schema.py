"""Which code can use the tables of a database, which may be those of another release.

The row of the platform says which revision code must know to use the tables, and which release
migrated them. So the release before can start on the tables of the next one, although it does not
know their revision.

While a platform migrates a database that is shared, other nodes use it. The nodes of the release
before may go on if each migration says that they can (`suits_previous_release`). A node that cannot
share the database with those that are there does not start.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import sqlalchemy as sa

from lambent.model.nodes import SILENT_S
from lambent.model.releases import are_neighbors
from lambent.store.holding import MIGRATION_LOCK_ID
from lambent.store.nodes import IS_CONNECTED, NodeRows
from lambent.store.problems import StoreError
from lambent.store.tables import nodes, platform

RELEASE = version("lambent")
"""Of this code."""
MARKS = "SELECT * FROM platform"
"""A row with the marks, unless the tables are too old to have them."""
_LOCK_TIMEOUT = "60s"
"""Another node may be migrating."""
_GONE_S = SILENT_S + 1.0


class Marks(NamedTuple):
    """What the row of the platform says about its tables."""

    usable_from: str
    """The revision that code must know to use them."""
    migrated_by: str
    """A release."""


def marks_of(row: Mapping[str, Any] | None) -> Marks | None:
    """The marks in a row of `MARKS`."""
    if not row or not row.get("usable_from") or not row.get("migrated_by"):
        return None
    return Marks(row["usable_from"], row["migrated_by"])


def is_usable(marks: Marks | None, revisions: Collection[str], release: str) -> bool:
    """Whether a release that knows these revisions can use tables of a later one."""
    if marks is None:
        return False
    return marks.usable_from in revisions and are_neighbors(release, marks.migrated_by)


def mark(connection: sa.Connection, marks: Marks) -> None:
    """Write the marks, if there is a row already."""
    connection.execute(sa.update(platform).values(**marks._asdict()))


def lock_schema(connection: sa.Connection, *, is_shared: bool) -> None:
    """Keep others from migrating until the transaction ends; also from starting, unless
    `is_shared`."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    way = "_shared" if is_shared else ""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{way}({MIGRATION_LOCK_ID})")
    connection.exec_driver_sql("SET LOCAL lock_timeout TO DEFAULT")


class Company:
    """The nodes that use a database while another one wants to. `release` and `place` are those of
    the latter."""

    def __init__(self, where: str, release: str, place: str) -> None:
        self._where = where
        self._release = release
        self._place = place
        self._silent_since: dict[tuple[int, int], float] = {}
        """By number and beats: nodes that have no connection."""

    def admits(self, connection: sa.Connection, unsuited: Sequence[str]) -> bool:
        """Whether this node may apply its migrations and start. `unsuited` are the revisions to
        come that the nodes there cannot use. Returns False if that is not known yet: a node seems
        to be gone, and the caller asks again. Raises StoreError."""
        is_known = True
        for node in _nodes(connection):
            if node.place == self._place or not (
                unsuited or not are_neighbors(self._release, node.release)
            ):
                continue
            since = self._silent_since.setdefault((node.number, node.beats), time.monotonic())
            if node.is_connected:
                raise self._refused(node, unsuited)
            if time.monotonic() - since > _GONE_S:
                # It cannot write any more, should it be there after all.
                NodeRows(connection, set()).remove(node.number)
            else:
                is_known = False
        return is_known

    def _refused(self, node: "_Row", unsuited: Sequence[str]) -> StoreError:
        which = (
            f"node {node.number} (process {node.pid} on {node.host}) of release {node.release} uses"
            f" {self._where}"
        )
        if are_neighbors(self._release, node.release):
            return StoreError(
                f"{which}, and cannot use the tables of release {self._release} (migration"
                f" {', '.join(unsuited)}). Stop all nodes, then start the new release; nothing was"
                " changed"
            )
        return StoreError(
            f"{which}, and release {self._release} is more than one release away from that. Upgrade"
            " all nodes to each release in between first (docs/nodes.md); nothing was changed"
        )


class _Row(NamedTuple):
    number: int
    place: str
    beats: int
    host: str
    pid: int
    release: str
    is_connected: bool


def _nodes(connection: sa.Connection) -> Sequence[_Row]:
    """The nodes that are there, with those that are lost and not removed yet."""
    if connection.exec_driver_sql("SELECT to_regclass('nodes')").scalar() is None:
        return ()
    columns = (nodes.c.number, nodes.c.place, nodes.c.beats, nodes.c.document)
    rows = connection.execute(
        sa.select(*columns, sa.literal_column(IS_CONNECTED)).order_by(nodes.c.number)
    )
    return [
        _Row(number, place, beats, says["host"], says["pid"], says["release"], bool(is_connected))
        for number, place, beats, says, is_connected in rows
    ]
