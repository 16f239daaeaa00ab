"""wscat, unmodified, as the client of a WebSocket API."""

import os
import subprocess
from typing import Any

import pytest

from tests.packages import INSTALLED
from tests.platforms import Platform, deploy

from .fronts import invocation, websocket_api

WSCAT = INSTALLED / "node" / "node_modules" / "wscat" / "bin" / "wscat"
APP = """
import json

import boto3

def handler(event, context):
    if "type" in event:
        return {
            "principalId": event["headers"]["X-User"],
            "policyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["methodArn"],
            }]},
        }
    request = event["requestContext"]
    if request["eventType"] == "MESSAGE":
        user = request["authorizer"]["principalId"]
        endpoint = f"https://{request['domainName']}/{request['stage']}"
        connections = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint)
        connections.post_to_connection(
            ConnectionId=request["connectionId"], Data=f"{user} said {event['body']}".encode()
        )
    if request["eventType"] == "CONNECT":
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}
    return {"statusCode": 200}
"""


@pytest.fixture(scope="module")
def address(platform: Platform) -> str:
    """A chat with oneself, for those who say who they are."""
    arn = deploy(platform.client("lambda"), "wscat", {"app.py": APP})["FunctionArn"]
    return websocket_api(
        platform,
        arn,
        AuthorizerUri=invocation(arn),
        IdentitySource=["route.request.header.X-User"],
    )


def wscat(address: str, *arguments: str) -> Any:
    """Run it; returns the finished process. It would end with its standard input."""
    command = ["node", str(WSCAT), "--connect", address, *arguments]
    read, write = os.pipe()
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=read)
    finally:
        os.close(read)
        os.close(write)


def test_messages_there_and_back(address: str) -> None:
    """A header for the authorizer, a subprotocol that the function chooses, two messages."""
    done = wscat(
        address,
        *("--header", "X-User:ann", "--subprotocol", "chat"),
        *("--execute", "hello", "--execute", "bye", "--wait", "2"),
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")) == ["", "ann said bye", "ann said hello"]


def test_refusals(address: str) -> None:
    """The status of the response to its handshake."""
    done = wscat(address, "--execute", "hello")
    assert done.stderr == "error: Unexpected server response: 401\n"
    done = wscat(address.replace("/live", "/nothing"), "--execute", "hello")
    assert done.stderr == "error: Unexpected server response: 403\n"
