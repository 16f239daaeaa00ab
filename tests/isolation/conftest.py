"""A launcher per test, and its directories."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.isolation.boxes import Opened, Site, start_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A started launcher."""
    with start_site(tmp_path) as site:
        yield site


@pytest.fixture
async def opened(site: Site) -> AsyncIterator[Opened]:
    """A started launcher and its client."""
    async with site.open() as opened:
        yield opened


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user may enter, as the tier `process` needs it."""
    place = Path(tempfile.mkdtemp(prefix="lambent-test-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)
