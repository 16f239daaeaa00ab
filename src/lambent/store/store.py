"""The door to the database.

Every transaction runs in one worker thread at a time, never on the event loop, so work that
must not race (counting references before a blob is deleted, say) only has to be in one
transaction. Whoever wants to know of changes listens to the *bell*: it rings on the loop, after
the commit, and says which function to look at again. Of concurrency more is told: what is set
aside for a function is read in the transaction that touched it, so that whoever counts knows the
new limit before the change is answered.
"""

import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import sqlalchemy as sa

from lambent.model.alias import Route
from lambent.model.concurrency import Allotment, Claim
from lambent.model.function import LATEST, FunctionKey, FunctionVersion, Scope
from lambent.store.aliases import Aliases
from lambent.store.async_events import AsyncEvents
from lambent.store.code_signing import CodeSigningConfigs
from lambent.store.database import connect, migrate
from lambent.store.deliveries import Deliveries
from lambent.store.function_settings import FunctionSettings, Kind
from lambent.store.functions import Functions
from lambent.store.identities import Identities
from lambent.store.layers import Layers
from lambent.store.mappings import Mappings
from lambent.store.positions import Positions
from lambent.store.settings import StoreSettings
from lambent.store.tags import Tags

T = TypeVar("T")

PLATFORM_ID = "platform-id"
"""The file with the platform's name, in its own directory."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The tables, within one transaction."""

    functions: Functions
    aliases: Aliases
    settings: FunctionSettings
    layers: Layers
    code_signing: CodeSigningConfigs
    tags: Tags
    identities: Identities
    mappings: Mappings
    positions: Positions
    async_events: AsyncEvents
    deliveries: Deliveries

    def is_code_used(self, code_key: str) -> bool:
        """Whether any function or layer refers to this package."""
        return self.functions.is_code_used(code_key) or self.layers.is_code_used(code_key)

    def code_size_total(self, scope: Scope) -> int:
        """Bytes of all packages in one account and region; each version counts its full copy."""
        return self.functions.code_size_total(scope) + self.layers.code_size_total(scope)

    def route(self, key: FunctionKey, qualifier: str) -> Route | None:
        """Which version an invocation runs, or which two share them; None if there is none."""
        recursion = self.settings.get(Kind.RECURSION, key) or {}
        may_loop = recursion.get("RecursiveLoop") == "Allow"
        version = self.functions.serving(key, qualifier)
        if version is not None:
            return Route(version, may_loop=may_loop)
        alias = self.aliases.get(key, qualifier)
        if alias is None:
            return None
        version = self.functions.serving(key, alias.version)
        if version is None:
            return None
        for number, share in alias.weights.items():
            other = self.functions.serving(key, number)
            return Route(version, other, share, may_loop=may_loop)
        return Route(version, may_loop=may_loop)

    def allotment(self, key: FunctionKey) -> Allotment:
        """What is set aside for a function."""
        reserved = self.settings.get(Kind.CONCURRENCY, key)
        claims = []
        for setting in self.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key):
            route = self.route(key, setting.qualifier)
            if route is not None:
                wanted: int = setting.document["ProvisionedConcurrentExecutions"]
                claims.append(Claim(setting.qualifier, route.split(wanted)))
        return Allotment(
            None if reserved is None else reserved["ReservedConcurrentExecutions"], tuple(claims)
        )

    def allotments(self) -> Mapping[FunctionKey, Allotment]:
        """What is set aside, of every function that has anything."""
        kinds = (Kind.CONCURRENCY, Kind.PROVISIONED_CONCURRENCY)
        keys = {one.key for kind in kinds for one in self.settings.list_everywhere(kind)}
        return {key: self.allotment(key) for key in keys}


class Store:
    """Runs transactions and rings the bell."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self.name = name
        """Whose store it is among those on one database; the same after a restart."""
        self._engine = engine
        self._limiter = anyio.CapacityLimiter(1)
        self._listeners: list[Callable[[FunctionKey], None]] = []
        self._mapping_listeners: list[Callable[[str], None]] = []
        self._allotment_listeners: list[Callable[[FunctionKey, Allotment], None]] = []

    @property
    def is_own(self) -> bool:
        """Whether no other platform can be at work on this database."""
        return self._engine.dialect.name == "sqlite"

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the store's thread, in one transaction: all of it or, if it raises,
        nothing. `work` may block but must not use the event loop. Not cancelled half-way."""
        changed = set[FunctionKey]()
        changed_mappings = set[str]()

        def run() -> tuple[T, Mapping[FunctionKey, Allotment]]:
            with self._engine.begin() as connection:
                tx = Transaction(
                    functions=Functions(connection, changed),
                    aliases=Aliases(connection, changed),
                    settings=FunctionSettings(connection, changed),
                    layers=Layers(connection),
                    code_signing=CodeSigningConfigs(connection),
                    tags=Tags(connection),
                    identities=Identities(connection),
                    mappings=Mappings(connection, changed_mappings),
                    positions=Positions(connection),
                    async_events=AsyncEvents(connection),
                    deliveries=Deliveries(connection),
                )
                result = work(tx)
                told = changed if self._allotment_listeners else ()
                return result, {key: tx.allotment(key) for key in told}

        result, allotments = await anyio.to_thread.run_sync(run, limiter=self._limiter)
        for key, allotment in allotments.items():
            for follow in self._allotment_listeners:
                follow(key, allotment)
        for key in changed:
            for listener in self._listeners:
                listener(key)
        for mapping in changed_mappings:
            for follower in self._mapping_listeners:
                follower(mapping)
        return result

    def on_change(self, listener: Callable[[FunctionKey], None]) -> None:
        """Call `listener` on the event loop after every commit that touched a function, with the
        function's key. It must not block and must not raise."""
        self._listeners.append(listener)

    def on_mapping_change(self, listener: Callable[[str], None]) -> None:
        """As `on_change`, of event source mappings, with the UUID of the one that was touched."""
        self._mapping_listeners.append(listener)

    async def follow_allotments(self, listener: Callable[[FunctionKey, Allotment], None]) -> None:
        """Tell `listener` what is set aside for each function, and what will be after every
        commit that touched one, before `transact` returns. It must not block and must not
        raise."""
        for key, allotment in (await self.transact(lambda tx: tx.allotments())).items():
            listener(key, allotment)
        self._allotment_listeners.append(listener)

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """`$LATEST` or a published version as invocations see it now, None if there is none.

        While `$LATEST` is being updated, and after an update failed, that is its previous self.
        """
        return await self.transact(lambda tx: tx.functions.serving(key, qualifier or LATEST))

    async def route(self, key: FunctionKey, qualifier: str) -> Route | None:
        """Which version an invocation of `key` with this qualifier runs, aliases included."""
        return await self.transact(lambda tx: tx.route(key, qualifier))


@asynccontextmanager
async def open_store(settings: StoreSettings, data: Path) -> AsyncIterator[Store]:
    """Open the database, in `data` if it is a file, and bring its tables up to date. `data` is the
    caller's alone, whoever else uses the database."""

    def open_engine() -> tuple[sa.Engine, str]:
        data.mkdir(parents=True, exist_ok=True)
        name = _read_name(data / PLATFORM_ID)
        engine = connect(settings, data)
        migrate(engine)
        return engine, name

    engine, name = await anyio.to_thread.run_sync(open_engine)
    try:
        yield Store(engine, name)
    finally:
        engine.dispose()


def _read_name(file: Path) -> str:
    """The name in a file; a new one, kept there, if there is none that can be read."""
    try:
        return str(uuid.UUID(file.read_text()))
    except (FileNotFoundError, ValueError):
        name = str(uuid.uuid4())
        unfinished = file.with_suffix(".new")
        unfinished.write_text(name)
        unfinished.replace(file)
        return name
