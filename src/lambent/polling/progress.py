"""How far a part has been processed, when several batches of it are under way at a time.

Pure. A part is read on from behind the last record before which nothing is open.
"""

from collections import deque
from collections.abc import Iterable

from lambent.polling.ports import Record


class Progress:
    """The records of a part that were read and not committed, in order."""

    def __init__(self) -> None:
        self._open: deque[Record] = deque()
        self._done: set[int] = set()

    def begin(self, records: Iterable[Record]) -> None:
        """They were read."""
        self._open.extend(records)

    def end(self, records: Iterable[Record]) -> Record | None:
        """They are done with. Returns the last record before which nothing is open, if there is one
        that was not given before."""
        self._done.update(map(id, records))
        last = None
        while self._open and id(self._open[0]) in self._done:
            last = self._open.popleft()
            self._done.remove(id(last))
        return last

    @property
    def is_clear(self) -> bool:
        """Whether nothing is open."""
        return not self._open
