"""The control plane the tests of this room work on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from control_room import Room, open_room


@pytest.fixture
async def room(tmp_path: Path, anyio_backend: object) -> AsyncIterator[Room]:
    """A control plane with an empty store."""
    async with open_room(tmp_path) as room:
        yield room
