"""The data plane: this machine's node, and the invoker that every function call passes."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from lambent.assembly.api import Api
from lambent.assembly.names import Names
from lambent.assembly.privileged import Privileged
from lambent.assembly.storage import Storage
from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.provisioning import Provisioning
from lambent.invocation.retirement import Retirement
from lambent.invocation.tracing import Tracer
from lambent.kit.tasks import start_loop
from lambent.node.node import LocalNode, open_node
from lambent.node.pools.memory import SystemMemory
from lambent.sandbox.client import Launcher, open_sandboxes
from lambent.sandbox.network_services import NetworkServices
from lambent.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What runs functions."""

    sandboxes: Launcher
    node: LocalNode
    provisioning: Provisioning
    invoker: Invoker


@asynccontextmanager
async def open_execution(
    settings: Settings, privileged: Privileged, storage: Storage, api: Api, names: Names
) -> AsyncIterator[Execution]:
    """Open the data plane. On exit every environment ends."""
    store, tasks, clock = storage.store, storage.tasks, storage.clock
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sandboxes = await enter(open_sandboxes(privileged.launcher, settings.sandbox))
        node = await enter(
            open_node(
                settings.worker,
                settings.scheduling,
                sandboxes=sandboxes,
                network=NetworkServices(settings.egress, names.hosts.is_ours).open,
                runtimes=privileged.runtimes,
                code_directory=privileged.data.code,
                memory=SystemMemory(),
                clock=clock,
                packages=storage.packages,
                roles=api.roles,
                api=api.gateway,
                logs=storage.logs,
                traces=storage.traces,
                tenant_environments_max=settings.invocation.tenant_environments_max,
            )
        )
        catalog = Catalog(store.route)
        admission = Admission(settings.invocation)
        provisioning = Provisioning(node)
        retirement = Retirement(node, store.resolve)
        await store.follow(admission, provisioning, catalog, retirement)
        start_loop(tasks, clock, catalog.follow_changes)
        start_loop(tasks, clock, retirement.follow_changes)
        yield Execution(
            sandboxes=sandboxes,
            node=node,
            provisioning=provisioning,
            invoker=Invoker(admission, catalog, node, clock, Tracer(storage.traces, clock)),
        )
