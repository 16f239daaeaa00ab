"""This platform as one node of several on the same database.

Each node renews its row several times a second, over a connection of its own, and reads the rows of
the others. `model/nodes.py` decides who is lost; the first node that sees it removes the row, and
with it all that the lost node held. A node that does not find its own row has been given up by the
others: it must end, and may start again.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from functools import partial
from typing import Any

import anyio
import psycopg

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.nodes import BEAT_S, Node, NodeState, NodeWatch, Verdicts
from lambent.model.shares import FENCED_S
from lambent.store.database import open_session
from lambent.store.feed import Feed
from lambent.store.nodes import BEAT, node_of
from lambent.store.outage import is_away
from lambent.store.problems import StoreHeld, StoreUnavailable
from lambent.store.store import Store, Transaction

logger = logging.getLogger(__name__)

_AGAIN_S = 0.2
_LOOK_S = 0.005
_COMPANY_S = 3.0
"""For how long it counts that most nodes are without the database."""
_ANSWER_S = 2.0
KNOWN_WITHIN_S = 10.0
"""Longer than it takes until a node that does not respond is lost."""


class Membership:
    """Keeps this platform's row, and knows the other nodes."""

    def __init__(
        self, store: Store, clock: Clock, follow: Callable[[float], object] = float
    ) -> None:
        """`follow` is called with the database's time, in seconds since the epoch, at each beat."""
        self.number = store.starts
        """This node's."""
        self.nodes: Sequence[Node] = ()
        """All nodes, this one included, by number."""
        self._store = store
        self._clock = clock
        self._follow = follow
        self._watch = NodeWatch()
        self._is_following = False
        self._verdicts = Verdicts((), (), ())
        self._contact_at = clock.monotonic()
        """When the last beat that succeeded began."""
        self._company_until = 0.0
        self.has_ended: Callable[[Node], Awaitable[bool]] | None = None
        """Whether a node's process has certainly ended; None means that it is not known."""
        self._bell = anyio.Event()
        self._beaten = anyio.Event()
        self._changed = anyio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether this node is to take on nothing more."""
        return any(n.state is NodeState.DRAINING for n in self.nodes if n.number == self.number)

    def live(self) -> Sequence[int]:
        """The numbers of the nodes that take on work."""
        return [
            node.number
            for node in self.nodes
            if node.state is NodeState.LIVE and node.seen is not None
        ]

    @property
    def away_s(self) -> float:
        """For how many seconds this node has been without the database."""
        return self._clock.monotonic() - self._contact_at

    @property
    def is_cut_off(self) -> bool:
        """Whether this node may be the only one without the database: then others remove it."""
        return self._clock.monotonic() >= self._company_until

    def is_fenced(self) -> bool:
        """Whether another node may have this one's shares of concurrency."""
        return self.away_s > FENCED_S and self.is_cut_off

    def note_company(self, count: int) -> None:
        """So many nodes, this one included, are without the database and have read no mark against
        this one. If they are the majority, no other node can have removed it."""
        if 2 * count > len(self.nodes):
            self._company_until = self._clock.monotonic() + _COMPANY_S

    async def wait_changed(self) -> None:
        """Wait until a node has come or gone, or takes on no more."""
        await self._changed.wait()

    async def wait_others(self, known: Set[int]) -> Set[int]:
        """Wait until the nodes are not these; returns the numbers of all."""
        while (numbers := {node.number for node in self.nodes}) == known:
            await self._changed.wait()
        return numbers

    async def run(self) -> None:
        """Renew the row until cancelled. While the database is away nothing is renewed, and no
        node counts as lost."""
        while True:
            try:
                await self._beat_over_one_connection()
            except (psycopg.Error, OSError, TimeoutError) as error:
                if isinstance(error, psycopg.Error) and is_away(error) is None:
                    raise
                await self._clock.sleep(_AGAIN_S)  # The store has already logged the outage.

    async def begin(self, url: str) -> None:
        """Clients are served at `url` from now on, and changes are applied as they come. Returns
        when others see that in the database."""
        await self._store.transact(lambda tx: tx.nodes.describe(self.number, url))
        self._is_following = True
        await self._beat_again()

    async def set_state(self, number: int, state: NodeState) -> bool:
        """Have a node take on no more, or again. Returns whether it is there. Raises
        `StoreUnavailable`."""
        is_there = await self._store.transact(lambda tx: tx.nodes.set_state(number, state))
        self.ring()
        return is_there

    async def remove(self, number: int) -> bool:
        """Remove a node that does not renew its row, also where too few nodes are left to notice.
        Returns whether it was removed: not if it renews its row. Raises `StoreUnavailable`."""
        for node in self._verdicts.missing:
            if node.number == number:
                return await self._remove(node)
        return False

    async def drain(self) -> None:
        """This node ends and takes on no more."""
        with contextlib.suppress(StoreUnavailable, StoreHeld):
            await self.set_state(self.number, NodeState.DRAINING)

    async def leave(self) -> None:
        """This node writes nothing any more: others take over at once. If this fails, they do so
        when they miss its beats."""
        with contextlib.suppress(StoreUnavailable, StoreHeld):
            await self._store.transact(lambda tx: tx.nodes.remove(self.number, has_ended=True))

    def ring(self) -> None:
        """Beat now: this node has applied changes."""
        self._bell.set()

    async def wait_known(self, change: int) -> None:
        """Wait until all nodes have applied a change, or are lost."""
        until = self._clock.monotonic() + KNOWN_WITHIN_S
        await self._beat_again()  # A node may have come since the last one.
        while self._clock.monotonic() < until and self._is_behind(change):
            await self._beat_again()
            await self._clock.sleep(_LOOK_S)

    def ask_others(self) -> None:
        """This node needs what others do not use of a limit. On PostgreSQL, the transaction that
        found none has told them."""

    async def listen(self, feed: Feed) -> None:
        """Ring a feed when other nodes have changed something, until cancelled."""
        await feed.listen()

    def _is_behind(self, change: int) -> bool:
        """Whether another node that serves clients has not applied a change."""
        return any(
            node.seen is not None and node.seen < change
            for node in self.nodes
            if node.number != self.number
        )

    async def _beat_again(self) -> None:
        """Wait for a beat that begins from now on; for a moment, if the database is away."""
        for _ in range(2):  # The first one to end may have begun before.
            beaten = self._beaten
            self.ring()
            await wait_at_most(self._clock, beaten, _ANSWER_S)

    # -- beats -----------------------------------------------------------------------------

    async def _beat_over_one_connection(self) -> None:
        async with open_session(self._store.url) as connection:
            await connection.execute("SET synchronous_commit = off")
            while self._store.lost is None:
                self._bell = anyio.Event()
                with anyio.fail_after(_ANSWER_S):
                    await self.beat(connection)
                await wait_at_most(self._clock, self._bell, BEAT_S)

    async def beat(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Renew the row, read all rows, and remove nodes that are lost."""
        began = self._clock.monotonic()
        cursor = await connection.execute(
            BEAT.encode(), {"seen": self._seen, "number": self.number}
        )
        rows = await cursor.fetchall()
        nodes = [node_of(row) for row in rows]
        if rows:
            self._follow(rows[0][-1])
        self._contact_at = began
        others = [node for node in nodes if node.number != self.number]
        self._verdicts = self._watch.observe(others, self._clock.monotonic())
        self._note(nodes)

    @property
    def _seen(self) -> int | None:
        """The number of the last change that this node has applied; None while it starts."""
        return self._store.seen if self._is_following else None

    def _note(self, nodes: Sequence[Node]) -> None:
        """These are the nodes now."""
        before, self.nodes = self.nodes, nodes
        if all(node.number != self.number for node in nodes):
            self._store.note_given_up()
        if _summary(before) != _summary(nodes):
            self._changed.set()
            self._changed = anyio.Event()
        self._beaten.set()
        self._beaten = anyio.Event()

    async def take_over(self) -> None:
        """Mark and remove nodes that do not beat, until cancelled. It is a loop of its own, because
        a transaction waits until other nodes know of it, which takes beats."""
        while True:
            await self._beaten.wait()
            silent, lost, _ = self._verdicts
            for node in silent:
                if await self._has_ended(node):
                    await self._remove(node)
                else:
                    await self._store.transact(partial(_suspect, node))
            for node in lost:
                await self._remove(node)

    async def _remove(self, node: Node) -> bool:
        is_removed = await self._store.transact(partial(_remove, node))
        if is_removed:
            logger.warning(
                "node %d (process %d on %s) does not respond: the others take over",
                *(node.number, node.pid, node.host),
            )
        return is_removed

    async def _has_ended(self, node: Node) -> bool:
        return self.has_ended is not None and await self.has_ended(node)


def _suspect(node: Node, tx: Transaction) -> None:
    tx.nodes.suspect(node.number, beats=node.beats)


def _remove(node: Node, tx: Transaction) -> bool:
    return tx.nodes.remove(node.number, beats=node.beats)


def _summary(nodes: Sequence[Node]) -> Sequence[tuple[int, NodeState, bool]]:
    return [(node.number, node.state, node.seen is not None) for node in nodes]
