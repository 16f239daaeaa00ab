"""Which environment runs an invocation, and how many there are.

`submit` is the warm path: a dictionary look-up, a pop and a call. Everything slower (starting,
freezing, evicting) happens elsewhere: each environment has a task of its own, and one sweep handles
the idle ones.

Environments leave a reserve of the host's memory free. When free memory falls below it, the
environments that have been idle longest are removed, and a call that needs a new one waits until
there is memory or it has waited too long. If there is no environment at all, one is started anyway,
so that a host with little memory runs a few calls rather than none. Provisioned environments are
started where there is space, and are never removed to free memory.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.concurrency import ProvisionedState, no_capacity, throttled
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import NOT_RUN, InvocationRequest, Refused, Reply
from lambent.node.environment.failures import refusal
from lambent.node.environment.ports import EnvironmentSource, PooledEnvironment
from lambent.node.pools.memory import START_MB, HostMemory, MemoryBudget
from lambent.node.pools.pool import Pool, Waiting
from lambent.node.pools.pools import Pools
from lambent.node.pools.scaling import ScalingRate
from lambent.node.pools.settings import SchedulingSettings

_EVICTIONS_AT_ONCE = 16
_FINISHING_S = 0.02
"""Seconds that extensions may take at the end of an invocation before another environment is
started for a call that waits."""
_SHUT_DOWN = Refused(ApiError("ServiceException", "The platform is being shut down.", status=500))
_RENEWED_AHEAD = 0.1
"""A provisioned environment is replaced when this share of its lifetime is left."""


class Scheduler:
    """Owner of all pools on this platform."""

    def __init__(
        self,
        settings: SchedulingSettings,
        source: EnvironmentSource,
        clock: Clock,
        memory: HostMemory,
        *,
        tenant_environments_max: int,
    ) -> None:
        self._settings = settings
        self._memory = MemoryBudget(memory, clock, settings.memory_reserve_mb)
        self._rate = ScalingRate(settings.scaling_per_10_s)
        self._source = source
        self._clock = clock
        self._tenant_environments_max = tenant_environments_max
        """Environments of one account and region."""
        self._pools = Pools(self, clock)
        self._find_pool = self._pools.by_key.get
        self._count = 0
        self._tenants: defaultdict[Scope, int] = defaultdict(int)
        """Environments of tenants."""
        self._is_closed = False

    def environments(self, scope: Scope | None = None) -> Iterator[PooledEnvironment]:
        """The environments of an account and Region, or all, in any state."""
        return (
            environment
            for pool in self._pools
            if scope is None or pool.function.key.scope == scope
            for environment in list(pool.members)
        )

    @property
    def waiting(self) -> int:
        """How many requests wait for an environment."""
        return sum(len(pool.waiting) for pool in self._pools)

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        """Run the request as soon as an environment is free. Its reply gets the outcome, perhaps
        before this returns: `Refused` if the request needs another environment, and there is no
        capacity for it or the function scales too fast."""
        if self._is_closed:
            reply.finish(_SHUT_DOWN, NOT_RUN)
            return
        function, tenant_id = request.function, request.tenant_id
        pool_key = (
            (function.configuration_id, tenant_id) if tenant_id else function.configuration_id
        )
        pool = self._find_pool(pool_key)
        if pool is None:
            pool = self._pools.open(pool_key, function, tenant_id)
        free = pool.provisioned.free or pool.free
        if free:
            free.pop().assign(request, reply)
            return
        now = self._clock.monotonic()
        if len(pool.waiting) >= pool.expected:
            refused = self._make_room(pool) if self._rate.take(function.key, now) else throttled()
            if refused is not None:
                reply.finish(refused, NOT_RUN)
                return
        pool.waiting.append(Waiting(request, reply, now))
        if pool.needs_another:
            self._start_if_there_is_memory(pool)

    def has_free(self, function: FunctionVersion, tenant_id: str) -> bool:
        """Whether a request would find a free environment, now or in a moment."""
        configuration_id = function.configuration_id
        pool = self._find_pool((configuration_id, tenant_id) if tenant_id else configuration_id)
        return pool is not None and bool(
            pool.free or pool.provisioned.free or len(pool.finishing) > len(pool.waiting)
        )

    def warm_up(self, function: FunctionVersion, tenant_id: str) -> None:
        """Start an environment ahead of requests, unless one is starting or there is no room."""
        is_one_too_many = (
            bool(tenant_id) and self._tenants[function.key.scope] >= self._tenant_environments_max
        )
        if self._is_closed or self._is_full or is_one_too_many or self._memory.missing_mb() > 0:
            return
        configuration_id = function.configuration_id
        pool_key = (configuration_id, tenant_id) if tenant_id else configuration_id
        pool = self._find_pool(pool_key) or self._pools.open(pool_key, function, tenant_id)
        if not pool.starting:
            pool.starting[self._start(pool, is_provisioned=False)] = None

    def provision(self, function: FunctionVersion, wanted: int) -> None:
        """Keep this many environments of a version initialized, from now on."""
        pool = self._find_pool(function.configuration_id)
        if pool is None and wanted:
            pool = self._pools.open(function.configuration_id, function, "")
        if pool is not None:
            pool.provisioned.want(wanted)

    def provisioned(self, configuration_id: str) -> ProvisionedState:
        """How many of the wanted environments are initialized."""
        pool = self._find_pool(configuration_id)
        return ProvisionedState(0) if pool is None else pool.provisioned.state

    def versions(self, key: FunctionKey | None) -> list[FunctionVersion]:
        """The versions that have environments here: of one function, or of all."""
        pools = self._pools if key is None else self._pools.of_function(key)
        return [pool.function for pool in pools]

    def retire(self, configuration_ids: Collection[str]) -> None:
        """Let environments of these configurations take no new request."""
        if configuration_ids:
            for pool in self._pools:
                if pool.function.configuration_id in configuration_ids:
                    pool.retire()

    def sweep(self) -> None:
        """Freeze environments that have just become idle, retire those that have been idle too long
        or are in the way, and start those for which there is memory now."""
        now = self._clock.monotonic()
        age_max_s = self._settings.environment_age_max_s
        self._rate.forget_full(now)
        if self._count and (shortage_mb := self._memory.shortage_mb()) > 0:
            self._evict(shortage_mb)
        for pool in self._pools:
            pool.look_after_idle(
                idle_before=now - self._settings.keep_alive_s,
                freeze_before=now - self._settings.freeze_after_s,
            )
            pool.retire_older_than(now - age_max_s)
            if pool.finishing:
                pool.expect_no_more(now - _FINISHING_S)
                while pool.needs_another and pool.short_since is None:
                    self._start_if_there_is_memory(pool)
            if pool.short_since is not None:
                self._look_after_short(pool, now)
            if pool.provisioned.wanted:
                self._provision(pool, now, now - age_max_s * (1 - _RENEWED_AHEAD))
            if pool.is_over:
                self._pools.discard(pool)

    async def run(self) -> None:
        """Sweep until cancelled, while there are pools."""
        while True:
            await self._pools.wait_for_one()
            await self._clock.sleep(self._settings.sweep_every_s)
            self.sweep()

    def close(self) -> None:
        """Start no more environments, and refuse the requests that wait: the node is about to
        end."""
        self._is_closed = True
        for pool in self._pools:
            while pool.waiting:
                pool.waiting.popleft().reply.finish(_SHUT_DOWN, NOT_RUN)

    @property
    def _is_full(self) -> bool:
        return self._count >= self._settings.environments_max

    def _make_room(self, pool: Pool) -> Refused | None:
        """Make space for another environment of a pool; returns a refusal if there is none. The
        retired environment is still ending when the new one starts."""
        scope = pool.function.key.scope
        if pool.tenant_id and self._tenants[scope] >= self._tenant_environments_max:
            if not self._pools.evict_oldest(tenants_of=scope):
                return throttled(message="Rate exceeded")
        elif self._is_full and not self._pools.evict_oldest():
            return no_capacity()
        return None

    def _start_if_there_is_memory(self, pool: Pool) -> None:
        missing_mb = self._memory.missing_mb()
        if missing_mb <= 0 or self._count == 0:
            pool.short_since = None
            pool.starting[self._start(pool, is_provisioned=False)] = None
            return
        self._evict(missing_mb)
        if pool.short_since is None:
            pool.short_since = self._clock.monotonic()

    def _look_after_short(self, pool: Pool, now: float) -> None:
        """Start environments that wait for memory, or refuse the calls if that takes too long."""
        since = pool.short_since
        while pool.needs_another:
            self._start_if_there_is_memory(pool)
            if pool.short_since is not None:
                break
        else:
            pool.short_since = None
        if since is not None and now - since >= self._settings.memory_wait_s:
            while pool.short_since is not None and pool.needs_another:
                pool.waiting.popleft().reply.finish(no_capacity(), NOT_RUN)
            pool.short_since = None

    def _provision(self, pool: Pool, now: float, old_before: float) -> None:
        """Start the missing provisioned environments, as far as there is space."""
        for _ in range(pool.provisioned.startable(now, old_before)):
            if self._is_full:
                self._pools.evict_oldest()
                return
            if (missing_mb := self._memory.missing_mb()) > 0:
                self._evict(missing_mb)
                return
            pool.provisioned.take_in(self._start(pool, is_provisioned=True))

    def _evict(self, missing_mb: int) -> None:
        """Retire the environments that have been idle longest, of any function."""
        for _ in range(min(-(-missing_mb // START_MB), _EVICTIONS_AT_ONCE)):
            if not self._pools.evict_oldest():
                return

    def _start(self, pool: Pool, *, is_provisioned: bool) -> PooledEnvironment:
        self._count += 1
        if pool.tenant_id:
            self._tenants[pool.function.key.scope] += 1
        self._memory.note_start()
        environment = self._source.begin(pool.function, pool, is_provisioned=is_provisioned)
        pool.members.add(environment)
        return environment

    def on_gone(self, pool: Pool, environment: PooledEnvironment) -> None:
        """See `PoolOwner`."""
        self._count -= 1
        if pool.tenant_id:
            self._tenants[pool.function.key.scope] -= 1
        was_starting = environment in pool.starting
        pool.forget(environment)
        if pool.waiting and was_starting and environment.failure is not None:
            pool.waiting.popleft().reply.finish(refusal(environment.failure), NOT_RUN)
        if pool.needs_another and not self._is_closed:
            self._start_if_there_is_memory(pool)
