"""What steps that run at once write."""

import dataclasses
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lambent.stacks.engine.ledger import Ledger, event_of
from lambent.stacks.records import Resource
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

from .cloud import World

IDS = [f"Thing{number}" for number in range(8)]


class CountingStore:
    """Counts transactions; the first fails if it shall."""

    def __init__(self, store: Store, *, fails: bool) -> None:
        self._store = store
        self._fails = fails
        self.transactions = 0
        self.starts = store.starts
        self.read = store.read

    async def transact(self, work: Callable[[Transaction], Any]) -> Any:
        self.transactions += 1
        await anyio.lowlevel.checkpoint()
        if self._fails and self.transactions == 1:
            raise StoreUnavailable
        return await self._store.transact(work)


@pytest.mark.parametrize("fails", [False, True])
async def test_they_share_transactions(store: Store, fails: bool) -> None:
    """Each knows whether its own is written: a failure is that of one step."""
    world = World(store)
    await world.begin("CREATE_IN_PROGRESS", {"resources": {}})
    counting: Any = CountingStore(store, fails=fails)
    ledger = Ledger(dataclasses.replace(world.context, store=counting), world.root)
    assert await ledger.load()
    failed = []

    async def note(id: str) -> None:
        resource = Resource(logical_id=id, type="Thing", status="CREATE_IN_PROGRESS")
        try:
            await ledger.note(resource, event_of(resource, resource.status))
        except StoreUnavailable:
            failed.append(id)

    async with anyio.create_task_group() as tasks:
        for id in IDS:
            tasks.start_soon(note, id)
    assert len(failed) == fails
    assert counting.transactions <= 2 + fails
    written = set(IDS) - set(failed)
    assert ledger.resources.keys() == written
    assert {event.split()[0] for event in await world.events()} == written
    await ledger.load()
    assert ledger.resources.keys() == written
