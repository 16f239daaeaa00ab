"""One platform with local services, and the way a tool is run against it."""

from collections.abc import Iterator

import pytest

from .tools import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform as `lambent up --services` starts it, for all tools."""
    running = Platform(tmp_path_factory.mktemp("stacks") / "data", "--services")
    yield running
    assert running.stop() == 0, running.output
