"""What these tests share is in `tests/platforms.py`."""

from collections.abc import Iterator

import pytest

from tests.crash.queue_server import QueueServer, running_queue
from tests.crash.streams import streams
from tests.platforms import start_platform

__all__ = ["start_platform", "streams"]


@pytest.fixture
def queue() -> Iterator[QueueServer]:
    """The destination of records: a queue in a server that is not killed."""
    with running_queue() as server:
        yield server
