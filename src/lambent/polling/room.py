"""The room, put together: event source mappings are polled for as long as it is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from lambent.polling.mapping_supervisor import MappingSupervisor, PollingContext
from lambent.polling.sources.registry import poller_for


@asynccontextmanager
async def open_polling(around: PollingContext) -> AsyncIterator[MappingSupervisor]:
    """Poll what is enabled. On exit reading ends, and what is under way has a moment
    to end; on an exception it has none."""
    async with anyio.create_task_group() as tasks:
        supervisor = MappingSupervisor(around, poller_for, tasks)
        await supervisor.open()
        yield supervisor
        await supervisor.close()
        tasks.cancel_scope.cancel()
