"""What these tests share is in `tests/platforms.py`."""

import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.crash.streams import streams
from tests.platforms import ACCOUNT, start_platform

__all__ = ["start_platform", "streams"]


@pytest.fixture
def queue() -> Iterator[Any]:
    """The destination of records: a queue in a server that is not killed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "sqs", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id=ACCOUNT, aws_secret_access_key="x",
    )  # fmt: skip
    client.create_queue(QueueName="records")
    yield client
    server.stop()
