"""What a store says and does while its database is away."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from lambent.control.identities import Identities
from lambent.identity.keyring import open_keyring
from lambent.kit.clock import ManualClock
from lambent.model.changes import Changes
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.function_settings import Kind
from lambent.store.problems import StoreUnavailable
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from tests.databases import PostgreSql
from tests.servers.proxy import Proxy
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio


class Heard:
    """Notes what a listener is sent."""

    def __init__(self) -> None:
        self.changes: list[Changes] = []

    def note_changes(self, changes: Changes) -> None:
        self.changes.append(changes)


def count(tx: Transaction) -> int:
    """Any question."""
    return tx.async_events.count()


@asynccontextmanager
async def behind(network: Proxy, server: PostgreSql, state: Path) -> AsyncIterator[Store]:
    """A store that has little patience with its server."""
    settings = StoreSettings(url=server.new_database_at(network.port))
    async with open_store(settings, state) as store:
        await store.note_started()
        store._hold.answer_s = 2.0
        yield store


async def returns(store: Store) -> None:
    """Wait until the database is back."""
    with anyio.fail_after(20):
        while True:
            try:
                await store.transact(count)
                return
            except StoreUnavailable:
                await asyncio.sleep(0.05)


@pytest.mark.timeout(90)
async def test_a_server_that_stops_is_reported_once_and_comes_back(
    tmp_path: Path, own_postgresql: PostgreSql, caplog: pytest.LogCaptureFixture
) -> None:
    settings = StoreSettings(url=own_postgresql.new_database())
    async with open_store(settings, tmp_path) as store:
        heard = Heard()
        await store.follow(heard)
        await store.transact(count)
        await asyncio.to_thread(own_postgresql.stop)
        for _ in range(5):
            with pytest.raises(StoreUnavailable) as refused:
                await store.transact(count)
            assert refused.value.status == 503
        assert len(heard.changes) == 1
        await asyncio.to_thread(own_postgresql.start)
        await returns(store)
        await store.transact(count)
        await store.transact(lambda tx: tx.functions.create(version()))
    assert [list(changes.functions) for changes in heard.changes] == [[], [KEY]]
    first, last = caplog.messages
    assert "does not answer" in first
    assert "is back after" in last


@pytest.mark.timeout(90)
async def test_who_waits_for_a_silent_server_waits_once_and_together(
    tmp_path: Path, own_postgresql: PostgreSql
) -> None:
    """Ten earlier callers get an error when the first does; later ones get it at
    once, except one, which finds out whether it is back."""
    with Proxy(own_postgresql.port) as network:
        async with behind(network, own_postgresql, tmp_path) as store:
            network.silence(True)
            for most_s in (6.0, 4.0):
                began = time.monotonic()
                transactions = [store.transact(count) for _ in range(10)]
                found = await asyncio.gather(*transactions, return_exceptions=True)
                assert time.monotonic() - began < most_s
                assert all(isinstance(error, StoreUnavailable) for error in found)
            took_s = []

            async def ask() -> None:
                began = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    await store.transact(count)
                took_s.append(time.monotonic() - began)

            await asyncio.gather(ask(), ask())
            assert took_s[0] < 0.1
            network.silence(False)
            await returns(store)


@pytest.mark.timeout(90)
async def test_a_change_whose_commit_was_never_confirmed_is_announced(
    tmp_path: Path, own_postgresql: PostgreSql
) -> None:
    """The network fails as the commit is sent, which arrives anyway. No caller knows that it
    holds, so every cache of the function is read again when the database is back."""
    heard = Heard()
    with Proxy(own_postgresql.port) as network:
        async with behind(network, own_postgresql, tmp_path) as store:

            def change(tx: Transaction) -> None:
                tx.functions.create(version())
                document = {"ReservedConcurrentExecutions": 7}
                tx.settings.put(Kind.CONCURRENCY, KEY, document)

            await store.follow(heard)
            heard.changes.clear()
            sa.event.listen(store._engine, "commit", lambda _: network.silence(True), once=True)
            with pytest.raises(StoreUnavailable):
                await store.transact(change)
            assert not heard.changes
            network.silence(False)
            await returns(store)
    assert [list(changes.functions) for changes in heard.changes] == [[KEY]]
    assert heard.changes[0].functions[KEY].reserved == 7


async def test_a_full_disk_refuses_what_is_written_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And is reported once, until it works for a while."""
    clock = ManualClock()
    pages: list[int] = []

    def write(size: int, tx: Transaction) -> None:
        tx.tags.replace(KEY.arn, {"x": "x" * size})

    async with open_store(StoreSettings(synchronous="OFF"), tmp_path, clock) as store:
        limited = sa.event.listens_for(store._engine, "begin")

        @limited
        def begin(connection: sa.Connection) -> None:
            for most in pages:
                connection.exec_driver_sql(f"PRAGMA max_page_count={most}")

        pages.append(1)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await store.transact(partial(write, 1 << 20))
            assert await store.transact(count) == 0
        assert [
            message for message in caplog.messages if "takes no changes" in message
        ] == caplog.messages
        assert len(caplog.messages) == 1
        pages[:] = [1_000_000]
        await store.transact(partial(write, 1 << 20))
        clock.advance(11)
        await store.transact(count)
        assert "is back" in caplog.messages[-1]


async def test_a_lock_of_a_backup_tool_is_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambent.store.database._BUSY_TIMEOUT_MS", 100)
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as store:
        other = sqlite3.connect(tmp_path / "lambent.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable):
            await store.transact(count)
        other.execute("ROLLBACK")
        other.close()
        assert await store.transact(count) == 0


async def test_a_mistake_of_ours_is_no_outage(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """It is raised unchanged, and nothing is refused afterwards."""

    def work(tx: Transaction) -> None:
        tx.async_events._connection.execute(sa.text("SELECT nothing FROM nowhere"))

    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        with pytest.raises(sa.exc.DBAPIError):
            await store.transact(work)
        assert await store.transact(count) == 0


def test_a_disk_without_room_for_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever error the library below raises."""
    blobs = DirectoryBlobs(tmp_path / "blobs", ManualClock())
    errors = [OSError(28, "No space left on device"), OSError("x: y (os error 28)")]

    def put(_key: str, _data: bytes) -> None:
        raise errors[-1]

    monkeypatch.setattr(blobs, "_put", put)
    while errors:
        with pytest.raises(StoreUnavailable):
            blobs.put("1", b"data")
        errors.pop()
    assert len(caplog.messages) == 1
    errors.append(OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input"):
        blobs.put("1", b"data")


@pytest.mark.timeout(90)
async def test_keys_are_read_again_after_an_outage(
    tmp_path: Path, own_postgresql: PostgreSql
) -> None:
    """A key may be gone from the database without a notification: the change was committed, and no
    listener knows. The key must not work until the next start."""
    with Proxy(own_postgresql.port) as network:
        async with behind(network, own_postgresql, tmp_path) as store:
            keyring = await open_keyring(store, ManualClock())
            identities = Identities(store, ManualClock())
            key = (await identities.create_root_key(KEY.scope)).id
            assert keyring.find(key, None) is not None
            sa.event.listen(store._engine, "commit", lambda _: network.silence(True), once=True)
            with pytest.raises(StoreUnavailable):
                await store.transact(lambda tx: tx.identities.delete_key(key))
            assert keyring.find(key, None) is not None
            network.silence(False)
            await returns(store)
            assert keyring.find(key, None) is None
