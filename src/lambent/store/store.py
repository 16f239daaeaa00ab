"""Access to the database.

Writers run one at a time in a worker thread, never on the event loop; readers have their own
threads and connections and wait for no writer. On PostgreSQL other platforms may write at the same
time, so a use case locks what it reads before it writes (see `locks.py`).

Everything that keeps a part of the database in memory listens to the store. Within each transaction
that changes something, the store records what changed (see `changes.py`) and reads the new values.
It sends them to the listeners on the event loop after the commit, before `transact` returns.
Changes by other platforms, and changes of a commit that was never confirmed, are read from the same
table.
"""

import contextlib
import enum
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
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
from lambent.model.changes import ChangeListener, Changes
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.store.changes import Touched
from lambent.store.database import (
    READERS,
    Engines,
    connect_both,
    file_of,
    is_current,
    migrate,
    name_of,
    revisions,
    url_of,
    usable_from,
)
from lambent.store.examination import damaged, is_new_database, is_new_file
from lambent.store.holding import (
    START_LOCK_ID,
    SessionHold,
    WriteTurns,
    hold_file,
    this_platform,
)
from lambent.store.nodes import NodeRows
from lambent.store.outage import Outage, is_away, is_read_only
from lambent.store.problems import StoreError, StoreHeld
from lambent.store.schema import RELEASE, Company, Marks, lock_schema, mark
from lambent.store.settings import StoreSettings
from lambent.store.tables import platform
from lambent.store.transaction import Transaction, tables_of

__all__ = ["Cells", "Store", "Transaction", "open_store"]

T = TypeVar("T")
GIVEN_UP = (
    "this platform did not renew its row in the database for too long, and the others have taken"
    " over its work: it ends, and may start again"
)
_LOOK_S = 3.0
_LOOK_AGAIN_S = 0.2


class Cells(enum.Enum):
    """Whether a platform is a cell (see `model/cells.py`): then SQLite can be shared."""

    NONE = enum.auto()
    FIRST = enum.auto()
    """No other cell has run since the supervisor started."""
    MORE = enum.auto()


class Store:
    """Runs transactions and notifies listeners of what they changed."""

    def __init__(
        self,
        engines: Engines,
        opened: "_Opened",
        hold: SessionHold,
        outage: Outage,
        turns: WriteTurns | None = None,
    ) -> None:
        """`turns` are those of cells; without them this platform alone writes, or the server
        decides whose turn it is."""
        self.id = opened.id
        """The database's id: the same after a restart, wherever the database is moved."""
        self.is_new = opened.is_new
        """Whether the database was empty when it was opened."""
        self.starts = opened.starts
        """The number of this platform among those that have used the database, from 1."""
        self.url = engines.writing.url
        """The database's URL; its text hides the password."""
        self.is_shared = hold.is_shared
        """Whether other platforms may use the database at the same time."""
        self.lost: StoreHeld | None = None
        """Set when another platform has taken the database: this one must end."""
        self._engine = engines.writing
        self._reader = engines.reading
        self._hold = hold
        self._turn = contextlib.nullcontext if turns is None else turns.turn
        self._outage = outage
        self._writing = anyio.CapacityLimiter(1)
        # A database in memory exists only in one connection.
        is_one = engines.reading is engines.writing
        self._reading = self._writing if is_one else anyio.CapacityLimiter(READERS)
        self._seen = opened.last_change
        """The number of the last change that listeners know. Only the writer's thread uses this and
        the following attributes."""
        self._is_behind = False
        """Whether a commit that was never confirmed may have changed something."""
        self._notified = opened.last_change
        """The number of the last change that listeners have been notified of."""
        self._everywhere = opened.last_change
        """The number of the last change that other platforms have applied, as far as is known."""
        self._writes = 0
        """How many transactions that may change something have not notified listeners yet."""
        self._write_ended = anyio.Event()
        self._running = 0
        self._is_stopping = False
        self._listeners: list[ChangeListener] = []
        self._wait_known: Callable[[int], Awaitable[None]] | None = None

    @property
    def seen(self) -> int:
        """The number of the last change that all listeners know."""
        return self._notified

    def note_given_up(self) -> None:
        """The other nodes have taken over: this platform must end."""
        self.lost = StoreHeld(GIVEN_UP)

    def wait_for_others(self, wait_known: Callable[[int], Awaitable[None]]) -> None:
        """From now on, a transaction that changes what others keep in memory, or sees such a
        change first, returns only after `wait_known`, which is called with the number of the last
        change."""
        self._wait_known = wait_known

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in the store's thread, in one transaction: all of it or, if it raises,
        nothing. `work` may block but must not use the event loop. It is not cancelled half-way.

        Raises `StoreUnavailable` while the database is away; then all of it may have been
        committed.
        """
        return await self._write(work, is_behind=False)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """As `transact`, for `work` that only reads. It waits for no writer, and sees what was
        committed when it began. What it has seen is in force, on other platforms as well:
        listeners are notified of it before the result is returned."""

        def run() -> tuple[T, int]:
            try:
                with self._reader.begin() as connection:
                    tx = tables_of(connection, Touched())
                    return work(tx), tx.changes.last()
            except sa.exc.DBAPIError as error:
                if is_read_only(error):  # From a writer this would be an outage.
                    raise RuntimeError("work that only reads has tried to write") from error
                raise

        result, seen = await self._guarded(run, self._reading)
        # A commit can be visible a moment before the writer has notified listeners of it. Changes
        # by other platforms arrive with the next write that takes a number, or with the feed.
        while self._notified < seen and self._writes:
            await self._write_ended.wait()
        await self._wait_everywhere(seen)
        return result

    async def follow(self, *listeners: ChangeListener) -> None:
        """Send `listeners` the whole state, and from now on every change."""
        self._listeners.extend(listeners)
        everything = await self.transact(lambda tx: tx.describe(None))
        for listener in listeners:
            listener.note_changes(everything)

    async def catch_up(self) -> None:
        """Send listeners what other platforms changed. Raises `StoreUnavailable`."""
        await self._write(_nothing, is_behind=True)

    async def _write(self, work: Callable[[Transaction], T], *, is_behind: bool) -> T:
        touched = Touched()

        def run() -> tuple[T, Changes | None, int]:
            try:
                with self._turn(), self._engine.begin() as connection:
                    tx = tables_of(connection, touched)
                    if self.is_shared and not tx.nodes.hold(self.starts):
                        raise StoreHeld(GIVEN_UP)
                    result = work(tx)
                    seen, changes = self._note(tx, touched, is_behind or self._is_behind)
            except Exception as error:
                self._is_behind = self._is_behind or is_away(error) is not None
                raise
            self._seen, self._is_behind = seen, False
            return result, changes, seen

        self._writes += 1
        try:
            result, changes, seen = await self._guarded(
                run, self._writing, is_probe=work is _nothing and not is_behind
            )
            if changes is not None:
                for listener in self._listeners:
                    listener.note_changes(changes)
            self._notified = max(self._notified, seen)
        finally:
            self._writes -= 1
            self._write_ended.set()
            self._write_ended = anyio.Event()
        if touched:
            await self._wait_everywhere(seen)
        return result

    async def _wait_everywhere(self, change: int) -> None:
        """Wait until other platforms have applied a change that this one has made or seen: a client
        that learns of it here may use any of them next."""
        if self._wait_known is not None and change > self._everywhere:
            await self._wait_known(change)
            self._everywhere = max(self._everywhere, change)

    def _note(
        self, tx: Transaction, touched: Touched, is_behind: bool
    ) -> tuple[int, Changes | None]:
        """Record what a transaction changed. Returns the number of the last change, and what
        listeners do not know yet; None if that is nothing."""
        seen = self._seen
        if touched:
            first, last = tx.changes.write(touched, rings=self.is_shared)
            if first == seen + 1:
                return last, tx.describe(touched)
        elif not is_behind:
            return seen, None
        last, missed = tx.changes.read(seen)
        return last, tx.describe(missed) if missed is None or missed else None

    async def _guarded(
        self, work: Callable[[], T], limiter: anyio.CapacityLimiter, *, is_probe: bool = False
    ) -> T:
        """Run `work` in a thread, unless the database is away. `is_probe` says that it only tests
        whether the database is back."""
        outage = self._outage
        if outage.is_away and (self._running or (self._is_stopping and not is_probe)):
            raise outage.refuse()  # Another call is testing whether it is back.
        losses = outage.losses

        def run() -> T:
            if self.lost is not None:
                raise self.lost
            if outage.losses != losses:
                raise outage.refuse()  # It went away while this call waited for its turn.
            return work()

        self._running += 1
        try:
            result = await anyio.to_thread.run_sync(run, limiter=limiter)
        except Exception as error:
            self._note_failure(error)
            raise
        finally:
            self._running -= 1
        outage.note_success()
        return result

    def _note_failure(self, error: Exception) -> None:
        """Raises `StoreUnavailable` if the error means that."""
        if isinstance(error, StoreHeld):
            self.lost = error
        away = is_away(error)
        if away is not None:
            cause = getattr(error, "orig", None) or error
            raise self._outage.note_failure(cause, is_away=away) from error

    async def note_started(self) -> None:
        """The start is over: from now on, a server that does not respond in time counts as
        unavailable."""

        def run() -> None:
            with self._engine.begin() as connection:
                self._hold.bound(connection)
            if self._reader is not self._engine:
                self._reader.dispose()  # New connections are bounded from their first moment.

        await anyio.to_thread.run_sync(run, limiter=self._writing)

    def note_stopping(self) -> None:
        """The platform is about to end: wait less for a server that does not respond."""
        self._is_stopping = True
        self._hold.note_stopping()

    async def wait_lost(self, clock: Clock) -> None:
        """Wait until another platform has taken the database. That can only happen when the
        connection to a server breaks, so the connection is tested every few seconds."""
        while self.lost is None:
            await clock.sleep(_LOOK_S)
            if self._engine.dialect.name != "sqlite":
                with contextlib.suppress(Exception):  # The server may be away for a while.
                    await self.transact(_nothing)

    async def resolve(self, key: FunctionKey, qualifier: str | None) -> FunctionVersion | None:
        """`$LATEST` or a published version as invocations see it, None if there is none.

        While `$LATEST` is being updated, and after an update failed, that is its previous state.
        """
        return await self.read(lambda tx: tx.functions.serving(key, qualifier or LATEST))

    async def route(self, key: FunctionKey, qualifier: str) -> Route | None:
        """Which version an invocation of `key` with this qualifier runs, aliases included."""
        return await self.read(lambda tx: tx.route(key, qualifier))


def _nothing(_: Transaction) -> None:
    """Only tests whether the database responds."""


class _Opened(NamedTuple):
    """What was found when a database was opened."""

    id: str
    starts: int
    last_change: int
    is_new: bool


@asynccontextmanager
async def open_store(
    settings: StoreSettings, data: Path, clock: Clock | None = None, cells: Cells = Cells.NONE
) -> AsyncIterator[Store]:
    """Open the database, in `data` if it is a file, and migrate its tables. Raises StoreError, with
    nothing changed, if it cannot be used; StoreHeld if another platform uses it."""
    clock = clock or SystemClock()
    with contextlib.ExitStack() as stack:
        opening = partial(_open, settings, data, clock, stack, cells)
        engines, hold, opened = await anyio.to_thread.run_sync(opening)
        turns, file = None, file_of(engines.writing.url)
        if settings.shared and file is not None:
            turns = WriteTurns(file)
            stack.callback(turns.close)
        outage = Outage(name_of(url_of(settings, data)), clock)
        yield Store(engines, opened, hold, outage, turns)


def _open(
    settings: StoreSettings,
    data: Path,
    clock: Clock,
    stack: contextlib.ExitStack,
    cells: Cells,
) -> tuple[Engines, SessionHold, _Opened]:
    data.mkdir(parents=True, exist_ok=True)
    url = url_of(settings, data)
    where, file = name_of(url), file_of(url)
    is_sqlite = url.get_backend_name() == "sqlite"
    if settings.shared and is_sqlite and (cells is Cells.NONE or file is None):
        raise StoreError(
            f"cannot share {where}: store.shared needs PostgreSQL (store.url), and server.cells a"
            " file"
        )
    holder = this_platform(data, clock)
    place = _place_of(data) if settings.shared else ""
    is_new = file is None
    if file is not None:
        stack.callback(os.close, hold_file(file, holder, is_shared=settings.shared))
        is_new = is_new_file(file, revisions())
    hold = SessionHold(where, holder, is_shared=settings.shared)
    engines = connect_both(settings, data, hold)
    stack.callback(engines.dispose)
    engine = engines.writing
    try:
        if not is_sqlite:
            with engine.connect() as connection:
                is_new = is_new_database(where, connection, revisions())
        # The cells that share a file are of one release, and the first one starts alone.
        has_company = settings.shared and not is_sqlite
        _migrate(engine, where, place, is_shared=has_company)
        with engine.begin() as connection:
            if not is_sqlite:  # Several nodes may be the first at once.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({START_LOCK_ID})")
            if has_company:
                _join_others(connection, where, place)
            opened = _begin(connection, is_new=is_new, is_shared=settings.shared)
            nodes = NodeRows(connection, set())
            if is_sqlite and cells is Cells.FIRST:
                nodes.remove_all(has_ended=False)
            if settings.shared:
                nodes.join(opened.starts, holder, RELEASE, place)
            else:
                nodes.remove_all(has_ended=True)
            if not is_sqlite:
                hold.begin_turn(connection, opened.starts)
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        cause = getattr(error, "orig", error)
        if is_sqlite and not isinstance(error, sa.exc.OperationalError):
            raise damaged(where, cause) from error
        raise StoreError(f"cannot use {where}: {' '.join(str(cause).split())}") from error
    return engines, hold, opened


def _place_of(data: Path) -> str:
    """What tells a data directory from those of other nodes, whose machines may have the same name.
    Raises StoreError."""
    path = data / "node-id"
    try:
        found = path.read_text() if path.exists() else ""
        if len(found) != len(uuid.uuid4().hex):
            found = uuid.uuid4().hex
            path.write_text(found)
        return found
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror}") from error


def _migrate(engine: sa.Engine, where: str, place: str, *, is_shared: bool) -> None:
    """Migrate the tables. Raises StoreError if other nodes are there that could not use them."""
    if not is_shared:
        migrate(engine)
        return
    company = Company(where, RELEASE, place)
    while not migrate(engine, admits=company.admits):
        time.sleep(_LOOK_AGAIN_S)  # noqa: TID251 - in a thread: a node is observed


def _join_others(connection: sa.Connection, where: str, place: str) -> None:
    """From now on no other node migrates the tables without seeing this one. Raises StoreError if
    that has just happened, so that this one cannot use them, or others cannot work with it."""
    lock_schema(connection, is_shared=True)
    is_new_database(where, connection, revisions())
    if not Company(where, RELEASE, place).admits(connection, ()):
        raise StoreError(f"cannot use {where}: another node has just started on it. Start again")


def _begin(connection: sa.Connection, *, is_new: bool, is_shared: bool) -> _Opened:
    """Count the start."""
    if connection.execute(sa.select(platform)).first() is None:
        connection.execute(sa.insert(platform).values(id=str(uuid.uuid4()), starts=0))
    starts = platform.c.starts + 1
    alone = platform.c.last_alone if is_shared else starts
    connection.execute(sa.update(platform).values(starts=starts, last_alone=alone))
    if is_current(connection):
        mark(connection, Marks(usable_from(), RELEASE))
    row = connection.execute(sa.select(platform)).one()
    return _Opened(row.id, row.starts, row.last_change, is_new)
