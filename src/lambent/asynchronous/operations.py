"""What an operator asks of the queue."""

import dataclasses
from collections.abc import Sequence

import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.function import FunctionKey
from lambent.store.blobs import Blobs
from lambent.store.store import Store, Transaction

_PURGED_AT_ONCE = 10_000
"""Rows deleted in one transaction; others get their turn in between."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """What waits for one function."""

    function: str
    due: int
    """Events that could begin now."""
    later: int
    """Retries whose time has not come."""
    in_flight: int
    """Events that run, or are read ahead for that."""
    oldest_age_s: float | None
    """How long ago the oldest that waits was accepted."""


class QueueOperations:
    """Looks into the queue and empties it."""

    def __init__(self, store: Store, payloads: Blobs, clock: Clock) -> None:
        self._store = store
        self._payloads = payloads
        self._clock = clock

    async def depths(self, scope: Scope, name: str | None = None) -> Sequence[QueueDepth]:
        """Of all functions of an account and region for which anything waits or runs, by name; or
        of one."""
        now = self._clock.now()

        def read(tx: Transaction) -> Sequence[QueueDepth]:
            events = tx.async_events
            names = events.names(scope) if name is None else [name]
            found = []
            for function in names:
                key = FunctionKey(scope.account, scope.region, function)
                due, later, claimed, oldest = events.claims.depth(key, now)
                accepted_at = None if oldest is None else events.accepted_at(oldest)
                age_s = None if accepted_at is None else max(now - accepted_at, 0.0)
                found.append(
                    QueueDepth(
                        function=function,
                        due=due,
                        later=later,
                        in_flight=claimed,
                        oldest_age_s=age_s,
                    )
                )
            return found

        return await self._store.read(read)

    async def purge(self, key: FunctionKey) -> int:
        """Throw away what waits for a function and is not under way; returns how much that was."""

        def forget(ids: Sequence[int]) -> None:
            for event_id in ids:
                self._payloads.delete(str(event_id))

        purged = 0
        while True:
            gone = await self._store.transact(
                lambda tx: tx.async_events.purge(key, _PURGED_AT_ONCE)
            )
            purged += len(gone)
            beside = [id_ for id_, is_offloaded in gone if is_offloaded]
            if beside:
                await anyio.to_thread.run_sync(forget, beside)
            if len(gone) < _PURGED_AT_ONCE:
                return purged
