"""The door to the database.

Every transaction runs in one worker thread at a time, never on the event loop, so work that
must not race (counting references before a blob is deleted, say) only has to be in one
transaction. Whoever wants to know of changes listens to the *bell*: it rings on the loop, after
the commit, and says which function to look at again.
"""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import sqlalchemy as sa

from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.store.database import connect, migrate
from lambent.store.functions import Functions
from lambent.store.settings import StoreSettings

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Transaction:
    """The tables, within one transaction."""

    functions: Functions


class Store:
    """Runs transactions and rings the bell."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._limiter = anyio.CapacityLimiter(1)
        self._listeners: list[Callable[[FunctionKey], None]] = []

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the store's thread, in one transaction: all of it or, if it raises,
        nothing. `work` may block but must not use the event loop. Not cancelled half-way."""
        changed = set[FunctionKey]()

        def run() -> T:
            with self._engine.begin() as connection:
                return work(Transaction(Functions(connection, changed)))

        result = await anyio.to_thread.run_sync(run, limiter=self._limiter)
        for key in changed:
            for listener in self._listeners:
                listener(key)
        return result

    def on_change(self, listener: Callable[[FunctionKey], None]) -> None:
        """Call `listener` on the event loop after every commit that touched a function, with the
        function's key. It must not block and must not raise."""
        self._listeners.append(listener)

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """The version an invocation of `key` with this qualifier runs now, None if there is none.

        While `$LATEST` is being updated, and after an update failed, that is its previous self.
        """
        return await self.transact(lambda tx: tx.functions.serving(key, qualifier or LATEST))


@asynccontextmanager
async def open_store(settings: StoreSettings, data: Path) -> AsyncIterator[Store]:
    """Open the database, in `data` if it is a file, and bring its tables up to date."""

    def open_engine() -> sa.Engine:
        data.mkdir(parents=True, exist_ok=True)
        engine = connect(settings, data)
        migrate(engine)
        return engine

    engine = await anyio.to_thread.run_sync(open_engine)
    try:
        yield Store(engine)
    finally:
        engine.dispose()
