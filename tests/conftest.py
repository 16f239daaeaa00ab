"""Shared by every kind of test: fixtures, time limits, and the order of a whole run."""

import gc
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests import forking
from tests.budgets import pytest_fixture_setup, pytest_runtest_teardown
from tests.databases import database, migrated, own_postgresql, postgresql
from tests.lengths import load_profile
from tests.schedule import pytest_collection_modifyitems, pytest_xdist_make_scheduler
from tests.servers.activemq import activemq
from tests.servers.kafka import mock_kafka, secured_kafka, tansu
from tests.servers.kinesis import kinesis
from tests.servers.ministack import ministack
from tests.servers.mosquitto import mosquitto
from tests.servers.nats import nats_server
from tests.servers.rabbitmq import rabbitmq
from tests.workers import pytest_xdist_setupnodes

__all__ = [
    "activemq",
    "database",
    "kinesis",
    "migrated",
    "ministack",
    "mock_kafka",
    "mosquitto",
    "nats_server",
    "own_postgresql",
    "postgresql",
    "pytest_collection_modifyitems",
    "pytest_fixture_setup",
    "pytest_runtest_teardown",
    "pytest_xdist_make_scheduler",
    "pytest_xdist_setupnodes",
    "rabbitmq",
    "secured_kafka",
    "tansu",
]

load_profile()


def pytest_configure() -> None:
    """A shell's background job ignores Ctrl-C; without this, every process started here would
    too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """No garbage collection looks at what stays to the end: modules and ten thousand tests. It
    would be half of the collection's work, and again part of each test's. Full collections are
    rare afterwards: the reports of tests stay, too."""
    gc.disable()
    try:
        return (yield)
    finally:
        forking.share()  # Before workers are forked.
        gc.freeze()
        gc.set_threshold(5_000, 20, 50)
        gc.enable()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Async tests run on the same event loop as production."""
    return ("asyncio", {"use_uvloop": True})
