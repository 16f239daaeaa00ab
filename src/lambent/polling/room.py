"""Opens the room: event source mappings are polled for as long as it is open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from lambent.polling.drivers import poll_source
from lambent.polling.mapping_supervisor import MappingSupervisor, PollingContext


@asynccontextmanager
async def open_polling(context: PollingContext) -> AsyncIterator[MappingSupervisor]:
    """Poll all enabled mappings. On exit reading ends, and batches in progress have a moment to
    end; on an exception they have none."""
    async with anyio.create_task_group() as tasks:
        supervisor = MappingSupervisor(context, poll_source, tasks)
        await supervisor.open()
        yield supervisor
        await supervisor.close()
        tasks.cancel_scope.cancel()
