"""Environments start and end with the memory that the host has left."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from lambent.model.invocation import Refused
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.pools.memory import START_MB, MemoryBudget, SystemMemory
from tests.unit.pools.house import RESERVE_MB, House, Memory

pytestmark = pytest.mark.anyio


async def test_the_longest_idle_go_first_whatever_their_function() -> None:
    """As many as necessary, and no more."""
    house = House(Memory(8000))
    house.make_idle("a", "b", "c", "d")
    house.memory.left_mb = RESERVE_MB - 50
    house.pass_time(1)
    assert house.living() == ["c", "d"]


async def test_few_go_at_once() -> None:
    """What was released frees its memory later: it is measured before more go."""
    house = House(Memory(8000))
    house.make_idle(*(f"f{number}" for number in range(40)))
    house.memory.left_mb = 0
    house.pass_time(1)
    assert len(house.living()) == 24


async def test_a_call_waits_for_memory() -> None:
    """It runs when there is some, in a new environment."""
    house = House(Memory(8000))
    house.call("busy")
    house.started[0].become_free()
    house.memory.left_mb = RESERVE_MB
    house.clock.advance(1)
    house.call("new")
    house.pass_time(1)
    assert (len(house.started), house.outcomes) == (1, [])
    house.memory.left_mb = RESERVE_MB + 100
    house.pass_time(1)
    assert [environment.name for environment in house.started] == ["busy", "new"]


async def test_a_call_waits_only_so_long() -> None:
    """Then it is throttled, as AWS words it; the others are not."""
    house = House(Memory(8000))
    house.call("busy")
    house.memory.left_mb = 0
    house.clock.advance(1)
    house.call("new")
    house.pass_time(5)
    assert house.outcomes == []
    house.pass_time(5)
    (outcome,) = house.outcomes
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, ApiError)
    assert (outcome.error.code, outcome.error.status) == ("TooManyRequestsException", 429)
    house.started[0].become_free()
    assert house.count == 1


async def test_idle_environments_make_room_for_a_call() -> None:
    """Those of other functions too; the call does not wait for the next sweep."""
    house = House(Memory(8000))
    house.make_idle("a", "b")
    house.memory.left_mb = RESERVE_MB + 10
    house.clock.advance(1)
    house.call("c")
    assert house.living() == ["b"]
    house.memory.left_mb = RESERVE_MB + 64
    house.pass_time(1)
    assert house.living() == ["b", "c"]


async def test_one_environment_is_never_too_many() -> None:
    """A host that is short of memory from the beginning works, one call after the other."""
    house = House(Memory(0))
    house.call("a")
    assert house.living() == ["a"]


async def test_the_warm_path_asks_nothing() -> None:
    """With a free environment, memory is not read."""
    house = House(Memory(8000))
    house.make_idle("a")
    readings = house.memory.readings
    house.clock.advance(60)
    house.call("a")
    assert house.memory.readings == readings


async def test_a_burst_starts_at_once_where_there_is_memory() -> None:
    """With one reading."""
    house = House(Memory(15_000))
    for _ in range(200):
        house.call("a")
    assert len(house.started) == 200
    assert house.memory.readings == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["call", "free", "time", "memory"]), st.integers(0, 5), st.booleans()
        ),
        max_size=60,
    )
)
def test_every_call_gets_one_outcome(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever the memory does meanwhile; and below the reserve no environment starts next to
    another."""
    house = House(Memory(RESERVE_MB + 200))
    calls = 0
    for step, number, is_much in steps:
        before = len(house.started)
        living = house.count
        if step == "call":
            house.call(f"f{number % 3}")
            calls += 1
        elif step == "free" and house.started:
            environment = house.started[number % len(house.started)]
            if not environment.is_gone and environment.state in (
                EnvironmentState.INITIALIZING,
                EnvironmentState.BUSY,
            ):
                environment.become_free()
        elif step == "time":
            house.pass_time(number)
        else:
            house.clock.advance(0.3)
            house.memory.left_mb = RESERVE_MB + 300 if is_much else RESERVE_MB - 100
        if house.memory.left_mb < RESERVE_MB and living and step == "call":
            assert len(house.started) == before
    house.memory.left_mb = 15_000
    for _ in range(200):
        house.pass_time(1)
        for environment in house.started:
            if not environment.is_gone and environment.state in (
                EnvironmentState.INITIALIZING,
                EnvironmentState.BUSY,
            ):
                environment.become_free()
    assert len(house.outcomes) == calls


def test_a_limited_group_counts(tmp_path: Path) -> None:
    """The smaller of what the host and the group have left; caches can be dropped."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8192000 kB\nMemAvailable: 4096000 kB\n")
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    group = tmp_path / "sys/fs/cgroup/a/b"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    memory = SystemMemory(tmp_path)
    assert (memory.total_mb(), memory.available_mb()) == (8000, 4000)
    (group.parent / "memory.max").write_text(f"{1000 << 20}\n")
    (group.parent / "memory.current").write_text(f"{700 << 20}\n")
    (group.parent / "memory.stat").write_text(f"anon 1\ninactive_file {200 << 20}\n")
    memory = SystemMemory(tmp_path)
    assert (memory.total_mb(), memory.available_mb()) == (1000, 500)


@pytest.mark.parametrize("sharers", [1, 2, 3, 8])
@pytest.mark.parametrize("left_mb", [0, 700, 999, 1000, 1001, 1064, 5000])
def test_schedulers_that_share_a_host_have_equal_parts(sharers: int, left_mb: int) -> None:
    """Together they take no more than what is free beyond the reserve, and free all that is missing
    below it."""
    memory = Memory(left_mb)
    memory.sharers = sharers
    budget = MemoryBudget(memory, ManualClock(), RESERVE_MB)
    missing_mb = RESERVE_MB - left_mb
    assert (budget.shortage_mb() > 0) == (missing_mb > 0)
    assert budget.shortage_mb() * sharers >= missing_mb
    started = 0
    while budget.missing_mb() <= 0:
        budget.note_start()
        started += 1
    assert started * sharers * START_MB <= max(-missing_mb, 0)
