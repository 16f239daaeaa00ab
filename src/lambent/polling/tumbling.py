"""Batches of tumbling windows. A batch has records of one window, and its event has the state that
the function returned for the previous batch. The window's last call has no records.

A window is over when a record of a later window was read, when its time has passed and the shard
has no more records, or when the shard ends. It ends early when its state is too large. While its
last call fails, nothing else of the shard is processed.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import anyio

from lambent.kit.computing import read_wherever
from lambent.kit.strict_json import member_as_written
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.batch_calls import BatchCalls
from lambent.polling.batch_delivery import BatchDelivery, PlainFormat
from lambent.polling.buffer import Buffer
from lambent.polling.lane import HELD_BYTES_MAX
from lambent.polling.on_failure import Tell
from lambent.polling.ports import Part, Record
from lambent.polling.progress import Progress
from lambent.polling.retries import BatchDone, BatchFailed
from lambent.polling.windows import STATE_BYTES_MAX, Window, event_members, read_state, window_of

_NO_STATE = b"{}"
_MEMBERS_BYTES_MAX = 1000
"""Most bytes of an event without records and state."""


@runtime_checkable
class WindowedPart(Part, Protocol):
    """A part whose records can be aggregated over time."""

    @property
    def source_arn(self) -> str:
        """The source in its records."""
        ...

    @property
    def state(self) -> bytes | None:
        """The state that was committed last; None if no window is open."""
        ...

    @property
    def read_until(self) -> float:
        """All records that arrived before this time were read, epoch seconds."""
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
        """Whether it must end early."""
        return len(self.state) > STATE_BYTES_MAX

    def dump(self) -> bytes:
        """The form in which it is committed."""
        bounds = f'"start":{self.window.start},"end":{self.window.end}'
        return b'{%b,"state":%b}' % (bounds.encode(), self.state)

    @classmethod
    def load(cls, document: bytes) -> "OpenWindow":
        """The reverse of `dump`."""
        text = document.decode()
        members: Any = json.loads(text)
        state = member_as_written(text, "state")
        assert state is not None, "a dumped window has a state"
        return cls(Window(members["start"], members["end"]), state.encode())


class WindowFormat:
    """Events of tumbling windows: a `BatchFormat` that has the window that is open."""

    def __init__(self, part: WindowedPart, plain: PlainFormat) -> None:
        self._part = part
        self._plain = plain
        self.open = None if part.state is None else OpenWindow.load(part.state)

    @property
    def room(self) -> int:
        """See `BatchFormat`."""
        state_bytes = 0 if self.open is None else len(self.open.state)
        return self._plain.room - state_bytes - _MEMBERS_BYTES_MAX

    def event(self, records: Sequence[Record]) -> bytes:
        """See `BatchFormat`. Without records, it is the window's last call."""
        assert self.open is not None, "records are in a window"
        members = event_members(
            self.open.window,
            self.open.state,
            shard_id=self._part.name,
            source_arn=self._part.source_arn,
            is_final=not records,
            is_early=not records and self.open.is_too_large,
        )
        return self._plain.event(records, b"," + members)

    async def judge(self, payload: bytes, records: Sequence[Record]) -> BatchDone | BatchFailed:
        """See `BatchFormat`. A response without a state makes the batch fail."""
        state = await read_wherever(read_state, payload, data=payload)
        if state is None:
            return BatchFailed()
        result = await self._plain.judge(payload, records) if records else BatchDone()
        if self.open is not None and (isinstance(result, BatchDone) or result.is_partial):
            self.open = dataclasses.replace(self.open, state=state)
        return result

    def state(self) -> bytes | None:
        """See `BatchFormat`: the window that is open."""
        return None if self.open is None else self.open.dump()


class TumblingLane:
    """The only lane of a shard. Reader uses it as it uses `lane.Lane`."""

    def __init__(
        self, polled: ActiveMapping, part: Part, tell: Tell | None, calls: BatchCalls
    ) -> None:
        assert isinstance(part, WindowedPart), part
        self._polled = polled
        self._shard = part
        self._form = WindowFormat(part, PlainFormat(part, calls))
        self._delivery = BatchDelivery(polled, part, tell, calls, self._form)
        self.commit = self._delivery.commit
        self.buffer = Buffer(
            polled.clock,
            count_max=2 * polled.options.batch_size,
            bytes_max=HELD_BYTES_MAX,
            kind_of=self._window_of,
        )
        self._taking: anyio.CancelScope | None = None
        """Set while the lane waits for the next batch."""
        self.under_way: Sequence[Record] = ()
        """Always empty: no other consumer reads a shard."""

    @property
    def is_clear(self) -> bool:
        """Whether no window is open."""
        return self._form.open is None

    def close(self, *, discard: bool) -> None:
        """See `Lane.close`."""
        self.buffer.close(discard=discard)
        if discard:
            self._delivery.stop.set()

    def note_read(self) -> None:
        """The part was read: a window may be over."""
        if self._taking is not None and self._is_over():
            self._taking.cancel()

    async def run(self, progress: Progress) -> None:
        """See `Lane.run`."""
        try:
            await self._run(progress)
        finally:
            self._delivery.stop.set()

    async def _run(self, progress: Progress) -> None:
        polled = self._polled
        since = polled.clock.monotonic()
        while True:
            records = await self._take(since)
            if self._delivery.stop.is_set:
                return
            with polled.stop.under_way():
                is_next = bool(records) and not self._is_in_open(records[0])
                is_over = self._form.open is not None and (is_next or not records)
                if is_over and not await self._finish():
                    return
                if records and not await self._aggregate(records, progress):
                    return
            since = polled.clock.monotonic()
            if not records and self.buffer.is_closed:
                return

    async def _take(self, since: float) -> list[Record]:
        """Records of one window. Empty when a window is over, or when the part has ended."""
        options = self._polled.options
        records: list[Record] = []
        if self._is_over():
            return records
        with anyio.CancelScope() as self._taking:
            records = await self.buffer.take(
                count=options.batch_size,
                bytes_max=self._form.room,
                since=since,
                window_s=options.window_s,
            )
        self._taking = None
        return records

    def _is_over(self) -> bool:
        """Whether all records of the open window were processed."""
        opened = self._form.open
        if opened is None or not self.buffer.is_empty:
            return False
        return opened.is_too_large or self._shard.read_until >= opened.window.end

    def _is_in_open(self, record: Record) -> bool:
        """Whether a record belongs to the open window, as late records do."""
        opened = self._form.open
        return opened is not None and record.arrived_at < opened.window.end

    def _window_of(self, record: Record) -> Window:
        return window_of(record.arrived_at, self._polled.options.tumbling_s)

    async def _aggregate(self, records: Sequence[Record], progress: Progress) -> bool:
        """Process a batch. Returns False if polling stops before its end."""
        if self._form.open is None:
            self._form.open = OpenWindow(self._window_of(records[0]))
        if not await self._delivery.deliver(records, progress):
            return False
        self._polled.status.note_age(records[-1].arrived_at)
        return not self._form.open.is_too_large or await self._finish()

    async def _finish(self) -> bool:
        """Make the window's last call until it succeeds, or until its retries are exhausted.
        Returns False if polling stops before."""
        if not await self._delivery.deliver_empty(self._gives_up):
            return False
        self._form.open = None
        await self._shard.close_window()
        return True

    def _gives_up(self, failures: int) -> bool:
        """Whether the window's last call has failed too often or for too long."""
        options = self._polled.options
        if not failures:
            return False
        assert self._form.open is not None, "a window that ends is open"
        age_s = self._polled.clock.now() - self._form.open.window.end
        is_too_old = options.age_max_s is not None and age_s > options.age_max_s
        return is_too_old or (options.retries_max is not None and failures > options.retries_max)
