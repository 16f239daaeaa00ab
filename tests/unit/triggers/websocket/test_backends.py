"""Integrations with servers and with other services, which are part of the test; and parameters."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.model.errors import ApiError
from lambent.sandbox.egress_policy import EgressSettings
from tests.unit.triggers.apis.backend import running_backend
from tests.unit.triggers.websocket.chat import ANSWERS, GOOD, Chat, chatting, json_of, text_of
from tests.unit.triggers.websocket.test_mapped import response

ROLE = "arn:aws:iam::000000000000:role/of-api"
QUEUE = "arn:aws:apigateway:eu-west-1:sqs:path/000000000000/queue"
CONNECTION = {"integration.request.header.connectionId": "context.connectionId"}


class Services:
    """Keeps requests for services. The body of a request says what comes back."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, str]] = []

    def __call__(self, exchange: Any, caller: Any, fail: Any) -> None:
        self.sent.append((exchange, caller.service))
        if b"unserved" in exchange.body:
            fail(ApiError("UnknownServiceException", "no"))
        else:
            exchange.respond(400 if b"bad" in exchange.body else 200, [("X-A", "b")], b'{"m": 1}')


services = Services()


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    with running_backend() as address:
        yield address


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    egress = EgressSettings(allow=("127.0.0.0/8",))
    directory = tmp_path_factory.mktemp("backends")
    with chatting(directory, egress=egress, serve=services) as chat:
        yield chat


@pytest.fixture
def chat(running: Chat) -> Chat:
    running.events.clear()
    services.sent.clear()
    return running


def ask(chat: Chat, text: str) -> str:
    """The answer to a message."""
    with chat.client() as client:
        client.send(text)
        return text_of(client)


def error_of(chat: Chat, text: str) -> str:
    """The error that is the answer to a message."""
    message: str = json.loads(ask(chat, text))["message"]
    return message


# -- servers -----------------------------------------------------------------------------------


def test_a_proxy_passes_messages_on(chat: Chat, backend: str) -> None:
    """As they are, with mapped parameters; templates do not count. The response is the answer."""
    chat.deploy(
        {
            "$default": {
                "IntegrationType": "HTTP_PROXY",
                "IntegrationMethod": "POST",
                "IntegrationUri": f"{backend}/at/${{stageVariables.where}}/{{thing}}?k=v",
                "RequestTemplates": {"$default": "unused"},
                "RequestParameters": {
                    **CONNECTION,
                    "integration.request.header.kind": "route.request.body.kind",
                    "integration.request.header.item": "method.request.body.items[1]",
                    "integration.request.header.none": "route.request.body.none",
                    "integration.request.header.room": "route.request.querystring.room",
                    "integration.request.querystring.stage": "stageVariables.where",
                    "integration.request.path.thing": "route.request.body.thing",
                    "integration.request.header.fixed": "'fixed'",
                },
                **ANSWERS,
            }
        },
        stage={"StageVariables": {"where": "home"}},
        more={("integration_response", "i0/r"): response("/2\\d\\d/", "unused")},
    )
    message = {"kind": "täst", "thing": "a b/c", "items": [1, {"x": 2}]}
    with chat.client("/test?room=a") as client:
        client.send(json.dumps(message))
        seen = json_of(client)
    assert (seen["method"], seen["path"]) == ("POST", "/at/home/a%20b/c?k=v&stage=home")
    assert json.loads(seen["body"]) == message
    headers = seen["headers"]
    assert headers["connectionid"].endswith("=")
    assert (headers["item"], headers["fixed"]) == ('{"x":2}', "fixed")
    assert headers["content-type"] == "application/json"
    assert "none" not in headers
    assert "room" not in headers, "a message has no query"


def test_a_proxy_decides_who_connects(chat: Chat, backend: str) -> None:
    """It gets the headers and the query of the client, and may set its status."""
    mapped = {"integration.request.header.room": "route.request.multivaluequerystring.room"}
    proxy = {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "POST"}
    for path, status in (("/in", 101), ("/missing", 404)):
        integration = {**proxy, "IntegrationUri": f"{backend}{path}", "RequestParameters": mapped}
        chat.deploy({"$connect": integration})
        if status == 101:
            with chat.client("/test?room=a&room=b", additional_headers={"X-Token": "t"}):
                pass
        else:
            assert chat.refused() == status


def test_a_client_learns_the_protocol_that_a_server_chose(chat: Chat, backend: str) -> None:
    """Mapped from a part of its response. Another header of it does not reach the client."""
    chat.deploy(
        {
            "$connect": {
                "IntegrationType": "HTTP",
                "IntegrationMethod": "PUT",
                "IntegrationUri": f"{backend}/in",
                "TemplateSelectionExpression": "\\$default",
                "RequestTemplates": {
                    "$default": '{"p": "$input.params("X-Wanted")", "q": "$input.params("room")"}'
                },
                "RequestParameters": {
                    "integration.request.header.chosen": "route.request.header.x-wanted"
                },
            }
        },
        more={
            ("integration_response", "i0/r"): {
                "IntegrationResponseKey": "201",
                "ResponseParameters": {
                    "method.response.header.Sec-WebSocket-Protocol": (
                        "integration.response.body.headers.chosen"
                    )
                },
            }
        },
    )
    with chat.client(
        "/test?room=r", subprotocols=["a", "b"], additional_headers={"X-Wanted": "b"}
    ) as client:
        assert client.subprotocol == "b"
        assert client.response is not None
        assert "X-Old" not in client.response.headers


def test_templates_of_servers(chat: Chat, backend: str) -> None:
    """A template without a selection expression is `$default`; that of a response has the key of
    the status, as measured in AWS."""
    chat.deploy(
        {
            "$default": {
                "IntegrationType": "HTTP",
                "IntegrationMethod": "PUT",
                "IntegrationUri": f"{backend}/put",
                "TemplateSelectionExpression": "none",
                "RequestTemplates": {"$default": '{"n": "$input.path("$.name")"}'},
                **ANSWERS,
            }
        },
        more={
            ("integration_response", "i0/r"): {
                "IntegrationResponseKey": "$default",
                "ResponseTemplates": {
                    "201": "$input.path('$.method') $input.path('$.body')",
                    "$default": "other",
                },
            }
        },
    )
    assert ask(chat, '{"name": "a"}') == 'PUT {"n": "a"}'


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("/large", "x", "Internal server error"),
        ("/cut", "x", "Internal server error"),
        ("/slow", "x", "Endpoint request timed out"),
        ("/{thing}", '{"thing": "../x"}', "Bad Request Parameters"),
        ("/{thing}", '{"thing": "%2e%2e/x"}', "Bad Request Parameters"),
        ("/{thing}", "x", "Internal server error"),
        ("/", '{"head": "a\\r\\nX-Injected: b"}', "Internal server error"),
    ],
)
def test_servers_that_fail(chat: Chat, backend: str, path: str, text: str, message: str) -> None:
    """And messages that would become more than what the mapping says. Others are served."""
    failing = {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": f"{backend}{path}",
        "TimeoutInMillis": 300,
        "RequestParameters": {
            "integration.request.path.thing": "route.request.body.thing",
            "integration.request.header.head": "route.request.body.head",
        },
        **ANSWERS,
    }
    chat.deploy({"$default": failing})
    assert error_of(chat, text) == message


def test_servers_out_of_reach(chat: Chat) -> None:
    """By the rules of `[egress]`: no metadata service, and no address that is none."""
    for uri in ("http://169.254.169.254/latest", "http://"):
        proxy = {"IntegrationType": "HTTP_PROXY", "IntegrationUri": uri, **ANSWERS}
        chat.deploy({"$default": proxy})
        assert error_of(chat, "{}") == "Internal server error"


# -- services and functions --------------------------------------------------------------------


def test_a_queue_gets_messages(chat: Chat) -> None:
    """The template makes the form; a template of the response makes the answer."""
    integration = {
        "IntegrationType": "AWS",
        "IntegrationMethod": "POST",
        "IntegrationUri": QUEUE,
        "CredentialsArn": ROLE,
        "TemplateSelectionExpression": "\\$default",
        "RequestTemplates": {
            "$default": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        },
        "RequestParameters": {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
        },
        **ANSWERS,
    }
    chat.deploy(
        {"$default": integration},
        more={("integration_response", "i0/r"): response("200", "sent $input.path('$.m')")},
    )
    assert ask(chat, "hello & more") == "sent 1"
    (request, service), *_ = services.sent
    assert (service, request.method) == ("sqs", "POST")
    assert b"MessageBody=hello+%26+more" in request.body
    assert b"QueueUrl=https%3A%2F%2Fsqs.eu-west-1" in request.body
    assert ask(chat, "bad") == '{"m": 1}', "a status without a response of the integration"
    assert error_of(chat, "unserved") == "Internal server error"


def test_a_service_decides_who_connects(chat: Chat) -> None:
    """By its status."""
    integration = {
        "IntegrationType": "AWS",
        "IntegrationUri": "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem",
        "CredentialsArn": ROLE,
    }
    for body, status in (('{"id": "$context.connectionId"}', 101), ("bad", 400)):
        chat.deploy({"$connect": integration | {"RequestTemplates": {"$default": body}}})
        if status == 101:
            with chat.client():
                pass
        else:
            assert chat.refused() == status
    request, service = services.sent[0]
    assert service == "dynamodb"
    assert dict(request.header_items)["x-amz-target"] == "DynamoDB_20120810.PutItem"
    assert json.loads(request.body)["id"].endswith("=")


def test_a_function_is_called_later(chat: Chat) -> None:
    """If the invocation type says so; the client gets no answer, and nothing waits."""
    function = chat.function("later", lambda event: GOOD)
    later = {
        "IntegrationType": "AWS",
        "IntegrationUri": function,
        "RequestParameters": {"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
        **ANSWERS,
    }
    echo = {"IntegrationUri": chat.function("e", lambda e: GOOD | {"body": "ok"}), **ANSWERS}
    chat.deploy({"$connect": later, "later": later, "$default": echo})
    with chat.client() as client:
        client.send('{"action": "later"}')
        client.send("x")
        assert text_of(client) == "ok"
        chat.until(lambda: len(chat.served.kept) == 2)
    assert chat.served.kept == [(function, b"{}"), (function, b'{"action": "later"}')]


def test_the_access_log_says_why_a_backend_failed(chat: Chat, backend: str) -> None:
    """Clients are not told."""
    proxy = {"IntegrationType": "HTTP_PROXY", "IntegrationUri": f"{backend}/large", **ANSWERS}
    log = {
        "DestinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:ws",
        "Format": "$context.requestId $context.routeKey $context.integrationErrorMessage",
    }
    chat.deploy({"$default": proxy}, stage={"AccessLogSettings": log})
    assert error_of(chat, "{}") == "Internal server error"
    chat.until(lambda: any("larger than a message" in line for line in chat.log_lines("ws")))
