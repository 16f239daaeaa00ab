"""Taking up what lost nodes leave behind, while the database comes and goes."""

from collections.abc import Set

import anyio
import pytest

from lambent.asynchronous.room import take_over
from lambent.kit.clock import SystemClock
from lambent.kit.tasks import start_loop
from lambent.store.problems import StoreUnavailable

pytestmark = pytest.mark.anyio


class Nodes:
    """The nodes on a database."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = frozenset(numbers)
        self.changed = anyio.Event()

    async def wait_others(self, known: Set[int]) -> Set[int]:
        """See `Membership`."""
        while self.numbers == known:
            await self.changed.wait()
        return self.numbers

    def lose(self, number: int) -> None:
        """A node is gone."""
        self.numbers -= {number}
        self.changed.set()
        self.changed = anyio.Event()


class Queue:
    """Something to take up."""

    def __init__(self, fails: int) -> None:
        self.fails = fails
        self.looks = 0

    async def recover(self) -> None:
        """See `ClaimedQueue`; it fails so many times."""
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable
        self.looks += 1


async def test_a_look_that_fails_is_repeated() -> None:
    """Also if the database is away at the moment in which a node is lost."""
    nodes, queues = Nodes(1, 2, 3), [Queue(0), Queue(0)]

    async def seen(*numbers: int) -> None:
        with anyio.fail_after(20):
            while any(q.looks < n for q, n in zip(queues, numbers, strict=True)):  # noqa: ASYNC110
                await anyio.sleep(0.01)

    async with anyio.create_task_group() as tasks:
        start_loop(tasks, SystemClock(), take_over, nodes, queues)
        await seen(1, 1)
        queues[1].fails = 2
        nodes.lose(2)
        await seen(2, 2)
        assert queues[1].fails == 0
        more = [queue.looks + 1 for queue in queues]
        nodes.lose(3)
        await seen(*more)
        tasks.cancel_scope.cancel()
