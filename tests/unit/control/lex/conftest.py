"""Bots, on each kind of database and on one."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from tests.unit.control.lex.world import World, living

QUICK = StoreSettings(synchronous="OFF")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an empty database of SQLite: to make its tables takes a while."""
    directory = tmp_path_factory.mktemp("bots")

    async def make() -> None:
        async with open_store(QUICK, directory):
            pass

    anyio.run(make)
    return directory


@pytest.fixture
async def world(tmp_path: Path, anyio_backend: object, template: Path) -> AsyncIterator[World]:
    """On SQLite."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    async with living(QUICK, tmp_path) as world:
        yield world


@pytest.fixture
async def everywhere(
    tmp_path: Path, anyio_backend: object, migrated: Callable[..., StoreSettings]
) -> AsyncIterator[World]:
    """On SQLite and on PostgreSQL."""
    async with living(migrated(synchronous="OFF"), tmp_path) as world:
        yield world
