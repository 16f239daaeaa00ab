"""User pools, on each kind of database and on one."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import pytest

from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from tests.unit.control.cognito.world import World, living

_QUICK = StoreSettings(synchronous="OFF")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an empty database of SQLite: to make its tables takes a while."""
    directory = tmp_path_factory.mktemp("pools")

    async def make() -> None:
        async with open_store(_QUICK, directory):
            pass

    anyio.run(make)
    return directory


@pytest.fixture
async def world(tmp_path: Path, anyio_backend: object, template: Path) -> AsyncIterator[World]:
    """On SQLite."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    async with living(_QUICK, tmp_path) as world:
        yield world


@pytest.fixture
async def everywhere(
    tmp_path: Path, anyio_backend: object, migrated: Callable[..., StoreSettings]
) -> AsyncIterator[World]:
    """On SQLite and on PostgreSQL."""
    async with living(migrated(synchronous="OFF"), tmp_path) as world:
        yield world
