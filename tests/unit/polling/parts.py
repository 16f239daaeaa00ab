"""A part of a source that returns what the test puts into it."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from lambent.polling.ports import EndOfPart, Envelope, Record
from tests.unit.polling.rig import ids


class FakePart:
    """With what tumbling windows need."""

    name = "shard"
    source_arn = "arn"
    envelope = Envelope(b'{"Records":[', b"]}")

    def __init__(self, state: bytes | None = None) -> None:
        self.state = state
        self.read_until = 0.0
        self.committed: list[str] = []
        self._pages: deque[Sequence[Record] | None] = deque()
        self._filled = anyio.Event()

    def put(self, *records: Record, until: float | None = None) -> None:
        """The result of the next read; `until` is the time of the read, if everything was read."""
        if records:
            until = max(record.arrived_at for record in records) if until is None else until
        self._pages.append(records)
        self.read_until = self.read_until if until is None else until
        self._filled.set()

    def end(self) -> None:
        """The part has no more records."""
        self._pages.append(None)
        self._filled.set()

    async def read(self) -> Sequence[Record]:
        """As `ports.Part`."""
        while not self._pages:
            self._filled = anyio.Event()
            await self._filled.wait()
        page = self._pages.popleft()
        if page is None:
            raise EndOfPart
        return page

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """As `ports.Part`."""
        self.committed.append(record.id)
        self.state = state

    async def close_window(self) -> None:
        """As `tumbling.WindowedPart`."""
        self.state = None

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """As `ports.Part`: of Kinesis, whose data is the record's key."""
        return {"kinesis": {}}, record.key.encode()

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """As `ports.Part`."""
        return {"records": list(ids(records))}
