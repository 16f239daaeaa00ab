"""The attempts of one batch of a stream or broker: what is tried next after each. Pure.

Records are processed in order: a record that failed is retried before any later record,
and the chunks of a batch that was split are processed one after the other.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-errors.html
"""

import dataclasses
from collections import deque
from collections.abc import Sequence

from lambent.model.mapping_options import MappingOptions
from lambent.polling.ports import Record

EXPIRED = "Expired"
"""The condition of messages that have expired by their own expiration time."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchSlice:
    """Records of a batch that are tried together."""

    records: Sequence[Record]
    attempts: int = 0
    """Attempts that count: the function failed, and the chunk was not split."""


@dataclasses.dataclass(frozen=True, slots=True)
class Discard:
    """Records that are discarded."""

    chunk: BatchSlice
    condition: str
    """The condition in the on-failure record."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchDone:
    """The function processed the records."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchFailed:
    """The function failed, or reported that the record at this index failed. Records before it are
    done."""

    at: int = 0
    is_partial: bool = False
    """Whether the function reported the record."""


class BatchAttempts:
    """The records of one batch that are not done."""

    def __init__(
        self, records: Sequence[Record], options: MappingOptions, *, bytes_max: int
    ) -> None:
        """`bytes_max` is for the records of an event. A larger record is discarded untried."""
        self._options = options
        self._bytes_max = bytes_max
        self._chunks = deque([BatchSlice(records)])

    def next(self, now: float) -> BatchSlice | Discard | None:
        """The records to try or to discard next; None when all are done. `now` is epoch seconds.
        Records that are to be discarded count as done."""
        if not self._chunks:
            return None
        chunk = self._chunks[0]
        expired = [record for record in chunk.records if _has_expired(record, now)]
        if expired:
            kept = [record for record in chunk.records if not _has_expired(record, now)]
            self._replace(dataclasses.replace(chunk, records=kept))
            return Discard(dataclasses.replace(chunk, records=expired), EXPIRED)
        age_max_s = self._options.age_max_s
        if age_max_s is not None:
            old = _count_older(chunk.records, now - age_max_s)
            if old:
                self._replace(dataclasses.replace(chunk, records=chunk.records[old:]))
                too_old = dataclasses.replace(chunk, records=chunk.records[:old])
                return Discard(too_old, "RecordAgeExceeded")
        if len(chunk.records) == 1 and len(chunk.records[0].document) > self._bytes_max:
            self._chunks.popleft()
            return Discard(chunk, "MaximumPayloadSizeExceeded")
        retries_max = self._options.retries_max
        if retries_max is not None and chunk.attempts > retries_max:
            self._chunks.popleft()
            return Discard(chunk, "RetryAttemptsExhausted")
        return chunk

    def note(self, result: BatchDone | BatchFailed) -> bool:
        """Note how the attempt with the first chunk ended. Returns whether to wait before the next.
        (An attempt that did not reach the function is not noted.)"""
        chunk = self._chunks[0]
        if isinstance(result, BatchDone):
            self._chunks.popleft()
            return False
        rest = chunk.records[result.at :]
        if self._options.bisects and len(rest) > 1 and not result.at:
            # A record that is known to fail is separated from the others.
            middle = 1 if result.is_partial else len(rest) // 2
            halves = rest[:middle], rest[middle:]
            self._replace(*(dataclasses.replace(chunk, records=half) for half in halves))
            return False
        self._replace(BatchSlice(rest, chunk.attempts + 1))
        return True

    @property
    def left(self) -> int:
        """The number of records that are not done."""
        return sum(len(chunk.records) for chunk in self._chunks)

    def _replace(self, *chunks: BatchSlice) -> None:
        """Replace the first chunk."""
        self._chunks.popleft()
        self._chunks.extendleft(chunk for chunk in reversed(chunks) if chunk.records)


def _has_expired(record: Record, now: float) -> bool:
    return record.expires_at is not None and record.expires_at <= now


def _count_older(records: Sequence[Record], than: float) -> int:
    """How many records at the beginning arrived before a time."""
    for number, record in enumerate(records):
        if record.arrived_at >= than:
            return number
    return len(records)
