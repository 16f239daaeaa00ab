"""A queue of a broker that pushes messages: what it has delivered and what is not acknowledged.

A broker delivers as many messages as were requested, and one more for each that is acknowledged.
The first request is small. Once the size of messages is known, more are requested, up to a whole
batch: so a queue of large messages does not fill the memory.
"""

import base64
import json
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from lambent.kit.waiting import wait_at_most
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.ports import EVENT_BYTES_MAX, Envelope, PartLost, Record, SourceError

logger = logging.getLogger(__name__)

_ASKED_AT_FIRST = 100
_PATIENCE_S = 1.0
"""How long `read` waits for messages before it returns none."""


class DeliveredQueue(ABC):
    """One queue, a `ports.Part`, while one connection lasts. Its messages are in the order of their
    delivery."""

    def __init__(self, polled: ActiveMapping, name: str, envelope: Envelope) -> None:
        self._polled = polled
        self._batch_size = polled.options.batch_size
        self._new: deque[Record] = deque()
        self._open: deque[Record] = deque()
        """Delivered and not acknowledged, including those that were not read yet."""
        self._open_bytes = 0
        self._asked = 0
        self._came = anyio.Event()
        self.name = name
        self.envelope = envelope
        self.failure: SourceError | None = None
        """Why the connection has ended. None while it lasts."""

    @abstractmethod
    async def ask(self, number: int) -> None:
        """Have the broker deliver `number` more messages without an acknowledgement. Raises
        `SourceError`."""

    @abstractmethod
    async def acknowledge(self, records: Sequence[Record]) -> None:
        """Acknowledge the oldest messages that were delivered. Raises `PartLost`."""

    @abstractmethod
    async def release(self, kept: Sequence[Record]) -> None:
        """See `ports.Release`."""

    async def open(self) -> None:
        """Ask for the first messages. Raises `SourceError`."""
        await self._ask(min(self._batch_size, _ASKED_AT_FIRST))

    def add(self, record: Record) -> bool:
        """Add a message that was delivered. Returns False if no event has room for it: the caller
        must then acknowledge it."""
        size = len(record.document)
        if size + self.envelope.size > EVENT_BYTES_MAX:
            self.note_too_large()
            return False
        self._new.append(record)
        self._open.append(record)
        self._open_bytes += size
        self._came.set()
        return True

    def note_too_large(self) -> None:
        """Count and log a message that is dropped because no event has room for it."""
        self._polled.status.count("DroppedEventCount", 1)
        logger.warning(
            "event source mapping %s: a message of %s is too large for an event, and dropped",
            self._polled.mapping.uuid,
            self.name,
        )

    def end(self, failure: SourceError) -> None:
        """The connection has ended. The broker delivers again what was not acknowledged."""
        if self.failure is None:
            self.failure = failure
        self._came.set()

    @property
    def open_records(self) -> Sequence[Record]:
        """The messages that were delivered and are not acknowledged, the oldest first."""
        return self._open

    def others(self, than: Sequence[Record]) -> list[Record]:
        """The messages that were delivered, other than these records."""
        kept = set(map(id, than))
        return [record for record in self._open if id(record) not in kept]

    async def read(self) -> Sequence[Record]:
        """See `ports.Part`."""
        if self.failure is not None:
            raise PartLost
        if not self._new:
            await self._ask_more()
            self._came = anyio.Event()
            await wait_at_most(self._polled.clock, self._came, _PATIENCE_S)
        records = list(self._new)
        self._new.clear()
        return records

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """See `ports.Part`."""
        if self.failure is not None:
            raise PartLost
        done: list[Record] = []
        while not done or done[-1] is not record:
            done.append(self._open.popleft())
            self._open_bytes -= len(done[-1].document)
        await self.acknowledge(done)

    def view(self, record: Record) -> tuple[Mapping[str, Any], bytes]:
        """See `ports.Part`."""
        metadata = json.loads(record.document)
        return metadata, base64.b64decode(metadata.pop("data"))

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`. Mappings of brokers have no destinations."""
        return {}

    async def _ask_more(self) -> None:
        """Request the rest of a batch if all that was requested is here."""
        count = len(self._open)
        if self._asked >= self._batch_size or count < self._asked:
            return
        room = EVENT_BYTES_MAX * count // max(self._open_bytes, 1)
        number = min(4 * self._asked, self._batch_size, room) - self._asked
        if number > 0:
            await self._ask(number)

    async def _ask(self, number: int) -> None:
        self._asked += number
        # A request that is cancelled half-way would end the connection.
        with anyio.CancelScope(shield=True):
            await self.ask(number)


def make_document(message: Mapping[str, Any]) -> bytes:
    """A message as functions see it, JSON."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
