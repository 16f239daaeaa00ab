"""How far event source mappings have read the partitions of their sources."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from lambent.store.tables import event_source_mappings, mapping_positions

_positions = mapping_positions.c


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """Where to continue reading."""

    after: str = ""
    """The sequence number of the last completed record; empty if there is none."""
    since: float | None = None
    """While there is none: the time, in epoch seconds, from which records are wanted; None means
    from the first record."""
    is_end: bool = False
    """Whether the shard or partition was read to its end."""
    state: str | None = None
    """JSON of the open tumbling window; None if there is none."""


class Positions:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def of_mapping(self, uuid: str) -> Mapping[str, Position]:
        """All positions of a mapping, by partition."""
        rows = self._connection.execute(
            sa.select(_positions.part, _positions.document).where(_positions.uuid == uuid)
        )
        return {row.part: Position(**row.document) for row in rows}

    def put(self, uuid: str, positions: Mapping[str, Position]) -> None:
        """Write positions, by partition. Does nothing if the mapping is gone."""
        exists = sa.select(event_source_mappings.c.uuid).where(event_source_mappings.c.uuid == uuid)
        if not positions or self._connection.execute(exists).first() is None:
            return
        self.forget(uuid, positions)
        rows: list[dict[str, Any]] = [
            {"uuid": uuid, "part": part, "document": dataclasses.asdict(position)}
            for part, position in positions.items()
        ]
        self._connection.execute(sa.insert(mapping_positions), rows)

    def forget(self, uuid: str, parts: Iterable[str]) -> None:
        """Delete the positions of some partitions."""
        which = [{"of": uuid, "which": part} for part in parts]
        if which:
            self._connection.execute(
                sa.delete(mapping_positions).where(
                    _positions.uuid == sa.bindparam("of"), _positions.part == sa.bindparam("which")
                ),
                which,
            )
