"""Accepting events: many callers, one commit.

Callers hand in events without waiting. The next commit writes all events that have come during the
last one; then each caller is notified. An event that can begin at once belongs to the dispatcher
from the start; the others wait in the store.
"""

import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import anyio
import anyio.abc
import anyio.to_thread

from lambent.asynchronous.dispatcher import Dispatcher
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.retries import AGE_S_MIN
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_task
from lambent.model.async_event import AsyncEvent
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.model.names import FunctionReference
from lambent.store.blobs import Blobs
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Transaction
from lambent.telemetry.metrics import Metrics

OnKept = Callable[[Exception | None], None]
"""Called on the event loop when the event is on disk, or with what went wrong."""

ROW_BYTES_MAX = 32 * 1024
"""Larger payloads are stored as blobs."""
_2020_S = 1_577_836_800
_WRITERS = 8


class AsyncQueue:
    """Accepts events."""

    def __init__(
        self,
        group_commit: GroupCommit,
        dispatcher: Dispatcher,
        payloads: Blobs,
        settings: AsynchronousSettings,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        *,
        ids: Iterator[int],
        metrics: Metrics,
    ) -> None:
        self._group_commit = group_commit
        self._dispatcher = dispatcher
        self._payloads = payloads
        self._max = settings.kept_at_once_max
        self._clock = clock
        self._tasks = tasks
        self._ids = ids
        self._metrics = metrics
        self._offered: list[tuple[AsyncEvent, OnKept]] = []
        self._being_written = 0
        self._writers = anyio.CapacityLimiter(_WRITERS)

    def offer(
        self,
        key: FunctionKey,
        qualifier: str | None,
        payload: bytes,
        *,
        request_id: str,
        trace_id: str,
        tenant_id: str = "",
        on_kept: OnKept,
    ) -> None:
        """Have an event written. Raises `TooManyRequestsException` if too many wait for that."""
        if len(self._offered) + self._being_written >= self._max:
            raise ApiError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                status=429,
                members={"Reason": "CallerRateLimitExceeded"},
            )
        now = self._clock.now()
        event = AsyncEvent(
            id=next(self._ids),
            request_id=request_id,
            key=key,
            qualifier=qualifier,
            payload=payload,
            is_offloaded=len(payload) > ROW_BYTES_MAX,
            trace_id=trace_id,
            tenant_id=tenant_id,
            accepted_at=now,
            due_at=now,
            expires_at=now + AGE_S_MIN,
        )
        if event.is_offloaded:
            self._being_written += 1
            start_task(self._tasks, on_kept, self._write_beside, event, on_kept)
        else:
            self._offered.append((event, on_kept))
            self._group_commit.ring()

    async def keep(self, reference: FunctionReference, payload: bytes, trace_id: str) -> None:
        """As `offer`, for callers that can wait: returns when the event is on disk. Raises
        `ApiError`."""
        kept = anyio.Event()
        failures: list[Exception] = []

        def on_kept(failure: Exception | None) -> None:
            if failure is not None:
                failures.append(failure)
            kept.set()

        self.offer(
            reference.key,
            reference.qualifier,
            payload,
            request_id=str(uuid.uuid4()),
            trace_id=trace_id,
            on_kept=on_kept,
        )
        await kept.wait()
        if failures and isinstance(failures[0], ApiError):
            raise failures[0]
        if failures:
            raise ApiError(
                "ServiceException", f"The event could not be kept: {failures[0]}", status=500
            )

    async def _write_beside(self, event: AsyncEvent, on_kept: OnKept) -> None:
        """The payload first: no row without one."""
        try:
            await anyio.to_thread.run_sync(
                self._payloads.put, str(event.id), event.payload, limiter=self._writers
            )
        except (OSError, StoreUnavailable) as error:
            on_kept(error)
        else:
            self._offered.append((event, on_kept))
            self._group_commit.ring()
        finally:
            self._being_written -= 1

    def collect(self) -> "_Acceptance | None":
        """See `Participant`."""
        if not self._offered:
            return None
        offered, self._offered = self._offered, []
        return _Acceptance(offered, self._dispatcher, self._metrics, self._clock.now())


class _Acceptance:
    """The events of one transaction."""

    def __init__(
        self,
        offered: Sequence[tuple[AsyncEvent, OnKept]],
        dispatcher: Dispatcher,
        metrics: Metrics,
        now: float,
    ) -> None:
        self._metrics = metrics
        self._offered = offered
        self._dispatcher = dispatcher
        self._now = now
        self.ends_attempts = False
        self._claim = dispatcher.new_claim()
        self._are_held = [dispatcher.expect(event.key) for event, _ in offered]

    def write(self, tx: Transaction) -> None:
        tx.async_events.add(
            (
                (event, self._claim if is_held else None)
                for (event, _), is_held in zip(self._offered, self._are_held, strict=True)
            )
        )

    def done(self) -> None:
        for _, on_kept in self._offered:
            on_kept(None)
        for key, count in Counter(event.key for event, _ in self._offered).items():
            self._metrics.add("AsyncEventsReceived", key, count, count=count)
        self._dispatcher.accept(
            (event, event.key, is_held)
            for (event, _), is_held in zip(self._offered, self._are_held, strict=True)
        )

    def failed(self, error: Exception) -> None:
        self._dispatcher.release(
            self._claim,
            (
                (event.key, is_held)
                for (event, _), is_held in zip(self._offered, self._are_held, strict=True)
            ),
        )
        for _, on_kept in self._offered:
            on_kept(error)


def new_ids(now: float, start: int) -> Iterator[int]:
    """Numbers that grow with time, so that rows are added at the table's end, and that are new on
    this database even if the clock was wrong: 41 bits start with the milliseconds since 2020, and
    22 bits count the database's starts. Any thread may take one."""
    return itertools.count(int((now - _2020_S) * 1000) << 22 | start % (1 << 22), 1 << 22)
