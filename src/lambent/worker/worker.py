"""A host of execution environments: starts them, and ends them all when it closes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from lambent.model.function import FunctionVersion
from lambent.worker.environment import Environment, Host


class Worker:
    """Starts environments on this machine."""

    def __init__(self, host: Host, tasks: TaskGroup) -> None:
        self._host = host
        self._tasks = tasks

    def start(
        self,
        function: FunctionVersion,
        *,
        on_free: Callable[[Environment], None],
        on_gone: Callable[[Environment], None],
    ) -> Environment:
        """Begin a new environment's life; see `Environment` for the callbacks."""
        environment = Environment(function, self._host, on_free=on_free, on_gone=on_gone)
        self._tasks.start_soon(environment.live, name=f"environment {environment.id}")
        return environment


@asynccontextmanager
async def open_worker(host: Host) -> AsyncIterator[Worker]:
    """A worker; on exit every environment is ended and given back."""
    async with anyio.create_task_group() as tasks:
        yield Worker(host, tasks)
        tasks.cancel_scope.cancel()
