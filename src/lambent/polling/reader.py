"""Records of streams and brokers on their way to the function, in order: read, filtered, batched,
tried again when the function fails, and committed.
"""

import logging
import zlib
from collections.abc import Awaitable, Callable, Sequence

import anyio

from lambent.invocation.call import CallResult
from lambent.kit.tasks import start_part
from lambent.model.delivery import Delivery, DeliveryKind
from lambent.model.function import LATEST
from lambent.model.invocation import Succeeded
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.buffer import Buffer
from lambent.polling.failure_records import make_failure_record
from lambent.polling.item_failures import ReadFailures, failed_items, read_failures
from lambent.polling.options import EVENT_BYTES_MAX
from lambent.polling.ports import (
    DATABASE_AWAY,
    EndOfPart,
    LetGo,
    Part,
    PartLost,
    Record,
    SourceError,
)
from lambent.polling.progress import Progress
from lambent.polling.retries import EXPIRED, BatchAttempts, BatchDone, BatchFailed, Discard
from lambent.polling.stop import Stop
from lambent.store.problems import StoreUnavailable

logger = logging.getLogger(__name__)

HELD_BYTES_MAX = EVENT_BYTES_MAX
"""Of records read ahead, for each batch that may be under way."""

Tell = Callable[[bytes, str], Awaitable[None]]
"""Tells the on-failure destination a record, with the trace header of the last call (empty if
there was none); returns when that cannot be lost any more. Raises `SourceError` when it cannot be
told now."""


class Reader:
    """Serves the parts of one mapping. `tell` stands in for the destinations that the platform
    delivers to itself; `read_failures` knows how functions name the records of this source;
    `let_go` is for sources that others may read on from what we leave; `new_lane` is what makes
    batches of a part."""

    def __init__(
        self,
        polled: ActiveMapping,
        tell: Tell | None = None,
        read_failures: ReadFailures = failed_items,
        let_go: LetGo | None = None,
        new_lane: "type[Lane] | None" = None,
    ) -> None:
        self._polled = polled
        self._tell = tell
        self._read_failures = read_failures
        self._let_go = let_go
        self._new_lane = new_lane or Lane

    async def serve(self, part: Part) -> bool:
        """See `ports.Serve`."""
        options = self._polled.options
        lanes = [
            self._new_lane(self._polled, part, self._tell, self._read_failures)
            for _ in range(options.factor)
        ]
        progress = Progress()
        is_end = False
        async with anyio.create_task_group() as tasks:
            for lane in lanes:
                start_part(tasks, lane.run, progress)
            with self._polled.stop.interrupts():
                is_end = await self._read(part, lanes, progress)
            for lane in lanes:
                lane.close(discard=not is_end)
            if self._let_go is not None:
                await self._let_go([record for lane in lanes for record in lane.under_way])
        return is_end and progress.is_clear and all(lane.is_clear for lane in lanes)

    async def _read(self, part: Part, lanes: "Sequence[Lane]", progress: Progress) -> bool:
        """Fill the lanes; returns whether the part is at its end."""
        polled = self._polled
        settings = polled.settings
        backoff = Backoff(settings.backoff_s, settings.backoff_max_s)
        while True:
            try:
                records = await part.read()
            except EndOfPart:
                return True
            except PartLost:
                return False
            except SourceError as error:
                polled.status.note_problem(error)
                await polled.clock.sleep(backoff.failed())
                continue
            backoff.succeeded()
            polled.status.note_source_works()
            if records:
                await self._hand_out(part, records, lanes, progress)
            for lane in lanes:
                lane.note_read()

    async def _hand_out(
        self,
        part: Part,
        records: Sequence[Record],
        lanes: "Sequence[Lane]",
        progress: Progress,
    ) -> None:
        """Put what was read, and is wanted, into the lanes."""
        self._polled.status.count("PolledEventCount", len(records))
        progress.begin(records)
        wanted = self._wanted(part, records)
        if len(wanted) < len(records):
            await self._skip(records, wanted, lanes[0], progress)
        if len(lanes) == 1:
            await lanes[0].buffer.put(wanted)
            return
        for number, lane in enumerate(lanes):
            share = [one for one in wanted if _lane_of(one, len(lanes)) == number]
            if share:
                await lane.buffer.put(share)

    def _wanted(self, part: Part, records: Sequence[Record]) -> Sequence[Record]:
        criteria = self._polled.options.criteria
        if criteria is None:
            return records
        return [one for one in records if criteria.admits(*part.view(one))]

    async def _skip(
        self,
        records: Sequence[Record],
        wanted: Sequence[Record],
        lane: "Lane",
        progress: Progress,
    ) -> None:
        """Be done with records that nobody wants."""
        self._polled.status.count("FilteredOutEventCount", len(records) - len(wanted))
        kept = set(map(id, wanted))
        last = progress.end([one for one in records if id(one) not in kept])
        if last is not None:
            await lane.commit(last)


class Lane:
    """One batch of a part at a time."""

    def __init__(
        self, polled: ActiveMapping, part: Part, tell: Tell | None, read_failures: ReadFailures
    ) -> None:
        self._polled = polled
        self._part = part
        self._tell = tell or self._keep
        self._read_failures = read_failures
        self._stop = Stop()
        self.buffer = Buffer(
            polled.clock, count_max=2 * polled.options.batch_size, bytes_max=HELD_BYTES_MAX
        )
        self.under_way: Sequence[Record] = ()
        settings = polled.settings
        self._failing = Backoff(settings.retry_s, settings.retry_max_s)
        self._refused = Backoff(settings.throttled_s, settings.throttled_max_s)
        self._untold = Backoff(settings.backoff_s, settings.backoff_max_s)

    def close(self, *, discard: bool) -> None:
        """No more will be put into the buffer. What is there is still processed, or else only the
        attempt that is under way is brought to its end."""
        self.buffer.close(discard=discard)
        if discard:
            self._stop.set()

    @property
    def is_clear(self) -> bool:
        """Whether nothing is left to do when all records are done with."""
        return True

    def note_read(self) -> None:
        """The part was read, and what is wanted was put into the buffer."""

    async def run(self, progress: Progress) -> None:
        """Process what is put into the buffer, until it is closed."""
        polled = self._polled
        options = polled.options
        since = polled.clock.monotonic()
        while True:
            records = await self.buffer.take(
                count=options.batch_size,
                bytes_max=self._room,
                since=None if options.window_waits else since,
                window_s=options.window_s,
            )
            if not records or self._is_enough:
                return
            self.under_way = records
            with polled.stop.under_way():
                if not await self.deliver(records, progress):
                    return
                since = polled.clock.monotonic()
            self.under_way = ()
            polled.status.note_age(records[-1].arrived_at)

    async def deliver(self, records: Sequence[Record], progress: Progress) -> bool:
        """Have the function take a batch, or give its records up, and commit those that are done
        with; returns whether all are, which they are not when it was enough before."""
        polled = self._polled
        work = BatchAttempts(records, polled.options, bytes_max=self._room)
        called: CallResult | None = None
        backoff: Backoff | None = None
        done = 0
        while (step := work.next(polled.clock.now())) is not None:
            if isinstance(step, Discard):
                if not await self._give_up(step, called):
                    return False
                called = backoff = None
            elif backoff is not None:
                await self._pause(backoff)
                backoff = None
            else:
                called = await self._call(step.records)
                backoff = await self._next_wait(work, called, step.records)
            before, done = done, len(records) - work.left
            last = progress.end(records[before:done])
            if last is not None:
                await self.commit(last)
            if self._is_enough and work.left:
                return False
        self._failing.succeeded()
        return True

    async def commit(self, record: Record) -> None:
        """See `commit` below."""
        await commit(self._polled, self._part, record)

    async def _next_wait(
        self, work: BatchAttempts, called: CallResult, records: Sequence[Record]
    ) -> Backoff | None:
        """Note what came of a call; returns what says how long to wait before the next, if that is
        not made at once."""
        if not called.outcome.has_run:
            return self._refused
        self._refused.succeeded()
        if work.note(await self._result(called, records)):
            return self._failing
        self._failing.succeeded()
        return None

    def _event(self, records: Sequence[Record]) -> bytes:
        return self._part.envelope.wrap([one.document for one in records])

    @property
    def _room(self) -> int:
        """Bytes for the records of an event."""
        return EVENT_BYTES_MAX - self._part.envelope.size

    @property
    def _is_enough(self) -> bool:
        return self._polled.stop.is_set or self._stop.is_set

    async def _call(self, records: Sequence[Record]) -> CallResult:
        status = self._polled.status
        event = self._event(records)
        status.in_flight += 1
        try:
            called = await self._polled.calls.call(event)
        finally:
            status.in_flight -= 1
        status.note_call(has_failed=not called.outcome.has_succeeded)
        status.count("InvokedEventCount", len(records))
        return called

    async def _result(
        self, called: CallResult, records: Sequence[Record]
    ) -> BatchDone | BatchFailed:
        """What a call that was taken says of the records."""
        status = self._polled.status
        result: BatchDone | BatchFailed = BatchFailed()
        if isinstance(called.outcome, Succeeded):
            result = await self._judge(called.outcome.payload, records)
        if isinstance(result, BatchFailed):
            status.note_call(has_failed=True)
            status.count("FailedInvokeEventCount", len(records) - result.at)
        return result

    async def _judge(self, payload: bytes, records: Sequence[Record]) -> BatchDone | BatchFailed:
        """What the function's answer says of the records."""
        if not self._polled.options.reports_failures:
            return BatchDone()
        places = {one.id: number for number, one in enumerate(records)}
        failed = await read_failures(self._read_failures, payload, places)
        if failed is None:
            return BatchFailed()
        if failed:
            return BatchFailed(min(places[one] for one in failed), is_partial=True)
        return BatchDone()

    async def _pause(self, backoff: Backoff) -> None:
        with self._polled.stop.interrupts(), self._stop.interrupts():
            await self._polled.clock.sleep(backoff.failed())

    async def _give_up(self, discard: Discard, called: CallResult | None) -> bool:
        """Be done with records that were given up; False if it was enough before."""
        polled = self._polled
        if polled.options.on_failure and not await self._report(discard, called):
            return False
        polled.status.count("DroppedEventCount", len(discard.chunk.records))
        if discard.condition == EXPIRED:
            number = len(discard.chunk.records)
            logger.warning(
                "event source mapping %s: %d messages expired", polled.mapping.uuid, number
            )
        return True

    async def _report(self, discard: Discard, called: CallResult | None) -> bool:
        """Tell the destination; returns whether it was told before it was enough."""
        polled = self._polled
        event = None
        if _gets_payload(polled.options.on_failure):
            event = self._event(discard.chunk.records)
        body = make_failure_record(
            discard,
            called,
            self._part.describe(discard.chunk.records),
            function_arn=polled.mapping.function_arn,
            now=polled.clock.now(),
            payload=event,
        )
        while True:
            try:
                await self._tell(body, "" if called is None else called.trace_id)
            except SourceError as error:
                polled.status.note_problem(error)
                if self._is_enough:
                    return False
                await self._pause(self._untold)
            else:
                break
        self._untold.succeeded()
        polled.status.count("OnFailureDestinationDeliveredEventCount", len(discard.chunk.records))
        return True

    async def _keep(self, body: bytes, trace_id: str) -> None:
        polled = self._polled
        mapping = polled.mapping
        now = polled.clock.now()
        delivery = Delivery(
            key=mapping.function_key,
            arn=f"{mapping.function_key.arn}:{mapping.qualifier or LATEST}",
            target=polled.options.on_failure,
            kind=DeliveryKind.ON_FAILURE,
            body=body,
            object_prefix=f"{mapping.object_prefix}{self._part.name}/",
            trace_id=trace_id,
            role=polled.role,
            created_at=now,
            due_at=now,
        )
        try:
            await polled.keep([delivery])
        except StoreUnavailable as error:
            raise SourceError(DATABASE_AWAY) from error


async def commit(
    polled: ActiveMapping, part: Part, record: Record, state: bytes | None = None
) -> None:
    """Commit, again and again if need be, unless the part is lost or it was enough."""
    settings = polled.settings
    backoff = Backoff(settings.backoff_s, settings.backoff_max_s)
    while True:
        try:
            await part.commit(record, state)
        except PartLost:
            return
        except SourceError as error:
            polled.status.note_problem(error)
            if polled.stop.is_set:
                return
            with polled.stop.interrupts():
                await polled.clock.sleep(backoff.failed())
        else:
            return


def _lane_of(record: Record, lanes: int) -> int:
    # Not `hash`, which is another one after each start.
    return zlib.crc32(record.key.encode()) % lanes


def _gets_payload(target: str) -> bool:
    return target.startswith(("kafka://", "arn:aws:s3:"))
