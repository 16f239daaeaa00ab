"""A host of execution environments: starts them, and ends them all when it closes."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from lambent.kit.tasks import start_task
from lambent.model.function import FunctionVersion
from lambent.node.code.bytecode import compile_code
from lambent.node.environment.context import NodeContext
from lambent.node.environment.environment import Environment, EnvironmentListener
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.node.environment.snap_start import take_snapshot
from lambent.node.environment.templates import find_template
from lambent.node.languages.runtimes import RuntimeMissing

logger = logging.getLogger(__name__)

_END_S = 3.0


class Worker:
    """Starts environments on this machine."""

    def __init__(self, host: NodeContext, tasks: TaskGroup) -> None:
        self._host = host
        self._tasks = tasks
        self._environments: set[Environment] = set()
        self._captured: set[str] = set()
        """Configurations of versions that are being captured."""

    async def prepare(self, function: FunctionVersion) -> None:
        """See to it that a first environment of the function will start fast: lay out and compile
        its code, have its runtime prepared. A version that starts from a snapshot is initialised.
        Raises PackageError if the code cannot be used, InitFailed if it cannot be initialised."""
        try:
            async with self._host.launch(function) as launch:
                await compile_code(self._host.sandboxes, launch)
                template = find_template(function, launch)
                if template is not None and self._host.sandboxes.has_templates:
                    self._host.sandboxes.prepare(template, function.ephemeral_storage_mb)
                if function.snap_starts:
                    await self._capture(function)
        except RuntimeMissing:
            return  # Whoever calls the function is told.

    async def _capture(self, function: FunctionVersion) -> None:
        self._captured.add(function.configuration_id)
        try:
            await take_snapshot(self._host, function)
        finally:
            self._captured.discard(function.configuration_id)

    async def _capture_again(self, function: FunctionVersion) -> None:
        """Take a snapshot that was there once: before a restart, or until others needed room."""
        try:
            await self._capture(function)
        except Exception as error:  # Each environment is initialised, then.
            self._host.snapshots.keep(function, None)
            logger.warning("cannot capture %s: %r", function.arn, error)

    def begin(
        self, function: FunctionVersion, listener: EnvironmentListener, *, is_provisioned: bool
    ) -> Environment:
        """See `EnvironmentSource`."""
        environment = Environment(function, self._host, listener, is_provisioned=is_provisioned)
        self._environments.add(environment)
        if (
            function.snap_starts
            and not self._host.snapshots.knows(function)
            and function.configuration_id not in self._captured
        ):
            start_task(self._tasks, None, self._capture_again, function)
        start_task(self._tasks, None, self._live, environment)
        return environment

    async def _live(self, environment: Environment) -> None:
        try:
            await environment.live()
        finally:
            self._environments.discard(environment)

    def states(self) -> Iterator[EnvironmentState]:
        """The state of each environment."""
        return (one.state for one in self._environments)

    async def end_in_order(self) -> None:
        """Have idle environments end whose extensions want to be told, in the time these have."""
        ending = [one for one in self._environments if one.needs_shutdown_event]
        for environment in ending:
            environment.retire()
        with anyio.move_on_after(_END_S):
            for environment in ending:
                await environment.wait_gone()


@asynccontextmanager
async def open_worker(host: NodeContext) -> AsyncIterator[Worker]:
    """A worker; on exit every environment is ended and given back."""
    async with anyio.create_task_group() as tasks:
        worker = Worker(host, tasks)
        try:
            yield worker
            await worker.end_in_order()
        finally:
            # All boxes together: one by one it takes a busy host minutes.
            host.sandboxes.end()
        tasks.cancel_scope.cancel()
