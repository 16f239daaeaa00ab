"""A scheduler with a host and environments that do as a test says."""

import dataclasses

from lambent.kit.clock import ManualClock
from lambent.model.function import FunctionVersion
from lambent.model.invocation import (
    InvocationKind,
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    RunReport,
    Succeeded,
    WholeReply,
)
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.ports import EnvironmentListener
from lambent.node.pools.scheduler import Scheduler
from lambent.node.pools.settings import SchedulingSettings
from tests.factories import function_version

RESERVE_MB = 1000


def function(name: str) -> FunctionVersion:
    """A deployed function."""
    return function_version(name, configuration_id=name)


class Memory:
    """A host's memory, as a test says."""

    def __init__(self, available_mb: int) -> None:
        self.left_mb = available_mb
        self.sharers = 1
        self.readings = 0

    def total_mb(self) -> int:
        return 16_000

    def available_mb(self) -> int:
        self.readings += 1
        return self.left_mb


class FakeEnvironment:
    """An environment that a test makes free, and that ends as soon as it may when it is retired."""

    def __init__(
        self,
        name: str,
        clock: ManualClock,
        listener: EnvironmentListener,
        *,
        is_provisioned: bool,
    ) -> None:
        self.name = name
        self.is_provisioned = is_provisioned
        self.state = EnvironmentState.INITIALIZING
        self.failure: Exception | None = None
        self.is_queued = False
        self.idle_since = 0.0
        self.began_at = clock.monotonic()
        self._clock = clock
        self._listener = listener
        self._reply: Reply | None = None
        self.is_gone = False
        self._is_retired = False
        self.tenants: set[str] = set()

    @property
    def is_warm(self) -> bool:
        """Whether it has been initialised and is not busy."""
        return not self.is_gone and self.state in (EnvironmentState.IDLE, EnvironmentState.FROZEN)

    def fail_init(self) -> None:
        self.idle_since = self._clock.monotonic()
        self.state = EnvironmentState.RESET
        self._listener.on_free(self)

    def crash(self) -> None:
        """In the middle of a call."""
        self._reply = None
        self.state = EnvironmentState.RESET
        self._listener.on_free(self)

    def become_free(self) -> None:
        self.idle_since = self._clock.monotonic()
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.finish(Succeeded(b"{}", "application/json"), RunReport())
        self.state = EnvironmentState.IDLE
        if self._is_retired:
            self.retire()
        else:
            self._listener.on_free(self)

    def answer(self) -> None:
        """Respond to the caller, while extensions continue."""
        reply, self._reply = self._reply, None
        assert reply is not None
        self._listener.on_responded(self)
        reply.finish(Succeeded(b"{}", "application/json"), RunReport())

    def assign(
        self, request: InvocationRequest, reply: Reply, waiting_since: float | None = None
    ) -> None:
        self.state = EnvironmentState.BUSY
        self._reply = reply
        self.tenants.add(request.tenant_id)

    def freeze(self) -> None:
        self.state = EnvironmentState.FROZEN

    def resume_output(self) -> None:
        pass

    @property
    def needs_shutdown_event(self) -> bool:
        return False

    async def wait_gone(self) -> None:
        raise AssertionError("nobody waits")

    def retire(self) -> None:
        self._is_retired = True
        if not self.is_gone and self._reply is None:
            self.is_gone = True
            self._listener.on_gone(self)


@dataclasses.dataclass
class House:
    """A scheduler with everything around it."""

    memory: Memory = dataclasses.field(default_factory=lambda: Memory(15_000))
    settings: SchedulingSettings = dataclasses.field(
        default_factory=lambda: SchedulingSettings(memory_reserve_mb=RESERVE_MB, memory_wait_s=10.0)
    )
    tenant_environments_max: int = 100
    clock: ManualClock = dataclasses.field(default_factory=ManualClock)
    started: list[FakeEnvironment] = dataclasses.field(default_factory=list)
    outcomes: list[Outcome] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(
            self.settings,
            self,
            self.clock,
            self.memory,
            tenant_environments_max=self.tenant_environments_max,
        )

    def begin(
        self, function: FunctionVersion, listener: EnvironmentListener, *, is_provisioned: bool
    ) -> FakeEnvironment:
        """See `EnvironmentSource`."""
        environment = FakeEnvironment(
            function.key.name, self.clock, listener, is_provisioned=is_provisioned
        )
        self.started.append(environment)
        return environment

    def call(self, name: str, tenant_id: str = "") -> None:
        """Raises `ApiError` if it is throttled at once."""
        request = InvocationRequest(
            function=function(name),
            kind=InvocationKind.REQUEST_RESPONSE,
            request_id=str(len(self.outcomes)),
            event=b"{}",
            tenant_id=tenant_id,
        )
        before = len(self.outcomes)
        reply = WholeReply(lambda outcome, _: self.outcomes.append(outcome))
        self.scheduler.submit(request, reply)
        if len(self.outcomes) > before and isinstance(self.outcomes[-1], Refused):
            raise self.outcomes.pop().error

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.scheduler.sweep()

    @property
    def count(self) -> int:
        """How many environments the scheduler counts, which are those in its pools."""
        count = self.scheduler._count
        assert count == len(list(self.scheduler.environments()))
        return count

    def living(self) -> list[str]:
        return [environment.name for environment in self.started if not environment.is_gone]

    def make_idle(self, *names: str) -> None:
        """Environments that have been idle in this order, the first the longest."""
        for name in names:
            self.call(name)
            self.started[-1].become_free()
            self.started[-1].become_free() if self.started[
                -1
            ].state is EnvironmentState.BUSY else None
            self.clock.advance(1)
