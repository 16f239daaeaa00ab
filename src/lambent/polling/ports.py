"""What a kind of source gives, and what it gets: the interface between `sources/` and the rest.

A source has *parts*: a shard, a partition, a queue of a broker. The records of a part come in
order, and a part remembers how far it has been read. How records become batches, what happens when
a function fails, and which records nobody wants is the same for all of them (`reader.py`).
"""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

EVENT_BYTES_MAX = 6 * 1024 * 1024
"""Most bytes of an event. A batch ends before its event would be larger."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One record of a source."""

    id: str
    """What functions call it when they report that it failed."""
    document: bytes = dataclasses.field(repr=False)
    """JSON, as functions see it."""
    raw: Any = dataclasses.field(repr=False)
    """As the source gave it; nobody else looks inside."""
    arrived_at: float
    """When it came into the source, epoch seconds."""
    key: str = ""
    """Records with the same key are never processed out of order."""
    expires_at: float | None = None
    """When nobody wants it any more, epoch seconds; None: never."""


@dataclasses.dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the records in an event."""

    before: bytes
    after: bytes
    """A closing bracket first, and finally a closing brace."""

    def wrap(self, documents: Iterable[bytes], members: bytes = b"") -> bytes:
        """The event; `members` are further ones of its object, with a comma before each."""
        inside = b",".join(documents)
        return b"".join((self.before, inside, self.after[:-1], members, self.after[-1:]))

    @property
    def size(self) -> int:
        """In bytes, without records."""
        return len(self.before) + len(self.after)


class SourceError(Exception):
    """A source cannot be read now. It is tried again, ever more slowly."""

    def __init__(self, result: str, *, reason: str = "", detail: str = "") -> None:
        super().__init__(f"{result}: {detail}" if detail else result)
        self.result = result
        """The mapping's LastProcessingResult from now on."""
        self.reason = reason
        """AWS's code for its StateTransitionReason, such as `EVENT_SOURCE_AUTHN_ERROR`; empty if
        there is none."""


DATABASE_AWAY = "PROBLEM: Internal error: the platform's database is away."


class EndOfPart(Exception):
    """There are no more records, and never will be: a shard that was split."""


class PartLost(Exception):
    """Somebody else reads the part now, or will get what was read and not committed."""


class Part(Protocol):
    """One part of a source while it is ours."""

    @property
    def name(self) -> str:
        """Unlike that of any other part of the source."""
        ...

    @property
    def envelope(self) -> Envelope:
        """Of events with its records."""
        ...

    async def read(self) -> Sequence[Record]:
        """The records that come next, in order, none if none came for a while. May be cancelled,
        and called again after that.

        Raises `EndOfPart`, `PartLost`, `SourceError`.
        """
        ...

    async def commit(self, record: Record, state: bytes | None = None) -> None:
        """Remember that all records up to this one are done with, and, of a tumbling window that
        is open, its state. Raises `PartLost`, or `SourceError`."""
        ...

    def view(self, record: Record) -> tuple[Mapping[str, Any], Any]:
        """What filters look at: the record without its data, and the data (see
        `model.filtering`)."""
        ...

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """The member of an on-failure record that says which records it is about, such as
        `KinesisBatchInfo`."""
        ...


Serve = Callable[[Part], Awaitable[bool]]
"""Processes the records of a part until it ends, is lost, or the mapping is stopped; what is under
way is brought to an end first. Returns whether the part was processed to its end."""


LetGo = Callable[[Sequence[Record]], Awaitable[None]]
"""Called when reading has ended. Of the records that were read, only these are still processed and
committed."""
