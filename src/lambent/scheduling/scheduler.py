"""Which environment runs an invocation, and how many there are.

`submit` is the warm path: a dictionary look-up, a pop and a call. Everything slower (starting,
freezing, evicting) happens beside it: new environments live in the worker's task group, one
sweep looks after the idle ones.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import Invocation, Refused
from lambent.scheduling.pool import Pool
from lambent.scheduling.settings import SchedulingSettings
from lambent.worker.environment import Environment
from lambent.worker.lifecycle import State
from lambent.worker.worker import Worker

_SHUT_DOWN = ApiError("ServiceException", "The platform is being shut down.", status=500)

Resolve = Callable[[FunctionKey, str], Awaitable[FunctionVersion | None]]
"""The current value of a function's version, or None if there is none any more."""


class Scheduler:
    """Owner of all pools on this platform."""

    def __init__(self, settings: SchedulingSettings, worker: Worker, clock: Clock) -> None:
        self._settings = settings
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
            self._start(pool)

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
        """Freeze what has just become idle, let go of what has been idle for long."""
        now = self._clock.monotonic()
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
            raise ApiError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                status=429,
                members={"Reason": "ConcurrentInvocationLimitExceeded"},
            )
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
                self._start(pool)

        self._count += 1
        pool.take_in(self._worker.start(pool.function, on_free=on_free, on_gone=on_gone))


def _refusal(failure: Exception) -> ApiError:
    if isinstance(failure, ApiError):
        return failure
    return ApiError(
        "ServiceException", f"cannot start an execution environment: {failure}", status=500
    )


@asynccontextmanager
async def open_scheduling(
    settings: SchedulingSettings, worker: Worker, clock: Clock
) -> AsyncIterator[Scheduler]:
    """The scheduler with its sweep running."""
    scheduler = Scheduler(settings, worker, clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scheduler.run, name="sweep environments")
        try:
            yield scheduler
        finally:
            scheduler.close()
            tasks.cancel_scope.cancel()
