"""How far a part is processed while several of its batches are in progress. Pure.

The position to commit is the last record that is done and has no open record before it.
"""

from collections import deque
from collections.abc import Iterable

from lambent.polling.ports import Record


class Progress:
    """The records of a part that were read and are not committed, in order."""

    def __init__(self) -> None:
        self._open: deque[Record] = deque()
        self._done: set[int] = set()

    def begin(self, records: Iterable[Record]) -> None:
        """Records were read."""
        self._open.extend(records)

    def end(self, records: Iterable[Record]) -> Record | None:
        """Records are done. Returns the record to commit, or None if the position stays the
        same."""
        self._done.update(map(id, records))
        last = None
        while self._open and id(self._open[0]) in self._done:
            last = self._open.popleft()
            self._done.remove(id(last))
        return last

    @property
    def is_clear(self) -> bool:
        """Whether no record is open."""
        return not self._open
