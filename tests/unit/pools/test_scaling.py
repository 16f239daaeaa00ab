"""A function grows as fast as it may, and no faster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.node.pools.scaling import ScalingRate
from lambent.node.pools.settings import SchedulingSettings
from tests.unit.pools.house import House, function

pytestmark = pytest.mark.anyio
KEY = FunctionKey("000000000000", "us-east-1", "f")


def slow() -> House:
    """Where a function may grow by ten in ten seconds."""
    return House(settings=SchedulingSettings(memory_reserve_mb=1, scaling_per_10_s=10))


def started_by(house: House, calls: int, name: str = "f") -> int:
    """How many of these calls were given an environment."""
    before = len(house.started)
    for _ in range(calls):
        try:
            house.call(name)
        except ApiError as error:
            assert (error.code, error.status) == ("TooManyRequestsException", 429)
            assert error.members == {"Reason": "ConcurrentInvocationLimitExceeded"}
    return len(house.started) - before


async def test_a_burst_is_throttled_and_comes_back_evenly() -> None:
    """Ten at once, then one each second; what was not used is not saved up."""
    house = slow()
    assert started_by(house, 20) == 10
    house.clock.advance(1)
    assert started_by(house, 5) == 1
    house.clock.advance(3)
    assert started_by(house, 5) == 3
    house.clock.advance(1000)
    assert started_by(house, 20) == 10


async def test_functions_grow_independently() -> None:
    """One's burst is not the other's."""
    house = slow()
    assert started_by(house, 20, "f") == 10
    assert started_by(house, 20, "g") == 10


async def test_warm_environments_cost_nothing() -> None:
    """Only starts are counted, and a throttled call does not count."""
    house = slow()
    assert started_by(house, 11) == 10
    for environment in house.started:
        environment.become_free()
    assert len(house.outcomes) == 0
    for environment in house.started:
        environment.become_free()
    assert len(house.outcomes) == 10
    for _ in range(10):
        house.call("f")
    with pytest.raises(ApiError):
        house.call("f")


async def test_what_is_started_ahead_costs_nothing() -> None:
    """The rate is for calls."""
    house = slow()
    house.scheduler.provision(function("f"), 8)
    house.pass_time(0.05)
    assert len(house.started) == 8
    assert started_by(house, 20) == 10


@given(st.lists(st.floats(0, 3), max_size=80), st.integers(1, 20))
def test_never_more_than_a_bucket_and_what_came_back(waits: list[float], size: int) -> None:
    """Between any two moments, and a full bucket is forgotten."""
    rate = ScalingRate(size)
    now, taken = 0.0, list[float]()
    for wait in waits:
        now += wait
        for _ in range(3):
            if rate.take(KEY, now):
                taken.append(now)
    for first, since in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= size + (taken[last] - since) * size / 10 + 1e-6
    rate.forget_full(now)
    rate.forget_full(now + 10)
    assert rate.size == 0


def test_without_a_rate() -> None:
    """0 means as fast as the host can."""
    rate = ScalingRate(0)
    assert all(rate.take(KEY, 0.0) for _ in range(5000))
