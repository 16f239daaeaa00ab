"""This platform as one node of several on the same database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from lambent.assembly.api import Api
from lambent.assembly.execution import Execution
from lambent.assembly.storage import Storage
from lambent.kit.tasks import shielded, start_loop
from lambent.store.feed import Feed
from lambent.store.membership import Membership
from lambent.store.store import Store


@asynccontextmanager
async def open_node(
    storage: Storage, membership: Membership, api: Api, execution: Execution, url: str
) -> AsyncIterator[None]:
    """Apply the changes of other nodes, and have them know this one: it serves clients at `url`. On
    exit they take over what it has not begun."""
    store, clock, tasks = storage.store, storage.clock, storage.tasks
    limits = execution.shared_limits
    assert limits is not None
    feed = Feed(store, clock, membership.ring, limits.note_asked)
    await store.catch_up()
    start_loop(tasks, clock, feed.run)
    start_loop(tasks, clock, feed.listen)
    store.wait_for_others(membership.wait_known)
    api.gateway.observe_draining(lambda: membership.is_draining)
    await membership.begin(url)
    start_loop(tasks, clock, _spread_provisioned, store, membership, execution)
    try:
        yield
    finally:
        await shielded(membership.drain)


async def _spread_provisioned(store: Store, membership: Membership, execution: Execution) -> None:
    """When a node comes or goes, keep other provisioned environments here, until cancelled."""
    live: Sequence[int] = ()
    while True:
        if (now := membership.live()) != live:
            live = now
            everything = await store.read(lambda tx: tx.describe(None))
            execution.note_spread(everything)
        else:
            await membership.wait_changed()
