"""The room, put together: event source mappings are polled for as long as it is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from lambent.polling.sources.registry import poll_of
from lambent.polling.supervisor import Supervisor, Surroundings


@asynccontextmanager
async def open_polling(around: Surroundings) -> AsyncIterator[Supervisor]:
    """Poll what is enabled. On exit reading ends, and what is under way has a moment
    to end; on an exception it has none."""
    async with anyio.create_task_group() as tasks:
        supervisor = Supervisor(around, poll_of, tasks)
        await supervisor.open()
        yield supervisor
        await supervisor.close()
        tasks.cancel_scope.cancel()
