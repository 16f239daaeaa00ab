"""All pools of the platform, by configuration and by function."""

from collections import defaultdict
from collections.abc import Iterator

import anyio

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.node.pools.pool import Pool, PoolKey, PoolOwner


class Pools:
    """Finds pools, and the environment that is needed least."""

    def __init__(self, owner: PoolOwner, clock: Clock) -> None:
        self._owner = owner
        self._clock = clock
        self.by_key: dict[PoolKey, Pool] = {}
        self._by_function: defaultdict[FunctionKey, set[Pool]] = defaultdict(set)
        self._opened = anyio.Event()

    async def wait_for_one(self) -> None:
        """Wait until there is a pool."""
        while not self.by_key:
            self._opened = anyio.Event()
            await self._opened.wait()

    def __iter__(self) -> Iterator[Pool]:
        return iter(list(self.by_key.values()))

    def open(self, key: PoolKey, function: FunctionVersion, tenant_id: str) -> Pool:
        """Add a pool."""
        pool = self.by_key[key] = Pool(
            key, function, tenant_id, owner=self._owner, clock=self._clock
        )
        self._by_function[function.key].add(pool)
        self._opened.set()
        return pool

    def discard(self, pool: Pool) -> None:
        """Forget a pool that is over."""
        del self.by_key[pool.key]
        of_function = self._by_function[pool.function.key]
        of_function.discard(pool)
        if not of_function:
            del self._by_function[pool.function.key]

    def of_function(self, key: FunctionKey) -> list[Pool]:
        """The pools of one function's versions and tenants."""
        return list(self._by_function.get(key, ()))

    def evict_oldest(self, *, tenants_of: Scope | None = None) -> bool:
        """Retire the environment that has been idle longest, of all or of one account's tenants.
        Returns whether there was one."""
        oldest: Pool | None = None
        for pool in self.by_key.values():
            if not pool.free or (
                tenants_of is not None
                and not (pool.tenant_id and pool.function.key.scope == tenants_of)
            ):
                continue
            if oldest is None or pool.free[0].idle_since < oldest.free[0].idle_since:
                oldest = pool
        if oldest is None:
            return False
        oldest.evict_oldest()
        return True
