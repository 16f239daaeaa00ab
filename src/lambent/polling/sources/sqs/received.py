"""Messages that were received: kept invisible to others while they are processed, then deleted or
returned to the queue."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio

from lambent.kit.tasks import start_part
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.ports import Record, SourceError
from lambent.polling.sources.sqs.queue import AT_ONCE_MAX, Queue
from lambent.polling.status import COMMIT_ERROR

_DELETES_MAX = 8
"""Concurrent requests that delete messages of one batch."""


class ReceivedMessages:
    """The messages of one mapping that were received and are not deleted."""

    def __init__(self, polled: ActiveMapping, queue: Queue) -> None:
        self._polled = polled
        self._queue = queue
        self._held: dict[int, tuple[Sequence[Record], float]] = {}
        """Batches in progress, and since when their messages are invisible."""

    @contextmanager
    def held(self, records: Sequence[Record]) -> Iterator[None]:
        """Within the block, `keep_hidden` keeps the messages of a batch invisible: also those that
        are added to it later, and those that wait until earlier events are processed."""
        self._held[id(records)] = (records, self._polled.clock.monotonic())
        try:
            yield
        finally:
            del self._held[id(records)]

    async def keep_hidden(self) -> None:
        """Keep the messages of batches in progress invisible, until it is cancelled."""
        clock = self._polled.clock
        while True:
            visible_s = self._queue.visibility_s
            await clock.sleep(max(visible_s / 4, 0.25))
            now = clock.monotonic()
            for number, (records, since) in list(self._held.items()):
                if visible_s and now - since >= visible_s / 2:
                    await self._hide([*records], int(visible_s))
                    if number in self._held:
                        self._held[number] = (records, now)

    async def release(self, records: Sequence[Record]) -> None:
        """Make messages visible to others now."""
        await self._hide(records, 0)

    async def _hide(self, records: Sequence[Record], seconds: int) -> None:
        for at in range(0, len(records), AT_ONCE_MAX):
            try:
                await self._queue.hide(records[at : at + AT_ONCE_MAX], seconds)
            except SourceError:
                return  # They become visible when their timeout is over.

    async def delete(self, records: Sequence[Record]) -> int:
        """Delete messages, with retries until their visibility timeout is over. Returns how many
        are deleted."""
        chunks = [records[at : at + AT_ONCE_MAX] for at in range(0, len(records), AT_ONCE_MAX)]
        if len(chunks) == 1:
            return await self._delete(chunks[0])
        limiter = anyio.CapacityLimiter(_DELETES_MAX)
        deleted = 0

        async def delete(chunk: Sequence[Record]) -> None:
            nonlocal deleted
            async with limiter:
                deleted += await self._delete(chunk)

        async with anyio.create_task_group() as tasks:
            for chunk in chunks:
                start_part(tasks, delete, chunk)
        return deleted

    async def _delete(self, chunk: Sequence[Record]) -> int:
        """Delete the messages of one request."""
        polled = self._polled
        backoff = Backoff(polled.settings.throttled_s, polled.settings.backoff_max_s)
        give_up_at = polled.clock.monotonic() + max(self._queue.visibility_s, 1.0)
        left = chunk
        while True:
            try:
                left = await self._queue.delete(left)
            except SourceError as error:
                polled.status.note_problem(error, COMMIT_ERROR)
            if not left or polled.clock.monotonic() > give_up_at:
                # Messages that are left are received, and processed, again.
                return len(chunk) - len(left)
            await polled.clock.sleep(backoff.failed())
