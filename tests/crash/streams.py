"""Kinesis in a server that is not killed, and not disturbed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crash.emulated import emulated


@pytest.fixture
def streams() -> Iterator[Any]:
    """A client."""
    with emulated("kinesis") as client:
        yield client


def new_stream(streams: Any, name: str) -> str:
    """A stream of one shard; returns its ARN."""
    streams.create_stream(StreamName=name, ShardCount=1)
    summary = streams.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return str(summary["StreamARN"])
