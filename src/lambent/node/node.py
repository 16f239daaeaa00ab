"""A node: everything that runs functions on this machine, in one object.

It implements `invocation.ports.Node`. Below it are, from top to bottom: `pools` (which environment
runs a request, and how many there are), `environment`, `apis` (the APIs inside a box), `code` and
`languages`. It knows no database; the rest of the platform is reached through `node.ports`.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from lambent.invocation.ports import EnvironmentView, NodeLoad
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop, start_task
from lambent.kit.turns import Turns
from lambent.model.arn import Scope
from lambent.model.concurrency import ProvisionedState
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.invocation import InvocationRequest, Reply
from lambent.node.code.bytecode import compile_code
from lambent.node.code.cache import CodeCache, open_code_cache
from lambent.node.environment.context import NetworkServices, NodeContext
from lambent.node.environment.environment import Environment
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.ports import EnvironmentListener
from lambent.node.environment.snap_start import take_snapshot
from lambent.node.environment.snapshots import Snapshots
from lambent.node.environment.templates import find_template
from lambent.node.languages.launch import LaunchSpec
from lambent.node.languages.runtimes import RuntimeMissing, Runtimes
from lambent.node.pools.memory import HostMemory
from lambent.node.pools.scheduler import Scheduler
from lambent.node.pools.settings import SchedulingSettings
from lambent.node.ports import (
    ApiEndpoint,
    CredentialSource,
    LogSink,
    MetricSink,
    PackageStore,
    TraceSink,
)
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import Sandboxes

logger = logging.getLogger(__name__)

_END_S = 3.0
"""Seconds for the extensions of idle environments when the node closes."""


class LocalNode:
    """See the module."""

    def __init__(
        self,
        context: NodeContext,
        code: CodeCache,
        settings: SchedulingSettings,
        memory: HostMemory,
        tasks: TaskGroup,
        *,
        tenant_environments_max: int,
    ) -> None:
        """`tasks` run the environments."""
        self.code = code
        """Unpacked packages on this machine's disk."""
        self._context = context
        self._memory = memory
        self._tasks = tasks
        self._captured: set[str] = set()
        """Configurations of versions that are being captured."""
        self._scheduler = Scheduler(
            settings,
            self,
            context.clock,
            memory,
            tenant_environments_max=tenant_environments_max,
        )

    # -- the port --------------------------------------------------------------------------

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        """See `Node`."""
        self._scheduler.submit(request, reply)

    def has_free(self, version: FunctionVersion, tenant_id: str) -> bool:
        """See `Node`."""
        return self._scheduler.has_free(version, tenant_id)

    def warm_up(self, version: FunctionVersion, tenant_id: str) -> None:
        """See `Node`."""
        self._scheduler.warm_up(version, tenant_id)

    def provision(self, version: FunctionVersion, wanted: int) -> None:
        """See `Node`."""
        self._scheduler.provision(version, wanted)

    def provisioned(self, configuration_id: str) -> ProvisionedState:
        """See `Node`."""
        return self._scheduler.provisioned(configuration_id)

    async def prepare(self, version: FunctionVersion) -> None:
        """See `Node`. Code is unpacked and compiled, and a runtime is started for it."""
        context = self._context
        try:
            async with context.launch(version) as launch:
                await compile_code(context.sandboxes, launch)
                template = find_template(version, launch)
                if template is not None and context.sandboxes.has_templates:
                    context.sandboxes.prepare(template, version.ephemeral_storage_mb)
                if version.snap_starts:
                    await self._capture(version)
        except RuntimeMissing:
            return  # The outcome of calls reports it.

    def versions(self, key: FunctionKey | None = None) -> Collection[FunctionVersion]:
        """See `Node`."""
        return [*self._scheduler.versions(key), *self._context.snapshots.versions(key)]

    def retire(self, configuration_ids: Collection[str]) -> None:
        """See `Node`."""
        self._scheduler.retire(configuration_ids)
        self._context.snapshots.retire(configuration_ids)
        self.code.note_change()

    def load(self) -> NodeLoad:
        """See `Node`."""
        states = Counter(environment.state for environment in self._scheduler.environments())
        busy = states.pop(EnvironmentState.BUSY, 0)
        idle = states.pop(EnvironmentState.IDLE, 0)
        frozen = states.pop(EnvironmentState.FROZEN, 0)
        return NodeLoad(
            busy=busy,
            idle=idle,
            frozen=frozen,
            changing=states.total(),
            waiting=self._scheduler.waiting,
            memory_available_mb=self._memory.available_mb(),
            memory_total_mb=self._memory.total_mb(),
        )

    def environments(self, scope: Scope | None = None) -> Collection[EnvironmentView]:
        """See `Node`."""
        return [environment.view() for environment in self._scheduler.environments(scope)]

    # -- environments ----------------------------------------------------------------------

    def begin(
        self, function: FunctionVersion, listener: EnvironmentListener, *, is_provisioned: bool
    ) -> Environment:
        """See `EnvironmentSource`."""
        snapshots = self._context.snapshots
        environment = Environment(function, self._context, listener, is_provisioned=is_provisioned)
        if (
            function.snap_starts
            and not snapshots.knows(function)
            and function.configuration_id not in self._captured
        ):
            start_task(self._tasks, None, self._capture_again, function)
        start_task(self._tasks, None, environment.live)
        return environment

    async def _capture(self, function: FunctionVersion) -> None:
        self._captured.add(function.configuration_id)
        try:
            await take_snapshot(self._context, function)
        finally:
            self._captured.discard(function.configuration_id)

    async def _capture_again(self, function: FunctionVersion) -> None:
        """Take a snapshot again that existed before: before a restart, or before it was removed to
        free space."""
        try:
            await self._capture(function)
        except Exception as error:  # Then each environment is initialized.
            self._context.snapshots.keep(function, None)
            logger.warning("cannot capture %s: %r", function.arn, error)

    async def run(self) -> None:
        """Freeze, replace and remove environments as time passes, until cancelled."""
        await self._scheduler.run()

    def close(self) -> None:
        """Start no more environments, and refuse the requests that wait."""
        self._scheduler.close()

    async def end_in_order(self) -> None:
        """End the idle environments whose extensions follow shutdowns, within the time limit of
        these."""
        ending = [
            environment
            for environment in self._scheduler.environments()
            if environment.needs_shutdown_event
        ]
        for environment in ending:
            environment.retire()
        with anyio.move_on_after(_END_S):
            for environment in ending:
                await environment.wait_gone()


@asynccontextmanager
async def open_node(
    settings: WorkerSettings,
    scheduling: SchedulingSettings,
    *,
    sandboxes: Sandboxes,
    network: NetworkServices,
    runtimes: Runtimes,
    code_directory: Path,
    memory: HostMemory,
    clock: Clock,
    packages: PackageStore,
    roles: CredentialSource,
    api: ApiEndpoint,
    logs: LogSink,
    metrics: MetricSink,
    traces: TraceSink | None = None,
    tenant_environments_max: int,
) -> AsyncIterator[LocalNode]:
    """Open the node of this machine. On exit every environment ends."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        code = await enter(open_code_cache(code_directory, packages.read, settings.code_mb << 20))
        snapshots = Snapshots(settings.snapshots_mb << 20)
        stack.callback(snapshots.close)
        upkeep = await enter(anyio.create_task_group())
        stack.callback(upkeep.cancel_scope.cancel)
        context = NodeContext(
            settings=settings,
            sandboxes=sandboxes,
            logs=logs,
            metrics=metrics,
            clock=clock,
            launch=partial(_launch, code, runtimes),
            api=api,
            network=network,
            roles=roles,
            starts=Turns(settings.starts_at_once, settings.start_wait_s, clock),
            snapshots=snapshots,
            traces=traces,
            tasks=upkeep,
        )
        async with anyio.create_task_group() as tasks:
            node = LocalNode(
                context,
                code,
                scheduling,
                memory,
                tasks,
                tenant_environments_max=tenant_environments_max,
            )
            start_loop(upkeep, clock, code.keep_small, packages.needed, clock)
            try:
                async with anyio.create_task_group() as sweeping:
                    start_loop(sweeping, clock, node.run)
                    try:
                        yield node
                    finally:
                        node.close()
                        sweeping.cancel_scope.cancel()
                await node.end_in_order()
            finally:
                # All boxes at the same time: one by one takes minutes on a busy host.
                sandboxes.end()
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def _launch(
    code: CodeCache, runtimes: Runtimes, function: FunctionVersion
) -> AsyncIterator[LaunchSpec]:
    async with code.use(function.code_key, function.layer_keys) as (package, layers):
        yield runtimes.launch(function, package, layers)
