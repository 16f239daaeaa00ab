"""A lane of a part: its records become batches, and one batch at a time is delivered.

A shard with a parallelization factor has several lanes. All records with the same key go into the
same lane, so they stay in order.
"""

from collections.abc import Sequence

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.batch_calls import BatchCalls
from lambent.polling.batch_delivery import BatchDelivery, PlainFormat
from lambent.polling.buffer import Buffer
from lambent.polling.on_failure import Tell
from lambent.polling.ports import EVENT_BYTES_MAX, Part, Record
from lambent.polling.progress import Progress

HELD_BYTES_MAX = EVENT_BYTES_MAX
"""Records that a lane reads ahead."""


class Lane:
    """The usual lane. `tumbling.TumblingLane` is the other."""

    def __init__(
        self, polled: ActiveMapping, part: Part, tell: Tell | None, calls: BatchCalls
    ) -> None:
        self._polled = polled
        self._form = PlainFormat(part, calls)
        self._delivery = BatchDelivery(polled, part, tell, calls, self._form)
        self.commit = self._delivery.commit
        self.buffer = Buffer(
            polled.clock, count_max=2 * polled.options.batch_size, bytes_max=HELD_BYTES_MAX
        )
        self.under_way: Sequence[Record] = ()

    def close(self, *, discard: bool) -> None:
        """No more records will be put into the buffer. If `discard`, the lane ends after the
        current attempt; otherwise it still processes what is in the buffer."""
        self.buffer.close(discard=discard)
        if discard:
            self._delivery.stop.set()

    @property
    def is_clear(self) -> bool:
        """Whether no work is left once all records are processed."""
        return True

    def note_read(self) -> None:
        """The part was read, and the wanted records are in the buffer."""

    async def run(self, progress: Progress) -> None:
        """Process the records in the buffer, until it is closed."""
        try:
            await self._run(progress)
        finally:
            self._delivery.stop.set()

    async def _run(self, progress: Progress) -> None:
        polled = self._polled
        options = polled.options
        since = polled.clock.monotonic()
        while True:
            records = await self.buffer.take(
                count=options.batch_size,
                bytes_max=self._form.room,
                since=None if polled.mapping.kind.is_window_per_batch else since,
                window_s=options.window_s,
            )
            if not records or self._delivery.stop.is_set:
                return
            self.under_way = records
            with polled.stop.under_way():
                if not await self._delivery.deliver(records, progress):
                    return
                since = polled.clock.monotonic()
            self.under_way = ()
            polled.status.note_age(records[-1].arrived_at)
