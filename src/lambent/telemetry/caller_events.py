"""Events that callers write: PutLogEvents.

A stream that a caller writes to stays open for a while, so that many small batches share a file.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

import dataclasses
import itertools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.telemetry import segments
from lambent.telemetry.log_writer import Writer
from lambent.telemetry.logs import LogStore

BATCH_BYTES_MAX = 1024 * 1024
_OVERHEAD_BYTES = 26
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_SPAN_MS_MAX = _DAY_MS
_FUTURE_MS_MAX = 2 * _HOUR_MS
_PAST_MS_MAX = 14 * _DAY_MS
_OPEN_MAX = 64
"""Streams that are open; each is a file descriptor."""
_WRITE_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """The events of a batch that are kept, and which were not."""

    events: Sequence[tuple[int, bytes]]
    """Times in epoch milliseconds, and texts."""
    rejected: Mapping[str, int]
    """`RejectedLogEventsInfo` of the API."""


def check_batch(events: Sequence[Mapping[str, Any]], now_ms: int, oldest_ms: int) -> Batch:
    """The events of a request. Those before `oldest_ms` have expired. Raises
    `InvalidParameterException`."""
    read = [
        (event["timestamp"], event["message"].encode("utf-8", "surrogatepass")) for event in events
    ]
    times = [at_ms for at_ms, _ in read]
    size = sum(len(message) + _OVERHEAD_BYTES for _, message in read)
    if size > BATCH_BYTES_MAX:
        raise _invalid(f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}")
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise _invalid(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times[-1] - times[0] > _SPAN_MS_MAX:
        raise _invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24"
            " hours."
        )
    too_old = sum(at_ms < now_ms - _PAST_MS_MAX for at_ms in times)
    expired = sum(at_ms < oldest_ms for at_ms in times)
    too_new = sum(at_ms > now_ms + _FUTURE_MS_MAX for at_ms in times)
    rejected = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired > too_old:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(read) - too_new
    return Batch(read[max(too_old, expired) : len(read) - too_new], rejected)


class CallerEvents:
    """The streams that callers write to."""

    def __init__(self, logs: LogStore, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock
        self._open: OrderedDict[tuple[Scope, str, str], Writer] = OrderedDict()

    async def put(
        self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, bytes]]
    ) -> None:
        """Write events; returns when they are written. Raises `ServiceUnavailableException` if the
        disk does not take them."""
        if not events:
            return
        now_ms = int(self._clock.now() * 1000)
        encoded = await computed(_encode, events, now_ms)
        writer = self._writer(scope, group, stream)
        writer.put(events, encoded)
        written = anyio.Event()
        writer.when_written(written.set)
        with anyio.move_on_after(_WRITE_S):
            await written.wait()
            if not writer.has_failed:
                return
        writer.has_failed = False
        raise ApiError(
            "ServiceUnavailableException", "The log store cannot write the events.", status=503
        )

    def _writer(self, scope: Scope, group: str, stream: str) -> Writer:
        key = (scope, group, stream)
        writer = self._open.get(key)
        if writer is None:
            writer = self._open[key] = self._logs.open_stream(*scope, group, stream)
            if len(self._open) > _OPEN_MAX:
                _, oldest = self._open.popitem(last=False)
                oldest.close()
        self._open.move_to_end(key)
        return writer


def _encode(events: Sequence[tuple[int, bytes]], now_ms: int) -> bytes:
    return b"".join(segments.encode(at_ms, now_ms, message) for at_ms, message in events)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
