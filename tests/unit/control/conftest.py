"""The control plane the tests of this room work on."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lambent.store.settings import StoreSettings
from tests.unit.control.control_room import Room, open_room


@pytest.fixture
async def room(
    tmp_path: Path, anyio_backend: object, migrated: Callable[..., StoreSettings]
) -> AsyncIterator[Room]:
    """A control plane with an empty store, on each kind of database."""
    async with open_room(tmp_path, database=migrated(synchronous="OFF")) as room:
        yield room
