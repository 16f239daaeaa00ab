"""How far event source mappings have read the parts of their sources."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from lambent.store.tables import event_source_mappings, mapping_positions

_positions = mapping_positions.c


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """Where to read on."""

    after: str = ""
    """The sequence number of the last record that is done with; empty if there is none."""
    since: float | None = None
    """While there is none, from when on records are wanted, epoch seconds; None: from the first
    on."""
    is_end: bool = False
    """Whether the part was read to its end."""
    state: str | None = None
    """JSON, of a tumbling window that is open; None if none is."""


class Positions:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def of_mapping(self, uuid: str) -> Mapping[str, Position]:
        """All of a mapping, by part."""
        rows = self._connection.execute(
            sa.select(_positions.part, _positions.document).where(_positions.uuid == uuid)
        )
        return {row.part: Position(**row.document) for row in rows}

    def put(self, uuid: str, positions: Mapping[str, Position]) -> None:
        """Write some, by part; those of a mapping that is gone are not."""
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
        """Delete those of some parts."""
        which = [{"of": uuid, "which": part} for part in parts]
        if which:
            self._connection.execute(
                sa.delete(mapping_positions).where(
                    _positions.uuid == sa.bindparam("of"), _positions.part == sa.bindparam("which")
                ),
                which,
            )
