"""Whose turn it is: pure, in a time of the test's own."""

from collections import deque
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from lambent.asynchronous.lanes import HELD_PER_LANE_MAX, Lanes
from lambent.invocation.adaptive_limit import START, AdaptiveLimit

HELD_MAX, IN_FLIGHT_MAX = 64, 8


class House:
    """Lanes, and a store behind them."""

    def __init__(self) -> None:
        self.lanes = Lanes[str, int](held_max=HELD_MAX, in_flight_max=IN_FLIGHT_MAX)
        self.now = 0.0
        self.store: dict[str, deque[int]] = {}
        self.running: list[tuple[str, int]] = []
        self.began: list[int] = []
        self.count = 0

    def offer(self, key: str) -> None:
        self.count += 1
        if self.lanes.expect(key, self.now):
            self.lanes.arrive(key, [self.count], 1, self.now)
        else:
            self.keep(key, [self.count])

    def keep(self, key: str, items: list[int]) -> None:
        self.store.setdefault(key, deque()).extend(items)
        self.lanes.note_stored(key, self.now, self.now)

    def begin(self) -> None:
        while found := self.lanes.next(self.now):
            self.running.append(found)
            self.began.append(found[1])

    def claim(self) -> None:
        for key, limit in self.lanes.wants(512, self.now):
            kept = self.store.get(key, deque())
            items = [kept.popleft() for _ in range(min(limit, len(kept)))]
            next_due = self.now if kept else None
            self.lanes.note_claimed(key, items, limit, next_due, self.now)

    def end(self, index: int) -> None:
        if self.running:
            key, _ = self.running.pop(index % len(self.running))
            self.lanes.end(key, self.now, ran=True)

    def throttle(self, index: int) -> None:
        if self.running:
            key, item = self.running.pop(index % len(self.running))
            self.began.remove(item)
            given_back = list(self.lanes.pause(key, item, self.now))
            if given_back:
                self.store.setdefault(key, deque()).extendleft(reversed(given_back))
                self.lanes.note_stored(key, self.now, self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.lanes.wake(self.now)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from("abcdef")),
        st.tuples(st.just("flood"), st.sampled_from("ab")),
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("claim"), st.none()),
        st.tuples(st.just("end"), st.integers(0, 20)),
        st.tuples(st.just("throttle"), st.integers(0, 20)),
        st.tuples(st.just("time"), st.floats(0, 400)),
    ),
    max_size=60,
)


@given(STEPS)
def test_everything_has_its_turn(steps: list[tuple[str, object]]) -> None:
    """Whatever happens: memory and work in progress are bounded, no event waits for capacity that
    others have, and in the end everything has begun, once."""
    house = House()
    do: dict[str, Callable[..., None]] = {
        "offer": house.offer,
        "flood": lambda key: [house.offer(key) for _ in range(50)] and None,
        "begin": lambda _: house.begin(),
        "claim": lambda _: house.claim(),
        "end": house.end,
        "throttle": house.throttle,
        "time": house.pass_time,
    }
    for name, argument in steps:
        do[name](argument)
        lanes = house.lanes
        assert 0 <= lanes.held <= HELD_MAX + HELD_PER_LANE_MAX
        assert lanes.in_flight == len(house.running) <= IN_FLIGHT_MAX + 6
    for _ in range(400):
        house.pass_time(1000)
        house.claim()
        house.begin()
        house.end(0)
    assert sorted(house.began) == list(range(1, house.count + 1))
    for _ in range(len(house.running)):
        house.end(0)
    assert len(house.lanes) == house.lanes.held == house.lanes.in_flight == 0


def test_one_that_has_nothing_under_way_is_next() -> None:
    """Even when the maximum is in progress and others came first."""
    house = House()
    for _ in range(1000):
        house.offer("flood")
    house.begin()
    assert len(house.running) == IN_FLIGHT_MAX
    house.offer("late")
    house.begin()
    assert house.running[-1][0] == "late"
    house.offer("late")
    house.begin()
    assert len(house.running) == IN_FLIGHT_MAX + 1


def test_throttled_lanes_wait_longer_each_time() -> None:
    """1 s, 2 s, 4 s … 5 minutes; one that has run makes up for it."""
    house = House()
    house.offer("a")
    house.begin()
    waited = []
    for _ in range(11):
        house.throttle(0)
        began = house.now
        while not house.running:
            house.pass_time(0.5)
            house.claim()
            house.begin()
        waited.append(house.now - began)
    assert waited == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    house.end(0)
    house.offer("a")
    house.begin()
    house.throttle(0)
    house.pass_time(1)
    house.claim()
    house.begin()
    assert house.running


def run_at(rate_of: Callable[[int], float], seconds: int) -> int:
    """The number after so long, of a function of which as many attempts end per second."""
    pace = AdaptiveLimit(0.0)
    for second in range(1, seconds + 1):
        for _ in range(int(rate_of(pace.limit))):
            pace.note_end()
        pace.note_full(second * 1.01, 500)
    return pace.limit


def test_the_pace() -> None:
    """What waits for something else is done more at a time, what keeps processors busy is not."""
    assert run_at(lambda limit: limit / 2, 20) == 500
    assert run_at(lambda limit: 0, 20) == 500
    assert run_at(lambda limit: 5000, 20) == START
    assert run_at(lambda limit: min(limit, 100) * 10, 20) in (64, 128)
