"""Environments that are kept initialised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.concurrency import ProvisionedState
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.pools.settings import SchedulingSettings
from tests.unit.pools.house import RESERVE_MB, FakeEnvironment, House, Memory, function

pytestmark = pytest.mark.anyio
AGE_MAX_S = SchedulingSettings().environment_age_max_s


def provisioned(house: House) -> list[FakeEnvironment]:
    """Those that were started ahead and are there."""
    return [
        environment
        for environment in house.started
        if environment.is_provisioned and not environment.is_gone
    ]


def initialise(house: House) -> None:
    """Whatever is starting ahead gets ready."""
    for environment in provisioned(house):
        if environment.state is EnvironmentState.INITIALIZING:
            environment.become_free()


def state(house: House) -> ProvisionedState:
    return house.scheduler.provisioned(function("p").configuration_id)


def with_ready(number: int, **settings: object) -> House:
    """A house that has so many of the function `p`."""
    house = House(**settings)  # type: ignore[arg-type]
    house.scheduler.provision(function("p"), number)
    while state(house).ready < number:
        house.pass_time(0.05)
        initialise(house)
    return house


async def test_they_are_started_a_few_at_a_time() -> None:
    """Until there are as many as wanted."""
    house = House()
    house.scheduler.provision(function("p"), 20)
    counts = []
    for _ in range(4):
        house.pass_time(0.05)
        counts.append(len(house.started))
        house.pass_time(0.05)
        initialise(house)
    assert counts == [8, 16, 20, 20]
    assert state(house) == ProvisionedState(20)


async def test_calls_use_them_first_and_spill_over() -> None:
    """What is beyond them starts on demand; a warm one on demand is used after them."""
    house = with_ready(2)
    for _ in range(3):
        house.call("p")
    assert [environment.is_provisioned for environment in house.started[2:]] == [False]
    on_demand = house.started[2]
    on_demand.become_free()
    for environment in house.started:
        environment.become_free()
    assert len(house.outcomes) == 3
    house.call("p")
    house.call("p")
    assert on_demand.is_warm
    house.call("p")
    assert on_demand.state is EnvironmentState.BUSY
    assert len(house.started) == 3


async def test_no_call_counts_on_one_that_is_still_starting() -> None:
    """It may take minutes; but what is ready first takes the call."""
    house = House()
    house.scheduler.provision(function("p"), 1)
    house.pass_time(0.05)
    house.call("p")
    ahead, on_demand = house.started
    assert not on_demand.is_provisioned
    ahead.become_free()
    assert ahead.state is EnvironmentState.BUSY
    on_demand.become_free()
    assert on_demand.is_warm


async def test_they_are_frozen_but_never_evicted() -> None:
    """Neither for idleness nor for memory nor to free space; others are."""
    house = with_ready(2, settings=SchedulingSettings(memory_reserve_mb=1000, environments_max=3))
    house.make_idle("other")
    house.call("third")
    assert house.living() == ["p", "p", "third"]
    house.started[-1].become_free()
    house.started[-1].become_free()
    house.pass_time(1)
    assert {environment.state for environment in provisioned(house)} == {EnvironmentState.FROZEN}
    house.memory.left_mb = 0
    house.pass_time(1)
    assert house.living() == ["p", "p"]
    house.memory.left_mb = 15_000
    house.pass_time(3 * 3600)
    assert house.living() == ["p", "p"]


async def test_they_wait_for_memory() -> None:
    """They never use up the reserve."""
    house = House(Memory(RESERVE_MB))
    house.scheduler.provision(function("p"), 1)
    house.pass_time(1)
    assert house.started == []
    house.memory.left_mb = RESERVE_MB + 100
    house.pass_time(1)
    assert len(house.started) == 1


async def test_surplus_goes() -> None:
    """At once if idle, after its call if busy; the starting ones too."""
    house = with_ready(3)
    house.call("p")
    house.scheduler.provision(function("p"), 0)
    assert len(provisioned(house)) == 1
    provisioned(house)[0].become_free()
    assert house.living() == []
    house.scheduler.provision(function("p"), 3)
    house.pass_time(1)
    house.scheduler.provision(function("p"), 1)
    assert len(provisioned(house)) == 1


async def test_one_that_ends_is_replaced() -> None:
    """Whatever ended it."""
    house = with_ready(2)
    provisioned(house)[0].retire()
    assert state(house).ready == 1
    house.pass_time(1)
    initialise(house)
    assert state(house) == ProvisionedState(2)


async def test_they_are_renewed_before_they_are_too_old() -> None:
    """There are never fewer than wanted, and none is older than allowed."""
    house = with_ready(3)
    for _ in range(300):
        house.pass_time(AGE_MAX_S / 100)
        initialise(house)
        assert state(house).ready >= 3
        began = [environment.began_at for environment in provisioned(house)]
        assert min(began) > house.clock.monotonic() - AGE_MAX_S
    assert len(provisioned(house)) == 3
    assert 9 <= len(house.started) <= 15


async def test_failures_are_reported_and_retried() -> None:
    """With growing pauses, one at a time; when it works again, all start."""
    house = House()
    house.scheduler.provision(function("p"), 2)
    house.pass_time(0.05)
    for environment in list(house.started):
        environment.fail_init()
    assert len(provisioned(house)) == 0
    assert state(house) == ProvisionedState(0)
    house.pass_time(1)
    assert len(house.started) == 2
    house.pass_time(1)
    assert len(house.started) == 3
    house.started[-1].fail_init()
    assert state(house) == ProvisionedState(0, "FUNCTION_ERROR_INIT_FAILURE")
    house.pass_time(4)
    house.started[-1].become_free()
    assert state(house) == ProvisionedState(1)
    house.pass_time(1)
    initialise(house)
    assert state(house) == ProvisionedState(2)


async def test_an_environment_that_cannot_be_made() -> None:
    """The reason is the platform's."""
    house = House()
    house.scheduler.provision(function("p"), 3)
    house.pass_time(0.05)
    for environment in list(house.started):
        environment.failure = OSError("no box")
        environment.retire()
    assert state(house) == ProvisionedState(0, "no box")


async def test_a_crash_in_a_call_is_no_failed_init() -> None:
    """The environment stays, as in AWS, and initialises again within its next call."""
    house = with_ready(1)
    house.call("p")
    (environment,) = house.started
    environment.crash()
    assert (state(house), environment.is_gone) == (ProvisionedState(1), False)
    house.call("p")
    assert len(house.started) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["want", "call", "free", "fail", "time", "memory"]),
            st.integers(0, 6),
        ),
        max_size=80,
    )
)
def test_whatever_happens_the_wish_comes_true(steps: list[tuple[str, int]]) -> None:
    """Every call has one outcome, and in the end there are as many as wanted."""
    house = House()
    calls = wanted = 0
    for step, number in steps:
        environment = house.started[number % len(house.started)] if house.started else None
        is_active = environment is not None and not environment.is_gone
        if step == "want":
            wanted = number
            house.scheduler.provision(function("p"), wanted)
        elif step == "call":
            house.call("p")
            calls += 1
        elif step == "time":
            house.pass_time(10.0**number / 100)
        elif step == "memory":
            house.memory.left_mb = 15_000 if number > 2 else 500
        elif (
            environment is not None
            and is_active
            and environment.state is EnvironmentState.INITIALIZING
            and step == "fail"
        ):
            environment.fail_init()
        elif (
            environment is not None
            and is_active
            and environment.state in (EnvironmentState.INITIALIZING, EnvironmentState.BUSY)
        ):
            environment.become_free()
    house.memory.left_mb = 15_000
    for _ in range(50):
        house.pass_time(310)
        for environment in list(house.started):
            if not environment.is_gone and environment.state in (
                EnvironmentState.INITIALIZING,
                EnvironmentState.BUSY,
            ):
                environment.become_free()
    assert len(house.outcomes) == calls
    assert len(provisioned(house)) == wanted
    assert state(house) == ProvisionedState(wanted)
    house.scheduler.provision(function("p"), 0)
    house.pass_time(700)
    assert house.count == 0
