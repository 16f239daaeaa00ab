"""What several nodes keep each for itself is seen as one through any of them."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.databases import PostgreSql
from tests.platforms import Platform, deploy, invoke, wait_for

from .test_nodes import wait_states
from .test_websocket_apis import address, make_api

pytestmark = pytest.mark.timeout(300)


class Nodes(NamedTuple):
    """Two of them."""

    one: Platform
    two: Platform


@pytest.fixture(scope="module")
def start_node(
    postgresql: PostgreSql, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Platform]]:
    """Starts platforms on one database, for all tests here."""
    root = tmp_path_factory.mktemp("views")
    environment = {
        "LAMBENT_STORE__URL": postgresql.new_database(),
        "LAMBENT_STORE__SHARED": "true",
        "LAMBENT_STORE__BLOBS_DIR": str(root / "packages"),
        "LAMBENT_TELEMETRY__ALARMS_EVERY_S": "1",
    }
    with ExitStack() as stack:

        def start(name: str) -> Platform:
            running = Platform(root / name, environment=environment)
            stack.callback(running.stop)
            return running

        yield start


@pytest.fixture(scope="module")
def nodes(start_node: Callable[[str], Platform]) -> Nodes:
    """Two nodes that serve."""
    found = Nodes(start_node("one"), start_node("two"))
    for node in found:
        wait_states(node, "live", "live")
    return found


POSTS = """
import json
import boto3

def handler(event, context):
    if "requestContext" in event:
        return {"statusCode": 200, "body": json.dumps(event["requestContext"])}
    client = boto3.client("apigatewaymanagementapi", endpoint_url=event["url"])
    client.post_to_connection(ConnectionId=event["connection"], Data=b"from a function")
"""


def is_gone(call: Callable[..., Any], id: str) -> bool:
    """Whether a connection is gone, as an operation says."""
    try:
        call(ConnectionId=id)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "GoneException")
    return False


def test_connections_are_managed_through_any_node(nodes: Nodes) -> None:
    """A message, a question and the end reach a client through the node that it is not connected
    to, also from a function that runs there. A connection that has ended is gone on both."""
    function = deploy(nodes.one.client("lambda"), "posts", {"app.py": POSTS})
    api_id = make_api(nodes.one, function["FunctionArn"])
    for here, there in (nodes, nodes[::-1]):
        ways = [address(node, api_id).replace("ws", "http", 1) for node in (here, there)]
        near, far = [
            node.client("apigatewaymanagementapi", endpoint_url=way)
            for node, way in zip((here, there), ways, strict=True)
        ]
        with connect(address(here, api_id), compression=None) as client:
            client.send("who am I?")
            request = json.loads(client.recv(timeout=60))
            id = request["connectionId"]
            far.post_to_connection(ConnectionId=id, Data=b"hello")
            assert client.recv(timeout=60) == "hello"
            event = {
                "connection": id,
                "url": f"https://{request['domainName']}/{request['stage']}",
            }
            assert invoke(there.client("lambda"), "posts", event)[0] is None
            assert client.recv(timeout=60) == "from a function"
            status = far.get_connection(ConnectionId=id)
            assert status["Identity"]["SourceIp"] == "127.0.0.1"
            assert status["ConnectedAt"] == near.get_connection(ConnectionId=id)["ConnectedAt"]
            far.delete_connection(ConnectionId=id)
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=60)
        for manage in (near, far):
            wait_for(partial(is_gone, manage.get_connection, id), "the connection is gone")


def test_connections_of_a_lost_node_are_gone(
    nodes: Nodes, start_node: Callable[[str], Platform]
) -> None:
    """While a node is silent, requests for its connections can be repeated; when it is lost, its
    connections are gone."""
    three = start_node("three")
    wait_states(nodes.one, "live", "live", "live")
    function = nodes.one.client("lambda").get_function(FunctionName="posts")
    api_id = make_api(three, function["Configuration"]["FunctionArn"])
    way = address(nodes.one, api_id).replace("ws", "http", 1)
    manage = nodes.one.client("apigatewaymanagementapi", endpoint_url=way)
    with connect(address(three, api_id), compression=None) as client:
        client.send("who am I?")
        id = json.loads(client.recv(timeout=60))["connectionId"]
        manage.get_connection(ConnectionId=id)
        three.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(ClientError) as error:
                manage.get_connection(ConnectionId=id)
        finally:
            three.kill()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (503, 410)
        wait_for(partial(is_gone, manage.get_connection, id), "the connections are gone")
