"""Receives changes that other platforms make to the same database.

PostgreSQL's NOTIFY is the bell. A notification is lost if the connection breaks, so the platform
also polls the table, often enough that a change takes effect here within a second.
"""

from collections.abc import Callable

import anyio
import psycopg

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.store.changes import CHANNEL
from lambent.store.database import open_session
from lambent.store.outage import is_away
from lambent.store.problems import StoreUnavailable
from lambent.store.shares import CHANNEL as SHARES
from lambent.store.store import Store

_LOOK_S = 0.5
_AGAIN_S = 1.0


class Feed:
    """Keeps a store up to date with other platforms; only needed where the database is shared."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        applied: Callable[[], object],
        asked: Callable[[], object],
    ) -> None:
        """`applied` is called when changes have been applied; `asked`, when another platform needs
        more of a limit that is shared out."""
        self._applied = applied
        self.note_asked = asked
        self._store = store
        self._clock = clock
        self._bell = anyio.Event()

    def ring(self) -> None:
        """Catch up now."""
        self._bell.set()

    async def run(self) -> None:
        """Catch up at each notification and at least twice a second, until cancelled. While the
        database is unavailable it keeps trying; the first success brings everything that was
        missed."""
        while True:
            await wait_at_most(self._clock, self._bell, _LOOK_S)
            self._bell = anyio.Event()
            try:
                await self._store.catch_up()
                self._applied()
            except StoreUnavailable:
                await self._clock.sleep(_LOOK_S)

    async def listen(self) -> None:
        """Ring the bell when another platform has committed a change, until cancelled."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                if isinstance(error, psycopg.Error) and is_away(error) is None:
                    raise
                await self._clock.sleep(_AGAIN_S)  # The store has already logged the outage.

    async def _listen(self) -> None:
        async with open_session(self._store.url) as connection:
            for channel in (CHANNEL, SHARES):
                await connection.execute(f"LISTEN {channel}".encode())
            self._bell.set()
            async for notification in connection.notifies():
                if notification.channel == SHARES:
                    if notification.payload != str(self._store.starts):
                        self.note_asked()
                else:
                    self._bell.set()
