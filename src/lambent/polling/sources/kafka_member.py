"""A member of a consumer group: librdkafka's consumer, in a thread of its own.

Only that thread calls the consumer: calls of others would wait until its poll is over. It hands
messages, assignments and problems over to the event loop, one after the other (`from_thread`); what
the loop wants done lies in two queues, which the thread empties between its polls.
"""

import dataclasses
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
from anyio import from_thread, to_thread
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lambent.kit.clock import wait_at_most
from lambent.polling.polled import Polled
from lambent.polling.ports import PartLost, Serve, SourceError
from lambent.polling.role_calls import unreachable
from lambent.polling.sources.kafka_cluster import ClientLog
from lambent.polling.sources.kafka_partition import Partition
from lambent.polling.sources.kafka_problems import (
    is_lost,
    lasting_problem,
    problem,
    refused_certificate,
)
from lambent.polling.sources.kafka_records import Rendering
from lambent.polling.sources.kafka_start import Start, find_offsets

logger = logging.getLogger(__name__)

_AT_ONCE_MAX = 1_000
"""Messages handed over in one go."""
_POLL_S_MIN, _POLL_S_BUSY, _POLL_S_IDLE = 0.001, 0.02, 0.2
"""How long the consumer waits for messages: a tenth of the time since anything happened, within
these bounds. Nothing can be asked of it meanwhile."""
_LOOK_EVERY_S = 1.0
_LOOK_S = 0.5
_REVOKE_S = 10.0
"""What batches under way have to end when the group wants their partitions."""
_COMMIT_S = 30.0

_HANGS_UP = re.compile(r"Disconnected.*APIVERSION_QUERY")
"""A broker that has read our certificate, and does not want it."""

_T = TypeVar("_T")
NewRendering = Callable[[int], Rendering]
"""How the records of a partition look, by its number."""


@dataclasses.dataclass(slots=True)
class _Commit:
    """One that the group was asked for."""

    is_answered: anyio.Event = dataclasses.field(default_factory=anyio.Event)
    error: KafkaError | None = None


class Member:
    """In the group for as long as it runs. `settings` are librdkafka's."""

    def __init__(
        self,
        polled: Polled,
        settings: Mapping[str, Any],
        topic: str,
        start: Start,
        new_rendering: NewRendering,
    ) -> None:
        self._polled = polled
        self._settings = settings
        self._topic = topic
        self._start = start
        self._new_rendering = new_rendering
        self._parts: dict[int, Partition] = {}
        self._waiting: dict[tuple[int, int], _Commit] = {}
        """By partition and offset."""
        self._commits: deque[tuple[int, int]] = deque()
        """Partitions, and from where they are to be read on; for the thread."""
        self._drained: deque[int] = deque()
        """Partitions that have room again; for the thread."""
        self._is_over = False
        self._changed = anyio.Event()
        """Some part has ended."""
        self._failure: SourceError | None = None
        self._assigned: set[int] = set()
        """Of the thread, as all that follows."""
        self._trouble: SourceError | None = None
        """What may pass."""
        self._trouble_since = 0.0
        self._log = ClientLog()
        self._looked_at = 0.0
        self._active_at = 0.0

    async def run(self, serve: Serve) -> None:
        """See `ports.Source`."""
        async with anyio.create_task_group() as tasks:
            self._tasks, self._serve = tasks, serve
            tasks.start_soon(self._end_when_told)
            await to_thread.run_sync(self._live, limiter=anyio.CapacityLimiter(1))
            tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _end_when_told(self) -> None:
        """Have the thread end: when the mapping is stopped and nothing is under way any more, or
        when this is cancelled."""
        try:
            with self._polled.stop.interrupts():
                await anyio.sleep_forever()
            while self._parts:
                self._changed = anyio.Event()
                await self._changed.wait()
        finally:
            self._is_over = True

    # The thread.

    def _live(self) -> None:
        callbacks = {"error_cb": self._on_error, "on_commit": self._on_commit}
        consumer: Consumer | None = None
        try:
            consumer = Consumer({**self._settings, **callbacks}, logger=self._log)
            consumer.subscribe(
                [self._topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not self._is_over and self._failure is None:
                self._turn(consumer)
        except KafkaException as error:
            self._failure = problem(error.args[0], self._topic)
        finally:
            if consumer is not None:
                self._revoke(consumer, list(self._assigned))
                consumer.close()

    def _turn(self, consumer: Consumer) -> None:
        """Wait a little for messages, and do what the loop wants."""
        now = time.monotonic()
        longest = _POLL_S_BUSY if self._polled.status.in_flight else _POLL_S_IDLE
        wait_s = min(max((now - self._active_at) / 10, _POLL_S_MIN), longest)
        message = consumer.poll(wait_s)
        if message is not None:
            self._active_at = now
            self._hand_over(consumer, [message, *consumer.consume(_AT_ONCE_MAX - 1, 0)])
        self._commit(consumer)
        drained = _take_all(self._drained)
        if drained:
            consumer.resume([TopicPartition(self._topic, number) for number in drained])
        if now - self._looked_at > _LOOK_EVERY_S:
            self._looked_at = now
            self._look(consumer)

    def _hand_over(self, consumer: Consumer, messages: Sequence[Message]) -> None:
        found: dict[int, list[Message]] = {}
        for message in messages:
            error = message.error()
            number = message.partition()
            if error is not None:
                self._on_error(error)
            elif number is not None:
                found.setdefault(number, []).append(message)
        full = from_thread.run_sync(self._put, found)
        if full:
            consumer.pause([TopicPartition(self._topic, number) for number in full])

    def _commit(self, consumer: Consumer) -> None:
        wanted = dict(_take_all(self._commits))
        if not wanted:
            return
        self._active_at = time.monotonic()
        offsets = [TopicPartition(self._topic, number, at) for number, at in wanted.items()]
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._on_commit(error.args[0], offsets)

    def _look(self, consumer: Consumer) -> None:
        """See how much waits, and whether trouble has passed."""
        bounds = {}
        for number in self._assigned:
            partition = TopicPartition(self._topic, number)
            bounds[number] = consumer.get_watermark_offsets(partition, cached=True)
        from_thread.run_sync(self._note_waiting, bounds)
        if self._trouble is None:
            return
        try:
            consumer.list_topics(self._topic, timeout=_LOOK_S)
        except KafkaException:
            if time.monotonic() - self._trouble_since > self._polled.settings.backoff_max_s:
                self._failure = self._trouble
        else:
            self._trouble = None
            from_thread.run_sync(self._polled.status.note_source_works)

    def _revoke(self, consumer: Consumer, numbers: Sequence[int]) -> None:
        """Give partitions back, once what is under way has ended or has had its time."""
        done = from_thread.run(self._end, numbers, _REVOKE_S)
        done = {**dict(_take_all(self._commits)), **done}
        self._assigned.difference_update(numbers)
        offsets = [TopicPartition(self._topic, number, at) for number, at in done.items()]
        if not offsets or self._failure is not None or self._trouble is not None:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:  # Records come again.
            logger.info("event source mapping %s: %s", self._polled.mapping.uuid, error)

    # Called by librdkafka, within the thread's calls.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        found = find_offsets(consumer, self._start, partitions)
        consumer.assign(found)
        self._assigned.update(one.partition for one in found)
        from_thread.run_sync(self._begin, {one.partition: one.offset for one in found})

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoke(consumer, [one.partition for one in partitions])

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [one.partition for one in partitions]
        from_thread.run(self._end, numbers, 0.0)
        self._assigned.difference_update(numbers)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        results = [(one.partition, one.offset, one.error or error) for one in partitions]
        from_thread.run_sync(self._note_committed, results)

    def _on_error(self, error: KafkaError) -> None:
        lasting = lasting_problem(error, self._topic)
        if lasting is not None:
            self._failure = self._failure or lasting
        elif error.code() != KafkaError._ALL_BROKERS_DOWN or self._trouble is not None:
            return
        elif self._settings["security.protocol"] == "SSL" and _HANGS_UP.search(self._log.last):
            self._failure = refused_certificate(self._log.last)
        else:
            self._trouble = unreachable(self._log.last or error.str())
            self._trouble_since = time.monotonic()
            from_thread.run_sync(self._polled.status.note_problem, self._trouble)

    # On the event loop.

    def _begin(self, offsets: Mapping[int, int]) -> None:
        """Have partitions processed."""
        self._polled.status.note_source_works()
        for number, offset in offsets.items():
            part = self._parts[number] = Partition(
                number,
                self._new_rendering(number),
                self._want_commit,
                self._drained.append,
                next_offset=offset if offset >= 0 else None,
            )
            self._tasks.start_soon(self._process, part)

    async def _process(self, part: Partition) -> None:
        try:
            with part.scope:
                await self._serve(part)
        finally:
            if self._parts.get(part.number) is part:
                del self._parts[part.number]
            part.ended.set()
            self._changed.set()

    async def _end(self, numbers: Sequence[int], within_s: float) -> Mapping[int, int]:
        """Take partitions from whoever processes them. Gives where they are to be read on, if the
        group does not know yet."""
        clock = self._polled.clock
        until = clock.monotonic() + within_s
        parts = [self._parts[number] for number in numbers if number in self._parts]
        for part in parts:
            part.lose()
        for (number, _), commit in self._waiting.items():
            if number in numbers:
                commit.is_answered.set()  # It is done before they are given back.
        for part in parts:
            if not await wait_at_most(clock, part.ended, until - clock.monotonic()):
                part.scope.cancel()
                await part.ended.wait()
        return {
            part.number: part.done
            for part in parts
            if part.done is not None and part.done != part.committed
        }

    def _put(self, found: Mapping[int, Sequence[Message]]) -> Sequence[int]:
        """Messages that came; gives the partitions that are to be paused."""
        full = []
        for number, messages in found.items():
            part = self._parts.get(number)
            if part is None or part.put(messages):
                full.append(number)
        return full

    async def _want_commit(self, part: Partition, offset: int) -> None:
        if part.is_lost:
            return  # Whoever takes it commits.
        commit = self._waiting[part.number, offset] = _Commit()
        self._commits.append((part.number, offset))
        try:
            await wait_at_most(self._polled.clock, commit.is_answered, _COMMIT_S)
        finally:
            self._waiting.pop((part.number, offset), None)
        if commit.error is not None and is_lost(commit.error):
            raise PartLost
        if commit.error is not None:
            raise problem(commit.error, self._topic)
        if not commit.is_answered.is_set():
            raise unreachable("the group's coordinator does not answer")

    def _note_committed(self, results: Sequence[tuple[int, int, KafkaError | None]]) -> None:
        for number, offset, error in results:
            part = self._parts.get(number)
            if part is not None and error is None:
                part.committed = offset
            for (of, at), commit in self._waiting.items():
                if of == number and at <= offset:
                    commit.error = error
                    commit.is_answered.set()

    def _note_waiting(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        """How many records are not done with, as far as what was fetched last says."""
        waiting = 0
        for number, (low, high) in bounds.items():
            part = self._parts.get(number)
            if part is not None:
                waiting += max(high - (low if part.done is None else part.done), 0)
        self._polled.status.waiting = waiting


def _take_all(line: deque[_T]) -> list[_T]:
    """What lies in a queue now."""
    return [line.popleft() for _ in range(len(line))]
