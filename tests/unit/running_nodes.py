"""Nodes on one database, for tests of what they share: without functions and clients."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from lambent.kit.clock import SystemClock
from lambent.kit.tasks import start_loop
from lambent.store.feed import Feed
from lambent.store.membership import Membership
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store


class Running:
    """A node whose loops run until the context ends or `pause` is called."""

    def __init__(self, store: Store, membership: Membership) -> None:
        self.store = store
        self.membership = membership
        self.scope = anyio.CancelScope()
        self.asked: Callable[[], object] = int
        """Called when another node needs more of a limit."""

    async def wait(self, condition: Callable[[], object]) -> None:
        """Wait until the membership shows something."""
        with anyio.fail_after(20):
            while not condition():  # noqa: ASYNC110 - it is what this node reads from the database
                await anyio.sleep(0.01)

    @property
    def numbers(self) -> list[int]:
        """Who is there."""
        return [node.number for node in self.membership.nodes]


@asynccontextmanager
async def node(settings: StoreSettings, place: Path) -> AsyncIterator[Running]:
    """A node that serves."""
    clock = SystemClock()
    async with open_store(settings, place / "state") as store, anyio.create_task_group() as tasks:
        running = Running(store, Membership(store, clock))
        feed = Feed(store, clock, running.membership.ring, lambda: running.asked())  # noqa: PLW0108 - it is set later

        async def run() -> None:
            with running.scope:
                async with anyio.create_task_group() as loops:
                    start_loop(loops, clock, running.membership.run)
                    start_loop(loops, clock, running.membership.take_over)
                    start_loop(loops, clock, feed.run)
                    start_loop(loops, clock, feed.listen)

        start_loop(tasks, clock, run)
        store.wait_for_others(running.membership.wait_known)
        await running.membership.begin("http://127.0.0.1:1")
        await running.wait(running.membership.live)
        yield running
        tasks.cancel_scope.cancel()
