"""Decides which stored events are in memory, and which of them runs next.

Every event and every delivery is in the database. Only some can be in memory, and only some can run
at the same time. A *lane* is everything that waits for one function, or for one destination. The
lanes are a pure data structure: no I/O, no tasks and no clock. The owner passes the time to every
method, carries out what the lanes ask for, and tells them the result.

An event moves through a lane in four steps:

1. *Arrive.* A new event is in the database and may also be in memory, if there is room (`expect`,
   then `arrive`). Otherwise the lane only remembers that the database has more (`note_stored`): now
   (`has_more`), or later (`next_due`).
2. *Refill.* A lane that has room and more in the database is in `_to_refill`, the lane that has
   waited longest first. `wants` says how many events to claim for which lanes; `note_claimed`
brings them. 3. *Run.* `next` returns the next event to run, if any.
4. *End.* `end` makes room for the next event. `pause` puts the event back, if its function is
   throttled: then the whole lane waits, for longer each time.

Two rules make it fair:

- A lane with nothing in progress always comes first (`_idle`), even beyond `in_flight_max`. The
  other lanes take turns (`_busy`), each up to its adaptive limit. So a flood in one lane never
  delays the first event of another.
- Memory is shared: a lane holds at most `HELD_PER_LANE_MAX` events, and all lanes `held_max`, plus
  one per lane. So an empty lane always has room for one, however full the others are.

Timers are a heap of times at which a lane has to be looked at again. A lane has at most one valid
timer (`alarm_at`); entries that a later call has replaced are skipped when they are due. The owner
sleeps until `wakes_at` and then calls `wake`. A lane with nothing left is deleted, so memory
depends on the lanes in use, not on the number of functions.
"""

import heapq
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from lambent.invocation.adaptive_limit import WINDOW_S, AdaptiveLimit

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

HELD_PER_LANE_MAX = 256
_PAUSE_S = 1.0
_PAUSE_S_MAX = 300.0


class _Lane(Generic[K, T]):
    """What is known of one lane."""

    __slots__ = (
        "alarm_at",
        "expected",
        "has_more",
        "in_flight",
        "is_busy",
        "is_idle",
        "key",
        "next_due",
        "pace",
        "paused_until",
        "pauses",
        "waiting",
    )

    def __init__(self, key: K, now: float) -> None:
        self.key = key
        self.waiting: deque[T] = deque()
        self.expected = 0
        """Claimed ones that are on their way from the store."""
        self.in_flight = 0
        self.has_more = False
        """Whether something in the store is due."""
        self.next_due: float | None = None
        """When the next in the store will be."""
        self.paused_until = 0.0
        self.pauses = 0
        self.pace = AdaptiveLimit(now)
        self.alarm_at: float | None = None
        self.is_idle = False
        """Whether it is among those that can go on and have nothing under way."""
        self.is_busy = False
        """Whether it is among those that can go on and had something under way."""

    @property
    def is_over(self) -> bool:
        return not (
            self.waiting
            or self.expected
            or self.in_flight
            or self.has_more
            or self.next_due is not None
        )


class Lanes(Generic[K, T]):
    """All lanes."""

    def __init__(self, *, held_max: int, in_flight_max: int) -> None:
        self._held_max = held_max
        self.in_flight_max = in_flight_max
        """As many are under way at once, beside one of each lane."""
        self._lanes: dict[K, _Lane[K, T]] = {}
        self._idle: deque[_Lane[K, T]] = deque()
        self._busy: deque[_Lane[K, T]] = deque()
        self._to_refill: dict[K, None] = {}
        """Those that may want more of the store, the longest waiting first."""
        self._alarms: list[tuple[float, int, K]] = []
        self._alarms_set = 0
        self.held = 0
        """What is in memory and has not begun, or is on its way there."""
        self.in_flight = 0

    def __len__(self) -> int:
        return len(self._lanes)

    # -- what comes ------------------------------------------------------------------------

    def expect(self, key: K, now: float) -> bool:
        """Whether something new may be held at once; then it is expected to `arrive`."""
        lane = self._lane(key, now)
        if lane.has_more or not self._room_of(lane, least=1):
            self._forget(lane)
            return False
        lane.expected += 1
        self.held += 1
        return True

    def arrive(self, key: K, items: Sequence[T], expected: int, now: float) -> None:
        """Hold items; as many had been expected."""
        lane = self._lane(key, now)
        lane.expected -= expected
        lane.waiting.extend(items)
        self.held += len(items) - expected
        self._queue(lane, now)
        self._forget(lane)

    def note_stored(self, key: K, due: float, now: float) -> None:
        """The store has something that is due then."""
        lane = self._lane(key, now)
        if due <= now:
            lane.next_due = None
            self._request_refill(lane)
        elif not lane.has_more and (lane.next_due is None or due < lane.next_due):
            lane.next_due = due
            self._set_timer(lane, due)

    def wants(self, limit: int, now: float) -> list[tuple[K, int]]:
        """How many to claim from the store, by lane; at most `limit` in all. The caller reports the
        result with `note_claimed`."""
        wanted: list[tuple[K, int]] = []
        for key in list(self._to_refill):
            if limit <= 0:
                break
            del self._to_refill[key]
            lane = self._lanes[key]
            room = min(self._room_of(lane, least=HELD_PER_LANE_MAX // 2), limit)
            if lane.paused_until > now or room <= 0:
                continue  # It is in line again when something has changed.
            lane.has_more = False
            lane.expected += room
            self.held += room
            limit -= room
            wanted.append((key, room))
        return wanted

    def note_claimed(
        self, key: K, items: Sequence[T], expected: int, next_due: float | None, now: float
    ) -> None:
        """What a claim of `expected` items came to, and when the next in the store is due."""
        if next_due is not None:
            self.note_stored(key, next_due, now)
        self.arrive(key, items, expected, now)

    def _room_of(self, lane: _Lane[K, T], *, least: int) -> int:
        """How many more may be held for it; 0 if that is less than its share allows and `least`."""
        share = max(1, min(HELD_PER_LANE_MAX, self._held_max // len(self._lanes)))
        has = len(lane.waiting) + lane.expected
        room = share - has
        if has and (room < min(least, (share + 1) // 2) or self.held >= self._held_max):
            return 0
        return room

    # -- what goes -------------------------------------------------------------------------

    def next(self, now: float) -> tuple[K, T] | None:
        """What to begin with now, if anything; it is under way until `end`."""
        while True:
            if self._idle:
                lane = self._idle.popleft()
                lane.is_idle = False
            elif self._busy and self.in_flight < self.in_flight_max:
                lane = self._busy.popleft()
                lane.is_busy = False
            else:
                return None
            if not lane.waiting or lane.paused_until > now:
                continue
            if lane.in_flight >= lane.pace.limit:
                lane.pace.note_full(now, self.in_flight_max)
                if lane.in_flight >= lane.pace.limit:
                    self._set_timer(lane, now + WINDOW_S)
                    continue
            item = lane.waiting.popleft()
            self.held -= 1
            lane.in_flight += 1
            self.in_flight += 1
            self._queue(lane, now)
            if lane.has_more:
                self._request_refill(lane)
            return lane.key, item

    def end(self, key: K, now: float, *, ran: bool) -> None:
        """One that was under way is not any more; if it ran, nothing holds the lane up."""
        lane = self._lanes[key]
        lane.in_flight -= 1
        self.in_flight -= 1
        if ran:
            lane.pauses = 0
            lane.pace.note_end()
        lane.paused_until = 0.0
        if lane.has_more:
            self._request_refill(lane)
        self._queue(lane, now)
        self._forget(lane)

    def pause(self, key: K, item: T, now: float) -> Sequence[T]:
        """One that was begun cannot be now, nor can others of its lane until one of them ends or
        some time has passed: 1 s, twice that each time, at most 5 minutes.

        Gives what is to go back to the store, with the item; empty if all is kept, the item first.
        """
        lane = self._lanes[key]
        lane.in_flight -= 1
        self.in_flight -= 1
        lane.paused_until = now + min(_PAUSE_S * 2 ** min(lane.pauses, 16), _PAUSE_S_MAX)
        lane.pauses += 1
        self._set_timer(lane, lane.paused_until)
        if lane.in_flight:
            lane.waiting.appendleft(item)
            self.held += 1
            return ()
        given_back = (item, *lane.waiting)
        self.held -= len(lane.waiting)
        lane.waiting.clear()
        self._request_refill(lane)
        return given_back

    # -- time ------------------------------------------------------------------------------

    def wake(self, now: float) -> None:
        """Take notice of what has become due."""
        while self._alarms and self._alarms[0][0] <= now:
            at, _, key = heapq.heappop(self._alarms)
            lane = self._lanes.get(key)
            if lane is None or lane.alarm_at != at:
                continue
            lane.alarm_at = None
            if lane.next_due is not None and lane.next_due <= now:
                lane.next_due = None
                lane.has_more = True
            if lane.next_due is not None:
                self._set_timer(lane, lane.next_due)
            if lane.paused_until > now:
                self._set_timer(lane, lane.paused_until)
                continue
            if lane.has_more:
                self._request_refill(lane)
            self._queue(lane, now)

    @property
    def wants_refill(self) -> bool:
        """Whether `wants` may have something to say."""
        return bool(self._to_refill)

    @property
    def wakes_at(self) -> float | None:
        """When `wake` has something to do again."""
        return self._alarms[0][0] if self._alarms else None

    def _set_timer(self, lane: _Lane[K, T], at: float) -> None:
        """Have the lane looked at then, unless that happens sooner."""
        if lane.alarm_at is not None and lane.alarm_at <= at:
            return
        lane.alarm_at = at
        self._alarms_set += 1
        heapq.heappush(self._alarms, (at, self._alarms_set, lane.key))

    # -- lanes -----------------------------------------------------------------------------

    def _lane(self, key: K, now: float) -> _Lane[K, T]:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key, now)
        return lane

    def _queue(self, lane: _Lane[K, T], now: float) -> None:
        if not lane.waiting or lane.paused_until > now:
            return
        if not lane.in_flight and not lane.is_idle:
            lane.is_idle = True
            self._idle.append(lane)
        elif lane.in_flight and not lane.is_busy:
            lane.is_busy = True
            self._busy.append(lane)

    def _request_refill(self, lane: _Lane[K, T]) -> None:
        lane.has_more = True
        self._to_refill.setdefault(lane.key)

    def _forget(self, lane: _Lane[K, T]) -> None:
        if lane.is_over:
            self._lanes.pop(lane.key, None)
            self._to_refill.pop(lane.key, None)
