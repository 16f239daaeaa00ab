"""Databases that cannot be used are refused with a sentence, and stay unchanged."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from lambent.store.database import connect, migrate
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from tests.databases import PostgreSql

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with some thousand rows, its log written back."""
    data = tmp_path_factory.mktemp("full")
    engine = connect(StoreSettings(synchronous="OFF"), data)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO tags (arn, key, value) VALUES (:arn, :key, :value)"),
            [{"arn": f"arn:{n}", "key": f"key{n}", "value": "v" * 200} for n in range(5000)],
        )
    engine.dispose()
    return data / "lambent.db"


def truncate(file: Path) -> None:
    with file.open("r+b") as content:
        content.truncate(file.stat().st_size // 2)


def write_at(place: Callable[[int], int], content: bytes) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.seek(place(file.stat().st_size))
            opened.write(content)

    return damage


def flip(file: Path) -> None:
    """Every fiftieth byte or so."""
    chance = random.Random(1)
    content = bytearray(file.read_bytes())
    for at in range(100, len(content)):
        if chance.random() < 0.02:
            content[at] ^= 1 << chance.randrange(8)
    file.write_bytes(content)


def noise(file: Path) -> None:
    file.write_bytes(random.Random(2).randbytes(100_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(truncate, id="truncated"),
        pytest.param(write_at(lambda _: 0, bytes(100)), id="no-header"),
        pytest.param(noise, id="garbage"),
        pytest.param(flip, id="flipped-bits"),
        pytest.param(write_at(lambda size: size // 2 // 4096 * 4096, bytes(4096)), id="no-page"),
    ],
)
async def test_a_damaged_file(
    tmp_path: Path, anyio_backend: object, full: Path, damage: Callable[[Path], None]
) -> None:
    """The sentence names the file and the way back."""
    file = tmp_path / "lambent.db"
    shutil.copyfile(full, file)
    damage(file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="restore") as refused:
        async with open_store(StoreSettings(synchronous="OFF"), tmp_path):
            pass
    assert str(file) in str(refused.value)
    assert file.read_bytes() == before
    assert set(os.listdir(tmp_path)) == {"lambent.db", "lambent.db.lock"}


async def test_a_good_file_with_a_log_that_was_not_written_back(
    tmp_path: Path, anyio_backend: object
) -> None:
    """As after a kill: it is not damage."""
    async with open_store(StoreSettings(), tmp_path / "killed") as store:
        await store.transact(lambda tx: tx.tags.replace("arn:x", {"a": "b"}))
        (tmp_path / "copy").mkdir()
        for name in ("lambent.db", "lambent.db-wal"):
            shutil.copyfile(tmp_path / "killed" / name, tmp_path / "copy" / name)
    async with open_store(StoreSettings(), tmp_path / "copy") as store:
        assert await store.transact(lambda tx: tx.tags.get("arn:x")) == {"a": "b"}
        assert not store.is_new


@pytest.mark.parametrize("journal", ["delete", "wal"])
async def test_a_database_of_another_program(
    tmp_path: Path, anyio_backend: object, journal: str
) -> None:
    """Its tables are not touched, nor is how it keeps its journal."""
    file = tmp_path / "lambent.db"
    with sqlite3.connect(file) as other:
        other.execute(f"PRAGMA journal_mode={journal}")
        other.execute("CREATE TABLE songs (name TEXT)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"another program: it has the tables songs"):
        async with open_store(StoreSettings(synchronous="OFF"), tmp_path):
            pass
    assert file.read_bytes() == before


async def test_an_alembic_database_of_another_program(
    tmp_path: Path, anyio_backend: object, postgresql: PostgreSql
) -> None:
    """On either kind of database."""
    url = postgresql.new_database()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('abc')"))
    engine.dispose()
    with pytest.raises(StoreError, match="another program"):
        async with open_store(StoreSettings(url=url), tmp_path):
            pass


async def test_a_database_of_a_newer_lambent(
    tmp_path: Path, database: Callable[..., StoreSettings]
) -> None:
    """It says which revision, and what to do."""
    settings = database()
    async with open_store(settings, tmp_path):
        pass
    engine = connect(settings, tmp_path)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("UPDATE platform SET usable_from = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"newer lambent.*9999"):
        async with open_store(settings, tmp_path):
            pass


async def test_an_unreadable_place(tmp_path: Path, anyio_backend: object) -> None:
    """A directory where the file should be."""
    (tmp_path / "lambent.db").mkdir()
    with pytest.raises(StoreError, match="cannot read"):
        async with open_store(StoreSettings(synchronous="OFF"), tmp_path):
            pass
