"""A batch of a stream or broker on its way: what is tried next after each attempt.

Pure. Records are done with in order: what was not done with is tried again before anything behind
it, and the chunks of a batch that was split are tried one after the other.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-errors.html
"""

import dataclasses
from collections import deque
from collections.abc import Sequence

from lambent.polling.options import Options
from lambent.polling.ports import Record

EXPIRED = "Expired"
"""Condition of messages whose own time is over; nobody is told, as brokers do not tell either."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchSlice:
    """Records of a batch that are tried together."""

    records: Sequence[Record]
    attempts: int = 0
    """Those that counted: when the function failed, and the chunk was not split for it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Discard:
    """Records that are given up."""

    chunk: BatchSlice
    condition: str
    """As an on-failure record has it."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchDone:
    """The function took the records."""


@dataclasses.dataclass(frozen=True, slots=True)
class BatchFailed:
    """The function failed, or said that the record at this index did: those before it are done
    with."""

    at: int = 0
    is_partial: bool = False
    """Whether the function said so."""


class BatchAttempts:
    """The records of one batch that are not done with."""

    def __init__(self, records: Sequence[Record], options: Options, *, bytes_max: int) -> None:
        """`bytes_max` is for the records of an event; one that is larger is given up untried."""
        self._options = options
        self._bytes_max = bytes_max
        self._chunks = deque([BatchSlice(records)])

    def next(self, now: float) -> BatchSlice | Discard | None:
        """What is to be tried, or given up, next; None when nothing is left. What is given up is
        not there any more."""
        if not self._chunks:
            return None
        chunk = self._chunks[0]
        expired = [one for one in chunk.records if _has_expired(one, now)]
        if expired:
            kept = [one for one in chunk.records if not _has_expired(one, now)]
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
        """How the attempt with the first chunk ended; returns whether to wait before the next. (Of
        an attempt that never reached the function there is nothing to note.)"""
        chunk = self._chunks[0]
        if isinstance(result, BatchDone):
            self._chunks.popleft()
            return False
        rest = chunk.records[result.at :]
        if self._options.bisects and len(rest) > 1 and not result.at:
            # Of one that is known to fail the others are kept apart.
            middle = 1 if result.is_partial else len(rest) // 2
            halves = rest[:middle], rest[middle:]
            self._replace(*(dataclasses.replace(chunk, records=half) for half in halves))
            return False
        self._replace(BatchSlice(rest, chunk.attempts + 1))
        return True

    @property
    def left(self) -> int:
        """How many records are not done with."""
        return sum(len(chunk.records) for chunk in self._chunks)

    def _replace(self, *chunks: BatchSlice) -> None:
        """Put chunks in the place of the first."""
        self._chunks.popleft()
        self._chunks.extendleft(chunk for chunk in reversed(chunks) if chunk.records)


def _has_expired(record: Record, now: float) -> bool:
    return record.expires_at is not None and record.expires_at <= now


def _count_older(records: Sequence[Record], than: float) -> int:
    """How many at the beginning arrived before a moment."""
    for number, record in enumerate(records):
        if record.arrived_at >= than:
            return number
    return len(records)
