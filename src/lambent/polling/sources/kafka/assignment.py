"""The partitions of a topic that are assigned to this member, on the event loop: receives messages
of the consumer's thread, and queues commands for it."""

import dataclasses
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import anyio
import anyio.abc
from confluent_kafka import KafkaError, Message

from lambent.kit.tasks import start_part
from lambent.kit.waiting import wait_at_most
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.ports import Part, PartLost
from lambent.polling.role_client import unreachable
from lambent.polling.sources.kafka.errors import is_lost, problem
from lambent.polling.sources.kafka.partition import Partition
from lambent.polling.sources.kafka.records import Rendering
from lambent.polling.stop import Stop

_COMMIT_S = 30.0

_T = TypeVar("_T")
ServePart = Callable[[ActiveMapping, Part], Awaitable[bool]]
"""See `ports.Serve`. The mapping's `stop` is also set when the part is lost."""


@dataclasses.dataclass(slots=True)
class _Commit:
    """A commit that was sent to the group."""

    is_answered: anyio.Event = dataclasses.field(default_factory=anyio.Event)
    error: KafkaError | None = None


class Parts:
    """Has partitions served while they are assigned to this member. All methods but `take_commits`
    and `take_drained` must be called on the event loop."""

    def __init__(
        self,
        polled: ActiveMapping,
        topic: str,
        new_rendering: Callable[[int], Rendering],
        serve: ServePart,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._polled = polled
        self._topic = topic
        self._new_rendering = new_rendering
        self._serve = serve
        self._tasks = tasks
        self._parts: dict[int, Partition] = {}
        self._waiting: dict[tuple[int, int], _Commit] = {}
        """By partition and offset."""
        self._commits: deque[tuple[int, int]] = deque()
        self._drained: deque[int] = deque()
        self._changed = anyio.Event()
        """Set when a part has ended."""

    def take_commits(self) -> dict[int, int]:
        """The offsets to commit, by partition. Called by the thread."""
        return dict(_take_all(self._commits))

    def take_drained(self) -> Sequence[int]:
        """The partitions that have room again. Called by the thread."""
        return _take_all(self._drained)

    async def wait_ended(self) -> None:
        """Wait until no batch is in progress in any partition."""
        while self._parts:
            self._changed = anyio.Event()
            await self._changed.wait()

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Serve partitions that were assigned, from these offsets; negative ones are unknown."""
        for number, offset in offsets.items():
            part = self._parts[number] = Partition(
                number,
                self._new_rendering(number),
                self._commit,
                self._drained.append,
                Stop(self._polled.stop),
                next_offset=offset if offset >= 0 else None,
            )
            start_part(self._tasks, self._process, part)

    async def _process(self, part: Partition) -> None:
        try:
            with part.scope:
                await self._serve(dataclasses.replace(self._polled, stop=part.stop), part)
        finally:
            part.stop.set()
            if self._parts.get(part.number) is part:
                del self._parts[part.number]
            part.ended.set()
            self._changed.set()

    async def end(self, numbers: Sequence[int], within_s: float) -> dict[int, int]:
        """Stop serving partitions that are revoked. Batches in progress have `within_s` seconds to
        end. Returns the offsets that are not committed yet."""
        clock = self._polled.clock
        until = clock.monotonic() + within_s
        parts = [self._parts[number] for number in numbers if number in self._parts]
        for part in parts:
            part.lose()
        for (number, _), commit in self._waiting.items():
            if number in numbers:
                commit.is_answered.set()  # The thread commits before the partitions are revoked.
        for part in parts:
            if not await wait_at_most(clock, part.ended, until - clock.monotonic()):
                part.scope.cancel()
                await part.ended.wait()
        return {
            part.number: part.done
            for part in parts
            if part.done is not None and part.done != part.committed
        }

    def put(self, found: Mapping[int, Sequence[Message]]) -> Sequence[int]:
        """Add messages that were fetched. Returns the partitions to pause."""
        full = []
        for number, messages in found.items():
            part = self._parts.get(number)
            if part is None or part.put(messages):
                full.append(number)
        return full

    async def _commit(self, part: Partition, offset: int) -> None:
        if part.is_lost:
            return  # `end` returns the offset.
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
            raise unreachable("the group's coordinator does not respond")

    def note_committed(self, results: Sequence[tuple[int, int, KafkaError | None]]) -> None:
        """The results of commits, by partition and offset."""
        for number, offset, error in results:
            part = self._parts.get(number)
            if part is not None and error is None:
                part.committed = offset
            for (of, at), commit in self._waiting.items():
                if of == number and at <= offset:
                    commit.error = error
                    commit.is_answered.set()

    def note_bounds(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        """The first and next offsets of partitions, as of the last fetch. They say how many records
        wait."""
        lags: list[int] = []
        for number, (low, high) in bounds.items():
            part = self._parts.get(number)
            if part is not None:
                lags.append(max(high - (low if part.done is None else part.done), 0))
        self._polled.status.note_lags(lags)


def _take_all(line: deque[_T]) -> list[_T]:
    """Remove and return all entries of a queue."""
    return [line.popleft() for _ in range(len(line))]
