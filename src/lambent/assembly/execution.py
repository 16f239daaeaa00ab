"""The data plane: sandboxes, environments, and the invoker that every function call passes."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from lambent.assembly.api import Api
from lambent.assembly.privileged import Privileged
from lambent.assembly.storage import Storage
from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.provisioning import Provisioning
from lambent.kit.tasks import start_loop
from lambent.kit.turns import Turns
from lambent.model.function import FunctionVersion
from lambent.node.code.cache import CodeCache
from lambent.node.environment.context import NodeContext
from lambent.node.environment.snapshots import Snapshots
from lambent.node.languages.launch import LaunchSpec
from lambent.node.languages.runtimes import Runtimes
from lambent.node.pools.memory import SystemMemory
from lambent.node.pools.scheduler import Scheduler, open_scheduling
from lambent.node.worker import Worker, open_worker
from lambent.sandbox.client import Launcher, open_sandboxes
from lambent.sandbox.network_services import NetworkServices
from lambent.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What runs functions."""

    sandboxes: Launcher
    worker: Worker
    memory: SystemMemory
    provisioning: Provisioning
    invoker: Invoker


@asynccontextmanager
async def open_execution(
    settings: Settings, privileged: Privileged, storage: Storage, api: Api
) -> AsyncIterator[Execution]:
    """Open the data plane. On exit every environment ends."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        sandboxes = await enter(open_sandboxes(privileged.launcher, settings.sandbox))
        snapshots = Snapshots(settings.worker.snapshots_mb << 20)
        stack.callback(snapshots.close)
        host = NodeContext(
            settings=settings.worker,
            sandboxes=sandboxes,
            logs=storage.logs,
            clock=storage.clock,
            launch=partial(_launch, storage.code, privileged.runtimes),
            endpoint=api.gateway.new_server,
            network=NetworkServices(settings.egress).open,
            credentials=api.roles.credentials,
            starts=Turns(
                settings.worker.starts_at_once, settings.worker.start_wait_s, storage.clock
            ),
            snapshots=snapshots,
            tasks=storage.tasks,
        )
        worker = await enter(open_worker(host))
        memory = SystemMemory()
        scheduler = await enter(
            open_scheduling(
                settings.scheduling,
                worker,
                storage.clock,
                memory,
                tenant_environments_max=settings.invocation.tenant_environments_max,
            )
        )
        catalog = Catalog(storage.store.route)
        admission = Admission(settings.invocation)
        provisioning = Provisioning(scheduler)
        await storage.store.follow(
            admission, provisioning, catalog, scheduler, snapshots, storage.code
        )
        _look_again(storage, catalog, scheduler, snapshots)
        yield Execution(
            sandboxes=sandboxes,
            worker=worker,
            memory=memory,
            provisioning=provisioning,
            invoker=Invoker(admission, catalog, scheduler, storage.clock),
        )


@asynccontextmanager
async def _launch(
    code: CodeCache, runtimes: Runtimes, function: FunctionVersion
) -> AsyncIterator[LaunchSpec]:
    async with code.use(function.code_key, function.layer_keys) as (package, layers):
        yield runtimes.launch(function, package, layers)


def _look_again(
    storage: Storage, catalog: Catalog, scheduler: Scheduler, snapshots: Snapshots
) -> None:
    """Have everything that keeps versions in memory look again at what has changed."""
    store, code, tasks, clock = storage.store, storage.code, storage.tasks, storage.clock
    start_loop(tasks, clock, catalog.follow_changes)
    start_loop(tasks, clock, scheduler.follow_changes, store.resolve)
    start_loop(tasks, clock, snapshots.follow_changes, store.resolve)
    start_loop(tasks, clock, code.keep_small, storage.needed_code, clock)
