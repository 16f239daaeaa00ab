"""Fixtures every kind of test uses."""

from typing import Any

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Async tests run on what production runs on."""
    return ("asyncio", {"use_uvloop": True})
