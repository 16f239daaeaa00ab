"""This platform as one cell of several on the same SQLite file.

Rows of nodes, leases and shares are as on PostgreSQL; writing transactions take turns, and each
finds its own row, so removing the row is the fence. Who lives, and how far each cell is, comes from
the supervisor, which knows it (`model/cells.py`): there are no beats, and no cell is lost while its
process lives.
"""

import dataclasses
import socket
from collections.abc import Mapping, Sequence
from functools import partial

import anyio

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.cells import MESSAGE_MAX, STATE, CellState, told_of
from lambent.model.nodes import Node, NodeState
from lambent.store.feed import Feed
from lambent.store.membership import KNOWN_WITHIN_S, Membership
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

_AGAIN_S = 1.0


class CellMembership(Membership):
    """See the module."""

    def __init__(self, store: Store, clock: Clock, link: socket.socket) -> None:
        """`link` is the connection to the supervisor."""
        super().__init__(store, clock)
        self._link = link
        self._own = CellState(self.number)
        self._said: CellState | None = None
        self._others: Mapping[int, CellState] = {}
        """What other cells have said, by their numbers as cells."""
        self._ended: set[int] = set()
        """The numbers of nodes whose process has ended, and whose row may still be there."""
        self._rows: Sequence[Node] = ()

    @property
    def away_s(self) -> float:
        """See `Membership`. A file is not away for one cell alone."""
        return 0.0

    @property
    def is_cut_off(self) -> bool:
        """See `Membership`."""
        return False

    async def run(self) -> None:
        """Follow what the supervisor says, until cancelled."""
        self._link.setblocking(False)
        self._say()
        is_known = False
        while True:
            while not is_known:
                is_known = await self._read_rows()
            await anyio.wait_readable(self._link)
            is_known = not self._receive()
            self._update()

    async def set_state(self, number: int, state: NodeState) -> bool:
        """See `Membership`."""
        is_there = await super().set_state(number, state)
        await self._note_rows()
        return is_there

    async def begin(self, url: str) -> None:
        """See `Membership`."""
        await super().begin(url)
        await self._note_rows()

    async def leave(self) -> None:
        """See `Membership`."""
        await super().leave()
        self._say(noted=self._own.noted + 1)

    def ring(self) -> None:
        """See `Membership`."""
        self._say()

    def ask_others(self) -> None:
        """See `Membership`."""
        self._say(asked=self._own.asked + 1)

    async def wait_known(self, change: int) -> None:
        """See `Membership`."""
        until = self._clock.monotonic() + KNOWN_WITHIN_S
        self._say()
        while self._is_behind(change) and (left := until - self._clock.monotonic()) > 0:
            await wait_at_most(self._clock, self._beaten, left)

    async def listen(self, feed: Feed) -> None:
        """See `Membership`."""
        asked = self._asked()
        while True:
            if any((state.seen or 0) > self._store.seen for state in self._others.values()):
                feed.ring()
            if (now := self._asked()) != asked:
                asked = now
                feed.note_asked()
            await self._beaten.wait()

    async def take_over(self) -> None:
        """Remove the rows of cells whose process has ended, until cancelled."""
        while True:
            while not self._ended:
                await self._beaten.wait()
            for number in list(self._ended):
                await self._store.transact(partial(_remove, number))
                self._ended.discard(number)
            await self._note_rows()

    async def _beat_again(self) -> None:
        self._say()

    # -- messages --------------------------------------------------------------------------

    def _say(self, **more: int) -> None:
        """Tell the supervisor what is new about this cell."""
        self._own = dataclasses.replace(self._own, seen=self._seen, **more)
        if self._own == self._said:
            return
        try:
            self._link.send(STATE + self._own.encode())
        except BlockingIOError:
            return  # The next message says it.
        except OSError:
            pass  # The supervisor has ended, and this process is about to.
        self._said = self._own

    def _receive(self) -> bool:
        """Take in all messages. Returns whether rows of nodes may have changed."""
        before = self._others
        others = dict(before)
        while True:
            try:
                message = self._link.recv(MESSAGE_MAX)
            except BlockingIOError:
                break
            if not message:
                raise ConnectionError("the supervisor has ended")
            cell, state = told_of(message)
            known = others.pop(cell, None)
            if known is not None and (state is None or state.node != known.node):
                self._ended.add(known.node)
            if state is not None:
                others[cell] = state
        self._others = others
        return _of_rows(before) != _of_rows(others)

    def _asked(self) -> int:
        return sum(state.asked for state in self._others.values())

    # -- rows ------------------------------------------------------------------------------

    async def _note_rows(self) -> None:
        """Rows of nodes have changed here."""
        self._say(noted=self._own.noted + 1)
        await self._read_rows()

    async def _read_rows(self) -> bool:
        """Read the rows of nodes; returns whether that was possible."""
        try:
            self._rows = await self._store.read(lambda tx: tx.nodes.all())
        except StoreUnavailable:
            await self._clock.sleep(_AGAIN_S)
            return False
        self._update()
        return True

    def _update(self) -> None:
        seen = {state.node: state.seen for state in self._others.values()}
        seen[self.number] = self._seen
        self._note([dataclasses.replace(node, seen=seen.get(node.number)) for node in self._rows])


def _of_rows(states: Mapping[int, CellState]) -> Sequence[tuple[int, int]]:
    return sorted((state.node, state.noted) for state in states.values())


def _remove(number: int, tx: Transaction) -> None:
    tx.nodes.remove(number)
