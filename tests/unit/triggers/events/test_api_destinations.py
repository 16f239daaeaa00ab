"""API destinations: requests, authorization by connections, what is retried, what stays secret."""

import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lambent.control.events.api_destinations import ApiDestinations
from lambent.control.events.connections import Connections, open_sealing
from lambent.kit.clock import Clock, SystemClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery, NotHandedOver
from lambent.model.events.inputs import Rule
from lambent.model.events.targets import EVENTS, delivery_to
from lambent.model.peers import NoPeers
from lambent.sandbox.egress_policy import EgressSettings
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store
from lambent.triggers.apis.outbound import open_outbound
from lambent.triggers.events.api_destinations import ApiDestinationTargets

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
ROLE = "arn:aws:iam::111111111111:role/r"
EVENT = json.dumps({"source": "shop", "detail": {"id": "a/7", "who": {"name": "Ann"}}})
LOOPBACK = EgressSettings(allow=("127.0.0.0/8",))
SECRET = "s3cret-value"
BASIC = {"BasicAuthParameters": {"Username": "u", "Password": SECRET}}
KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": SECRET}}


class Server:
    """Records requests and responds as the test says; its tokens are numbered."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.statuses: list[int] = []
        self.tokens = 0
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if self.path.startswith("/token"):
                    recorder.tokens += 1
                    recorder.requests.append(("token", headers, body.decode()))
                    self.answer(200, json.dumps({"access_token": f"t{recorder.tokens}"}).encode())
                    return
                recorder.requests.append((f"{self.command} {self.path}", headers, body.decode()))
                status = recorder.statuses.pop(0) if recorder.statuses else 200
                self.answer(status, b"x" * 100)

            do_GET = do_PUT = do_POST

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(StoreSettings(synchronous="OFF"), tmp_path) as opened:
        yield opened


class Parts:
    """The use cases and the data plane."""

    def __init__(self, store: Store, clock: Clock, sealing: Any, outbound: Any) -> None:
        self.connections = Connections(store, clock, sealing)
        self.destinations = ApiDestinations(store, clock)
        self.targets = ApiDestinationTargets(store, outbound, sealing, clock, NoPeers())

    async def destination(
        self, url: str, kind: str, auth: Any, method: str = "POST", **more: Any
    ) -> str:
        made = await self.connections.create(
            SCOPE, {"Name": "c", "AuthorizationType": kind, "AuthParameters": auth}
        )
        given = {"ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": url, **more}
        destination = await self.destinations.create(
            SCOPE, {"Name": "d", "HttpMethod": method, **given}
        )
        return str(destination["ApiDestinationArn"])

    async def send(self, arn: str, **target: Any) -> None:
        delivery = delivery_to(
            {"Arn": arn, "RoleArn": ROLE, **target}, EVENT, Rule("r", "arn:r"), SCOPE, 0.0
        )
        await self.targets.take(delivery, 0.0)


@asynccontextmanager
async def parts(store: Store, egress: EgressSettings = LOOPBACK) -> AsyncIterator[Parts]:
    async with open_outbound(egress) as outbound:
        yield Parts(store, SystemClock(), await open_sealing(store), outbound)


async def test_a_request_has_the_parameters_of_target_and_connection(
    store: Store, server: Server
) -> None:
    """Those of the connection win. A value of the event is one segment of the path."""
    lists = {
        "HeaderParameters": [{"Key": "X-Both", "Value": "connection"}],
        "QueryStringParameters": [{"Key": "k", "Value": SECRET, "IsValueSecret": True}],
        "BodyParameters": [{"Key": "more", "Value": "b"}],
    }
    async with parts(store) as made:
        auth = {**BASIC, "InvocationHttpParameters": lists}
        arn = await made.destination(f"{server.url}/a/*/*?x=1", "BASIC", auth)
        await made.send(
            arn,
            HttpParameters={
                "PathParameterValues": ["$.detail.id", "fixed"],
                "HeaderParameters": {
                    "X-Both": "target",
                    "X-Name": "$.detail.who.name",
                    "X-Who": "$.detail.who",
                    "X-None": "$.detail.none",
                    "Host": "elsewhere",
                    "Content-Length": "9",
                    "X-Bad\r\nX-Injected": "1",
                },
                "QueryStringParameters": {"q": "a b&c"},
            },
            InputTransformer={"InputTemplate": '{"a": 1}'},
        )
    ((line, headers, body),) = server.requests
    assert line == f"POST /a/a%2F7/fixed?x=1&q=a+b%26c&k={SECRET}"
    assert json.loads(body) == {"a": 1, "more": "b"}
    assert headers["authorization"] == f"Basic {base64.b64encode(b'u:' + SECRET.encode()).decode()}"
    assert (headers["x-both"], headers["x-name"]) == ("connection", "Ann")
    assert (headers["x-who"], headers["x-none"]) == ("{name:Ann}", "")
    assert headers["host"] == server.url.removeprefix("http://")
    assert "x-injected" not in headers
    assert headers["content-type"] == "application/json; charset=utf-8"


async def test_a_token_is_used_until_it_is_refused(store: Store, server: Server) -> None:
    oauth = {
        "ClientParameters": {"ClientID": "id", "ClientSecret": SECRET},
        "AuthorizationEndpoint": f"{server.url}/token",
        "HttpMethod": "POST",
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "scope", "Value": "write"}]},
    }
    async with parts(store) as made:
        auth = {"OAuthParameters": oauth}
        arn = await made.destination(f"{server.url}/in", "OAUTH_CLIENT_CREDENTIALS", auth)
        await made.send(arn)
        await made.send(arn)
        server.statuses = [401, 200]
        await made.send(arn)
    lines = [line for line, _, _ in server.requests]
    assert lines == ["token", "POST /in", "POST /in", "POST /in", "token", "POST /in"]
    form = server.requests[0][2]
    assert form == (
        f"grant_type=client_credentials&client_id=id&client_secret={SECRET}&scope=write"
    )
    assert [headers.get("authorization") for _, headers, _ in server.requests] == [
        *(None, "Bearer t1", "Bearer t1", "Bearer t1", None, "Bearer t2")
    ]


@pytest.mark.parametrize(
    ("status", "is_permanent"),
    [(400, True), (404, True), (302, True), (401, False), (409, False), (429, False), (503, False)],
)
async def test_what_is_retried(
    store: Store, server: Server, status: int, is_permanent: bool
) -> None:
    """And a redirect is not followed."""
    server.statuses = [status]
    async with parts(store) as made:
        arn = await made.destination(server.url, "API_KEY", KEY, method="GET")
        with pytest.raises(NotHandedOver, match=f"responds with {status}") as refused:
            await made.send(arn)
    assert refused.value.is_permanent is is_permanent
    ((line, headers, body),) = server.requests
    assert (line, headers["x-key"], body) == ("GET /", SECRET, "")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "http://0.0.0.0:1/",
        f"https://127.0.0.1:1/?token={SECRET}",
    ],
)
async def test_no_request_leads_into_the_host(store: Store, address: str) -> None:
    """By the rules of `[egress]`; errors have no query in them."""
    async with parts(store, EgressSettings()) as made:
        arn = await made.destination(address, "BASIC", BASIC)
        with pytest.raises(NotHandedOver, match="cannot be reached") as refused:
            await made.send(arn)
    assert SECRET not in str(refused.value)
    assert not refused.value.is_permanent


async def test_secrets_are_never_shown(store: Store, server: Server) -> None:
    """Neither by the API nor by the database."""
    auth = {
        "OAuthParameters": {
            "ClientParameters": {"ClientID": "id", "ClientSecret": SECRET},
            "AuthorizationEndpoint": server.url,
            "HttpMethod": "PUT",
            "OAuthHttpParameters": {
                "HeaderParameters": [{"Key": "X-A", "Value": SECRET, "IsValueSecret": True}]
            },
        }
    }
    async with parts(store) as made:
        await made.destination(server.url, "OAUTH_CLIENT_CREDENTIALS", auth)
        shown = await made.connections.describe(SCOPE, {"Name": "c"})
        listed = await made.connections.list(SCOPE, {})
    assert SECRET not in json.dumps([shown, listed], default=str)
    parameters = shown["AuthParameters"]["OAuthParameters"]
    assert parameters["ClientParameters"] == {"ClientID": "id"}
    assert parameters["OAuthHttpParameters"] == {
        "HeaderParameters": [{"Key": "X-A", "IsValueSecret": True}]
    }
    documents = await store.read(
        lambda tx: tx.documents.list_in("events", SCOPE, "connection")  # type: ignore[arg-type]
    )
    assert SECRET not in json.dumps([document.body for document in documents])
    delivery = EventDelivery(
        target="t",
        service=EVENTS,
        source_arn="r",
        scope=SCOPE,
        body=SECRET.encode(),
        parameters={"HeaderParameters": {"A": SECRET}},
        created_at=0,
        due_at=0,
    )
    assert SECRET not in repr(delivery)


async def test_an_update_keeps_what_it_does_not_name(store: Store, server: Server) -> None:
    """Of a connection, its password, too, until it is deauthorized."""
    async with parts(store) as made:
        arn = await made.destination(server.url, "BASIC", BASIC)
        update = {"BasicAuthParameters": {"Username": "v"}}
        await made.connections.update(SCOPE, {"Name": "c", "AuthParameters": update})
        await made.destinations.update(SCOPE, {"Name": "d", "HttpMethod": "PUT"})
        await made.send(arn)
        ((line, headers, _),) = server.requests
        assert line == "PUT /"
        assert headers["authorization"] == (
            f"Basic {base64.b64encode(b'v:' + SECRET.encode()).decode()}"
        )
        await made.connections.deauthorize(SCOPE, {"Name": "c"})
        described = await made.destinations.describe(SCOPE, {"Name": "d"})
        assert described["ApiDestinationState"] == "INACTIVE"
        with pytest.raises(ApiError, match="not authorized"):
            await made.send(arn)
        with pytest.raises(ApiError, match="BasicAuthParameters must have Password"):
            await made.connections.update(SCOPE, {"Name": "c", "AuthParameters": update})
        await made.connections.update(SCOPE, {"Name": "c", "AuthParameters": BASIC})
        await made.send(arn)


async def test_a_rate_limit(store: Store, server: Server) -> None:
    """Beyond it, an event waits, and for a longer wait there is another attempt."""
    async with parts(store) as made:
        arn = await made.destination(server.url, "BASIC", BASIC, InvocationRateLimitPerSecond=1)
        made.targets._turns[arn] = SystemClock().monotonic() + 100
        with pytest.raises(NotHandedOver, match="rate limit") as refused:
            await made.send(arn)
    assert not refused.value.is_permanent
    assert server.requests == []


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (
            lambda made: made.connections.create(
                SCOPE, {"Name": "x", "AuthorizationType": "BASIC", "AuthParameters": KEY}
            ),
            "must have BasicAuthParameters and no others",
        ),
        (
            lambda made: made.connections.create(
                SCOPE,
                {
                    "Name": "x",
                    "AuthorizationType": "API_KEY",
                    "AuthParameters": {
                        "ApiKeyAuthParameters": {"ApiKeyName": "Host", "ApiKeyValue": "v"}
                    },
                },
            ),
            "not the name of a header",
        ),
        *(
            (
                lambda made, address=address: made.destination(address, "BASIC", BASIC),
                "must be the HTTPS or HTTP address",
            )
            for address in (
                *("file:///etc/passwd", "ftp://x/", "https://", "https://u:p@x/", "//x", "a b"),
                *("https://*.example.com/", "gopher://x:1/_"),
            )
        ),
        (
            lambda made: made.destinations.create(
                SCOPE,
                {
                    "Name": "x",
                    "HttpMethod": "POST",
                    "InvocationEndpoint": "https://example.com",
                    "ConnectionArn": "arn:aws:events:us-east-1:222222222222:connection/c/1-2",
                },
            ),
            "does not exist",
        ),
    ],
)
async def test_what_is_wrong_is_refused(
    store: Store, create: Callable[[Parts], Any], message: str
) -> None:
    async with parts(store) as made:
        with pytest.raises(ApiError, match=message):
            await create(made)
