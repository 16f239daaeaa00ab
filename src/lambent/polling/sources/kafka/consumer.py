"""A member of a consumer group: librdkafka's consumer, in its own thread.

Only that thread calls the consumer: calls of other threads would wait until its poll is over. It
hands messages, assignments and problems to the event loop, one after the other (`from_thread`).
Commands of the loop for the thread are in two queues, which the thread empties between its polls.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from anyio import from_thread, to_thread
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lambent.kit.tasks import start_part
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.ports import SourceError
from lambent.polling.role_client import unreachable
from lambent.polling.sources.kafka.assignment import Parts, ServePart
from lambent.polling.sources.kafka.cluster import ClientLog
from lambent.polling.sources.kafka.errors import (
    lasting_problem,
    problem,
    refused_certificate,
)
from lambent.polling.sources.kafka.offsets import Start, find_offsets
from lambent.polling.sources.kafka.records import Rendering

logger = logging.getLogger(__name__)

_AT_ONCE_MAX = 1_000
"""Most messages that are handed over together."""
_POLL_S_MIN, _POLL_S_BUSY, _POLL_S_IDLE = 0.001, 0.02, 0.2
"""How long a poll waits for messages: a tenth of the time since anything happened, within these
bounds. The thread can do nothing else during a poll."""
_LOOK_EVERY_S = 1.0
_LOOK_S = 0.5
_REVOKE_S = 10.0
"""How long batches in progress have to end when their partitions are revoked."""

_HANGS_UP = re.compile(r"Disconnected.*APIVERSION_QUERY")
"""librdkafka's text when a broker refuses the client certificate."""

NewRendering = Callable[[int], Rendering]
"""Makes the rendering of a partition, by its number."""


class Member:
    """Belongs to the group while it runs. `settings` are librdkafka's."""

    def __init__(
        self,
        polled: ActiveMapping,
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
        self._is_over = False
        self._failure: SourceError | None = None
        self._assigned: set[int] = set()
        """This attribute and those below belong to the thread."""
        self._rebalances = 0
        self._trouble: SourceError | None = None
        """A problem that may be temporary."""
        self._trouble_since = 0.0
        self._log = ClientLog()
        self._looked_at = 0.0
        self._active_at = 0.0

    async def run(self, serve: ServePart) -> None:
        """Join the group and have partitions served, until the mapping is stopped or the task is
        cancelled. Raises `SourceError`."""
        async with anyio.create_task_group() as tasks:
            self._parts = Parts(self._polled, self._topic, self._new_rendering, serve, tasks)
            start_part(tasks, self._end_when_stopped)
            await to_thread.run_sync(self._live, limiter=anyio.CapacityLimiter(1))
            tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _end_when_stopped(self) -> None:
        """Have the thread end when the mapping is stopped and nothing is in progress any more, or
        when this is cancelled."""
        try:
            with self._polled.stop.interrupts():
                await anyio.sleep_forever()
            await self._parts.wait_ended()
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
        """Poll once, and execute the commands of the event loop."""
        now = time.monotonic()
        longest = _POLL_S_BUSY if self._polled.status.in_flight else _POLL_S_IDLE
        wait_s = min(max((now - self._active_at) / 10, _POLL_S_MIN), longest)
        message = consumer.poll(wait_s)
        if message is not None:
            self._active_at = now
            rebalances = self._rebalances
            messages = consumer.consume(_AT_ONCE_MAX - 1, 0)
            if self._rebalances == rebalances:
                messages.insert(0, message)  # After a rebalance, it is fetched again.
            self._hand_over(consumer, messages)
        self._commit(consumer)
        for number in self._parts.take_drained():
            self._resume(consumer, number)
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
        full = from_thread.run_sync(self._parts.put, found)
        ours = [TopicPartition(self._topic, number) for number in full if number in self._assigned]
        if ours:
            consumer.pause(ours)

    def _resume(self, consumer: Consumer, number: int) -> None:
        """Have messages of a partition fetched again."""
        if number not in self._assigned:
            return
        partition = TopicPartition(self._topic, number)
        consumer.resume([partition])
        try:
            # librdkafka's fetching thread looks once a second, but also at each request.
            consumer.get_watermark_offsets(partition, timeout=_LOOK_S)
        except KafkaException as error:
            logger.debug("%s is resumed, but does not respond: %s", partition, error)

    def _commit(self, consumer: Consumer) -> None:
        wanted = self._parts.take_commits()
        if not wanted:
            return
        self._active_at = time.monotonic()
        offsets = [TopicPartition(self._topic, number, at) for number, at in wanted.items()]
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._on_commit(error.args[0], offsets)

    def _look(self, consumer: Consumer) -> None:
        """Update the number of waiting records, and check whether a problem is over."""
        bounds = {}
        for number in self._assigned:
            partition = TopicPartition(self._topic, number)
            bounds[number] = consumer.get_watermark_offsets(partition, cached=True)
        from_thread.run_sync(self._parts.note_bounds, bounds)
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
        """Release partitions, once batches in progress have ended or their time is over."""
        done = from_thread.run(self._parts.end, numbers, _REVOKE_S)
        done = self._parts.take_commits() | done
        self._assigned.difference_update(numbers)
        offsets = [TopicPartition(self._topic, number, at) for number, at in done.items()]
        if not offsets or self._failure is not None or self._trouble is not None:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:  # The records are processed again.
            logger.info("event source mapping %s: %s", self._polled.mapping.uuid, error)

    # Called by librdkafka, within the thread's calls.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalances += 1
        found = find_offsets(consumer, self._start, partitions)
        consumer.assign(found)
        consumer.resume(found)  # A partition may be paused since an earlier assignment.
        self._trouble = None
        self._assigned.update(partition.partition for partition in found)
        offsets = {partition.partition: partition.offset for partition in found}
        from_thread.run_sync(self._parts.begin, offsets)
        from_thread.run_sync(self._polled.status.note_source_works)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalances += 1
        self._revoke(consumer, [partition.partition for partition in partitions])

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalances += 1
        numbers = [partition.partition for partition in partitions]
        from_thread.run(self._parts.end, numbers, 0.0)
        self._assigned.difference_update(numbers)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        results = [
            (partition.partition, partition.offset, partition.error or error)
            for partition in partitions
        ]
        from_thread.run_sync(self._parts.note_committed, results)

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
