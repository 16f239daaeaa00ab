"""Batches of tumbling windows: each has records of one window, and is given the state that the
function returned for the batch before. The window's last call has no records.

A window is over when a record of a later one was read, when its time has passed and the shard has
no more, or when the shard ends; before its time, when its state is too large. While its last call
fails, nothing else of the shard is processed.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import anyio

from lambent.invocation.call import CallResult
from lambent.kit.computing import read_wherever
from lambent.kit.strict_json import member_as_written
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.buffer import Buffer
from lambent.polling.item_failures import ReadFailures
from lambent.polling.ports import Part, Record
from lambent.polling.progress import Progress
from lambent.polling.reader import HELD_BYTES_MAX, Lane, Tell, commit
from lambent.polling.retries import BatchDone, BatchFailed
from lambent.polling.windows import STATE_BYTES_MAX, Window, event_members, read_state, window_of

_NO_STATE = b"{}"
_MEMBERS_BYTES_MAX = 1000
"""What an event has beside records and state, at most."""


@runtime_checkable
class WindowedPart(Part, Protocol):
    """A part whose records can be aggregated over time."""

    @property
    def source_arn(self) -> str:
        """What its records say they came from."""
        ...

    @property
    def state(self) -> bytes | None:
        """As it was committed last; None if no window is open."""
        ...

    @property
    def read_until(self) -> float:
        """All records that arrived before this moment were read, epoch seconds."""
        ...

    async def close_window(self) -> None:
        """Remember that no window is open."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class OpenWindow:
    """A window and its state so far, JSON as the function wrote it."""

    window: Window
    state: bytes = _NO_STATE

    @property
    def is_too_large(self) -> bool:
        """Whether it must end before its time."""
        return len(self.state) > STATE_BYTES_MAX

    def dump(self) -> bytes:
        """As it is committed."""
        bounds = f'"start":{self.window.start},"end":{self.window.end}'
        return b'{%b,"state":%b}' % (bounds.encode(), self.state)

    @classmethod
    def load(cls, document: bytes) -> "OpenWindow":
        """What `dump` gave."""
        text = document.decode()
        members: Any = json.loads(text)
        state = member_as_written(text, "state")
        assert state is not None, "a window that was dumped has a state"
        return cls(Window(members["start"], members["end"]), state.encode())


class TumblingLane(Lane):
    """The only lane of a shard."""

    def __init__(
        self, polled: ActiveMapping, part: Part, tell: Tell | None, read_failures: ReadFailures
    ) -> None:
        super().__init__(polled, part, tell, read_failures)
        assert isinstance(part, WindowedPart), part
        self._shard = part
        self._open = None if part.state is None else OpenWindow.load(part.state)
        self._taking: anyio.CancelScope | None = None
        """While the next batch is waited for."""
        self.buffer = Buffer(
            polled.clock,
            count_max=2 * polled.options.batch_size,
            bytes_max=HELD_BYTES_MAX,
            kind_of=self._window_of,
        )

    @property
    def is_clear(self) -> bool:
        """Whether no window is open."""
        return self._open is None

    def note_read(self) -> None:
        """The part was read: a window may be over."""
        if self._taking is not None and self._is_over():
            self._taking.cancel()

    async def run(self, progress: Progress) -> None:
        """See `Lane.run`."""
        polled = self._polled
        since = polled.clock.monotonic()
        while True:
            records = await self._take(since)
            if self._is_enough:
                return
            with polled.stop.under_way():
                is_next = bool(records) and not self._is_in_open(records[0])
                is_over = self._open is not None and (is_next or not records)
                if is_over and not await self._finish():
                    return
                if records and not await self._aggregate(records, progress):
                    return
            since = polled.clock.monotonic()
            if not records and self.buffer.is_closed:
                return

    async def commit(self, record: Record) -> None:
        """With the state of the window that is open."""
        state = None if self._open is None else self._open.dump()
        await commit(self._polled, self._part, record, state)

    async def _take(self, since: float) -> list[Record]:
        """Records of one window. None when a window is over, or no more will come."""
        options = self._polled.options
        records: list[Record] = []
        if self._is_over():
            return records
        with anyio.CancelScope() as self._taking:
            records = await self.buffer.take(
                count=options.batch_size,
                bytes_max=self._room,
                since=since,
                window_s=options.window_s,
            )
        self._taking = None
        return records

    @property
    def _room(self) -> int:
        state_bytes = 0 if self._open is None else len(self._open.state)
        return super()._room - state_bytes - _MEMBERS_BYTES_MAX

    def _is_over(self) -> bool:
        """Whether the window that is open has had all its records."""
        if self._open is None or not self.buffer.is_empty:
            return False
        return self._open.is_too_large or self._shard.read_until >= self._open.window.end

    def _is_in_open(self, record: Record) -> bool:
        """Whether a record belongs to the window that is open, as those do that come late."""
        return self._open is not None and record.arrived_at < self._open.window.end

    def _window_of(self, record: Record) -> Window:
        return window_of(record.arrived_at, int(self._polled.options.tumbling_s))

    async def _aggregate(self, records: Sequence[Record], progress: Progress) -> bool:
        """Process a batch; returns whether it came to its end."""
        if self._open is None:
            self._open = OpenWindow(self._window_of(records[0]))
        if not await self.deliver(records, progress):
            return False
        self._polled.status.note_age(records[-1].arrived_at)
        return not self._open.is_too_large or await self._finish()

    async def _finish(self) -> bool:
        """Make the window's last call until it succeeds, or as often as failures are retried;
        gives whether the window is done with, which it is not when it was enough before."""
        failures = 0
        while (backoff := await self._wait_after_last(called := await self._call(()))) is not None:
            failures += called.outcome.has_run
            if self._gives_up(failures):
                break
            await self._pause(backoff)
            if self._is_enough:
                return False
        self._failing.succeeded()
        self._open = None
        await self._shard.close_window()
        return True

    async def _wait_after_last(self, called: CallResult) -> Backoff | None:
        """None if the window's last call succeeded."""
        if not called.outcome.has_run:
            return self._refused
        self._refused.succeeded()
        return self._failing if isinstance(await self._result(called, ()), BatchFailed) else None

    def _gives_up(self, failures: int) -> bool:
        """Whether the window's last call has failed for as long as it may."""
        options = self._polled.options
        if not failures:
            return False
        assert self._open is not None, "a window that ends is open"
        age_s = self._polled.clock.now() - self._open.window.end
        is_too_old = options.age_max_s is not None and age_s > options.age_max_s
        return is_too_old or (options.retries_max is not None and failures > options.retries_max)

    def _event(self, records: Sequence[Record]) -> bytes:
        assert self._open is not None, "records are in a window"
        members = event_members(
            self._open.window,
            self._open.state,
            shard_id=self._part.name,
            source_arn=self._shard.source_arn,
            is_final=not records,
            is_early=not records and self._open.is_too_large,
        )
        return self._part.envelope.wrap([one.document for one in records], b"," + members)

    async def _judge(self, payload: bytes, records: Sequence[Record]) -> BatchDone | BatchFailed:
        state = await read_wherever(read_state, payload, data=payload)
        if state is None:
            return BatchFailed()
        result = await super()._judge(payload, records) if records else BatchDone()
        if self._open is not None and (isinstance(result, BatchDone) or result.is_partial):
            self._open = dataclasses.replace(self._open, state=state)
        return result
