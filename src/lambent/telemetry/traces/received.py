"""What functions and clients send as segments."""

from collections.abc import Iterator
from typing import NamedTuple

from lambent.telemetry.traces.documents import Malformed, Segment, read_segment


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
