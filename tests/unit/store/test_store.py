"""The store: tables, transactions, the bell, blobs."""

import dataclasses
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from lambent.model.changes import Changes
from lambent.model.function import LATEST, FunctionKey, FunctionVersion, LoggingConfiguration
from lambent.store.blobs import MARK, key_of
from lambent.store.database import connect, migrate, migrate_within
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.functions import FunctionRows
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from lambent.store.tables import metadata
from lambent.store.tags import TagRows

MakeSettings = Callable[..., StoreSettings]
KEY = FunctionKey("111111111111", "us-east-1", "f")


def version(**fields: object) -> FunctionVersion:
    plain = FunctionVersion(
        key=KEY,
        version=LATEST,
        role="r",
        runtime="python3.12",
        handler="app.handler",
        environment={"key": "wert ü"},
        logging=LoggingConfiguration(log_group="/aws/lambda/f"),
        code_key="0" * 64,
        code_size=3,
        configuration_id="c",
        revision_id="r",
        last_modified_ms=1_700_000_000_123,
        other={"VpcConfig": {"SubnetIds": ["a"]}},
    )
    return dataclasses.replace(plain, **fields)  # type: ignore[arg-type]


def _create_tagged(tx: Transaction) -> None:
    tx.functions.create(version())
    tx.tags.replace(KEY.arn, {"tag": "value"})


def test_tables_are_what_the_migrations_make(tmp_path: Path, database: MakeSettings) -> None:
    """The code's picture of the tables and the sum of all migrations do not differ."""
    engine = connect(database(), tmp_path)
    with engine.begin() as connection:
        migrate_within(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_sqlite_s_new_tables_are_the_same_to_the_letter(tmp_path: Path) -> None:
    """They are created without migrations. Constraints and indexes are compared, too, which Alembic
    does not do there."""
    engine = connect(StoreSettings(), tmp_path)
    with engine.begin() as connection:
        migrate_within(connection)
        migrated = statements(connection)
    engine.dispose()
    fresh = connect(StoreSettings(url="sqlite://"), tmp_path)
    migrate(fresh)
    with fresh.connect() as connection:
        assert statements(connection) == migrated
    fresh.dispose()


def statements(connection: sa.Connection) -> set[str]:
    """What made the tables and indexes, and their revision."""
    (revision,) = connection.execute(sa.text("SELECT version_num FROM alembic_version")).one()
    rows = connection.execute(sa.text("SELECT sql FROM sqlite_master"))
    # A table that was made again has its name in quotes.
    return {revision, *(" ".join(str(row.sql).replace('"', "").split()) for row in rows)}


def test_migrations_can_be_taken_back(tmp_path: Path, database: MakeSettings) -> None:
    """To the first and forward again; functions and their tags survive."""
    engine = connect(database(), tmp_path)
    migrate(engine)
    with engine.begin() as connection:
        changed = set[FunctionKey]()
        FunctionRows(connection, changed).create(version())
        TagRows(connection).replace(KEY.arn, {"tag": "value"})
    migrate(engine, "0001")
    migrate(engine)
    with engine.begin() as connection:
        assert FunctionRows(connection, changed).get(KEY) == version()
        assert TagRows(connection).get(KEY.arn) == {"tag": "value"}
    engine.dispose()


def test_other_databases_are_refused(tmp_path: Path) -> None:
    """With the two that will do."""
    with pytest.raises(StoreError, match="sqlite or postgresql"):
        connect(StoreSettings(url="mysql://x"), tmp_path)


def test_sqlite_is_opened_to_be_durable(tmp_path: Path) -> None:
    """Write-ahead log, full synchronisation, foreign keys; nonsense is refused."""
    engine = connect(StoreSettings(), tmp_path)
    with engine.connect() as connection:
        values = [
            connection.execute(sa.text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    engine.dispose()
    assert values == ["wal", 2, 1]
    with pytest.raises(StoreError, match="synchronous"):
        connect(StoreSettings(synchronous="OFF; DROP TABLE functions"), tmp_path)


@pytest.mark.anyio
async def test_values_survive_a_restart(tmp_path: Path, database: MakeSettings) -> None:
    """What was written is read back equal, from another process's point of view too."""
    async with open_store(database(), tmp_path) as store:
        await store.transact(_create_tagged)
    async with open_store(database(), tmp_path) as store:
        assert await store.resolve(KEY, None) == version()
        assert await store.transact(lambda tx: tx.tags.get(KEY.arn)) == {"tag": "value"}


class Bell:
    """Records which functions changed, and the thread of the notification."""

    def __init__(self, rings: list[tuple[FunctionKey, int]]) -> None:
        self._rings = rings

    def note_changes(self, changes: Changes) -> None:
        self._rings.extend((key, threading.get_ident()) for key in changes.functions)


@pytest.mark.anyio
async def test_transactions_are_all_or_nothing_and_ring_after_commit(
    tmp_path: Path, database: MakeSettings
) -> None:
    """Listeners are notified on the loop, once for each changed function, and only after a
    commit."""
    rings: list[tuple[FunctionKey, int]] = []
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        await store.follow(Bell(rings))

        def fail(tx: Transaction) -> None:
            tx.functions.create(version())
            raise LookupError("changed my mind")

        with pytest.raises(LookupError):
            await store.transact(fail)
        assert await store.resolve(KEY, None) is None
        assert rings == []
        await store.transact(lambda tx: tx.functions.create(version()))
        assert rings == [(KEY, threading.get_ident())]
        await store.transact(lambda tx: tx.functions.get(KEY))
        assert len(rings) == 1


@pytest.mark.anyio
async def test_transactions_never_overlap(tmp_path: Path, database: MakeSettings) -> None:
    """Many tasks may ask at once; their work is done one after the other, off the loop."""
    inside: list[int] = []

    async with open_store(database(synchronous="OFF"), tmp_path) as store:

        def work(tx: Transaction) -> int:
            assert threading.current_thread() is not threading.main_thread()
            inside.append(1)
            assert len(inside) == 1
            number = tx.functions.take_version_number(KEY)
            inside.pop()
            return number

        numbers: list[int] = []

        async def take() -> None:
            numbers.append(await store.transact(work))

        await store.transact(lambda tx: tx.functions.create(version()))
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(take)
    assert sorted(numbers) == list(range(1, 31))


@pytest.mark.anyio
async def test_qualifiers_resolve(tmp_path: Path, database: MakeSettings) -> None:
    """Versions by number, `$LATEST` by name or by silence; anything else is not there."""
    async with open_store(database(synchronous="OFF"), tmp_path) as store:
        published = version(version="1", configuration_id="p")
        updated = version(
            configuration_id="new", last_update_status="InProgress", code_key="1" * 64
        )

        def write(tx: Transaction) -> None:
            tx.functions.create(version())
            tx.functions.add(published, published_from="x")
            tx.functions.update(updated, serving=version())

        await store.transact(write)
        assert await store.resolve(KEY, LATEST) == version()
        assert await store.resolve(KEY, None) == version()
        assert await store.resolve(KEY, "1") == published
        for nothing in ("2", "01", "live", "9" * 40, "1 OR 1=1"):
            assert await store.resolve(KEY, nothing) is None
        assert await unsettled(store) == [updated]
        used = await store.transact(lambda tx: tx.functions.code_keys())
        assert used == {"0" * 64, "1" * 64}


async def unsettled(store: Store) -> list[FunctionVersion]:
    return await store.transact(lambda tx: tx.functions.unsettled())


@pytest.mark.anyio
async def test_blobs(tmp_path: Path) -> None:
    """Written once under the hash of their bytes; gone when deleted; deleting twice is fine."""
    blobs = DirectoryBlobs(tmp_path / "blobs")
    key = key_of(b"bytes")
    blobs.put(key, b"bytes")
    blobs.put(key, b"bytes")
    assert blobs.get(key) == await blobs.read(key) == b"bytes"
    assert list(blobs.list_keys()) == [key]
    blobs.delete(key)
    blobs.delete(key)
    assert not blobs.exists(key)
    with pytest.raises(FileNotFoundError):
        blobs.get(key)


def test_half_written_blobs_are_swept(tmp_path: Path) -> None:
    """obstore writes next to the final name first; what a crash leaves there is removed after an
    hour. Until then, another node may be writing it."""
    DirectoryBlobs(tmp_path).put("ab" * 32, b"whole")
    old, young = (tmp_path / f"{'cd' * 32}#{number}" for number in (1, 2))
    for path in (old, young):
        path.write_bytes(b"ha")
    os.utime(old, (0, 0))
    assert list(DirectoryBlobs(tmp_path).list_keys()) == ["ab" * 32]
    assert {path.name for path in tmp_path.iterdir()} == {"ab" * 32, young.name}


def test_nodes_mark_a_directory_at_once(tmp_path: Path) -> None:
    """Several nodes of one database may be the first: none is in the way of another."""
    with ThreadPoolExecutor(8) as nodes:
        for each in range(20):
            place = tmp_path / str(each)
            marking = [
                nodes.submit(lambda at=place: DirectoryBlobs(at).belong_to("it", is_new=True))
                for _ in range(8)
            ]
            for marked in marking:
                marked.result()
            assert [path.name for path in place.iterdir()] == [MARK]
