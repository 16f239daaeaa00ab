"""The environments of one configuration of one function version, and of one tenant if the function
isolates its tenants.

A pool listens to its environments. It is only used on the event loop, so it needs no lock. Free
environments are a stack: the one used last is used next, so that the others grow old and can be
removed. Provisioned ones come first. Invocations that find no free environment wait in a queue; the
environment that becomes free first, new or used, takes the oldest.
"""

from collections import deque
from typing import NamedTuple, Protocol

from lambent.kit.clock import Clock
from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationRequest, Reply
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.ports import PooledEnvironment
from lambent.node.pools.provisioned import Provisioned

PoolKey = str | tuple[str, str]
"""A configuration's id, with the tenant's if there is one."""


class Waiting(NamedTuple):
    """An invocation that waits for an environment."""

    request: InvocationRequest
    reply: Reply
    since: float
    """Monotonic seconds."""


class PoolOwner(Protocol):
    """Counts the environments of all pools, and starts new ones."""

    def on_gone(self, pool: "Pool", environment: PooledEnvironment) -> None:
        """An environment of the pool is gone."""
        ...


class Pool:
    """The environments, and the decisions that depend only on them."""

    def __init__(
        self,
        key: PoolKey,
        function: FunctionVersion,
        tenant_id: str,
        *,
        owner: PoolOwner,
        clock: Clock,
    ) -> None:
        self.key = key
        self.function = function
        self.tenant_id = tenant_id
        self._owner = owner
        self._clock = clock
        self.free: list[PooledEnvironment] = []
        """Environments started on demand; oldest idle first."""
        self.provisioned = Provisioned()
        self.waiting: deque[Waiting] = deque()
        self.starting: dict[PooledEnvironment, None] = {}
        """Environments started on demand that have not been free yet. Provisioned ones may take
        minutes to initialize: no call waits for them."""
        self.finishing: dict[PooledEnvironment, float] = {}
        """Environments that have responded and only wait for their extensions, and since when. They
        are expected to be free in a moment, unless they have waited too long."""
        self.members: set[PooledEnvironment] = set()
        self.short_since: float | None = None
        """Since when memory has been missing for another environment that is needed."""

    @property
    def needs_another(self) -> bool:
        """Whether more invocations wait than environments are starting."""
        return len(self.waiting) > self.expected

    @property
    def expected(self) -> int:
        """How many environments will be free soon."""
        return len(self.starting) + len(self.finishing)

    @property
    def is_over(self) -> bool:
        """Whether the pool is empty and not needed."""
        return not (self.members or self.waiting or self.provisioned.wanted)

    def on_free(self, environment: PooledEnvironment) -> None:
        """Assign the next invocation to a free environment, or keep the environment for later."""
        if environment.is_provisioned:
            self._on_provisioned_free(environment)
            return
        self.starting.pop(environment, None)
        self.finishing.pop(environment, None)
        if self.waiting:
            environment.assign(*self.waiting.popleft())
        else:
            self.free.append(environment)
        if self.starting:
            self.withdraw_unneeded()

    def _on_provisioned_free(self, environment: PooledEnvironment) -> None:
        self.finishing.pop(environment, None)
        if not self.provisioned.is_usable(environment):
            environment.retire()
        elif self.waiting:
            environment.assign(*self.waiting.popleft())
            self.withdraw_unneeded()
        else:
            self.provisioned.keep(environment)

    def on_responded(self, environment: PooledEnvironment) -> None:
        """Its caller has the outcome: it will be free soon."""
        self.finishing[environment] = self._clock.monotonic()

    def on_gone(self, environment: PooledEnvironment) -> None:
        """It is gone: the pool's owner counts it."""
        self._owner.on_gone(self, environment)

    def withdraw_unneeded(self) -> None:
        """Retire environments that no call needs any more, if nothing has been started for them."""
        while self.starting and self.expected > len(self.waiting):
            youngest = next(reversed(self.starting))
            if not youngest.is_queued:
                return
            del self.starting[youngest]
            youngest.retire()

    def forget(self, environment: PooledEnvironment) -> None:
        """Remove an environment that is gone."""
        self.members.discard(environment)
        self.starting.pop(environment, None)
        self.finishing.pop(environment, None)
        if environment in self.free:
            self.free.remove(environment)
        self.provisioned.forget(environment, self._clock.monotonic())

    def expect_no_more(self, finishing_before: float) -> None:
        """Stop expecting environments that began to finish before this monotonic time."""
        for environment, since in list(self.finishing.items()):
            if since < finishing_before:
                del self.finishing[environment]

    def look_after_idle(self, *, idle_before: float, freeze_before: float) -> None:
        """Retire environments that have been idle since `idle_before` (monotonic), freeze those
        idle since `freeze_before`; read output that had to wait."""
        while self.free and self.free[0].idle_since <= idle_before:
            self.evict_oldest()
        for free in (self.free, self.provisioned.free):
            for environment in reversed(free):
                if environment.state is EnvironmentState.FROZEN:
                    break
                if environment.idle_since <= freeze_before:
                    environment.freeze()
        for environment in self.members:
            environment.resume_output()

    def evict_oldest(self) -> None:
        """Retire the environment that has been idle longest."""
        self.free.pop(0).retire()

    def retire_older_than(self, began_at: float) -> None:
        """Let no environment that began before this monotonic time take new work."""
        self.provisioned.retire_older_than(began_at)
        for environment in [member for member in self.members if member.began_at < began_at]:
            environment.retire()
            if environment in self.free:
                self.free.remove(environment)

    def retire(self) -> None:
        """The function has changed or was deleted: no environment takes new work."""
        self.provisioned.retire()
        for environment in list(self.members):
            environment.retire()
        self.free.clear()
