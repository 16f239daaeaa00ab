"""The state of a mapping's polling, for the admin API, metrics and the mapping's own members."""

from collections import deque
from collections.abc import Sequence

from lambent.kit.clock import Clock
from lambent.model.mapping import EventSourceMapping
from lambent.polling.ports import SourceError
from lambent.telemetry.metrics import Metrics

OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"
POLLING_ERROR, INVOKE_ERROR = "PollingErrorCount", "InvokeErrorCount"
COMMIT_ERROR, DELIVERY_ERROR = "CommitErrorCount", "OnFailureDestinationDeliveryErrorCount"
"""The metrics of the group `ErrorCount`."""
_RATE_OVER_S = 60.0


class Status:
    """The status of one mapping while it is polled. Counts begin when the mapping is enabled or
    changed, or the platform starts."""

    def __init__(self, mapping: EventSourceMapping, metrics: Metrics, clock: Clock) -> None:
        self._mapping = mapping
        self._metrics = metrics
        self._clock = clock
        self._recent: deque[tuple[float, int]] = deque()
        """Records by second."""
        self._started = clock.monotonic()
        self._lags_noted = float("-inf")
        """The monotonic second in which lags were recorded last."""
        self.result: str | None = None
        """The LastProcessingResult. None until something happens."""
        self.reason = ""
        """A code for the StateTransitionReason, if the source cannot be read; else empty."""
        self.counts: dict[str, int] = {}
        """Numbers of records, by AWS's names of metrics."""
        self.iterator_age_ms: float | None = None
        self.waiting: int | None = None
        """The number of records or messages that wait in the source. None if it is unknown."""
        self.in_flight = 0
        """The number of batches that the function is processing."""

    def count(self, name: str, number: int) -> None:
        """Count records, under the name of AWS's metric (`PolledEventCount`, …)."""
        if not number:
            return
        self.counts[name] = self.counts.get(name, 0) + number
        if self._mapping.options.counts_events:
            key = self._mapping.function_key
            self._metrics.add(name, key, number, mapping=self._mapping.uuid)
        if name == "InvokedEventCount":
            now = self._clock.monotonic() // 1
            if self._recent and self._recent[-1][0] == now:
                number += self._recent.pop()[1]
            self._recent.append((now, number))
            self._forget_old()

    def note_age(self, arrived_at: float) -> None:
        """A batch is done whose last record came into the source at `arrived_at`, epoch seconds.
        Its age is the metric IteratorAge of streams."""
        self.iterator_age_ms = max(self._clock.now() - arrived_at, 0.0) * 1000
        if self._mapping.kind.has_iterator_age:
            self._metrics.add("IteratorAge", self._mapping.function_key, self.iterator_age_ms)

    def note_lags(self, lags: Sequence[int]) -> None:
        """How many records wait in each partition of a topic."""
        self.waiting = sum(lags)
        second = self._clock.monotonic() // 1
        if not lags or second == self._lags_noted:
            return
        self._lags_noted = second
        key = self._mapping.function_key
        self._metrics.add("OffsetLag", key, max(lags))
        if self._mapping.options.shows_lag:
            self._metrics.add("MaxOffsetLag", key, max(lags), mapping=self._mapping.uuid)
            self._metrics.add("SumOffsetLag", key, self.waiting, mapping=self._mapping.uuid)

    def count_error(self, name: str) -> None:
        """Count something that has failed, under the name of AWS's metric."""
        if self._mapping.options.counts_errors:
            self._metrics.add(name, self._mapping.function_key, mapping=self._mapping.uuid)

    def note_call(self, *, has_failed: bool) -> None:
        """A call of the function has ended."""
        self.result = CALL_FAILED if has_failed else OK
        self.reason = ""

    def note_problem(self, error: SourceError, counted_as: str = POLLING_ERROR) -> None:
        """The source cannot be read; or another request has failed, whose metric is
        `counted_as`."""
        self.count_error(counted_as)
        self.result = error.result
        self.reason = error.reason

    def note_source_works(self) -> None:
        """The source can be read again."""
        has_problem = (self.result or "").startswith("PROBLEM: ")
        if self.reason or (has_problem and self.result != CALL_FAILED):
            self.result, self.reason = OK, ""

    @property
    def said(self) -> tuple[str | None, str] | None:
        """The mapping's LastProcessingResult and StateTransitionReason. None if nothing has
        happened that the mapping shows."""
        kind = self._mapping.kind
        result = self.result if kind.shows_success or self.result != OK else None
        if result is None and kind.shows_success:
            return None
        return result, self.reason or kind.state_reason

    @property
    def rate(self) -> float:
        """Records per second that the function was called with, over the last minute."""
        self._forget_old()
        over_s = min(max(self._clock.monotonic() - self._started, 1.0), _RATE_OVER_S)
        return sum(number for _, number in self._recent) / over_s

    def _forget_old(self) -> None:
        oldest = self._clock.monotonic() - _RATE_OVER_S
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()
