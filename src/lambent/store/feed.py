"""Hearing of changes that other platforms make to the same database.

PostgreSQL's NOTIFY is the bell. It may be lost with its connection, so the platform also looks at
the table by itself, often enough that a change is in force here within a second.
"""

import anyio
import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.store.changes import CHANNEL
from lambent.store.database import KEEP_ALIVES
from lambent.store.outage import is_away
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store

_LOOK_S = 0.5
_CONNECT_S = 3
_AGAIN_S = 1.0


class Feed:
    """Has a store catch up with other platforms; of use only where the database is shared."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._bell = anyio.Event()

    async def run(self) -> None:
        """Catch up whenever the bell rings and at least twice a second, until cancelled. While the
        database is away it tries on: the first time that it is back brings all that was missed."""
        while True:
            await wait_at_most(self._clock, self._bell, _LOOK_S)
            self._bell = anyio.Event()
            try:
                await self._store.catch_up()
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
                await self._clock.sleep(_AGAIN_S)  # The store says in the log that it is away.

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            _connection_info(self._store.url), autocommit=True
        )
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            self._bell.set()
            async for _ in connection.notifies():
                self._bell.set()


def _connection_info(url: sa.URL) -> str:
    """What psycopg connects with."""
    given = url.translate_connect_args(username="user", database="dbname")
    query = {name: value for name, value in url.query.items() if isinstance(value, str)}
    return make_conninfo("", **{**given, **query, "connect_timeout": _CONNECT_S, **KEEP_ALIVES})
