"""All mappings: a reconciler for each, and their results written to the database."""

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
from lambent.polling.active_mapping import ActiveMapping, Keep
from lambent.polling.drivers import Poll
from lambent.polling.function_calls import FunctionCalls
from lambent.polling.leases import Alone, Leases, SharedLeases
from lambent.polling.mapping_reconciler import MappingReconciler
from lambent.polling.poller import Poller
from lambent.polling.positions import MappingPositions, OpenShards
from lambent.polling.role_client import RoleClient
from lambent.polling.settings import PollingSettings
from lambent.polling.status import Status
from lambent.polling.stop import Stop
from lambent.store.membership import Membership
from lambent.store.store import Store, Transaction
from lambent.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

_WRITE_EVERY_S = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PollingContext:
    """What pollers need from the rest of the platform."""

    store: Store
    membership: Membership | None
    """The nodes on the database; None if the platform has it for itself."""
    invoker: Invoker
    aws: AwsClient
    roles: ExecutionRoles
    keep: Keep
    metrics: Metrics
    settle_logs: Callable[[], Awaitable[None]]
    clock: Clock
    settings: PollingSettings


class MappingSupervisor:
    """Reconciles every mapping. `poll` reads the source of a mapping."""

    def __init__(self, context: PollingContext, poll: Poll, tasks: anyio.abc.TaskGroup) -> None:
        self._context = context
        self._poll = poll
        self._tasks = tasks
        self._reconcilers: dict[str, MappingReconciler] = {}
        self._results: dict[str, tuple[str | None, str]] = {}
        """The LastProcessingResult and StateTransitionReason in the database, by mapping."""
        self._open_shards = OpenShards()
        self._is_closing = False
        membership = context.membership
        self._leases: Leases = (
            Alone() if membership is None else SharedLeases(context.store, membership)
        )

    async def open(self) -> None:
        """Begin with the mappings there are, and follow changes."""
        await self._context.store.follow(self)
        if self._context.membership is not None:
            start_loop(
                self._tasks, self._context.clock, self._follow_nodes, self._context.membership
            )
        start_loop(self._tasks, self._context.clock, self._write_results)

    async def close(self) -> None:
        """Stop all, and abandon batches that take too long."""
        self._is_closing = True
        async with anyio.create_task_group() as closing:
            for reconciler in self._reconcilers.values():
                start_task(closing, None, reconciler.close)

    def statuses(self) -> Mapping[str, Status]:
        """The status of each mapping that is polled, by UUID."""
        return {
            uuid: reconciler.poller.polled.status
            for uuid, reconciler in self._reconcilers.items()
            if reconciler.poller is not None
        }

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        for uuid in changes.mappings:
            self._note_change(uuid)
        if changes.is_everything:
            self._ring_all()

    async def _follow_nodes(self, membership: Membership) -> None:
        """A node that comes or goes changes who polls."""
        while True:
            await membership.wait_changed()
            self._ring_all()

    def _ring_all(self) -> None:
        for reconciler in self._reconcilers.values():
            reconciler.ring()

    def _note_change(self, uuid: str) -> None:
        reconciler = self._reconcilers.get(uuid)
        if reconciler is not None:
            reconciler.ring()
        elif not self._is_closing:
            context = self._context
            reconciler = self._reconcilers[uuid] = MappingReconciler(
                uuid,
                context.store,
                context.settings,
                context.clock,
                self._tasks,
                self._new_poller,
                self._leases,
            )
            start_loop(self._tasks, context.clock, self._reconcile, reconciler)

    async def _reconcile(self, reconciler: MappingReconciler) -> None:
        await reconciler.run()
        self._reconcilers.pop(reconciler.uuid, None)
        self._results.pop(reconciler.uuid, None)

    async def _new_poller(self, mapping: EventSourceMapping) -> Poller:
        context = self._context
        try:
            function = await context.invoker.resolve(mapping.function_key, mapping.qualifier)
            role = function.role
        except ApiError as error:
            if error.status >= 500:
                raise
            role = ""
        polled = ActiveMapping(
            mapping=mapping,
            stop=Stop(),
            status=Status(mapping, context.metrics, context.clock),
            clock=context.clock,
            settings=context.settings,
            aws=RoleClient(
                context.aws, context.roles, mapping.function_key, role, mapping.scope.region
            ),
            calls=FunctionCalls(mapping, context.invoker, context.metrics, context.settle_logs),
            keep=context.keep,
            positions=MappingPositions(context.store, mapping.uuid),
            open_shards=self._open_shards,
        )
        self._results[mapping.uuid] = (mapping.last_result, mapping.state_reason)
        return Poller(polled, self._poll)

    async def _write_results(self) -> None:
        """Write all results that have changed, in one transaction."""
        while True:
            await self._context.clock.sleep(_WRITE_EVERY_S)
            changed = {}
            for uuid, status in self.statuses().items():
                said = status.said
                if said is not None and said != self._results.get(uuid):
                    changed[uuid] = said
            if not changed:
                continue
            try:
                await self._context.store.transact(partial(_put_results, changed))
            except Reported:
                pass  # They are written when the database is back.
            except Exception as error:
                logger.error("cannot write the results of event source mappings: %s", error)
            else:
                self._results.update(changed)


def _put_results(results: Mapping[str, tuple[str | None, str]], tx: Transaction) -> None:
    for uuid, (result, reason) in sorted(results.items()):
        tx.locks.mapping(uuid)
        mapping = tx.mappings.find(uuid)
        if mapping is not None:
            tx.mappings.put(dataclasses.replace(mapping, last_result=result, state_reason=reason))
