"""Clients that connect: who may, what the function says, and what is no WebSocket."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.triggers.websocket.chat import (
    ANSWERS,
    API,
    GOOD,
    HOST,
    Chat,
    chatting,
    json_of,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with chatting(tmp_path_factory.mktemp("connecting")) as chat:
        yield chat


@pytest.fixture
def chat(running: Chat) -> Chat:
    running.events.clear()
    return running


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"statusCode": 401}, 401),
        ({"statusCode": 403, "body": "no"}, 403),
        ({"statusCode": "404"}, 404),
        ({"statusCode": 500}, 500),
        ({"statusCode": 302}, 302),
        ({"statusCode": 101}, 500),
        ({"statusCode": 400, "headers": {"Content-Type": "a\r\nb: c"}}, 500),
        ({}, 502),
        (None, 502),
    ],
)
def test_a_function_refuses_clients(chat: Chat, result: Any, status: int) -> None:
    """With a status that is no success, which the client gets. There is no `$disconnect` then."""
    function = chat.function("f", lambda event: result)
    chat.deploy({"$connect": function, "$disconnect": function})
    assert chat.refused() == status
    assert [event["requestContext"]["eventType"] for event in chat.events] == ["CONNECT"]
    assert not chat.sessions.by_id
    assert chat.sessions.pending == 0


def test_a_function_chooses_the_subprotocol(chat: Chat) -> None:
    """One of those that the client offers; another one is not sent, for it would end the
    connection."""

    def connect(event: Any) -> Any:
        offered = event["headers"]["Sec-WebSocket-Protocol"].split(", ")
        chosen = "myprotocol" if "myprotocol" in offered else "other"
        return GOOD | {"headers": {"Sec-WebSocket-Protocol": chosen}}

    chat.deploy({"$connect": chat.function("f", connect)})
    with chat.client(subprotocols=["chat1", "myprotocol"]) as client:
        assert client.subprotocol == "myprotocol"
    with chat.client(subprotocols=["chat1"]) as client:
        assert client.subprotocol is None


def test_compression_is_not_agreed_on(chat: Chat) -> None:
    """A client may offer it."""
    chat.deploy({"$default": {"IntegrationUri": chat.function("f", lambda _: GOOD), **ANSWERS}})
    with chat.client(additional_headers={"Sec-WebSocket-Extensions": "permessage-deflate"}) as c:
        assert c.response is not None
        assert "Sec-WebSocket-Extensions" not in c.response.headers


def test_a_stage_without_routes_takes_clients(chat: Chat) -> None:
    """`$connect` is optional."""
    chat.deploy({})
    with chat.client() as client:
        client.send("x")
        assert json_of(client)["message"] == "Forbidden"


def test_an_api_is_reached_by_path(chat: Chat) -> None:
    """Where names cannot be resolved. Events have the name anyway."""
    chat.deploy({"$default": chat.function("f", lambda event: GOOD)})
    with chat.client(f"/_lambent/api/{API}/test", host="127.0.0.1") as client:
        client.send("x")
        event = chat.wait(1)[0]
    assert event["requestContext"]["domainName"] == HOST


def test_what_is_no_upgrade_is_refused(chat: Chat) -> None:
    """Ordinary requests, keys that are none, versions of long ago, other paths and stages."""
    chat.deploy({})
    offer = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }

    def status(method: str = "GET", path: str = "/test", **changed: str | None) -> int:
        headers = offer | {name.replace("_", "-"): value for name, value in changed.items()}
        sent = {name: value for name, value in headers.items() if value is not None}
        return chat.served.request(HOST, method, path, headers=sent).status

    assert status(Upgrade=None) == 426
    assert status("POST") == 426
    assert status(Sec_WebSocket_Version="8") == 426
    assert status(Sec_WebSocket_Key="short") == 400
    assert status(Sec_WebSocket_Key=None) == 400
    assert status(path="/test/more") == 403
    assert status(path="/other") == 403
    assert not chat.sessions.by_id


def test_a_signature_lets_clients_connect(chat: Chat) -> None:
    """AWS_IAM: without one the client is refused, before the function is called."""
    function = chat.function("f", lambda event: GOOD)
    chat.deploy(
        {"$connect": {"IntegrationUri": function, "route": {"AuthorizationType": "AWS_IAM"}}}
    )
    assert chat.refused() == 403
    assert chat.events == []
    request = AWSRequest("GET", f"http://{HOST}/test")
    SigV4Auth(Credentials("000000000000", "secret"), "execute-api", "us-east-1").add_auth(request)
    signed = {name: str(request.headers[name]) for name in ("Authorization", "X-Amz-Date")}
    with chat.client(additional_headers=signed):
        assert len(chat.wait(1)) == 1


def test_a_route_that_asks_for_a_key_lets_nobody_in(chat: Chat) -> None:
    """Keys are not offered for WebSocket APIs."""
    chat.deploy({"$connect": {"route": {"ApiKeyRequired": True}}})
    assert chat.refused(additional_headers={"x-api-key": "anything"}) == 403


def test_clients_that_connect_are_throttled(chat: Chat) -> None:
    """With 429, before the function is called."""
    limits = {"ThrottlingRateLimit": 0, "ThrottlingBurstLimit": 0}
    function = chat.function("f", lambda event: GOOD)
    chat.deploy({"$connect": function}, stage={"RouteSettings": {"$connect": limits}})
    assert chat.refused() == 429
    assert chat.events == []


def test_there_is_room_for_so_many_clients(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Further ones are refused, and those of the AWS API are not."""
    with chatting(tmp_path_factory.mktemp("few"), connections_max=4) as chat:
        chat.deploy({})
        with chat.client(), chat.client() as second, chat.client():
            assert chat.refused() == 503
            second.close()
            chat.until(lambda: len(chat.sessions.by_id) == 2)
            with chat.client():
                pass
