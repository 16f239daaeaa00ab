"""Amazon SQS, standard and FIFO: messages are received, handed to the function and then deleted.

A message is deleted when the function has processed it. When the function fails, the message stays,
and is received again when its visibility timeout is over; the queue's redrive policy says how
often. While a batch is in progress its messages are kept invisible.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import math
from collections.abc import Sequence

import anyio
import anyio.abc

from lambent.invocation.adaptive_limit import AdaptiveLimit
from lambent.invocation.call import CallResult
from lambent.kit.tasks import start_part
from lambent.model.invocation import Succeeded
from lambent.model.traces import LOOPS_MAX
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.batch_calls import BatchCalls
from lambent.polling.ports import EVENT_BYTES_MAX, Record, SourceError
from lambent.polling.record_filter import RecordFilter
from lambent.polling.sources.sqs.messages import (
    ENVELOPE,
    count_calls,
    split,
    to_record,
    trace_header,
    view,
)
from lambent.polling.sources.sqs.queue import AT_ONCE_MAX, Queue
from lambent.polling.sources.sqs.received import ReceivedMessages

_WORKERS_AT_FIRST = 5
_WORKERS_MAX = 1250
"""Both as in AWS."""
_LOOK_EVERY_S = 60.0


class SqsPoller:
    """Workers that each receive a batch, have it processed and delete it, in a loop. There are at
    least `pollers_min`; while full batches come, there are as many as raise the throughput."""

    def __init__(self, polled: ActiveMapping, queue: Queue) -> None:
        self._polled = polled
        self._queue = queue
        self._options = polled.options
        self._calls = BatchCalls(polled)
        self._filter = RecordFilter(polled.mapping, polled.status)
        self._received = ReceivedMessages(polled, queue)
        self._pace = AdaptiveLimit(polled.clock.monotonic(), start=_WORKERS_AT_FIRST)
        self._limit = min(self._options.concurrency_max or _WORKERS_MAX, _WORKERS_MAX)
        settings = polled.settings
        self._throttled = Backoff(settings.throttled_s, settings.throttled_max_s)
        self._workers = 0
        self._throttles = 0
        """Workers whose batch is throttled."""
        self._free = anyio.Event()
        """Set when no batch is throttled any more."""
        self._failure: SourceError | None = None

    async def run(self) -> None:
        """Poll until the mapping is stopped. Raises `SourceError`."""
        async with anyio.create_task_group() as watching:
            start_part(watching, self._received.keep_hidden)
            start_part(watching, self._look)
            async with anyio.create_task_group() as tasks:
                for _ in range(self._options.pollers_min):
                    self._start(tasks)
            watching.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    def _start(self, tasks: anyio.abc.TaskGroup) -> None:
        self._workers += 1
        start_part(tasks, self._work, tasks)

    async def _work(self, tasks: anyio.abc.TaskGroup) -> None:
        batch_size = self._options.batch_size
        try:
            while self._is_wanted():
                while self._throttles and self._is_wanted():
                    # Receiving counts for the redrive policy, so received messages must be
                    # processed.
                    await self._free.wait()
                records = await self._receive(batch_size, self._polled.settings.long_poll_s)
                if not records:
                    if self._workers > self._options.pollers_min:
                        return
                    continue
                with self._polled.stop.under_way(), self._received.held(records):
                    await self._fill(records)
                    self._grow(tasks, is_full=len(records) >= min(batch_size, AT_ONCE_MAX))
                    await self._process(records)
                self._pace.note_end()
        except SourceError as error:
            self._polled.status.note_problem(error)
            self._failure = error
        finally:
            self._workers -= 1

    def _is_wanted(self) -> bool:
        return (
            not self._polled.stop.is_set
            and self._failure is None
            and self._workers <= max(min(self._pace.limit, self._limit), self._options.pollers_min)
        )

    def _grow(self, tasks: anyio.abc.TaskGroup, *, is_full: bool) -> None:
        if not is_full or self._throttles:
            return
        if self._workers >= self._pace.limit:
            self._pace.note_full(self._polled.clock.monotonic(), self._limit)
        if self._workers < min(self._pace.limit, self._limit):
            self._start(tasks)

    async def _receive(self, most: int, wait_s: int) -> list[Record]:
        """The next messages that the function gets; empty if none come within `wait_s`."""
        polled = self._polled
        messages = await self._queue.receive(most, wait_s)
        polled.status.note_source_works()
        has_window = bool(self._options.window_s)
        records = [
            to_record(message, self._queue.arn, polled.aws.region, has_window=has_window)
            for message in messages
        ]
        wanted, unwanted = self._filter.split(records, view)
        if unwanted:
            await self._received.delete(unwanted)
        return list(wanted)

    async def _fill(self, records: list[Record]) -> None:
        """Add the messages that come within the window to a batch."""
        polled, options = self._polled, self._options
        size = ENVELOPE.size + sum(len(record.document) + 1 for record in records)
        ends_at = polled.clock.monotonic() + options.window_s
        # If polling stops, the incomplete batch is processed: its messages were received.
        while len(records) < options.batch_size and size <= EVENT_BYTES_MAX:
            left_s = ends_at - polled.clock.monotonic()
            if left_s <= 0 or polled.stop.is_set:
                return
            wait_s = min(polled.settings.long_poll_s, math.ceil(left_s))
            found = await self._receive(options.batch_size - len(records), wait_s)
            records += found
            size += sum(len(record.document) + 1 for record in found)

    async def _process(self, records: list[Record]) -> None:
        """Have a batch processed, in as many events as it takes, and delete what was processed.
        Removes from `records` what is done."""
        arn = self._polled.mapping.function_key.arn
        loops = [
            record for record in records if count_calls(trace_header(record), arn) >= LOOPS_MAX
        ]
        # A call that is stopped as a loop would fail the other messages, too.
        others = [record for record in records if record not in loops] if loops else records
        for batch in [*split(others), *split(loops)]:
            done = await self._deliver(batch)
            if done:
                deleted = await self._received.delete(done)
                self._polled.status.count("DeletedEventCount", deleted)
            ended = set(map(id, batch))
            records[:] = [record for record in records if id(record) not in ended]

    async def _deliver(self, records: Sequence[Record]) -> Sequence[Record]:
        """Call the function with a batch. Returns the messages that it has processed."""
        status = self._polled.status
        event = ENVELOPE.wrap([record.document for record in records])
        arn = self._polled.mapping.function_key.arn
        header = max(map(trace_header, records), key=lambda header: count_calls(header, arn))
        while True:
            called = await self._calls.call(event, len(records), header)
            if called.outcome.has_run or called.is_loop:
                break
            if not await self._wait_for_room():
                await self._received.release(records)
                return ()
        self._throttled.succeeded()
        done = await self._done(called, records)
        status.note_call(has_failed=not done)
        status.count("FailedInvokeEventCount", len(records) - len(done))
        return done

    async def _done(self, called: CallResult, records: Sequence[Record]) -> Sequence[Record]:
        if not isinstance(called.outcome, Succeeded):
            return ()
        failed = await self._calls.failed(called.outcome.payload, records)
        if failed is None:
            return ()
        return [record for record in records if record.id not in failed] if failed else records

    async def _wait_for_room(self) -> bool:
        """Hold a batch that is throttled. Returns whether to call the function again."""
        if not self._throttles:
            self._free = anyio.Event()
        self._throttles += 1
        try:
            with self._polled.stop.interrupts():
                await self._polled.clock.sleep(self._throttled.failed())
        finally:
            self._throttles -= 1
            if not self._throttles:
                self._free.set()
        return not self._polled.stop.is_set

    async def _look(self) -> None:
        """Read the queue's attributes periodically: they may change."""
        while True:
            await self._polled.clock.sleep(_LOOK_EVERY_S)
            try:
                self._polled.status.waiting = await self._queue.look()
            except SourceError:
                continue
