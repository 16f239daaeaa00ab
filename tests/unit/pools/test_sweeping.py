"""When pools are looked after."""

import anyio
import pytest

from .house import House

pytestmark = pytest.mark.anyio


async def test_a_platform_without_functions_does_not_wake_up() -> None:
    """Nothing is swept until a function is called; then idle environments end in time."""
    house = House()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.scheduler.run)
        await anyio.wait_all_tasks_blocked()
        assert not house.clock._sleepers
        house.make_idle("f")
        for _ in range(3):
            await anyio.wait_all_tasks_blocked()
            house.clock.advance(house.settings.keep_alive_s)
        await anyio.wait_all_tasks_blocked()
        assert house.living() == []
        assert house.count == 0
        assert not house.clock._sleepers
        house.call("g")
        await anyio.wait_all_tasks_blocked()
        assert house.clock._sleepers
        tasks.cancel_scope.cancel()
