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

_SPANS, _SPANS_NOT_SAMPLED = "T1S", "T1U"
"""How a text begins that has spans of OpenTelemetry in the place of a document."""


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
            if self.text.startswith(_SPANS):
                # Only then: protobuf takes a few MB.
                from lambent.telemetry.traces.received_spans import read_spans

                yield from read_spans(self.text)
            elif not self.text.startswith(_SPANS_NOT_SAMPLED):
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
