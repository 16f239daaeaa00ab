"""A batch of one part on its way to the function: called, retried, discarded, committed."""

from collections.abc import Callable, Sequence
from typing import Protocol

from lambent.invocation.call import CallResult
from lambent.model.invocation import Succeeded
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.batch_calls import BatchCalls
from lambent.polling.on_failure import OnFailure, Tell
from lambent.polling.ports import EVENT_BYTES_MAX, Part, PartLost, Record, SourceError
from lambent.polling.progress import Progress
from lambent.polling.retries import BatchAttempts, BatchDone, BatchFailed, Discard
from lambent.polling.status import COMMIT_ERROR
from lambent.polling.stop import Stop


class BatchFormat(Protocol):
    """The form of the events of a lane, and how to read the function's responses."""

    @property
    def room(self) -> int:
        """Bytes for the records of an event."""
        ...

    def event(self, records: Sequence[Record]) -> bytes:
        """The event with these records."""
        ...

    async def judge(self, payload: bytes, records: Sequence[Record]) -> BatchDone | BatchFailed:
        """What a successful response says of the records."""
        ...

    def state(self) -> bytes | None:
        """The state to commit with a position; None if there is none."""
        ...


class PlainFormat:
    """Events that have records and nothing else."""

    def __init__(self, part: Part, calls: BatchCalls) -> None:
        self._envelope = part.envelope
        self._calls = calls

    @property
    def room(self) -> int:
        """See `BatchFormat`."""
        return EVENT_BYTES_MAX - self._envelope.size

    def event(self, records: Sequence[Record], members: bytes = b"") -> bytes:
        """See `BatchFormat`. `members` are further ones of the event, as for `Envelope.wrap`."""
        return self._envelope.wrap([record.document for record in records], members)

    async def judge(self, payload: bytes, records: Sequence[Record]) -> BatchDone | BatchFailed:
        """See `BatchFormat`."""
        failed = await self._calls.failed(payload, records)
        if failed is None:
            return BatchFailed()
        if failed:
            first = next(place for place, record in enumerate(records) if record.id in failed)
            return BatchFailed(first, is_partial=True)
        return BatchDone()

    def state(self) -> bytes | None:
        """See `BatchFormat`."""
        return None


class BatchDelivery:
    """Delivers the batches of one lane, one after the other."""

    def __init__(
        self,
        polled: ActiveMapping,
        part: Part,
        tell: Tell | None,
        calls: BatchCalls,
        form: BatchFormat,
    ) -> None:
        self._polled = polled
        self._part = part
        self._calls = calls
        self._form = form
        self.stop = Stop(polled.stop)
        """Set when no further attempt is to be made."""
        self._on_failure = OnFailure(polled, part, tell, self.stop)
        settings = polled.settings
        self._failing = Backoff(settings.retry_s, settings.retry_max_s)
        self._refused = Backoff(settings.throttled_s, settings.throttled_max_s)

    async def deliver(self, records: Sequence[Record], progress: Progress) -> bool:
        """Have the function process a batch, or discard its records, and commit those that are
        done. Returns whether all are done: not if polling stops before."""
        polled = self._polled
        attempts = BatchAttempts(records, polled.options, bytes_max=self._form.room)
        called: CallResult | None = None
        backoff: Backoff | None = None
        done = 0
        while (step := attempts.next(polled.clock.now())) is not None:
            if isinstance(step, Discard):
                if not await self._discard(step, called):
                    return False
                called = backoff = None
            elif backoff is not None:
                await self._pause(backoff)
                backoff = None
            else:
                called, result = await self._call(step.records)
                backoff = self._next_wait(attempts, result)
            before, done = done, len(records) - attempts.left
            last = progress.end(records[before:done])
            if last is not None:
                await self.commit(last)
            if self.stop.is_set and attempts.left:
                return False
        self._failing.succeeded()
        return True

    async def deliver_empty(self, gives_up: Callable[[int], bool]) -> bool:
        """Call the function without records until it succeeds, or until `gives_up` is true for the
        number of failures so far. Returns False if polling stops before."""
        failures = 0
        while not isinstance((result := (await self._call(()))[1]), BatchDone):
            failures += result is not None
            if gives_up(failures):
                break
            await self._pause(self._refused if result is None else self._failing)
            if self.stop.is_set:
                return False
        self._failing.succeeded()
        return True

    async def commit(self, record: Record) -> None:
        """See `commit` below. Commits the state of the format, too."""
        await commit(self._polled, self._part, record, self._form.state())

    async def _call(
        self, records: Sequence[Record]
    ) -> tuple[CallResult, BatchDone | BatchFailed | None]:
        """Call the function once. The result is None if it did not run, as when it is throttled."""
        called = await self._calls.call(self._form.event(records), len(records))
        if not called.outcome.has_run:
            return called, None
        self._refused.succeeded()
        result: BatchDone | BatchFailed = BatchFailed()
        if isinstance(called.outcome, Succeeded):
            result = await self._form.judge(called.outcome.payload, records)
        if isinstance(result, BatchFailed):
            status = self._polled.status
            status.note_call(has_failed=True)
            status.count("FailedInvokeEventCount", len(records) - result.at)
        return called, result

    def _next_wait(
        self, attempts: BatchAttempts, result: BatchDone | BatchFailed | None
    ) -> Backoff | None:
        """Note the result of a call. Returns the backoff that the next call must wait for; None if
        it need not wait."""
        if result is None:
            return self._refused
        if attempts.note(result):
            return self._failing
        self._failing.succeeded()
        return None

    async def _pause(self, backoff: Backoff) -> None:
        with self.stop.interrupts():
            await self._polled.clock.sleep(backoff.failed())

    async def _discard(self, discard: Discard, called: CallResult | None) -> bool:
        event = None
        if self._on_failure.wants_event:
            event = self._form.event(discard.chunk.records)
        return await self._on_failure.discard(discard, called, event)


async def commit(
    polled: ActiveMapping, part: Part, record: Record, state: bytes | None = None
) -> None:
    """Commit a position, with retries, until it succeeds, the part is lost or polling stops."""
    settings = polled.settings
    backoff = Backoff(settings.backoff_s, settings.backoff_max_s)
    while True:
        try:
            await part.commit(record, state)
        except PartLost:
            return
        except SourceError as error:
            polled.status.note_problem(error, COMMIT_ERROR)
            if polled.stop.is_set:
                return
            with polled.stop.interrupts():
                await polled.clock.sleep(backoff.failed())
        else:
            return
