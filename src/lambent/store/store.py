"""The door to the database.

Every transaction runs in one worker thread at a time, never on the event loop, so work that
must not race (counting references before a blob is deleted, say) only has to be in one
transaction. Whoever wants to know of changes listens to the *bell*: it rings on the loop, after
the commit, and says which function to look at again. Of concurrency more is told: what is set
aside for a function is read in the transaction that touched it, so that whoever counts knows the
new limit before the change is answered.
"""

import contextlib
import dataclasses
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio
import anyio.to_thread
import psycopg
import sqlalchemy as sa

from lambent.kit.clock import Clock, SystemClock
from lambent.model.alias import Route
from lambent.model.arn import Scope
from lambent.model.concurrency import Claim, Reservation
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.store.aliases import AliasRows
from lambent.store.async_events import AsyncEvents
from lambent.store.code_signing import CodeSigningConfigs
from lambent.store.database import connect, file_of, migrate, name_of, revisions, url_of
from lambent.store.deliveries import DeliveryRows
from lambent.store.examination import damaged, is_new_database, is_new_file
from lambent.store.function_settings import FunctionSettings, Kind
from lambent.store.functions import FunctionRows
from lambent.store.holding import SessionHold, hold_file, this_platform
from lambent.store.identities import IdentityRows
from lambent.store.layers import LayerRows
from lambent.store.mappings import MappingRows
from lambent.store.outage import Outage, is_away
from lambent.store.positions import Positions
from lambent.store.problems import StoreError, StoreHeld
from lambent.store.settings import StoreSettings
from lambent.store.tables import platform
from lambent.store.tags import TagRows

T = TypeVar("T")
_LOOK_S = 3.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The tables, within one transaction."""

    functions: FunctionRows
    aliases: AliasRows
    settings: FunctionSettings
    layers: LayerRows
    code_signing: CodeSigningConfigs
    tags: TagRows
    identities: IdentityRows
    mappings: MappingRows
    positions: Positions
    async_events: AsyncEvents
    deliveries: DeliveryRows

    def code_keys(self) -> set[str]:
        """The packages that any version of a function or layer refers to."""
        return self.functions.code_keys() | self.layers.code_keys()

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

    def reservation(self, key: FunctionKey) -> Reservation:
        """What is set aside for a function."""
        reserved = self.settings.get(Kind.CONCURRENCY, key)
        claims = []
        for setting in self.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key):
            route = self.route(key, setting.qualifier)
            if route is not None:
                wanted: int = setting.document["ProvisionedConcurrentExecutions"]
                claims.append(Claim(setting.qualifier, route.split(wanted)))
        return Reservation(
            None if reserved is None else reserved["ReservedConcurrentExecutions"], tuple(claims)
        )

    def reservations(self) -> Mapping[FunctionKey, Reservation]:
        """What is set aside, of every function that has anything."""
        kinds = (Kind.CONCURRENCY, Kind.PROVISIONED_CONCURRENCY)
        keys = {one.key for kind in kinds for one in self.settings.list_everywhere(kind)}
        return {key: self.reservation(key) for key in keys}


class Store:
    """Runs transactions and rings the bell."""

    def __init__(
        self, engine: sa.Engine, opened: "_Opened", hold: SessionHold, outage: Outage
    ) -> None:
        self.id = opened.id
        """The database's name: the same after a restart, wherever it is moved to."""
        self.is_new = opened.is_new
        """Whether there was nothing in the database when it was opened."""
        self.starts = opened.starts
        """Which of the platforms that have worked on the database this one is, from 1."""
        self.lost: StoreHeld | None = None
        """Set when another platform has taken the database: this one must end."""
        self._engine = engine
        self._hold = hold
        self._outage = outage
        self._doubtful = _Changes(set(), set())
        """What transactions that failed have touched: a commit whose connection broke may have come
        to be. It is told again when the database is back."""
        self._limiter = anyio.CapacityLimiter(1)
        self._running = 0
        self._is_stopping = False
        self._listeners: list[Callable[[FunctionKey], None]] = []
        self._mapping_listeners: list[Callable[[str], None]] = []
        self._allotment_listeners: list[Callable[[FunctionKey, Reservation], None]] = []
        self._return_listeners: list[Callable[[], None]] = []

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the store's thread, in one transaction: all of it or, if it raises,
        nothing. `work` may block but must not use the event loop. Not cancelled half-way.

        Raises `StoreUnavailable` while the database is away; then all of it may have happened."""
        outage = self._outage
        if outage.is_away and (self._running or (self._is_stopping and work is not _nothing)):
            raise outage.refuse()  # Somebody finds out whether it is back.
        losses = outage.losses
        changes = _Changes(set(), set())

        def run() -> tuple[T, Mapping[FunctionKey, Reservation]]:
            if self.lost is not None:
                raise self.lost
            if outage.losses != losses:
                raise outage.refuse()  # It was lost while this one waited for its turn.
            with self._engine.begin() as connection:
                tx = changes.transaction(connection)
                result = work(tx)
                changes.add(self._doubtful)
                told = changes.functions if self._allotment_listeners else ()
                return result, {key: tx.reservation(key) for key in told}

        self._running += 1
        try:
            result, reservations = await anyio.to_thread.run_sync(run, limiter=self._limiter)
        except Exception as error:
            self._note_failure(error, changes)
            raise
        finally:
            self._running -= 1
        self._doubtful = _Changes(set(), set())
        for key, reservation in reservations.items():
            for follow in self._allotment_listeners:
                follow(key, reservation)
        for key in changes.functions:
            for listener in self._listeners:
                listener(key)
        for mapping in changes.mappings:
            for follower in self._mapping_listeners:
                follower(mapping)
        if outage.note_success():
            for returned in self._return_listeners:
                returned()
        return result

    def _note_failure(self, error: Exception, changes: "_Changes") -> None:
        """Raises `StoreUnavailable` if that is what the error is."""
        if isinstance(error, StoreHeld):
            self.lost = error
        away = is_away(error)
        if away is not None:
            self._doubtful.add(changes)
            cause = getattr(error, "orig", None) or error
            raise self._outage.note_failure(cause, is_away=away) from error

    async def note_started(self) -> None:
        """What takes long has been done: from now on, a server that does not answer is away."""

        def run() -> None:
            with self._engine.begin() as connection:
                self._hold.bound(connection)

        await anyio.to_thread.run_sync(run, limiter=self._limiter)

    def note_stopping(self) -> None:
        """The platform is about to end: wait less long for a server that does not answer."""
        self._is_stopping = True
        self._hold.note_stopping()

    async def wait_lost(self, clock: Clock) -> None:
        """Wait until another platform has taken the database, forever if none does. That can only
        happen when the connection to a server breaks: it is looked at every few seconds."""
        while self.lost is None:
            await clock.sleep(_LOOK_S)
            if self._engine.dialect.name != "sqlite":
                with contextlib.suppress(Exception):  # The server may be away for a while.
                    await self.transact(_nothing)

    def on_change(self, listener: Callable[[FunctionKey], None]) -> None:
        """Call `listener` on the event loop after every commit that touched a function, with the
        function's key. It must not block and must not raise."""
        self._listeners.append(listener)

    def on_mapping_change(self, listener: Callable[[str], None]) -> None:
        """As `on_change`, of event source mappings, with the UUID of the one that was touched."""
        self._mapping_listeners.append(listener)

    def on_return(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the event loop when the database is back after an outage: what was
        read of it before may be old. It must not block and must not raise."""
        self._return_listeners.append(listener)

    async def follow_reservations(
        self, listener: Callable[[FunctionKey, Reservation], None]
    ) -> None:
        """Tell `listener` what is set aside for each function, and what will be after every
        commit that touched one, before `transact` returns. It must not block and must not
        raise."""
        for key, reservation in (await self.transact(lambda tx: tx.reservations())).items():
            listener(key, reservation)
        self._allotment_listeners.append(listener)

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """`$LATEST` or a published version as invocations see it now, None if there is none.

        While `$LATEST` is being updated, and after an update failed, that is its previous self.
        """
        return await self.transact(lambda tx: tx.functions.serving(key, qualifier or LATEST))

    async def route(self, key: FunctionKey, qualifier: str) -> Route | None:
        """Which version an invocation of `key` with this qualifier runs, aliases included."""
        return await self.transact(lambda tx: tx.route(key, qualifier))


def _nothing(_: Transaction) -> None:
    """Only sees whether the database is there."""


class _Changes(NamedTuple):
    """What transactions have touched."""

    functions: set[FunctionKey]
    mappings: set[str]

    def transaction(self, connection: sa.Connection) -> Transaction:
        """The tables; what is touched through them is noted here."""
        return Transaction(
            functions=FunctionRows(connection, self.functions),
            aliases=AliasRows(connection, self.functions),
            settings=FunctionSettings(connection, self.functions),
            layers=LayerRows(connection),
            code_signing=CodeSigningConfigs(connection),
            tags=TagRows(connection),
            identities=IdentityRows(connection),
            mappings=MappingRows(connection, self.mappings),
            positions=Positions(connection),
            async_events=AsyncEvents(connection),
            deliveries=DeliveryRows(connection),
        )

    def add(self, others: "_Changes") -> None:
        """Have been touched as well."""
        self.functions.update(others.functions)
        self.mappings.update(others.mappings)


class _Opened(NamedTuple):
    """What was found when a database was opened."""

    id: str
    starts: int
    is_new: bool


@asynccontextmanager
async def open_store(
    settings: StoreSettings, data: Path, clock: Clock | None = None
) -> AsyncIterator[Store]:
    """Open the database, in `data` if it is a file, and bring its tables up to date. Raises
    StoreError if it cannot be used, with nothing changed; StoreHeld if another platform does."""
    clock = clock or SystemClock()
    with contextlib.ExitStack() as stack:
        opening = partial(_open, settings, data, clock, stack)
        engine, hold, opened = await anyio.to_thread.run_sync(opening)
        yield Store(engine, opened, hold, Outage(name_of(url_of(settings, data)), clock))


def _open(
    settings: StoreSettings, data: Path, clock: Clock, stack: contextlib.ExitStack
) -> tuple[sa.Engine, SessionHold, _Opened]:
    data.mkdir(parents=True, exist_ok=True)
    url = url_of(settings, data)
    where, file = name_of(url), file_of(url)
    holder = this_platform(data, clock)
    is_new = file is None
    if file is not None:
        stack.callback(os.close, hold_file(file, holder))
        is_new = is_new_file(file, revisions())
    hold = SessionHold(where, holder)
    engine = connect(settings, data, hold)
    stack.callback(engine.dispose)
    is_file = url.get_backend_name() == "sqlite"
    try:
        if not is_file:
            with engine.connect() as connection:
                is_new = is_new_database(where, connection, revisions())
        migrate(engine)
        with engine.begin() as connection:
            id_, starts = _begin(connection)
            if not is_file:
                hold.begin_turn(connection, starts)
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        cause = getattr(error, "orig", error)
        if is_file and not isinstance(error, sa.exc.OperationalError):
            raise damaged(where, cause) from error
        raise StoreError(f"cannot use {where}: {' '.join(str(cause).split())}") from error
    return engine, hold, _Opened(id_, starts, is_new)


def _begin(connection: sa.Connection) -> tuple[str, int]:
    """Count the start; returns the database's name and the count."""
    row = connection.execute(sa.select(platform)).one_or_none()
    if row is None:
        row_id, starts = str(uuid.uuid4()), 1
        connection.execute(sa.insert(platform).values(id=row_id, starts=starts))
    else:
        row_id, starts = row.id, row.starts + 1
        connection.execute(sa.update(platform).values(starts=starts))
    return row_id, starts
