"""One platform at a time on a database, and its name."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import anyio
import psycopg
import pytest
import sqlalchemy as sa

from lambent.kit.clock import ManualClock
from lambent.store.holding import LOCK_ID
from lambent.store.problems import StoreError, StoreHeld, StoreUnavailable
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from tests.databases import PostgreSql

pytestmark = pytest.mark.anyio


@pytest.fixture
def shared(tmp_path: Path, database: Callable[..., StoreSettings]) -> StoreSettings:
    """One database, wherever the data directory is."""
    settings = database(synchronous="OFF")
    return settings if settings.url else StoreSettings(url=f"sqlite:///{tmp_path}/shared.db")


async def test_a_second_platform_is_refused_with_the_name_of_the_first(
    tmp_path: Path, shared: StoreSettings
) -> None:
    """By host, process, data directory and time; when the first has gone it may."""
    async with open_store(shared, tmp_path / "one" / "state", ManualClock()):
        with pytest.raises(StoreHeld) as refused:
            async with open_store(shared, tmp_path / "two" / "state"):
                pass
        text = str(refused.value)
        for part in (str(os.getpid()), socket.gethostname(), "2023-11-14 22:13:20 UTC"):
            assert part in text
        assert str(tmp_path / "one") in text
        assert "store.url" in text
    async with open_store(shared, tmp_path / "two" / "state") as store:
        assert store.starts == 2


async def test_databases_know_themselves(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """By a name that stays; each start is counted, and a new database is known as such."""
    settings = database(synchronous="OFF")
    seen = []
    for _ in range(3):
        async with open_store(settings, tmp_path / "state") as store:
            seen.append((store.id, store.starts, store.is_new))
    assert [change[1:] for change in seen] == [(1, True), (2, False), (3, False)]
    assert len({change[0] for change in seen}) == 1


async def test_a_broken_connection_is_made_again(tmp_path: Path, postgresql: PostgreSql) -> None:
    """The platform continues if no other platform took the database meanwhile; if one did, its
    transactions fail and it knows that it must end."""
    settings = StoreSettings(url=postgresql.new_database())
    async with open_store(settings, tmp_path / "one" / "state") as store:
        postgresql.end_connections(settings.url)
        assert await store.transact(lambda tx: tx.async_events.count()) == 0
        assert store.lost is None
        postgresql.end_connections(settings.url)
        async with open_store(settings, tmp_path / "two" / "state"):
            with pytest.raises(StoreHeld, match=str(tmp_path / "two")):
                await store.transact(lambda tx: tx.async_events.count())
        assert store.lost is not None
        with pytest.raises(StoreHeld):
            await store.transact(lambda tx: tx.async_events.count())


async def test_who_comes_back_too_late(tmp_path: Path, postgresql: PostgreSql) -> None:
    """Another platform may have had the database and left: it is lost anyway."""
    settings = StoreSettings(url=postgresql.new_database())
    async with open_store(settings, tmp_path / "one" / "state") as store:
        postgresql.end_connections(settings.url)
        async with open_store(settings, tmp_path / "two" / "state"):
            pass
        with pytest.raises(StoreHeld, match="was used by another"):
            await store.transact(lambda tx: tx.async_events.count())
        assert store.lost is not None


async def test_a_server_that_has_not_noticed(
    tmp_path: Path, postgresql: PostgreSql, caplog: pytest.LogCaptureFixture
) -> None:
    """The lock of a broken connection may outlive it for a while. That is not another platform:
    transactions fail until it is gone, then the platform continues."""
    settings = StoreSettings(url=postgresql.new_database())
    async with open_store(settings, tmp_path / "one" / "state") as store:
        postgresql.end_connections(settings.url)
        left = psycopg.connect(settings.url.replace("+psycopg", ""))
        left.execute(f"SELECT pg_advisory_lock({LOCK_ID})")
        with pytest.raises(StoreUnavailable):
            await store.transact(lambda tx: tx.async_events.count())
        assert "has not noticed" in caplog.text
        left.close()
        assert await store.transact(lambda tx: tx.async_events.count()) == 0
        assert store.lost is None


async def test_the_loss_is_noticed_without_work(tmp_path: Path, postgresql: PostgreSql) -> None:
    """An idle platform looks every few seconds."""
    settings = StoreSettings(url=postgresql.new_database())
    clock = ManualClock()
    async with open_store(settings, tmp_path / "one" / "state") as store:
        postgresql.end_connections(settings.url)
        async with open_store(settings, tmp_path / "two" / "state"):
            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(store.wait_lost, clock)
                    while store.lost is None:
                        clock.advance(3)
                        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "no SQLAlchemy URL"),
        ("postgresql+psycopg://u:hidden@127.0.0.1:1/x", "127.0.0.1:1/x"),
        ("postgresql://u:hidden@127.0.0.1:1/x", "127.0.0.1:1/x"),
        ("postgresql+asyncpg://u@/x", "sqlite or postgresql"),
        ("sqlite:////nowhere/x.db", "No such file"),
    ],
)
async def test_what_cannot_be_reached_is_said_in_a_sentence(
    tmp_path: Path, anyio_backend: object, url: str, said: str
) -> None:
    """With the database's place and without its password."""
    with pytest.raises(StoreError) as refused:
        async with open_store(StoreSettings(url=url), tmp_path / "state"):
            pass
    assert said in str(refused.value)
    assert "hidden" not in str(refused.value)


async def test_a_connection_pooler_is_refused(tmp_path: Path, postgresql: PostgreSql) -> None:
    """It would run transactions in sessions that do not hold the database. PgBouncer sends clients
    a process id of its own."""
    url = sa.make_url(postgresql.new_database())
    server = f"{url.query['host']}/.s.PGSQL.5432"

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            key = data.find(b"K\x00\x00\x00\x0c")  # BackendKeyData
            if key >= 0:
                data = data[: key + 5] + b"\x7f\x00\x00\x01" + data[key + 9 :]
            target.write(data)
        target.close()

    async def serve(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_unix_connection(server)
        await asyncio.gather(pump(client, requests), pump(answers, back))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as pooler:
        port = pooler.sockets[0].getsockname()[1]
        settings = StoreSettings(
            url=f"postgresql+psycopg://postgres@127.0.0.1:{port}/{url.database}"
        )
        with pytest.raises(StoreError, match="connection pooler"):
            async with open_store(settings, tmp_path):
                pass
