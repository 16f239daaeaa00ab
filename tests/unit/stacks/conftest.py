"""An empty store."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """As for all tests, for fixtures that last longer."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture(scope="module")
async def store(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: object
) -> AsyncIterator[Store]:
    """A store; the tests of a module share it, each with stacks of its own."""
    directory = tmp_path_factory.mktemp("store")
    async with open_store(StoreSettings(synchronous="OFF"), directory) as store:
        yield store
