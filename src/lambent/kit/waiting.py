"""Waiting with a limit, by the injected clock."""

import anyio

from lambent.kit.clock import Clock
from lambent.kit.tasks import start_part


async def wait_at_most(clock: Clock, event: anyio.Event, seconds: float) -> bool:
    """Wait for an event; returns whether it came within so many seconds."""
    if event.is_set() or seconds <= 0:
        return event.is_set()

    async def give_up() -> None:
        await clock.sleep(seconds)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        start_part(tasks, give_up)
        await event.wait()
        tasks.cancel_scope.cancel()
    return event.is_set()
