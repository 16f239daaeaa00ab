"""Requests of the platform itself, for APIs and distributions, to servers that check signatures."""

import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import NamedTuple, cast

import anyio
import pytest

from lambent.aws.clients import AwsClients
from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.identity.authorizer import Authorizer, Caller
from lambent.identity.signature import Signature, read_signature, verify
from lambent.kit.http.messages import Exchange
from lambent.kit.http.server import HttpLimits, HttpServer
from lambent.model.errors import ApiError
from lambent.model.principal import ANONYMOUS
from lambent.services.forwarder import Forwarder, open_forwarder
from lambent.triggers.apis.inner_exchange import InnerExchange
from tests.unit.services.foreign import ACCOUNT, SCOPE, caller

pytestmark = pytest.mark.anyio
RELAXED = cast(Authorizer, SimpleNamespace(is_strict=False))
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAOFTHEPLATFORM", "AWS_SECRET_ACCESS_KEY": "of the platform"}


class Seen(NamedTuple):
    """What the server received."""

    signature: Signature | None
    headers: Mapping[str, str]


class Server:
    """A server that refuses what is signed with another secret than its own."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.seen: list[Seen] = []

    def handle(self, exchange: Exchange) -> None:
        signature = read_signature(exchange)
        self.seen.append(Seen(signature, exchange.headers))
        if signature is None:
            exchange.respond(403, body=b"unsigned")
            return
        try:
            verify(signature, exchange, self.secret, time.time())
        except ApiError as error:
            exchange.respond(403, body=error.message.encode())
        else:
            exchange.respond(200, body=exchange.body)


@asynccontextmanager
async def forwarding(server: Server) -> AsyncIterator[Forwarder]:
    """Leads to the server."""
    upstream = HttpServer(server.handle, HttpLimits())
    sock = socket.create_server(("127.0.0.1", 0))
    await upstream.start(sock)
    there = ServiceSettings(endpoint_url=f"http://127.0.0.1:{sock.getsockname()[1]}")
    settings = AwsSettings(s3=there, sqs=there)
    try:
        async with open_forwarder(settings, AwsClients(settings), RELAXED, None, ()) as forwarder:
            yield forwarder
    finally:
        await upstream.close()


async def send(forwarder: Forwarder, request: InnerExchange, by: Caller) -> tuple[int, bytes]:
    def refuse(error: ApiError) -> None:
        request.respond(error.status, body=error.message.encode())

    with anyio.fail_after(20):
        assert forwarder.handle(request, by, by.service or "s3", refuse)
        await request.wait()
    return request.status, bytes(request.response_body)


REQUESTS = {
    "json": InnerExchange(
        *("POST", "/", ""),
        [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.SendMessage"),
            ("host", "sqs.eu-west-1.amazonaws.com"),
        ],
        '{"MessageBody": "ä"}'.encode(),
    ),
    "object": InnerExchange(
        *("PUT", "/bkt/in/c%20d/e%3Fx~%2B%C3%A4//f", "versionId=a%2Fb&acl"),
        [
            ("content-type", "text/plain"),
            ("host", "s3.eu-west-1.amazonaws.com"),
            ("x-amz-meta-a", "b  c"),
        ],
        b"content",
    ),
    "no body": InnerExchange("GET", "/bkt/key", "", [("host", "s3.amazonaws.com")], b""),
}


@pytest.mark.parametrize("request_of", REQUESTS)
async def test_they_are_signed_with_the_credentials_of_the_platform(
    request_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of botocore are: for the service, in the Region of the request."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    server = Server(KEYS["AWS_SECRET_ACCESS_KEY"])
    service = "sqs" if request_of == "json" else "s3"
    request = REQUESTS[request_of]
    async with forwarding(server) as forwarder:
        assert await send(forwarder, request, caller(service)) == (200, request.body)
    signature, headers = server.seen[0]
    assert signature is not None
    assert (signature.service, signature.region) == (service, SCOPE.region)
    assert signature.access_key_id == KEYS["AWS_ACCESS_KEY_ID"]
    assert headers["host"].startswith("127.0.0.1:")
    assert "via" not in signature.signed_headers


async def test_without_credentials_the_account_is_the_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Emulators of AWS take it as the account."""
    for name in (*KEYS, "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, f"{tmp_path}/none")
    server = Server("lambent")
    async with forwarding(server) as forwarder:
        request = InnerExchange("GET", "/bkt/key", "", [], b"")
        assert await send(forwarder, request, caller("s3")) == (200, b"")
    assert server.seen[0].signature is not None
    assert server.seen[0].signature.access_key_id == ACCOUNT


@pytest.mark.parametrize(
    ("query", "headers", "by"),
    [
        ("", [("authorization", "AWS AKIAOLD:c2lnbmF0dXJl")], caller("s3")),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0", [], caller("s3")),
        ("", [], Caller(principal=ANONYMOUS, scope=SCOPE, service=None, access_key_id=None)),
    ],
)
async def test_requests_of_clients_are_not_signed(
    query: str,
    headers: list[tuple[str, str]],
    by: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither again nor for those that have said nothing of who they are."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    server = Server(KEYS["AWS_SECRET_ACCESS_KEY"])
    seen: list[Mapping[str, str]] = []

    def handle(exchange: Exchange) -> None:
        seen.append(exchange.headers)
        exchange.respond(200)

    server.handle = handle  # type: ignore[method-assign]
    async with forwarding(server) as forwarder:
        request = InnerExchange("GET", "/bkt/key", query, headers, b"")
        assert (await send(forwarder, request, by))[0] == 200
    assert seen[0].get("authorization") == dict(headers).get("authorization")
    assert KEYS["AWS_ACCESS_KEY_ID"] not in str(seen)
