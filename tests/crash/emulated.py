"""Services of an emulator that is not killed, and not disturbed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer

from tests.platforms import ACCOUNT


@contextmanager
def emulated(service: str) -> Iterator[Any]:
    """A client of a service, which is empty."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # All servers of a process share what they know.
    with urlopen(Request(f"{url}/moto-api/reset", method="POST"), timeout=20):
        pass
    yield boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="x",
    )
    server.stop()
