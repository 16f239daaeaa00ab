"""Which environment runs an invocation, and how many there are.

`submit` is the warm path: a dictionary look-up, a pop and a call. Everything slower (starting,
freezing, evicting) happens beside it: new environments live in the worker's task group, one
sweep looks after the idle ones.

Environments leave the host a reserve of memory. When it is touched the longest idle ones go, and
a call that needs a new one waits until there is memory or it has waited for too long. With no
environment at all one is started anyway, so that a host that is short does a little rather than
nothing.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import Invocation, Refused
from lambent.scheduling.memory import HostMemory
from lambent.scheduling.pool import Pool
from lambent.scheduling.settings import SchedulingSettings
from lambent.worker.environment import Environment
from lambent.worker.lifecycle import State
from lambent.worker.worker import Worker

_SHUT_DOWN = ApiError("ServiceException", "The platform is being shut down.", status=500)

_MEMORY_READ_EVERY_S = 0.25
_RESERVE_MB_MIN, _RESERVE_SHARE = 256, 0.05
_START_MB = 32
"""What an environment that is starting is expected to take soon."""
_EVICTIONS_AT_ONCE = 16
_THROTTLED = ApiError(
    "TooManyRequestsException",
    "Rate Exceeded.",
    status=429,
    members={"Reason": "ConcurrentInvocationLimitExceeded"},
)

Resolve = Callable[[FunctionKey, str], Awaitable[FunctionVersion | None]]
"""The current value of a function's version, or None if there is none any more."""


class Scheduler:
    """Owner of all pools on this platform."""

    def __init__(
        self, settings: SchedulingSettings, worker: Worker, clock: Clock, memory: HostMemory
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._reserve_mb = settings.memory_reserve_mb or max(
            _RESERVE_MB_MIN, int(memory.total_mb() * _RESERVE_SHARE)
        )
        self._available_mb = 0
        self._read_memory_at: float | None = None
        self._started_since = 0
        """Environments begun since memory was read: it does not tell of them yet."""
        self._worker = worker
        self._clock = clock
        self._pools: dict[str, Pool] = {}
        self._by_function: defaultdict[FunctionKey, set[str]] = defaultdict(set)
        self._count = 0
        self._is_closed = False
        self._changed: set[FunctionKey] = set()
        self._bell = anyio.Event()

    @property
    def environments(self) -> int:
        """How many environments there are, in whatever state."""
        return self._count

    def submit(self, invocation: Invocation) -> None:
        """Run the invocation as soon as an environment is free; its outcome is reported to it.

        Raises `ApiError` (429) if the host has no room for one more environment.
        """
        if self._is_closed:
            raise _SHUT_DOWN
        pool = self._pools.get(invocation.function.configuration_id)
        if pool is None:
            pool = self._open_pool(invocation.function)
        if pool.free:
            pool.free.pop().assign(invocation)
            return
        self._make_room()
        pool.waiting.append(invocation)
        if pool.needs_another:
            self._start_if_there_is_memory(pool)

    def note_change(self, key: FunctionKey) -> None:
        """A function was changed or deleted: look at its environments soon."""
        if key in self._by_function:
            self._changed.add(key)
            self._bell.set()

    async def follow_changes(self, resolve: Resolve) -> None:
        """Let go of environments of what no longer is current, for ever."""
        while True:
            await self._bell.wait()
            self._bell = anyio.Event()
            changed, self._changed = self._changed, set()
            for key in changed:
                await self._retire_stale(key, resolve)

    async def _retire_stale(self, key: FunctionKey, resolve: Resolve) -> None:
        for configuration_id in list(self._by_function.get(key, ())):
            pool = self._pools.get(configuration_id)
            if pool is None:
                continue
            current = await resolve(key, pool.function.version)
            if current is None or current.configuration_id != configuration_id:
                pool.retire()

    def sweep(self) -> None:
        """Freeze what has just become idle, let go of what has been idle for long or has to make
        room, start what there is memory for by now."""
        now = self._clock.monotonic()
        self._spare_mb()
        if self._available_mb < self._reserve_mb:
            self._evict(self._reserve_mb - self._available_mb)
        for configuration_id, pool in list(self._pools.items()):
            while pool.free and now - pool.free[0].idle_since >= self._settings.keep_alive_s:
                pool.evict_oldest()
            for environment in reversed(pool.free):
                if environment.state is State.FROZEN:
                    break
                if now - environment.idle_since >= self._settings.freeze_after_s:
                    environment.freeze()
            for environment in pool.members:
                environment.resume_output()
            pool.retire_older_than(now - self._settings.environment_age_max_s)
            if pool.short_since is not None:
                self._look_after_short(pool, now)
            if not pool.members and not pool.waiting:
                del self._pools[configuration_id]
                self._by_function[pool.function.key].discard(configuration_id)
                if not self._by_function[pool.function.key]:
                    del self._by_function[pool.function.key]

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await self._clock.sleep(self._settings.sweep_every_s)
            self.sweep()

    def close(self) -> None:
        """Start nothing any more and refuse what waits: the worker is about to end."""
        self._is_closed = True
        for pool in self._pools.values():
            while pool.waiting:
                pool.waiting.popleft().on_done(Refused(_SHUT_DOWN))

    def _open_pool(self, function: FunctionVersion) -> Pool:
        pool = self._pools[function.configuration_id] = Pool(function)
        self._by_function[function.key].add(function.configuration_id)
        return pool

    def _make_room(self) -> None:
        if self._count < self._settings.environments_max:
            return
        oldest = min(
            (pool for pool in self._pools.values() if pool.free),
            key=lambda pool: pool.free[0].idle_since,
            default=None,
        )
        if oldest is None:
            raise _THROTTLED
        oldest.evict_oldest()

    def _spare_mb(self) -> int:
        """What memory there is beyond the reserve and what is starting; negative if too little."""
        now = self._clock.monotonic()
        if self._read_memory_at is None or now - self._read_memory_at >= _MEMORY_READ_EVERY_S:
            self._available_mb = self._memory.available_mb()
            self._read_memory_at = now
            self._started_since = 0
        return self._available_mb - self._reserve_mb - self._started_since * _START_MB

    def _start_if_there_is_memory(self, pool: Pool) -> None:
        missing_mb = _START_MB - self._spare_mb()
        if missing_mb <= 0 or self._count == 0:
            pool.short_since = None
            self._start(pool)
            return
        self._evict(missing_mb)
        if pool.short_since is None:
            pool.short_since = self._clock.monotonic()

    def _look_after_short(self, pool: Pool, now: float) -> None:
        """Start what waits for memory, or refuse it when it has waited for too long."""
        since = pool.short_since
        while pool.needs_another:
            self._start_if_there_is_memory(pool)
            if pool.short_since is not None:
                break
        else:
            pool.short_since = None
        if since is not None and now - since >= self._settings.memory_wait_s:
            while pool.short_since is not None and pool.needs_another:
                pool.waiting.popleft().on_done(Refused(_THROTTLED))
            pool.short_since = None

    def _evict(self, missing_mb: int) -> None:
        """Let go of the longest idle environments, of whatever function."""
        for _ in range(min(-(-missing_mb // _START_MB), _EVICTIONS_AT_ONCE)):
            oldest = min(
                (pool for pool in self._pools.values() if pool.free),
                key=lambda pool: pool.free[0].idle_since,
                default=None,
            )
            if oldest is None:
                return
            oldest.evict_oldest()

    def _start(self, pool: Pool) -> None:
        def on_free(environment: Environment) -> None:
            pool.on_free(environment)

        def on_gone(environment: Environment) -> None:
            self._count -= 1
            was_starting = environment in pool.starting
            pool.forget(environment)
            if pool.waiting and was_starting and environment.failure is not None:
                pool.waiting.popleft().on_done(Refused(_refusal(environment.failure)))
            if pool.needs_another and not self._is_closed:
                self._start_if_there_is_memory(pool)

        self._count += 1
        self._started_since += 1
        pool.take_in(self._worker.start(pool.function, on_free=on_free, on_gone=on_gone))


def _refusal(failure: Exception) -> ApiError:
    if isinstance(failure, ApiError):
        return failure
    return ApiError(
        "ServiceException", f"cannot start an execution environment: {failure}", status=500
    )


@asynccontextmanager
async def open_scheduling(
    settings: SchedulingSettings, worker: Worker, clock: Clock, memory: HostMemory
) -> AsyncIterator[Scheduler]:
    """The scheduler with its sweep running."""
    scheduler = Scheduler(settings, worker, clock, memory)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scheduler.run, name="sweep environments")
        try:
            yield scheduler
        finally:
            scheduler.close()
            tasks.cancel_scope.cancel()
