"""WebSocket APIs over real connections: routes, messages, and the end."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.unit.triggers.apis.serving import NoResponse
from tests.unit.triggers.websocket.chat import (
    ANSWERS,
    API,
    GOOD,
    HOST,
    ROOT,
    Chat,
    chatting,
    json_of,
    text_of,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with chatting(tmp_path_factory.mktemp("chat")) as chat:
        yield chat


@pytest.fixture
def chat(running: Chat) -> Chat:
    running.until(lambda: not running.sessions.by_id)
    running.events.clear()
    return running


def test_a_connection_from_its_beginning_to_its_end(chat: Chat) -> None:
    """Three events, with the members that AWS sends; the ids tie them together."""
    function = chat.function("f", lambda event: GOOD)
    chat.deploy({"$connect": function, "$default": function, "$disconnect": function})
    before = int(time.time() * 1000)
    with chat.client("/test?room=a&room=b", additional_headers={"X-Token": "t"}) as client:
        client.send("hello")
        chat.wait(2)
    connected, message, disconnected = chat.wait(3)

    context = connected.pop("requestContext")
    assert set(connected) == {
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "isBase64Encoded",
    }
    assert connected["headers"]["Host"] == HOST
    assert connected["headers"]["X-Token"] == "t"
    assert connected["headers"]["Sec-WebSocket-Version"] == "13"
    assert connected["headers"]["X-Forwarded-Proto"] == "http"
    assert connected["multiValueHeaders"]["X-Forwarded-For"] == ["127.0.0.1"]
    assert connected["queryStringParameters"] == {"room": "b"}
    assert connected["multiValueQueryStringParameters"] == {"room": ["a", "b"]}
    assert context.pop("requestTimeEpoch") >= before
    assert context.pop("connectedAt") >= before
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:[\d:]{8} \+0000", context.pop("requestTime"))
    request_id = context.pop("requestId")
    assert context.pop("extendedRequestId") == request_id
    connection_id = context.pop("connectionId")
    assert re.fullmatch(r"[A-Za-z0-9_-]{15}=", connection_id)
    assert context.pop("identity")["sourceIp"] == "127.0.0.1"
    assert context == {
        "routeKey": "$connect",
        "eventType": "CONNECT",
        "messageDirection": "IN",
        "stage": "test",
        "domainName": HOST,
        "apiId": API,
    }

    assert message["body"] == "hello"
    assert message["isBase64Encoded"] is False
    assert "headers" not in message
    of_message = message["requestContext"]
    assert of_message["connectionId"] == connection_id
    assert (of_message["routeKey"], of_message["eventType"]) == ("$default", "MESSAGE")
    assert of_message["messageId"]
    assert of_message["requestId"] not in (request_id, of_message["messageId"])

    of_end = disconnected["requestContext"]
    assert of_end["connectionId"] == connection_id
    assert (of_end["routeKey"], of_end["eventType"]) == ("$disconnect", "DISCONNECT")
    assert (of_end["disconnectStatusCode"], of_end["disconnectReason"]) == (1000, "")
    assert "body" not in disconnected
    assert disconnected["headers"]["Host"] == HOST


def test_messages_find_their_routes(chat: Chat) -> None:
    """By the selection expression; else the default route, also for what is no JSON."""
    routes = {
        key: {"IntegrationUri": chat.function(name, lambda _, name=name: GOOD | {"body": name})}
        | ANSWERS
        for key, name in (("join", "join"), ("chat-v2", "chat"), ("$default", "default"))
    }
    chat.deploy(routes, api={"RouteSelectionExpression": "${request.body.a}${request.body.b}"})
    expected = {
        '{"a": "join"}': "join",
        '{"a": "chat", "b": "-v2"}': "chat",
        '{"a": "other"}': "default",
        "{}": "default",
        "no json": "default",
        '"join"': "default",
        "[" * 5000: "default",
        '{"a": "$connect"}': "default",
    }
    with chat.client() as client:
        for sent, answered in expected.items():
            client.send(sent)
            assert text_of(client) == answered
        large = json.dumps({"a": "join", "padding": "x" * 30_000})
        client.send(large)
        assert text_of(client) == "join"
        assert chat.events[-1]["body"] == large


def test_clients_cannot_choose_the_routes_of_connections(chat: Chat) -> None:
    """Else a client could tell a function that another has connected or gone."""
    connect = chat.function("c", lambda event: GOOD)
    chat.deploy({"$connect": connect, "$disconnect": connect})
    with chat.client() as client:
        for key in ("$connect", "$disconnect"):
            client.send(json.dumps({"action": key}))
            assert json_of(client)["message"] == "Forbidden"
        assert len(chat.events) == 1


def test_a_message_without_a_route_is_forbidden(chat: Chat) -> None:
    """The client gets the ids with which it can ask why."""
    chat.deploy({"join": chat.function("f", lambda event: GOOD)})
    with chat.client() as client:
        client.send('{"action": "leave"}')
        refused = text_of(client)
        assert re.fullmatch(
            r'\{"message": "Forbidden", "connectionId":"[^"]+=", "requestId":"[^"]+="\}', refused
        )


def test_a_client_gets_an_answer_only_with_a_route_response(chat: Chat) -> None:
    """The body of the result, and nothing if there is no body."""
    one_way = chat.function("one", lambda event: GOOD | {"body": "unseen"})
    both_ways = chat.function("both", lambda event: GOOD | {"body": event["body"]})
    silent = chat.function("silent", lambda event: GOOD)
    chat.deploy(
        {
            "one": one_way,
            "both": {"IntegrationUri": both_ways, **ANSWERS},
            "silent": {"IntegrationUri": silent, **ANSWERS},
        }
    )
    with chat.client() as client:
        for action in ("one", "silent", "both"):
            client.send(json.dumps({"action": action}))
        assert text_of(client) == '{"action": "both"}'


@pytest.mark.parametrize(
    "result",
    [None, "text", {}, {"statusCode": "x"}, {"statusCode": 200, "body": {}}, b"no json", 7],
)
def test_a_result_that_is_none_is_an_error(chat: Chat, result: Any) -> None:
    """The client receives an error, whether or not it gets answers."""
    chat.deploy({"$default": chat.function("f", lambda event: result)})
    with chat.client() as client:
        client.send("x")
        assert json_of(client)["message"] == "Internal server error"


def test_failures_of_functions_are_reported_without_details(chat: Chat) -> None:
    """A function that raises, one that does not exist, and an integration that does not."""

    def fails(event: Any) -> Any:
        raise ValueError("secret")

    chat.deploy(
        {
            "fails": chat.function("f", fails),
            "missing": "arn:aws:lambda:us-east-1:000000000000:function:missing",
            "unset": "arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.x}",
            "none": {"route": {"Target": "integrations/none"}},
        }
    )
    with chat.client() as client:
        for action in ("fails", "missing", "unset", "none"):
            client.send(json.dumps({"action": action}))
            told = text_of(client)
            assert json.loads(told)["message"] == "Internal server error"
            assert "secret" not in told


def test_a_function_that_takes_too_long(chat: Chat) -> None:
    """The client receives an error after the timeout; the message is over then."""

    def hangs(event: Any) -> Any:
        raise NoResponse

    slow = {"IntegrationUri": chat.function("f", hangs), "TimeoutInMillis": 50}
    chat.deploy({"$default": slow})
    with chat.client() as client:
        for _ in range(20):
            client.send("x")
        for _ in range(20):
            assert json_of(client)["message"] == "Endpoint request timed out"
    chat.deploy({"$connect": slow})
    with pytest.raises(InvalidStatus) as refused, chat.client():
        pass
    assert refused.value.response.status_code == 504


def test_stage_variables_name_functions(chat: Chat) -> None:
    """In the URI of an integration, plain or wrapped; events contain them."""
    arn = chat.function("f-blue", lambda event: GOOD | {"body": "blue"})
    wrapped = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        f"{arn.replace('blue', '${stageVariables.color}')}/invocations"
    )
    chat.deploy(
        {"$default": {"IntegrationUri": wrapped, **ANSWERS}},
        stage={"StageVariables": {"color": "blue"}},
    )
    with chat.client() as client:
        client.send("x")
        assert text_of(client) == "blue"
    assert chat.events[0]["stageVariables"] == {"color": "blue"}


def test_routes_are_throttled(chat: Chat) -> None:
    """Each route by its own settings; the client receives the error."""
    echo = chat.function("f", lambda event: GOOD | {"body": "ok"})
    chat.deploy(
        {"a": {"IntegrationUri": echo, **ANSWERS}, "b": {"IntegrationUri": echo, **ANSWERS}},
        stage={
            "DefaultRouteSettings": {"ThrottlingRateLimit": 1000, "ThrottlingBurstLimit": 1000},
            "RouteSettings": {"a": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2}},
        },
    )
    with chat.client() as client:
        got = []
        for _ in range(3):
            client.send('{"action": "a"}')
            got.append(text_of(client))
        assert got[:2] == ["ok", "ok"]
        assert json.loads(got[2])["message"] == "Too Many Requests"
        client.send('{"action": "b"}')
        assert text_of(client) == "ok"


def test_events_are_logged(chat: Chat) -> None:
    """A line for each, in the format of the stage."""
    chat.deploy(
        {"$default": chat.function("f", lambda event: GOOD)},
        stage={
            "AccessLogSettings": {
                "DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:chat",
                "Format": "$context.eventType $context.routeKey $context.status"
                " $context.identity.sourceIp $context.error.message",
            }
        },
    )
    with chat.client() as client:
        client.send("x")
        chat.wait(1)
    lines = chat.log_lines("chat")
    assert "CONNECT $connect 200 127.0.0.1 -" in lines
    assert "MESSAGE $default 200 127.0.0.1 -" in lines


# -- changes and ends ----------------------------------------------------------------------------


def test_a_deployment_reaches_clients_that_are_connected(chat: Chat) -> None:
    """The next message is served by what is deployed then."""
    old, new = (
        {"IntegrationUri": chat.function(name, lambda _, name=name: GOOD | {"body": name})}
        | ANSWERS
        for name in ("old", "new")
    )
    chat.deploy({"$default": old})
    with chat.client() as client:
        client.send("x")
        assert text_of(client) == "old"
        chat.deploy({"$default": new})
        client.send("x")
        assert text_of(client) == "new"


def test_clients_of_a_stage_that_is_deleted_are_disconnected(chat: Chat) -> None:
    """They need not send anything for that; those of another stage stay."""
    chat.deploy({})
    chat.deploy({}, name="other")

    async def delete() -> None:
        await chat.served.store.transact(lambda tx: tx.documents.delete(ROOT, "stage", "test"))

    with chat.client() as client, chat.client("/other") as other:
        chat.served.portal.call(delete)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        other.send("x")
        assert json_of(other)["message"] == "Forbidden"


def test_a_client_that_vanishes_is_reported(chat: Chat) -> None:
    """With code 1006; one that says nothing about why, with 1005."""
    chat.deploy({"$disconnect": chat.function("f", lambda event: GOOD)})
    with chat.client() as client:
        client.socket.shutdown(socket.SHUT_RDWR)
    first = chat.wait(1)[0]["requestContext"]
    assert first["disconnectStatusCode"] == 1006
    with chat.client() as client:
        client.protocol.send_close()
        client.socket.sendall(b"".join(client.protocol.data_to_send()))
        second = chat.wait(2)[1]["requestContext"]
    assert (second["disconnectStatusCode"], second["disconnectReason"]) == (
        1005,
        "Client-side close frame status not set",
    )


def test_the_platform_stops(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Clients get 1001, and their `$disconnect` is served before the rest stops."""
    ended: list[Any] = []
    with ExitStack() as stack:
        chat = stack.enter_context(chatting(tmp_path_factory.mktemp("stop")))
        chat.deploy({"$disconnect": chat.function("f", lambda e: ended.append(e) or GOOD)})
        with chat.client() as one, chat.client() as two:
            stack.close()
            for client in (one, two):
                with pytest.raises(ConnectionClosed) as closed:
                    client.recv(timeout=20)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
    codes = [event["requestContext"]["disconnectStatusCode"] for event in ended]
    assert codes == [1001, 1001]
