"""The wire, against a real platform: every operation, and clients that mean no good."""

import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.exceptions import ClientError

from lambent.gateway.coverage import offered
from tests.scenario.conftest import Platform, deploy, invoke

LAMBDA = botocore.session.get_session().get_service_model("lambda")
SAMPLES = {"string": "sample", "integer": 1, "long": 1, "boolean": True, "blob": b"{}"}
HEAD = "POST /2015-03-31/functions/wire/invocations HTTP/1.1\r\nHost: localhost\r\n"


def sample(shape: Any) -> Any:
    """Something of the shape, to fill required members with."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {}
    if getattr(shape, "enum", None):
        return shape.enum[0]
    return SAMPLES.get(shape.type_name, 1)


@pytest.mark.parametrize("name", sorted(set(LAMBDA.operation_names) - offered()["lambda"]))
def test_an_operation_that_is_not_offered_says_so(lambda_client: Any, name: str) -> None:
    """A modelled error of status 400 in JSON, never a page; bad input is still found first."""
    operation = LAMBDA.operation_model(name)
    members = sample(operation.input_shape) if operation.input_shape is not None else {}
    with pytest.raises(ClientError) as refused:
        lambda_client._make_api_call(name, members)
    response = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    code, message = response["Error"]["Code"], response["Error"]["Message"]
    if code == "InvalidParameterValueException":
        assert message == f"Lambent does not offer the operation {name} yet."
    else:
        assert code == "ValidationException"
        assert "validation error" in message


def test_services_share_names_but_not_operations(platform: Platform, lambda_client: Any) -> None:
    """CloudWatch's TagResource is not Lambda's."""
    tags = [{"Key": "a", "Value": "b"}]
    with pytest.raises(ClientError) as refused:
        platform.client("cloudwatch").tag_resource(ResourceARN="arn:aws:cloudwatch:x", Tags=tags)
    assert refused.value.response["Error"]["Message"] == "ResourceARN is not the ARN of an alarm."


def test_unknown_paths_and_services_get_a_clear_answer(platform: Platform) -> None:
    """JSON that says what is wrong."""
    request = urllib.request.Request(f"{platform.endpoint}/no/such/path")
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(request)
    with missing.value as answer:
        assert answer.code == 404
        assert answer.headers["x-amzn-ErrorType"] == "UnknownOperationException"
        assert "/no/such/path" in json.load(answer)["message"]
    with pytest.raises(ClientError) as refused:
        platform.client("sqs").list_queues()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@contextlib.contextmanager
def connected(platform: Platform) -> Iterator[socket.socket]:
    """A raw connection to the platform."""
    address = urlsplit(platform.endpoint)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 10) as client:
        yield client


def answer_to(platform: Platform, data: bytes) -> bytes:
    """Everything the platform says to some bytes until it closes or has sent an answer's head."""
    with connected(platform) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(data)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while b"\r\n\r\n" not in received:
                part = client.recv(65536)
                if not part:
                    break
                received += part
        return received


@pytest.fixture(scope="module")
def wire(lambda_client: Any) -> str:
    """A function that must continue to work."""
    deploy(lambda_client, "wire", {"app.py": "def handler(e, c): return 'fine'"})
    return "wire"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), b"400"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (f"{HEAD}Content-Length: -1\r\n\r\n".encode(), b"400"),
        (f"{HEAD}Content-Length: many\r\n\r\n".encode(), b"400"),
        (f"{HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}".encode(), b"400"),
        (
            f"{HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
            b"400",
        ),
        (f"{HEAD}Transfer-Encoding: gzip\r\n\r\n".encode(), b"400"),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\nZZ\r\n".encode(), b"400"),
        (f"{HEAD}X: {'a' * 1_200_000}\r\n\r\n".encode(), b"431"),
        (f"{HEAD}".encode() + b"X: a\r\n" * 200_000 + b"\r\n", b"431"),
        (f"{HEAD}Content-Length: 99999999999999\r\n\r\n".encode(), b"413"),
    ],
)
def test_hostile_requests_are_refused(
    platform: Platform, lambda_client: Any, wire: str, data: bytes, status: bytes
) -> None:
    """With a status, not a hang; the platform continues."""
    received = answer_to(platform, data)
    assert received.split(b" ", 2)[1:2] in ([status], []), received[:200]
    assert invoke(lambda_client, wire)[0] == "fine"


def test_truncated_bodies_never_reach_a_function(
    platform: Platform, lambda_client: Any, wire: str
) -> None:
    """The client disconnects in the middle of its event."""
    for data in (
        f"{HEAD}Content-Length: 100\r\n\r\n{{}}".encode(),
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{{".encode(),
    ):
        with connected(platform) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(65536) == b""
    assert invoke(lambda_client, wire)[0] == "fine"


def test_a_thousand_idle_connections_delay_no_call(
    platform: Platform, lambda_client: Any, wire: str
) -> None:
    """Nor do half-sent requests."""
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            client = stack.enter_context(connected(platform))
            if number % 2:
                client.sendall(HEAD.encode())
        for _ in range(5):
            assert invoke(lambda_client, wire)[0] == "fine"
    assert invoke(lambda_client, wire)[0] == "fine"


def test_a_caller_that_goes_away_costs_nothing(
    platform: Platform, lambda_client: Any, wire: str
) -> None:
    """Its invocation ends by itself; the environment is used again."""
    for _ in range(20):
        with connected(platform) as client:
            client.sendall(f"{HEAD}Content-Length: 2\r\n\r\n{{}}".encode())
    assert invoke(lambda_client, wire)[0] == "fine"
