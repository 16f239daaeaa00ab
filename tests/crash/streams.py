"""Kinesis in a server that is not killed, and not disturbed."""

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.platforms import ACCOUNT


@pytest.fixture
def streams() -> Iterator[Any]:
    """A client."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "kinesis", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id=ACCOUNT, aws_secret_access_key="x",
    )  # fmt: skip
    server.stop()


def new_stream(streams: Any, name: str) -> str:
    """A stream of one shard; returns its ARN."""
    streams.create_stream(StreamName=name, ShardCount=1)
    summary = streams.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    return str(summary["StreamARN"])
