"""One platform with local services, and the way a tool is run against it."""

import sys
from collections.abc import Callable, Iterator

import pytest

from .tools import Platform, Project


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform as `lambent up --services` starts it, for all tools."""
    running = Platform(tmp_path_factory.mktemp("stacks") / "data", "--services")
    yield running
    assert running.stop() == 0, running.output


@pytest.fixture
def sam(project: Project) -> Callable[..., str]:
    """Runs `sam`; returns what it prints."""

    def run(*arguments: str) -> str:
        return project.run(
            [sys.executable, "-m", "samcli", *arguments],
            answers="y\n" if arguments[0] == "sync" else "",
            SAM_CLI_TELEMETRY="0",
            SAM_CLI_POLL_DELAY="0.2",
        )

    return run
