"""How long fixtures may take: they have deadlines of their own.

The time-out of a test is for the test. What a whole session shares is made in the set-up of the test
that happens to come first, and ended in the tear-down of the last one; neither is that test's doing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_timeout import Settings

_SET_UP_S = 900.0
"""The first platform on a machine fetches runtimes, for which it has 600 s."""
_TEAR_DOWN_S = 900.0
"""Platforms, databases and brokers of a session end one after the other; a platform has 240 s."""


@contextmanager
def _limited(item: pytest.Item, seconds: float) -> Iterator[None]:
    settings = Settings(seconds, "signal", True, False)
    item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
    try:
        yield
    finally:
        item.ihook.pytest_timeout_cancel_timer(item=item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[Any]:
    """Limit what fixtures do before the test."""
    with _limited(item, _SET_UP_S):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[Any]:
    """Limit what fixtures do after it."""
    with _limited(item, _TEAR_DOWN_S):
        return (yield)
