"""The front door over real sockets, with operations of the tests' own behind it."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import boto3
import httptools
import pytest
import uvloop
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from lambent.gateway.call import Call
from lambent.gateway.request import Request
from lambent.gateway.server import Gateway, open_front_door, open_gateway
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.gateway.services.logs.service import LOGS
from lambent.gateway.services.sts.operations import StsRooms
from lambent.gateway.services.sts.service import STS
from lambent.gateway.settings import GatewaySettings
from lambent.identity.session_tokens import SessionTokens
from lambent.kit.clock import SystemClock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, conflict, not_found
from lambent.model.limits import REQUEST_BYTES_MAX, SYNCHRONOUS_EVENT_BYTES_MAX
from tests.authorizers import relaxed

ROLE = "arn:aws:iam::000000000000:role/r"
SETTINGS = GatewaySettings(shutdown_grace_s=10)


class Operations:
    """What the tests' gateway offers; remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.release = asyncio.Event()

    async def create_function(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        return {"FunctionName": call.params["FunctionName"], "State": "Pending", "Timeout": None}

    async def get_function(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        name = call.params["FunctionName"]
        if name == "bug":
            raise KeyError("a secret detail")
        if name == "busy":
            members = {"Reason": "CallerRateLimitExceeded", "retryAfterSeconds": "3"}
            raise ApiError("TooManyRequestsException", "Rate Exceeded.", members=members)
        if name == "split":
            raise not_found("a\r\nX-Injected: yes")
        raise not_found(f"Function not found: {name}")

    async def delete_function(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        return {}

    async def get_account_settings(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        await self.release.wait()
        return {"AccountLimit": {"TotalCodeSize": 5}}

    async def describe_log_groups(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        return {"logGroups": [{"logGroupName": "/aws/lambda/f", "creationTime": 12}]}

    def invoke(self, request: Request) -> None:
        params = request.params()
        if params["FunctionName"] == "conflict":
            raise conflict("Pending")
        if params["FunctionName"] == "bug":
            raise ZeroDivisionError
        request.exchange.respond(200, [("X-Amz-Executed-Version", "7")], request.exchange.body)


@asynccontextmanager
async def serving(operations: Operations) -> AsyncIterator[tuple[Gateway, int]]:
    """A gateway on a port of its own."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port: int = sock.getsockname()[1]
    async with open_gateway(SETTINGS, relaxed()) as gateway:
        gateway.register(
            LAMBDA,
            {
                "CreateFunction": operations.create_function,
                "GetFunction": operations.get_function,
                "DeleteFunction": operations.delete_function,
                "GetAccountSettings": operations.get_account_settings,
            },
        )
        gateway.register(LOGS, {"DescribeLogGroups": operations.describe_log_groups})
        nobody: Any = None
        sessions = SessionTokens(b"key", SystemClock())
        gateway.register(STS, STS.bind(StsRooms(nobody, sessions, is_strict=False)))
        gateway.register_direct(LAMBDA, "Invoke", operations.invoke)
        async with open_front_door(gateway, SETTINGS, sock):
            yield gateway, port


class FrontDoor:
    """A gateway in a thread, for clients that block."""

    def __init__(self, port: int, operations: Operations) -> None:
        self.port = port
        self.operations = operations

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client."""
        config = Config(
            retries={"total_max_attempts": 1},
            parameter_validation=False,
            signature_version=more.pop("signature_version", None),
        )
        options: dict[str, Any] = {
            "region_name": "eu-west-3",
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "aws_access_key_id": "123456789012",
            "aws_secret_access_key": "secret",
        }
        return boto3.client(service, config=config, **{**options, **more})

    def say(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send raw bytes; gives status, headers and body of the first answer."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as client:
            try:
                client.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return _read_answer(client)


def _read_answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    headers: dict[str, str] = {}
    bodies: list[bytes] = []
    done = threading.Event()

    class Collector:
        def on_header(self, name: bytes, value: bytes) -> None:
            headers[name.decode().lower()] = value.decode()

        def on_body(self, body: bytes) -> None:
            bodies.append(body)

        def on_message_complete(self) -> None:
            done.set()

    parser = httptools.HttpResponseParser(Collector())
    while not done.is_set():
        data = client.recv(65536)
        assert data, "closed without an answer"
        parser.feed_data(data)
    return parser.get_status_code(), headers, b"".join(bodies)


@contextmanager
def running() -> Iterator[FrontDoor]:
    """Run a gateway in a thread of its own."""
    ready = threading.Event()
    state: dict[str, Any] = {}

    async def main() -> None:
        operations = Operations()
        stop = asyncio.Event()
        async with serving(operations) as (_, port):
            state.update(
                door=FrontDoor(port, operations), stop=stop, loop=asyncio.get_running_loop()
            )
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: uvloop.run(main()))
    thread.start()
    assert ready.wait(30)
    try:
        yield state["door"]
    finally:
        state["loop"].call_soon_threadsafe(state["stop"].set)
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def door() -> Iterator[FrontDoor]:
    """One gateway for all tests of this module."""
    with running() as door:
        yield door


# -- operations --------------------------------------------------------------------------------


def test_an_operation_gets_its_call_and_answers(door: FrontDoor) -> None:
    """Members, scope, request id and endpoint arrive; absent and null members stay absent."""
    client = door.client("lambda")
    answer = client.create_function(FunctionName="f", Role=ROLE, Code={"ZipFile": b"\x00zip"})
    metadata = answer.pop("ResponseMetadata")
    assert answer == {"FunctionName": "f", "State": "Pending"}
    call = door.operations.calls[-1]
    assert call.params == {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"\x00zip"}}
    assert call.scope == Scope("123456789012", "eu-west-3")
    assert call.caller.access_key_id == "123456789012"
    assert call.endpoint == f"http://127.0.0.1:{door.port}"
    assert metadata["HTTPStatusCode"] == 201
    assert metadata["RequestId"] == call.request_id


@pytest.mark.slow
def test_a_large_package_arrives_whole(door: FrontDoor) -> None:
    """Also when it is parsed off the loop; its errors are the same."""
    package = bytes(range(256)) * 16_384
    client = door.client("lambda")
    client.create_function(FunctionName="f", Role=ROLE, Code={"ZipFile": package})
    assert door.operations.calls[-1].params["Code"]["ZipFile"] == package
    with pytest.raises(ClientError) as refused:
        client.create_function(FunctionName="f", Role="r", Code={"ZipFile": package})
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_deleting_a_function_has_no_body(door: FrontDoor) -> None:
    """204, as AWS answers, not the 200 of the model."""
    answer = door.client("lambda").delete_function(FunctionName="f")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "content-length" not in answer["ResponseMetadata"]["HTTPHeaders"]


def test_errors_reach_the_client_typed(door: FrontDoor) -> None:
    """As exceptions of the client's own classes, with all their members."""
    client = door.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.get_function(FunctionName="f")
    assert missing.value.response["Error"]["Message"] == "Function not found: f"
    assert missing.value.response["Type"] == "User"
    with pytest.raises(client.exceptions.TooManyRequestsException) as busy:
        client.get_function(FunctionName="busy")
    assert busy.value.response["Reason"] == "CallerRateLimitExceeded"
    assert busy.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "3"


def test_bad_parameters_never_reach_an_operation(door: FrontDoor) -> None:
    """Validation comes first."""
    before = len(door.operations.calls)
    with pytest.raises(ClientError) as refused:
        door.client("lambda").create_function(FunctionName="f", Role="r", Code={})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "at 'role'" in refused.value.response["Error"]["Message"]
    assert len(door.operations.calls) == before


def test_a_bug_is_logged_and_not_shown(door: FrontDoor, caplog: pytest.LogCaptureFixture) -> None:
    """500 without details; the log has them, with the request id."""
    for call in ("get_function", "invoke"):
        caplog.clear()
        with caplog.at_level(logging.ERROR), pytest.raises(ClientError) as failed:
            getattr(door.client("lambda"), call)(FunctionName="bug")
        response = failed.value.response
        assert response["Error"]["Code"] == "ServiceException"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert "secret detail" not in str(response)
        assert response["ResponseMetadata"]["RequestId"] in caplog.text
        assert "Traceback" in caplog.text


def test_an_error_cannot_split_the_answer(door: FrontDoor) -> None:
    """A text with line breaks stays in the body."""
    with pytest.raises(ClientError) as missing:
        door.client("lambda").get_function(FunctionName="split")
    assert missing.value.response["Error"]["Message"] == "a\r\nX-Injected: yes"
    assert "x-injected" not in missing.value.response["ResponseMetadata"]["HTTPHeaders"]


def test_a_direct_operation_answers_and_refuses(door: FrontDoor) -> None:
    """Invoke needs no task, and its errors are rendered like all others."""
    client = door.client("lambda")
    answer = client.invoke(FunctionName="f", Payload=b'{"a": 1}')
    assert answer["Payload"].read() == b'{"a": 1}'
    assert answer["ExecutedVersion"] == "7"
    with pytest.raises(client.exceptions.ResourceConflictException):
        client.invoke(FunctionName="conflict")
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName="bad name")
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_operations_not_offered_say_so(door: FrontDoor) -> None:
    """With an error of the operation's own service."""
    with pytest.raises(ClientError) as refused:
        door.client("lambda").list_layers()
    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": "Lambent does not offer the operation ListLayers yet.",
    }
    with pytest.raises(ClientError) as refused:
        door.client("logs").list_anomalies()
    assert "ListAnomalies" in refused.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as refused:
        door.client("sts").get_federation_token(Name="ann")
    assert "GetFederationToken" in refused.value.response["Error"]["Message"]


def test_the_other_services(door: FrontDoor) -> None:
    """CloudWatch Logs and STS speak their own protocols on the same port."""
    groups = door.client("logs").describe_log_groups(logGroupNamePrefix="/aws")["logGroups"]
    assert groups == [{"logGroupName": "/aws/lambda/f", "creationTime": 12}]
    assert door.operations.calls[-1].params == {"logGroupNamePrefix": "/aws"}
    identity = door.client("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (
        "123456789012",
        "arn:aws:iam::123456789012:root",
    )


def test_unsigned_requests_find_their_service(door: FrontDoor) -> None:
    """By their form; they act in the default account and region."""
    unsigned = {"signature_version": UNSIGNED}
    assert door.client("lambda", **unsigned).invoke(FunctionName="f")["StatusCode"] == 200
    door.client("logs", **unsigned).describe_log_groups()
    call = door.operations.calls[-1]
    assert (call.scope, call.caller.access_key_id) == (Scope("000000000000", "us-east-1"), None)
    assert door.client("sts", **unsigned).get_caller_identity()["Account"] == "000000000000"


@pytest.mark.parametrize("service", ["dynamodb", "sqs", "sns", "kms", "batch"])
def test_other_services_are_refused_in_their_own_protocol(door: FrontDoor, service: str) -> None:
    """Functions get one endpoint for all of AWS: what is not served must say so legibly."""
    client = door.client(service)
    calls = {
        "dynamodb": "list_tables",
        "sqs": "list_queues",
        "sns": "list_topics",
        "kms": "list_keys",
        "batch": "describe_job_queues",
    }
    with pytest.raises(ClientError) as refused:
        getattr(client, calls[service])()
    error = refused.value.response["Error"]
    assert error["Code"] == "UnknownServiceException"
    assert f"'{service}'" in error["Message"]


# -- what is not an operation ------------------------------------------------------------------


def test_health(door: FrontDoor) -> None:
    """For probes; nothing else below the internal prefix is guessed."""
    status, headers, body = door.say(b"GET /_lambent/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {"status": "ok"}
    for path in (b"/_lambent/", b"/_lambent/healthy", b"/_lambent/../x"):
        assert door.say(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 404


@pytest.mark.parametrize("path", ["/", "/nothing", "/2015-03-31/", "/%00", "/favicon.ico"])
def test_unknown_paths_are_json(door: FrontDoor, path: str) -> None:
    """Never a page."""
    status, headers, body = door.say(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert status == 404
    assert headers["x-amzn-errortype"] == "UnknownOperationException"
    assert headers["x-amzn-requestid"]
    assert path in json.loads(body)["message"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (b"Logs_20140328.Nothing", "UnknownOperationException"),
        (b"Logs_20140328", "UnknownOperationException"),
        (b"Logs_", "UnknownServiceException"),
        (b"Logs_19990101.CreateLogGroup", "UnknownServiceException"),
    ],
)
def test_unknown_targets_are_json(door: FrontDoor, target: bytes, code: str) -> None:
    """The json protocol's own form of the same."""
    status, _, body = door.say(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX-Amz-Target: "
        + target
        + b"\r\n\r\n{}"
    )
    assert status == 400
    assert json.loads(body)["__type"] == code


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer token",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda/aws5_request",
        "AWS4-HMAC-SHA256 Credential=" + "a" * 10_000 + "/20260101/us-east-1/lambda/aws4_request",
        "é" * 100,
    ],
)
def test_malformed_signatures(door: FrontDoor, authorization: str) -> None:
    """403, as AWS answers what is no signature at all."""
    status, headers, _ = door.say(
        b"GET /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
        + authorization.encode("latin-1")
        + b"\r\n\r\n"
    )
    assert status == 403
    assert headers["x-amzn-errortype"] == "IncompleteSignatureException"


@pytest.mark.parametrize("chunked", [False, True])
def test_an_event_too_large(door: FrontDoor, chunked: bool) -> None:
    """413 in AWS's words, although the client sends all of it first."""
    head = b"POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: localhost\r\n"
    size = SYNCHRONOUS_EVENT_BYTES_MAX + 1
    if chunked:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size + b" " * size
    else:
        data = head + b"Content-Length: %d\r\n\r\n" % size + b" " * size
    status, headers, body = door.say(data)
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")
    assert json.loads(body) == {
        "Type": "User",
        "message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    }


def test_an_event_just_small_enough(door: FrontDoor) -> None:
    """The limit itself is allowed, for boto3 too, and one byte more is a typed error."""
    client = door.client("lambda")
    event = b" " * SYNCHRONOUS_EVENT_BYTES_MAX
    answer = client.invoke(FunctionName="f", Payload=event)
    assert len(answer["Payload"].read()) == SYNCHRONOUS_EVENT_BYTES_MAX
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke(FunctionName="f", Payload=event + b" ")


def test_a_package_too_large(door: FrontDoor) -> None:
    """Refused by its announced length, before it is sent."""
    status, headers, body = door.say(
        b"POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % (REQUEST_BYTES_MAX + 1)
    )
    assert (status, headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
    assert json.loads(body)["message"] == (
        "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    )


# -- the end -----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_stopping_finishes_what_is_in_progress() -> None:
    """An operation that runs when the door closes still answers; new clients are turned away."""
    operations = Operations()
    received = b""
    async with anyio.create_task_group() as tasks:
        stop = anyio.Event()
        ports: list[int] = []

        async def serve() -> None:
            async with serving(operations) as (_, port):
                ports.append(port)
                await stop.wait()

        tasks.start_soon(serve)
        while not ports:  # noqa: ASYNC110 - polled
            await anyio.sleep(0.005)
        async with await anyio.connect_tcp("127.0.0.1", ports[0]) as client:
            await client.send(
                b"GET /2016-08-19/account-settings HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            while not operations.calls:  # noqa: ASYNC110 - polled
                await anyio.sleep(0.005)
            stop.set()
            with anyio.fail_after(10):
                while True:
                    try:
                        async with await anyio.connect_tcp("127.0.0.1", ports[0]):
                            await anyio.sleep(0.005)
                    except OSError:
                        break
            operations.release.set()
            with anyio.fail_after(10):
                try:
                    while True:
                        received += await client.receive()
                except anyio.EndOfStream:
                    pass
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b'{"AccountLimit":{"TotalCodeSize":5}}')
