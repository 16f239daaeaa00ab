"""The interface between the drivers in `sources/` and the rest of the room.

A source has *parts*: a shard, a partition, a queue of a broker. A part has records in order, and
stores how far they are processed. What all sources share is in `reader.py`: how records become
batches, what happens when a function fails, and which records a filter removes."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

EVENT_BYTES_MAX = 6 * 1024 * 1024
"""Maximum bytes of an event. A batch ends before its event would be larger."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One record of a source."""

    id: str
    """The name by which functions report that it failed."""
    document: bytes = dataclasses.field(repr=False)
    """JSON, as functions see it."""
    raw: Any = dataclasses.field(repr=False)
    """The record as the source returned it. Only the driver reads it."""
    arrived_at: float
    """When it arrived in the source, epoch seconds."""
    key: str = ""
    """Records with the same key are processed in order."""
    expires_at: float | None = None
    """When it expires, epoch seconds. None means never."""


@dataclasses.dataclass(frozen=True, slots=True)
class Envelope:
    """The text of an event before and after its records."""

    before: bytes
    after: bytes
    """Begins with a closing bracket, and ends with a closing brace."""

    def wrap(self, documents: Iterable[bytes], members: bytes = b"") -> bytes:
        """The event. `members` are further members of its object, with a comma before each."""
        inside = b",".join(documents)
        return b"".join((self.before, inside, self.after[:-1], members, self.after[-1:]))

    @property
    def size(self) -> int:
        """Bytes of an event without records."""
        return len(self.before) + len(self.after)


class SourceError(Exception):
    """A source cannot be read now. The poller retries, after a growing pause."""

    def __init__(self, result: str, *, reason: str = "", detail: str = "") -> None:
        super().__init__(f"{result}: {detail}" if detail else result)
        self.result = result
        """The mapping's LastProcessingResult from now on."""
        self.reason = reason
        """AWS's code for the StateTransitionReason, such as `EVENT_SOURCE_AUTHN_ERROR`. Empty if
        there is none."""


DATABASE_AWAY = "PROBLEM: Internal error: the platform's database is away."


class EndOfPart(Exception):
    """The part has no more records and will have none: a shard that was split."""


class PartLost(Exception):
    """Another reader has the part now, or will get what was read and not committed."""


class Part(Protocol):
    """One part of a source while this platform reads it."""

    @property
    def name(self) -> str:
        """Unique among the parts of the source."""
        ...

    @property
    def envelope(self) -> Envelope:
        """The envelope of events with its records."""
        ...

    async def read(self) -> Sequence[Record]:
        """The next records, in order; empty if none come for a while. May be cancelled, and called
        again after that.

        Raises `EndOfPart`, `PartLost`, `SourceError`.
        """
        ...

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """Remember that all records up to this one are done, and the state of an open tumbling
        window. Raises `PartLost`, or `SourceError`."""
        ...

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """What filters see: the record without its data, and the data (see `model.filtering`)."""
        ...

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """The member of a failure record that identifies the discarded records, such as
        `KinesisBatchInfo`."""
        ...


Serve = Callable[[Part], Awaitable[bool]]
"""Processes the records of a part until it ends, is lost, or the mapping is stopped. Batches under
way are finished first. Returns whether the part was processed to its end."""


Release = Callable[[Sequence[Record]], Awaitable[None]]
"""Called when reading has ended. Of the records that were read, only these are still processed and
committed."""
