"""Changes by one platform, and what another on the same database receives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from lambent.control.identities import Identities
from lambent.control.managed_policies import ManagedPolicies
from lambent.identity.keyring import open_keyring
from lambent.kit.clock import ManualClock, SystemClock
from lambent.kit.tasks import start_loop
from lambent.model.changes import Changes
from lambent.model.concurrency import Reservation
from lambent.model.identity import session_principal
from lambent.store import changes as feed_table
from lambent.store.feed import Feed
from lambent.store.function_settings import Kind
from lambent.store.problems import StoreError, StoreHeld
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from tests.databases import PostgreSql
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio
TRUST = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


class Listener:
    """Records the changes it receives."""

    def __init__(self) -> None:
        self.heard: list[Changes] = []

    def note_changes(self, changes: Changes) -> None:
        self.heard.append(changes)


def reserve(number: int, tx: Transaction) -> None:
    """Set concurrency aside."""
    tx.settings.put(Kind.CONCURRENCY, KEY, {"ReservedConcurrentExecutions": number})


@pytest.fixture
def shared(postgresql: PostgreSql) -> StoreSettings:
    """Of a database that several platforms may use."""
    return StoreSettings(url=postgresql.new_database(), shared=True)


@asynccontextmanager
async def two(settings: StoreSettings, root: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database."""
    async with (
        open_store(settings, root / "one" / "state") as one,
        open_store(settings, root / "two" / "state") as other,
    ):
        yield one, other


async def test_a_listener_begins_with_everything(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """And receives each change with its new value, before the response of the change."""
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        await store.transact(lambda tx: tx.functions.create(version()))
        await store.transact(partial(reserve, 3))
        listener = Listener()
        await store.follow(listener)
        (first,) = listener.heard
        assert first.is_everything
        assert first.functions == {KEY: Reservation(3)}
        assert first.directory == ([], [], [])
        await store.transact(partial(reserve, 4))
        assert listener.heard[1] == Changes(functions={KEY: Reservation(4)})
        await store.transact(lambda tx: tx.functions.delete(KEY))
        assert listener.heard[2] == Changes(functions={KEY: Reservation()})
        await store.transact(lambda tx: tx.mappings.delete("uuid"))
        assert listener.heard[3] == Changes(mappings={"uuid"})
        key = await Identities(store, ManualClock()).create_root_key(KEY.scope)
        assert listener.heard[4] == Changes(directory=([], [key], []))  # type: ignore[arg-type]


async def test_what_is_read_is_in_force(
    tmp_path: Path, database: Callable[..., StoreSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit can be read a moment before its writer has notified listeners. Who reads it waits
    for that; else a client that has seen a new function would call the one before."""
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        listener = Listener()
        await store.follow(listener)
        guarded, committed, goes_on = store._guarded, anyio.Event(), anyio.Event()

        async def hesitate(work: Any, limiter: Any, **more: Any) -> Any:
            result = await guarded(work, limiter, **more)
            if limiter is store._writing:
                committed.set()
                await goes_on.wait()
            return result

        monkeypatch.setattr(store, "_guarded", hesitate)
        read: list[tuple[bool, int]] = []

        async def look() -> None:
            found = await store.read(lambda tx: tx.functions.get(KEY))
            read.append((found is not None, len(listener.heard)))

        await look()
        assert read == [(False, 1)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.transact, lambda tx: tx.functions.create(version()))
            with anyio.fail_after(10):
                await committed.wait()
            tasks.start_soon(look)
            await anyio.sleep(0.2)
            assert len(read) == 1
            goes_on.set()
        assert read[1:] == [(True, 2)]


async def test_numbers_have_no_gaps_and_old_rows_go(
    tmp_path: Path, database: Callable[..., StoreSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_table, "KEPT", 5)

    def fail(tx: Transaction) -> None:
        tx.functions.delete(KEY)
        raise LookupError

    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        for _ in range(8):
            await store.transact(lambda tx: tx.functions.delete(KEY))
            with pytest.raises(LookupError):
                await store.transact(fail)

        def look(tx: Transaction) -> tuple[int, list[int], Any, Any]:
            rows = tx.changes._connection.execute(sa.select(feed_table.changes.c.seq))
            return tx.changes.last(), sorted(rows.scalars()), tx.changes.read(3), tx.changes.read(2)

        last, numbers, known, lost = await store.read(look)
        assert (last, numbers) == (8, [4, 5, 6, 7, 8])
        assert known[1].functions == {KEY}
        assert lost == (8, None)


async def test_another_platform_catches_up(tmp_path: Path, shared: StoreSettings) -> None:
    """In order, nothing twice, none of its own; after its own next change at the latest."""
    async with two(shared, tmp_path) as (one, other):
        listener = Listener()
        await other.follow(listener)
        listener.heard.clear()
        await one.transact(lambda tx: tx.functions.create(version()))
        await one.transact(partial(reserve, 0))
        assert not listener.heard
        await other.catch_up()
        assert listener.heard == [Changes(functions={KEY: Reservation(0)})]
        await other.catch_up()
        assert len(listener.heard) == 1
        await one.transact(partial(reserve, 1))
        await other.transact(lambda tx: tx.mappings.delete("uuid"))
        assert listener.heard[1] == Changes(functions={KEY: Reservation(1)}, mappings={"uuid"})


async def test_who_is_too_far_behind_forgets_everything(
    tmp_path: Path, shared: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_table, "KEPT", 2)
    async with two(shared, tmp_path) as (one, other):
        listener = Listener()
        await other.follow(listener)
        await one.transact(lambda tx: tx.functions.create(version()))
        for number in range(4):
            await one.transact(partial(reserve, number))
        await other.catch_up()
        assert listener.heard[1].is_everything
        assert listener.heard[1].functions == {KEY: Reservation(3)}


async def test_no_change_is_missed_in_a_crowd(tmp_path: Path, shared: StoreSettings) -> None:
    """Two platforms write at the same time, with transactions of different lengths; each receives
    every function, and finally has its last value."""
    keys = [KEY._replace(name=f"f{number}") for number in range(6)]
    known: list[dict[Any, Any]] = [{}, {}]

    class Follower:
        def __init__(self, which: int) -> None:
            self.which = which

        def note_changes(self, changes: Changes) -> None:
            assert not changes.is_everything or not known[self.which]
            known[self.which].update(changes.functions)

    async with two(shared, tmp_path) as stores:
        for which, store in enumerate(stores):
            await store.follow(Follower(which))
        for key in keys:
            await stores[0].transact(lambda tx, key=key: tx.functions.create(version(key=key)))

        async def write(store: Store, turn: int) -> None:
            for number in range(20):
                key = keys[(number + turn) % len(keys)]

                def put(tx: Transaction, key: Any = key, number: int = number) -> None:
                    tx.locks.function(key)
                    tx.settings.put(Kind.CONCURRENCY, key, {"ReservedConcurrentExecutions": number})
                    if number % 3 == turn:
                        tx.changes._connection.execute(sa.text("SELECT pg_sleep(0.005)"))

                await store.transact(put)
                await store.catch_up()

        async with anyio.create_task_group() as tasks:
            for turn, store in enumerate(stores):
                tasks.start_soon(write, store, turn)
        for store in stores:
            await store.catch_up()
        truth = await stores[0].read(lambda tx: tx.reservations())
    assert known == [truth, truth]


async def test_the_bell_is_heard_within_a_second(tmp_path: Path, shared: StoreSettings) -> None:
    """Including a revoked key and a detached policy. It takes much less than the interval at which
    the table is polled."""
    async with two(shared, tmp_path) as (one, other), anyio.create_task_group() as tasks:
        feed = Feed(other, SystemClock(), int, int)
        start_loop(tasks, SystemClock(), feed.run)
        start_loop(tasks, SystemClock(), feed.listen)
        keyring = await open_keyring(other, ManualClock())
        identities = Identities(one, ManualClock())
        key = (await identities.create_root_key(KEY.scope)).id
        with anyio.fail_after(5):
            while keyring.find(key, None) is None:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        await one.transact(lambda tx: tx.identities.delete_key(key))
        policies = ManagedPolicies(one, ManualClock())
        role = {"RoleName": "r", "AssumeRolePolicyDocument": TRUST, "PolicyArn": ADMINISTRATOR}
        await identities.create(KEY.scope, role, "role")
        await policies.attach(KEY.scope, role, "role")
        arn = f"arn:aws:iam::{KEY.account}:role/r"
        principal = session_principal(arn, "session", role_id="AROA")
        with anyio.fail_after(5):
            while not keyring.statements(principal):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        await policies.detach(KEY.scope, role, "role")
        with anyio.fail_after(5):
            while keyring.statements(principal):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        with anyio.fail_after(5):
            while keyring.find(key, None) is not None:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        tasks.cancel_scope.cancel()


@pytest.mark.timeout(90)
async def test_what_happens_during_an_outage_is_heard_after_it(
    tmp_path: Path, own_postgresql: PostgreSql
) -> None:
    """The server restarts. The loops live on, and the platform catches up from where it was."""
    settings = StoreSettings(url=own_postgresql.new_database(), shared=True)
    async with two(settings, tmp_path) as (one, other), anyio.create_task_group() as tasks:
        feed = Feed(other, SystemClock(), int, int)
        start_loop(tasks, SystemClock(), feed.run)
        start_loop(tasks, SystemClock(), feed.listen)
        listener = Listener()
        await one.transact(lambda tx: tx.functions.create(version()))
        await other.follow(listener)
        await asyncio.to_thread(own_postgresql.stop)
        await asyncio.sleep(0.7)
        await asyncio.to_thread(own_postgresql.start)
        with anyio.fail_after(20):
            while True:
                try:
                    await one.transact(partial(reserve, 5))
                    break
                except Exception:
                    await asyncio.sleep(0.05)
            while listener.heard[-1].functions != {KEY: Reservation(5)}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not listener.heard[-1].is_everything
        tasks.cancel_scope.cancel()


async def test_a_database_is_shared_only_if_all_platforms_say_so(
    tmp_path: Path, postgresql: PostgreSql
) -> None:
    """A platform that wants the database for itself is refused while others share it, and admits
    none; SQLite cannot be shared."""
    alone = StoreSettings(url=postgresql.new_database())
    shared = StoreSettings(url=alone.url, shared=True)
    async with two(shared, tmp_path) as (one, other):
        assert (one.starts, other.starts) == (1, 2)
        assert one.is_shared
        with pytest.raises(StoreHeld, match="already in use"):
            async with open_store(alone, tmp_path / "three" / "state"):
                pass
        postgresql.end_connections(alone.url)
        for store in (one, other):
            assert await store.transact(lambda tx: tx.async_events.count()) == 0
        postgresql.end_connections(alone.url)
        async with open_store(alone, tmp_path / "three" / "state"):
            with pytest.raises(StoreHeld):
                await one.transact(lambda tx: tx.async_events.count())
        with pytest.raises(StoreHeld, match="was used by another"):
            await other.transact(lambda tx: tx.async_events.count())
    with pytest.raises(StoreError, match="needs PostgreSQL"):
        async with open_store(StoreSettings(shared=True), tmp_path / "four"):
            pass


async def test_readers_wait_for_no_writer(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """They see what was committed, and cannot write."""
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        await store.transact(lambda tx: tx.functions.create(version()))
        entered, go = anyio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def write(tx: Transaction) -> None:
            tx.functions.delete(KEY)
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(10)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.transact, write)
            await entered.wait()
            with anyio.fail_after(5):
                assert await store.resolve(KEY, None) == version()
            go.set()
        assert await store.resolve(KEY, None) is None
        with pytest.raises(RuntimeError, match="only reads"):
            await store.read(lambda tx: tx.functions.create(version()))
