"""Environments come and go with the memory the host has left."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion, LoggingConfiguration
from lambent.model.invocation import Invocation, Outcome, Refused, Succeeded
from lambent.scheduling.memory import SystemMemory
from lambent.scheduling.scheduler import Scheduler
from lambent.scheduling.settings import SchedulingSettings
from lambent.worker.lifecycle import State
from lambent.worker.worker import Worker

pytestmark = pytest.mark.anyio
RESERVE_MB = 1000


def function(name: str) -> FunctionVersion:
    """A deployed function."""
    return FunctionVersion(
        key=FunctionKey("000000000000", "us-east-1", name),
        version="$LATEST",
        role="r",
        runtime="python3.12",
        handler="a.b",
        logging=LoggingConfiguration(log_group="g"),
        code_key="0" * 64,
        code_size=1,
        configuration_id=name,
        revision_id="1",
        last_modified_ms=0,
    )


class Memory:
    """A host's memory, as a test says."""

    def __init__(self, available_mb: int) -> None:
        self.left_mb = available_mb
        self.readings = 0

    def total_mb(self) -> int:
        return 16_000

    def available_mb(self) -> int:
        self.readings += 1
        return self.left_mb


class FakeEnvironment:
    """An environment that a test makes free, and that ends at once when it is retired."""

    def __init__(self, name: str, clock: ManualClock, on_free: Any, on_gone: Any) -> None:
        self.name = name
        self.state = State.INITIALIZING
        self.failure = None
        self.idle_since = 0.0
        self.began_at = clock.monotonic()
        self._clock = clock
        self._on_free = on_free
        self._on_gone = on_gone
        self._invocation: Invocation | None = None
        self.is_gone = False

    def become_free(self) -> None:
        self.idle_since = self._clock.monotonic()
        invocation, self._invocation = self._invocation, None
        if invocation is not None:
            invocation.on_done(Succeeded(b"{}", "application/json"))
        self.state = State.IDLE
        self._on_free(self)

    def assign(self, invocation: Invocation) -> None:
        self.state = State.BUSY
        self._invocation = invocation

    def freeze(self) -> None:
        self.state = State.FROZEN

    def resume_output(self) -> None:
        pass

    def retire(self) -> None:
        if not self.is_gone and self._invocation is None:
            self.is_gone = True
            self._on_gone(self)


@dataclasses.dataclass
class House:
    """A scheduler with everything around it."""

    memory: Memory
    clock: ManualClock = dataclasses.field(default_factory=ManualClock)
    started: list[FakeEnvironment] = dataclasses.field(default_factory=list)
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        settings = SchedulingSettings(memory_reserve_mb=RESERVE_MB, memory_wait_s=10.0)
        worker = cast(Worker, self)
        self.scheduler = Scheduler(
            settings, worker, self.clock, self.memory, tenant_environments_max=100
        )

    def start(
        self,
        one: FunctionVersion,
        initialization_type: str,
        *,
        on_free: Callable[..., None],
        on_gone: Callable[..., None],
    ) -> Any:
        environment = FakeEnvironment(one.key.name, self.clock, on_free, on_gone)
        self.started.append(environment)
        return environment

    def call(self, name: str) -> None:
        invocation = Invocation(
            function=function(name),
            request_id=str(len(self.outcomes)),
            invoked_arn="arn",
            event=b"{}",
            on_done=self.outcomes.append,
        )
        self.scheduler.submit(invocation)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.scheduler.sweep()

    def living(self) -> list[str]:
        return [one.name for one in self.started if not one.is_gone]

    def make_idle(self, *names: str) -> None:
        """Environments that have been idle in this order, the first the longest."""
        for name in names:
            self.call(name)
            self.started[-1].become_free()
            self.started[-1].become_free() if self.started[-1].state is State.BUSY else None
            self.clock.advance(1)


async def test_the_longest_idle_go_first_whatever_their_function() -> None:
    """As many as the gap needs, no more."""
    house = House(Memory(8000))
    house.make_idle("a", "b", "c", "d")
    house.memory.left_mb = RESERVE_MB - 50
    house.pass_time(1)
    assert house.living() == ["c", "d"]


async def test_few_go_at_once() -> None:
    """What was let go gives its memory back later: it is measured before more go."""
    house = House(Memory(8000))
    house.make_idle(*(f"f{number}" for number in range(40)))
    house.memory.left_mb = 0
    house.pass_time(1)
    assert len(house.living()) == 24


async def test_a_call_waits_for_memory() -> None:
    """It runs when there is some, in an environment of its own."""
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
    assert [one.name for one in house.started] == ["busy", "new"]


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
    assert house.scheduler.environments == 1


async def test_idle_environments_make_room_for_a_call() -> None:
    """Those of other functions too; the call does not wait for the next look."""
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
    """A host that is short from the beginning works, one call after the other."""
    house = House(Memory(0))
    house.call("a")
    assert house.living() == ["a"]


async def test_the_warm_path_asks_nothing() -> None:
    """With a free environment memory is not looked at."""
    house = House(Memory(8000))
    house.make_idle("a")
    readings = house.memory.readings
    house.clock.advance(60)
    house.call("a")
    assert house.memory.readings == readings


async def test_a_burst_starts_at_once_where_there_is_memory() -> None:
    """With one look at it."""
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
    """Whatever the memory does meanwhile; and below the reserve nothing starts beside another."""
    house = House(Memory(RESERVE_MB + 200))
    calls = 0
    for what, number, is_much in steps:
        before = len(house.started)
        living = house.scheduler.environments
        if what == "call":
            house.call(f"f{number % 3}")
            calls += 1
        elif what == "free" and house.started:
            one = house.started[number % len(house.started)]
            if not one.is_gone and one.state in (State.INITIALIZING, State.BUSY):
                one.become_free()
        elif what == "time":
            house.pass_time(number)
        else:
            house.clock.advance(0.3)
            house.memory.left_mb = RESERVE_MB + 300 if is_much else RESERVE_MB - 100
        if house.memory.left_mb < RESERVE_MB and living and what == "call":
            assert len(house.started) == before
    house.memory.left_mb = 15_000
    for _ in range(200):
        house.pass_time(1)
        for one in house.started:
            if not one.is_gone and one.state in (State.INITIALIZING, State.BUSY):
                one.become_free()
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
