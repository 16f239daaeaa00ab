"""Behavior that tests of broken connections rely on."""

import socket
from collections.abc import Iterator

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.platforms import wait_for
from tests.servers.ministack import Ministack, aws_client
from tests.servers.processes import answers
from tests.servers.proxy import Proxy


@pytest.fixture
def proxy(ministack: Ministack) -> Iterator[Proxy]:
    """In front of AWS."""
    with Proxy(ministack.port) as front:
        yield front


def test_proxy_cuts_connections(proxy: Proxy) -> None:
    """Connections are reset, and a client's next one works."""
    sqs = aws_client("sqs", f"http://127.0.0.1:{proxy.port}")
    url = sqs.create_queue(QueueName="behind")["QueueUrl"]
    assert proxy.connections == 1
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as idle:
        wait_for(lambda: proxy.connections == 2, "there is another connection")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            idle.recv(1)
    wait_for(lambda: proxy.connections == 0, "both are gone")
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert proxy.connections == 1


def test_proxy_refuses_connections(proxy: Proxy) -> None:
    """No connection is accepted while it refuses; existing ones stay open."""
    endpoint = f"http://127.0.0.1:{proxy.port}"
    before, after = aws_client("sts", endpoint), aws_client("sts", endpoint)
    before.get_caller_identity()
    proxy.refuse(True)
    assert not answers(proxy.port)
    before.get_caller_identity()
    with pytest.raises(EndpointConnectionError):
        after.get_caller_identity()
    proxy.refuse(False)
    after.get_caller_identity()
