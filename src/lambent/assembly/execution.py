"""The data plane: this machine's node, and the invoker that every function call passes."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from lambent.assembly.api import Api
from lambent.assembly.names import Names
from lambent.assembly.placement import CallsBetweenNodes, open_calls_between_nodes
from lambent.assembly.privileged import Privileged
from lambent.assembly.storage import Storage
from lambent.invocation.admission import Admission, whole
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.provisioning import Provisioning
from lambent.invocation.retirement import Retirement
from lambent.invocation.shared_limits import SharedLimits
from lambent.invocation.slots import own_slots
from lambent.invocation.tracing import Tracer
from lambent.kit.tasks import start_loop
from lambent.model.changes import Changes
from lambent.node.node import LocalNode, open_node
from lambent.node.pools.memory import SystemMemory
from lambent.sandbox.client import Launcher, open_sandboxes
from lambent.sandbox.network_services import NetworkServices
from lambent.settings import Settings
from lambent.telemetry.metrics import Metrics


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What runs functions."""

    sandboxes: Launcher
    node: LocalNode
    provisioning: Provisioning
    admission: Admission
    shared_limits: SharedLimits | None
    """This node's shares of limits; None if the platform has its database for itself."""
    invoker: Invoker
    calls_between_nodes: CallsBetweenNodes | None
    """None if the platform has its database for itself."""
    metrics: Metrics
    """Of functions."""

    def note_spread(self, everything: Changes) -> None:
        """Provisioned environments are spread over other nodes than before."""
        self.admission.note_changes(everything)
        self.provisioning.note_changes(everything)


@asynccontextmanager
async def open_execution(
    settings: Settings, privileged: Privileged, storage: Storage, api: Api, names: Names
) -> AsyncIterator[Execution]:
    """Open the data plane. On exit every environment ends."""
    store, tasks, clock = storage.store, storage.tasks, storage.clock
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        metrics = Metrics(storage.metrics)
        sandboxes = await enter(open_sandboxes(privileged.launcher, settings.sandbox))
        node = await enter(
            open_node(
                settings.worker,
                settings.scheduling,
                sandboxes=sandboxes,
                network=NetworkServices(settings.egress, names.hosts.is_ours).open,
                runtimes=privileged.runtimes,
                code_directory=privileged.data.code,
                memory=SystemMemory(sharers=privileged.cells),
                clock=clock,
                packages=storage.packages,
                roles=api.roles,
                api=api.gateway,
                logs=storage.logs,
                metrics=metrics,
                traces=storage.traces,
                tenant_environments_max=settings.invocation.tenant_environments_max,
            )
        )
        catalog = Catalog(store.route)
        membership = storage.membership
        own = whole if membership is None else own_slots(membership.number, membership.live)
        admission = Admission(settings.invocation, own=own, is_shared=store.is_shared)
        provisioning = Provisioning(node, own=own)
        limits = None
        if membership is not None:
            limits = SharedLimits(admission, store, membership, clock)
            await store.follow(limits)
            start_loop(tasks, clock, limits.run)
        calls = None
        if membership is not None:
            calls = await open_calls_between_nodes(
                *(storage, membership, node, admission, provisioning),
                settings.invocation,
                privileged.cells,
            )
        retirement = Retirement(node, store.resolve)
        await store.follow(admission, provisioning, catalog, retirement)
        start_loop(tasks, clock, catalog.follow_changes)
        start_loop(tasks, clock, retirement.follow_changes)
        invoker = Invoker(
            *(admission, catalog, node, clock, Tracer(storage.traces, clock)),
            wait_for_share=None if limits is None else limits.wait,
            placement=None if calls is None else calls.placement,
        )
        if calls is not None:
            calls.server.run = invoker.run_sent
        yield Execution(
            sandboxes=sandboxes,
            node=node,
            provisioning=provisioning,
            admission=admission,
            shared_limits=limits,
            invoker=invoker,
            calls_between_nodes=calls,
            metrics=metrics,
        )
