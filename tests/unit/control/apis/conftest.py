"""An empty store on each kind of database."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store


@pytest.fixture
async def store(
    tmp_path: Path, anyio_backend: object, migrated: Callable[..., StoreSettings]
) -> AsyncIterator[Store]:
    """A store without documents."""
    async with open_store(migrated(synchronous="OFF"), tmp_path) as store:
        yield store
