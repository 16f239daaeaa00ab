"""All mappings: a keeper for each, and what becomes of them written back."""

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import anyio
import anyio.abc

from lambent.aws.client import AwsClient
from lambent.identity.execution_roles import ExecutionRoles
from lambent.invocation.invoker import Invoker
from lambent.kit.clock import Clock
from lambent.kit.tasks import Reported, start_loop, start_task
from lambent.model.changes import Changes
from lambent.model.errors import ApiError
from lambent.model.mapping import EventSourceMapping
from lambent.polling.active_mapping import ActiveMapping, Keep, OpenShards
from lambent.polling.function_calls import FunctionCalls
from lambent.polling.mapping_reconciler import MappingReconciler
from lambent.polling.options import options_of
from lambent.polling.poller import Poll, Poller
from lambent.polling.role_client import RoleClient
from lambent.polling.settings import PollingSettings
from lambent.polling.status import Status
from lambent.polling.stop import Stop
from lambent.store.store import Store, Transaction
from lambent.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

_WRITE_EVERY_S = 0.5
_TURN_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PollingContext:
    """What pollers need of the platform."""

    store: Store
    invoker: Invoker
    aws: AwsClient
    roles: ExecutionRoles
    keep: Keep
    metrics: Metrics
    settle_logs: Callable[[], Awaitable[None]]
    clock: Clock
    settings: PollingSettings


class MappingSupervisor:
    """Has every mapping kept."""

    def __init__(
        self,
        around: PollingContext,
        sources: Callable[[EventSourceMapping], Poll],
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._around = around
        self._sources = sources
        self._tasks = tasks
        self._keepers: dict[str, MappingReconciler] = {}
        self._results: dict[str, tuple[str | None, str]] = {}
        """LastProcessingResult and code that the store has, by mapping."""
        self._open_shards = OpenShards()
        self._is_closing = False
        self._is_ours = not around.store.is_shared
        """Whether this platform polls mappings; of those that share a database one does."""

    async def open(self) -> None:
        """Begin with all there are, and follow changes."""
        await self._around.store.follow(self)
        if self._around.store.is_shared:
            start_loop(self._tasks, self._around.clock, self._seek_turn)
        start_loop(self._tasks, self._around.clock, self._write_results)

    async def close(self) -> None:
        """Stop all, and abandon what takes too long."""
        self._is_closing = True
        async with anyio.create_task_group() as closing:
            for keeper in self._keepers.values():
                start_task(closing, None, keeper.close)

    def statuses(self) -> Mapping[str, Status]:
        """Of the mappings that are polled, by UUID."""
        return {
            uuid: keeper.poller.polled.status
            for uuid, keeper in self._keepers.items()
            if keeper.poller is not None
        }

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        for uuid in changes.mappings:
            self._note_change(uuid)
        if changes.is_everything:
            for keeper in self._keepers.values():
                keeper.ring()

    async def _seek_turn(self) -> None:
        """Begin to poll when no other platform does, and stop when another has begun."""
        while True:
            try:
                is_ours = await self._around.store.transact(lambda tx: tx.locks.take_polling())
            except Reported:
                is_ours = self._is_ours  # Nobody can tell while the database is away.
            if is_ours is not self._is_ours:
                self._is_ours = is_ours
                for keeper in self._keepers.values():
                    keeper.ring()
            await self._around.clock.sleep(_TURN_S)

    def _note_change(self, uuid: str) -> None:
        keeper = self._keepers.get(uuid)
        if keeper is not None:
            keeper.ring()
        elif not self._is_closing:
            around = self._around
            keeper = self._keepers[uuid] = MappingReconciler(
                uuid,
                around.store,
                around.settings,
                around.clock,
                self._tasks,
                self._new_poller,
                lambda: self._is_ours,
            )
            start_loop(self._tasks, around.clock, self._keep, keeper)

    async def _keep(self, keeper: MappingReconciler) -> None:
        await keeper.run()
        self._keepers.pop(keeper.uuid, None)
        self._results.pop(keeper.uuid, None)

    async def _new_poller(self, mapping: EventSourceMapping) -> Poller:
        around = self._around
        options = options_of(mapping)
        try:
            function = await around.invoker.resolve(mapping.function_key, mapping.qualifier)
            role = function.role
        except ApiError as error:
            if error.status >= 500:
                raise
            role = ""
        status = Status(mapping, around.metrics, around.clock, counts_events=options.counts_events)
        key = mapping.function_key
        polled = ActiveMapping(
            mapping=mapping,
            options=options,
            role=role,
            calls=FunctionCalls(mapping, around.invoker, around.metrics, around.settle_logs),
            status=status,
            stop=Stop(),
            keep=around.keep,
            aws=RoleClient(around.aws, around.roles, key, role, mapping.scope.region),
            open_shards=self._open_shards,
            store=around.store,
            clock=around.clock,
            settings=around.settings,
        )
        self._results[mapping.uuid] = (mapping.last_result, mapping.state_reason)
        return Poller(polled, self._sources(mapping))

    async def _write_results(self) -> None:
        """Write down what has changed, all of it in one transaction."""
        while True:
            await self._around.clock.sleep(_WRITE_EVERY_S)
            changed = {}
            for uuid, status in self.statuses().items():
                said = status.said
                if said is not None and said != self._results.get(uuid):
                    changed[uuid] = said
            if not changed:
                continue
            try:
                await self._around.store.transact(partial(_put_results, changed))
            except Reported:
                pass  # They are written when the database is back.
            except Exception as error:
                logger.error("cannot write how event source mappings are doing: %s", error)
            else:
                self._results.update(changed)


def _put_results(results: Mapping[str, tuple[str | None, str]], tx: Transaction) -> None:
    for uuid, (result, reason) in sorted(results.items()):
        tx.locks.mapping(uuid)
        mapping = tx.mappings.find(uuid)
        if mapping is not None:
            tx.mappings.put(dataclasses.replace(mapping, last_result=result, state_reason=reason))
