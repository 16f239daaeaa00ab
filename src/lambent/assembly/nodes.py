"""This platform as one node of several on the same database."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from lambent.assembly.api import Api
from lambent.assembly.execution import Execution
from lambent.assembly.storage import Storage
from lambent.cluster.contact import PATH, SECRET, open_contact
from lambent.cluster.peers import PATH as PEER
from lambent.cluster.peers import HttpPeers
from lambent.gateway.fronts import Front
from lambent.invocation.shared_limits import SharedLimits
from lambent.kit.clock import Clock
from lambent.kit.tasks import shielded, start_loop
from lambent.model.shares import ENDED_S, FENCED_S
from lambent.sandbox.client import Launcher
from lambent.store.feed import Feed
from lambent.store.membership import Membership
from lambent.store.store import Store

_STAYS_S = 1.0


@asynccontextmanager
async def open_node(
    node_url: str,
    storage: Storage,
    membership: Membership,
    api: Api,
    execution: Execution,
) -> AsyncIterator[None]:
    """Apply the changes of other nodes, and have them know this one, which they reach at
    `node_url`. On exit they take over what it has not begun."""
    store, clock, tasks = storage.store, storage.clock, storage.tasks
    secret = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    limits, calls = execution.shared_limits, execution.calls_between_nodes
    assert limits is not None
    assert calls is not None
    feed = Feed(store, clock, membership.ring, limits.note_asked)
    await store.catch_up()
    start_loop(tasks, clock, feed.run)
    start_loop(tasks, clock, membership.listen, feed)
    store.wait_for_others(membership.wait_known)
    api.gateway.observe_draining(lambda: membership.is_draining)
    peers = storage.peers
    assert isinstance(peers, HttpPeers)
    api.gateway.fronts.add_path(PEER, Front(handle=peers.handle, is_open=True))
    await membership.begin(node_url)
    start_loop(tasks, clock, peers.run)
    start_loop(tasks, clock, _spread_provisioned, store, membership, execution)
    start_loop(tasks, clock, _keep_boxes, membership, limits, execution.sandboxes, clock)
    async with peers.asking(), open_contact(membership, secret, clock) as contact:
        membership.has_ended = contact.has_ended
        api.gateway.fronts.add_path(PATH, Front(handle=contact.handle, is_open=True))
        start_loop(tasks, clock, contact.run)
        calls.serve(api)
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


async def _keep_boxes(
    membership: Membership, limits: SharedLimits, sandboxes: Launcher, clock: Clock
) -> None:
    """Tell the launcher that this platform runs, until cancelled. What runs on shares of limits
    ends before other nodes have these shares: when the platform is paused, and when it is cut off
    from the database alone."""
    while True:
        if not (membership.is_cut_off and limits.may_run_on_shares):
            sandboxes.stay(ENDED_S)
        elif membership.away_s < FENCED_S:
            sandboxes.stay(ENDED_S - membership.away_s)
        await clock.sleep(_STAYS_S)


def node_url_of(wanted: str, url: str, url_of_cell: str | None) -> str:
    """The URL at which other machines reach this node: `wanted`, if that is given, or the one that
    clients are served at. A cell has a port of its own."""
    if url_of_cell is None:
        return wanted or _reachable(url)
    if not wanted:
        return _reachable(url_of_cell)
    parts = urlsplit(wanted)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{urlsplit(url_of_cell).port}"


def _reachable(url: str) -> str:
    """The URL at which other machines reach a listener."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):
        return url
    return f"{parts.scheme}://{socket.gethostname()}:{parts.port}"
