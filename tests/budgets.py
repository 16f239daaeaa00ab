"""A test's time limit covers only the test itself; shared fixtures have their own limit."""

import pytest
import pytest_timeout

SHARED_S = 600.0
"""Seconds to set up or end what lives longer than a test: platforms, brokers, what a platform
installs when it is the first on this machine."""
_shared = pytest_timeout.Settings(SHARED_S, "signal", False, False)
_depth = 0


def _limit(item: pytest.Item, settings: pytest_timeout.Settings) -> None:
    hooks = item.config.pluginmanager.hook
    hooks.pytest_timeout_cancel_timer(item=item)
    if settings.timeout:
        hooks.pytest_timeout_set_timer(item=item, settings=settings)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> object:
    """Restart the test's own time when a shared fixture is ready."""
    global _depth
    if fixturedef.scope == "function":
        return (yield)
    item = request._pyfuncitem
    _depth += 1
    _limit(item, _shared)
    try:
        return (yield)
    finally:
        _depth -= 1
        _limit(item, _shared if _depth else pytest_timeout._get_item_settings(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> object:
    """The last test of a file is not charged for ending the file's shared fixtures."""
    if nextitem is None or nextitem.path != item.path:
        _limit(item, _shared)
    return (yield)
