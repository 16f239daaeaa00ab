"""Segments on their way to the store: what functions and clients send, and documents of the
platform's own."""

from collections.abc import Iterator
from typing import NamedTuple

from lambent.telemetry.traces.documents import (
    Document,
    Malformed,
    Segment,
    make_segment,
    read_segment,
)


class ReceivedSegment(NamedTuple):
    """A segment that was checked."""

    segment: Segment

    @property
    def size(self) -> int:
        """See `Recorded`."""
        return len(self.segment.text)

    def segments(self) -> Iterator[Segment]:
        """See `Recorded`."""
        yield self.segment


class ReceivedText(NamedTuple):
    """A document whose sender gets no response: one that is malformed is dropped."""

    text: str

    @property
    def size(self) -> int:
        """See `Recorded`."""
        return len(self.text)

    def segments(self) -> Iterator[Segment]:
        """See `Recorded`."""
        try:
            yield read_segment(self.text)
        except Malformed:
            return


class OwnDocument(NamedTuple):
    """A segment that the platform has made."""

    document: Document

    @property
    def size(self) -> int:
        """See `Recorded`."""
        return 2_000

    def segments(self) -> Iterator[Segment]:
        """See `Recorded`."""
        yield make_segment(self.document, is_own=True)
