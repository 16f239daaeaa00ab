"""What a mapping is doing, for operators, metrics and the mapping's own members."""

from collections import deque

from lambent.kit.clock import Clock
from lambent.model.mapping import EventSourceMapping, Source
from lambent.polling.ports import SourceError
from lambent.telemetry.metrics import Metrics

OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"
_RATE_OVER_S = 60.0


class Status:
    """Of one mapping while it is polled. Sums are since it was last enabled or changed."""

    def __init__(
        self, mapping: EventSourceMapping, metrics: Metrics, clock: Clock, *, counts_events: bool
    ) -> None:
        self._mapping = mapping
        self._metrics = metrics
        self._clock = clock
        self._counts_events = counts_events
        self._recent: deque[tuple[float, int]] = deque()
        """Records by second."""
        self._started = clock.monotonic()
        self.result: str | None = None
        """LastProcessingResult; None while nothing has happened."""
        self.reason = ""
        """A code for the StateTransitionReason, if something is wrong with the source."""
        self.counts: dict[str, int] = {}
        """By AWS's names of metrics."""
        self.iterator_age_ms: float | None = None
        self.waiting: int | None = None
        """Records or messages that the source has for us, if it tells."""
        self.in_flight = 0
        """Batches that a function works on."""

    def count(self, name: str, number: int) -> None:
        """Count records, under the name of AWS's metric (`PolledEventCount`, …)."""
        if not number:
            return
        self.counts[name] = self.counts.get(name, 0) + number
        if self._counts_events:
            key = self._mapping.function_key
            self._metrics.add(name, key, number, mapping=self._mapping.uuid)
        if name == "InvokedEventCount":
            now = self._clock.monotonic() // 1
            if self._recent and self._recent[-1][0] == now:
                number += self._recent.pop()[1]
            self._recent.append((now, number))
            self._forget_old()

    def note_age(self, arrived_at: float) -> None:
        """How old the last record of a batch was when the batch was done with. A metric of
        streams."""
        self.iterator_age_ms = max(self._clock.now() - arrived_at, 0.0) * 1000
        if self._mapping.source.is_stream:
            self._metrics.add("IteratorAge", self._mapping.function_key, self.iterator_age_ms)

    def note_call(self, *, has_failed: bool) -> None:
        """How a call of the function ended."""
        self.result = CALL_FAILED if has_failed else OK
        self.reason = ""

    def note_problem(self, error: SourceError) -> None:
        """The source cannot be read."""
        self.result = error.result
        self.reason = error.reason

    def note_source_works(self) -> None:
        """It can again."""
        has_problem = (self.result or "").startswith("PROBLEM: ")
        if self.reason or (has_problem and self.result != CALL_FAILED):
            self.result, self.reason = OK, ""

    @property
    def said(self) -> tuple[str | None, str] | None:
        """The mapping's LastProcessingResult and StateTransitionReason, if there is news. Queues
        have no result but of problems."""
        is_quiet = self._mapping.source in (Source.SQS, Source.SQS_FIFO)
        usual = "User action" if self._mapping.source.is_stream else "USER_INITIATED"
        result = None if is_quiet and self.result == OK else self.result
        if result is None and not is_quiet:
            return None
        return result, self.reason or usual

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
