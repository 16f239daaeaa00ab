"""Cells: platform processes of one machine that together are one platform, under a supervisor.

What a cell says about itself goes to its supervisor, which passes it on to all others, and says
when a cell has ended. Each message replaces earlier ones of the same cell, so a cell that is slow
to read misses nothing that still counts.
"""

import dataclasses
from typing import Self

CELLS_MAX = 15
"""A machine in a container has user IDs for so many."""
MESSAGE_MAX = 1024
"""Bytes."""
STATE = b"STATE="
"""Begins a message with the state of the cell that sends it."""


@dataclasses.dataclass(frozen=True, slots=True)
class CellState:
    """What a cell says about itself."""

    node: int
    """Its number as a node."""
    seen: int | None = None
    """The number of the last change that it has applied; None while it starts."""
    asked: int = 0
    """How often it has asked the others for what they do not use of limits."""
    noted: int = 0
    """How often it has changed rows of nodes."""

    def encode(self) -> bytes:
        """Four numbers."""
        seen = -1 if self.seen is None else self.seen
        return b"%d %d %d %d" % (self.node, seen, self.asked, self.noted)

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """The reverse. Raises ValueError."""
        node, seen, asked, noted = map(int, text.split())
        return cls(node, None if seen < 0 else seen, asked, noted)


def tell_of(cell: int, state: bytes) -> bytes:
    """What the supervisor says of a cell. Without a state the cell has ended."""
    return b"%d %b" % (cell, state)


def told_of(message: bytes) -> tuple[int, CellState | None]:
    """The reverse. Raises ValueError."""
    number, _, state = message.partition(b" ")
    return int(number), CellState.decode(state) if state else None
