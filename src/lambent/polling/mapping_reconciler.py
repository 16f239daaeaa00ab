"""One mapping from creation to deletion: moves it from state to state, and has it polled."""

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.tasks import Reported, start_loop
from lambent.model.mapping import CONCLUSIONS, EventSourceMapping, MappingState
from lambent.polling.leases import Leases
from lambent.polling.poller import Poller
from lambent.polling.settings import PollingSettings
from lambent.store.store import Store, Transaction

logger = logging.getLogger(__name__)

_POLLED = frozenset(
    {MappingState.CREATING, MappingState.ENABLING, MappingState.UPDATING, MappingState.ENABLED}
)

NewPoller = Callable[[EventSourceMapping], Awaitable[Poller]]


class MappingReconciler:
    """Applies what the store says about one mapping."""

    def __init__(
        self,
        uuid: str,
        store: Store,
        settings: PollingSettings,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        new_poller: NewPoller,
        leases: Leases,
    ) -> None:
        self.uuid = uuid
        self._store = store
        self._settings = settings
        self._clock = clock
        self._tasks = tasks
        self._new_poller = new_poller
        self._leases = leases
        self._bell = anyio.Event()
        self._ending: dict[Poller, None] = {}
        """Pollers that were stopped and have batches in progress, oldest first."""
        self.poller: Poller | None = None

    def ring(self) -> None:
        """The mapping may have changed."""
        self._bell.set()

    async def run(self) -> None:
        """Until the mapping is deleted."""
        while True:
            self._bell = anyio.Event()
            try:
                mapping = await self._store.transact(lambda tx: tx.mappings.find(self.uuid))
                if mapping is None:
                    self._stop()
                    await self._leases.drop(self.uuid)
                    return
                await self._follow(mapping)
            except Reported:  # The database is away; the loop retries.
                await self._clock.sleep(self._settings.backoff_s)
                continue
            except Exception:
                logger.exception("event source mapping %s cannot be reconciled", self.uuid)
                await self._clock.sleep(self._settings.backoff_s)
                continue
            await self._bell.wait()

    async def close(self) -> None:
        """Stop polling. Batches that take longer than the grace period are abandoned."""
        self._stop()
        for poller in list(self._ending):
            await poller.wait_quiet(self._settings.stop_grace_s)

    async def _follow(self, mapping: EventSourceMapping) -> None:
        is_ours = await self._leases.take(self.uuid)
        is_wanted = mapping.state in _POLLED and is_ours
        if self.poller is not None and not (is_wanted and _is_same(self.poller.mapping, mapping)):
            self._stop()
        if is_wanted and self.poller is None:
            self.poller = await self._new_poller(mapping)
            before = list(self._ending) if mapping.kind.is_ordered else []
            start_loop(self._tasks, self._clock, self._run, self.poller, before)
        if not is_ours and not self._ending:
            await self._leases.drop(self.uuid)
        # Once a caller sees the new state, no poller reads with the old configuration.
        if mapping.state in CONCLUSIONS and not self._ending and is_ours:
            await self._store.transact(lambda tx: _conclude(tx, mapping))

    async def _run(self, poller: Poller, before: Sequence[Poller]) -> None:
        await poller.run(before)
        self._ending.pop(poller, None)
        self.ring()

    def _stop(self) -> None:
        if self.poller is not None:
            poller, self.poller = self.poller, None
            self._ending[poller] = None
            poller.stop()


def _is_same(mapping: EventSourceMapping, other: EventSourceMapping) -> bool:
    """Whether both are polled the same way."""
    return (mapping.function_arn, mapping.options) == (other.function_arn, other.options)


def _conclude(tx: Transaction, seen: EventSourceMapping) -> None:
    """Take a mapping out of a transitional state, unless it has changed since."""
    tx.locks.mapping(seen.uuid)
    mapping = tx.mappings.find(seen.uuid)
    if mapping is None or mapping.state is not seen.state:
        return
    conclusion = CONCLUSIONS[mapping.state]
    if conclusion is None:
        tx.mappings.delete(mapping.uuid)
    else:
        tx.mappings.put(dataclasses.replace(mapping, state=conclusion))
