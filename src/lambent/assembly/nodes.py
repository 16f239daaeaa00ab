"""This platform as one node of several on the same database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lambent.assembly.api import Api
from lambent.assembly.storage import Storage
from lambent.kit.tasks import shielded, start_loop
from lambent.store.feed import Feed
from lambent.store.membership import Membership


@asynccontextmanager
async def open_node(
    storage: Storage, membership: Membership, api: Api, url: str
) -> AsyncIterator[None]:
    """Apply the changes of other nodes, and have them know this one: it serves clients at `url`. On
    exit they take over what it has not begun."""
    store, clock, tasks = storage.store, storage.clock, storage.tasks
    feed = Feed(store, clock, membership.ring)
    await store.catch_up()
    start_loop(tasks, clock, feed.run)
    start_loop(tasks, clock, feed.listen)
    store.wait_for_others(membership.wait_known)
    api.gateway.observe_draining(lambda: membership.is_draining)
    await membership.begin(url)
    try:
        yield
    finally:
        await shielded(membership.drain)
