"""Clients that connect: who may, what the function says, and what is no WebSocket."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.triggers.apis.websocket.authorizing import parse_source
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


@pytest.mark.slow
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


def test_a_route_that_requires_a_key_refuses_all(chat: Chat) -> None:
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


# -- functions that authorize --------------------------------------------------------------------

SOURCES = ["route.request.header.Auth", "route.request.querystring.room"]


def policy_of(event: Any, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """What an authorizer returns."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": "ann",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        **more,
    }


def deploy_authorized(chat: Chat, authorizer: Any, sources: Any = SOURCES) -> None:
    """A stage whose `$connect` is authorized by a function."""
    function = chat.function("f", lambda event: GOOD)
    uri = chat.function("authorizer", authorizer)
    connect = {
        "IntegrationUri": function,
        "route": {"AuthorizationType": "CUSTOM", "AuthorizerId": "a1"},
    }
    body = {"AuthorizerType": "REQUEST", "AuthorizerUri": uri, "IdentitySource": sources}
    chat.deploy(
        {"$connect": connect, "$default": function, "$disconnect": function},
        more={("authorizer", "a1"): body},
    )


def test_a_function_authorizes_clients(chat: Chat) -> None:
    """It is asked once. What it says is in the event of `$connect` and in all that follow."""
    context = {"team": "blue", "level": 3, "admin": True, "nothing": None}
    deploy_authorized(chat, lambda event: policy_of(event, context=context))
    with chat.client("/test?room=a", additional_headers={"Auth": "secret"}) as client:
        client.send("x")
        chat.wait(3)
    asked, *events = chat.wait(4)
    assert asked["type"] == "REQUEST"
    arn = f"arn:aws:execute-api:us-east-1:000000000000:{API}/test/$connect"
    assert asked["methodArn"] == arn
    assert asked["headers"]["Auth"] == "secret"
    assert asked["headers"]["Upgrade"] == "websocket"
    assert asked["queryStringParameters"] == {"room": "a"}
    assert asked["stageVariables"] == {}
    assert asked["requestContext"]["routeKey"] == "$connect"
    assert [event["requestContext"]["eventType"] for event in events] == [
        "CONNECT",
        "MESSAGE",
        "DISCONNECT",
    ]
    for event in events:
        given = event["requestContext"]["authorizer"]
        assert given.pop("integrationLatency") >= 0
        assert given == {
            "principalId": "ann",
            "team": "blue",
            "level": "3",
            "admin": "true",
            "nothing": None,
        }


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/test?room=a", {}),
        ("/test?room=a", {"Auth": ""}),
        ("/test", {"Auth": "secret"}),
        ("/test?room=", {"Auth": "secret"}),
    ],
)
def test_a_client_without_an_identity(chat: Chat, path: str, headers: dict[str, str]) -> None:
    """401, and the function is not asked."""
    deploy_authorized(chat, policy_of)
    assert chat.refused(path, additional_headers=headers) == 401
    assert chat.events == []


def _raises(message: str) -> Any:
    def fails(event: Any) -> Any:
        raise ValueError(message)

    return fails


@pytest.mark.parametrize(
    ("authorizer", "status"),
    [
        (lambda event: policy_of(event, "Deny"), 403),
        (lambda event: policy_of(event | {"methodArn": "arn:aws:execute-api:*:*:other/*"}), 403),
        (lambda event: policy_of(event | {"methodArn": "*"}), None),
        (_raises("Unauthorized"), 401),
        (_raises("else"), 500),
        (lambda event: {"principalId": "ann"}, 500),
        (lambda event: None, 500),
        (lambda event: policy_of(event, context={"a": [1]}), 500),
        (lambda event: {"isAuthorized": True}, 500),
    ],
)
def test_what_an_authorizer_may_say(chat: Chat, authorizer: Any, status: int | None) -> None:
    """A policy that allows it. All else refuses the client before `$connect` is called."""
    deploy_authorized(chat, authorizer, [])
    if status is None:
        with chat.client():
            assert len(chat.wait(2)) == 2
        return
    assert chat.refused() == status
    assert len(chat.events) == 1
    assert chat.sessions.pending == 0


def test_a_missing_authorizer_refuses_all(chat: Chat) -> None:
    """Nor does one whose function is gone."""
    connect = {"route": {"AuthorizationType": "CUSTOM", "AuthorizerId": "a1"}}
    chat.deploy({"$connect": connect})
    assert chat.refused() == 500
    uri = "arn:aws:lambda:us-east-1:000000000000:function:missing"
    body = {"AuthorizerType": "REQUEST", "AuthorizerUri": uri}
    chat.deploy({"$connect": connect}, more={("authorizer", "a1"): body})
    assert chat.refused() == 500


@pytest.mark.parametrize(
    "text",
    ["", "route.request.body.a", "header.Auth", "route.request.header.", "$request.header.Auth"],
)
def test_identity_sources_are_checked(text: str) -> None:
    """What is none cannot be looked up."""
    with pytest.raises(ValueError, match="identity source"):
        parse_source(text)


def test_a_policy_is_needed_on_a_strict_platform(tmp_path_factory: pytest.TempPathFactory) -> None:
    """API Gateway may call a function only if the function's policy says so, for this route."""
    with chatting(tmp_path_factory.mktemp("strict"), is_strict=True) as chat:
        arn = chat.function("f", lambda event: GOOD)
        chat.deploy({"$connect": arn})
        assert chat.refused() == 500
        arn = chat.function("g", lambda event: GOOD)
        chat.served.policies[arn] = [
            {
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": arn,
                "Condition": {
                    "ArnLike": {"AWS:SourceArn": f"arn:aws:execute-api:*:*:{API}/*/$connect"}
                },
            }
        ]
        chat.deploy({"$connect": arn})
        with chat.client():
            assert len(chat.wait(1)) == 1
