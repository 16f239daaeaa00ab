"""Integrations with templates: what goes to the backend, and what comes back to the client."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.triggers.websocket.chat import ANSWERS, GOOD, Chat, chatting, json_of, text_of


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    with chatting(tmp_path_factory.mktemp("mapped")) as chat:
        yield chat


@pytest.fixture
def chat(running: Chat) -> Chat:
    running.events.clear()
    return running


def say(chat: Chat, *texts: str) -> list[str]:
    """Send messages one after the other; returns the answers."""
    with chat.client() as client:
        found = []
        for text in texts:
            client.send(text)
            found.append(text_of(client))
        return found


def response(key: str, template: str | None = None) -> Any:
    """An integration response."""
    if template is None:
        return {"IntegrationResponseKey": key}
    return {
        "IntegrationResponseKey": key,
        "TemplateSelectionExpression": "\\$default",
        "ResponseTemplates": {"$default": template},
    }


def test_a_template_makes_the_event_and_another_the_answer(chat: Chat) -> None:
    """The function knows nothing of connections."""
    function = chat.function("add", lambda event: {"sum": event["a"] + event["b"]})
    chat.deploy(
        {
            "$default": {
                "IntegrationType": "AWS",
                "IntegrationUri": function,
                "TemplateSelectionExpression": "${request.body.kind}",
                "RequestTemplates": {
                    "plus": '{"a": $input.path("$.x"), "b": 1, "at": "$stageVariables.at"}',
                    "twice": '{"a": $input.path("$.x"), "b": $input.path("$.x")}',
                },
                **ANSWERS,
            }
        },
        stage={"StageVariables": {"at": "home"}},
        more={
            ("integration_response", "i0/r1"): response(
                "/2\\d\\d/", '{"is": $input.path("$.sum"), "route": "$context.routeKey"}'
            )
        },
    )
    answers = say(chat, '{"kind": "plus", "x": 4}', '{"kind": "twice", "x": 4}')
    assert [json.loads(answer) for answer in answers] == [
        {"is": 5, "route": "$default"},
        {"is": 8, "route": "$default"},
    ]
    assert chat.events[0] == {"a": 4, "b": 1, "at": "home"}


def test_a_message_without_a_template_passes_through(chat: Chat) -> None:
    """Or is refused, if the integration says so."""
    function = chat.function("echo", lambda event: {"got": event})
    integration = {"IntegrationType": "AWS", "IntegrationUri": function, **ANSWERS}
    chat.deploy({"$default": integration})
    assert say(chat, '{"x": 1}') == ['{"got": {"x": 1}}']
    assert json.loads(say(chat, "no json")[0])["message"] == "Internal server error"
    chat.deploy({"$default": integration | {"PassthroughBehavior": "NEVER"}})
    assert json.loads(say(chat, "{}")[0])["message"] == "Unsupported Media Type"
    templates = {"other": "{}"}
    never = {"PassthroughBehavior": "WHEN_NO_TEMPLATES", "RequestTemplates": templates}
    chat.deploy({"$default": integration | never})
    assert json.loads(say(chat, "{}")[0])["message"] == "Unsupported Media Type"


def test_a_mock_answers_by_its_templates(chat: Chat) -> None:
    """The response of the exact status, of a pattern, or the default."""
    mock = {
        "IntegrationType": "MOCK",
        "TemplateSelectionExpression": "\\$default",
        "RequestTemplates": {"$default": '{"statusCode": $input.path("$.status")}'},
        **ANSWERS,
    }
    chat.deploy(
        {"$default": mock},
        more={
            ("integration_response", "i0/a"): response("200", "own"),
            ("integration_response", "i0/b"): response("/2\\d\\d/", "pattern"),
            ("integration_response", "i0/c"): response("$default", "default"),
            ("integration_response", "other/d"): response("200", "of another"),
        },
    )
    statuses = ('{"status": 200}', '{"status": 204}', '{"status": 500}')
    assert say(chat, *statuses) == ["own", "pattern", "default"]
    for wrong in ('{"status": "x"}', '{"status": 7}', "{}"):
        assert json.loads(say(chat, wrong)[0])["message"] == "Internal server error"


def test_a_mock_lets_clients_connect(chat: Chat) -> None:
    """With its status, or at once if it has no templates."""
    chat.deploy({"$connect": {"IntegrationType": "MOCK"}})
    with chat.client() as client:
        client.send("x")
        assert json_of(client)["message"] == "Forbidden"
    mock = {"IntegrationType": "MOCK", "TemplateSelectionExpression": "\\$default"}
    for status in (200, 403):
        templates = {"$default": f'{{"statusCode": {status}}}'}
        chat.deploy({"$connect": mock | {"RequestTemplates": templates}})
        if status == 200:
            with chat.client():
                pass
        else:
            assert chat.refused() == status


@pytest.mark.parametrize(
    "template",
    [
        "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..9])x#end#end#end",
        "#if",
    ],
)
def test_templates_are_bounded(chat: Chat, template: str) -> None:
    """A template that takes too long, or is none, fails, and nothing else does."""
    mock = {
        "IntegrationType": "MOCK",
        "TemplateSelectionExpression": "\\$default",
        "RequestTemplates": {"$default": template},
        **ANSWERS,
    }
    echo = {"IntegrationUri": chat.function("f", lambda event: GOOD | {"body": "ok"}), **ANSWERS}
    chat.deploy({"bad": mock, "good": echo})
    with chat.client() as client:
        client.send('{"action": "bad"}')
        client.send('{"action": "good"}')
        got = {text_of(client) for _ in range(2)}
    assert "ok" in got
    got.remove("ok")
    assert json.loads(got.pop())["message"] == "Internal server error"


def test_failures_of_functions_are_reported(chat: Chat) -> None:
    """A function that raises does not let a client connect, whatever its templates are."""

    def fails(event: Any) -> Any:
        raise ValueError("secret")

    function = chat.function("fails", fails)
    connect = {
        "IntegrationType": "AWS",
        "IntegrationUri": function,
        "TemplateSelectionExpression": "\\$default",
        "RequestTemplates": {"$default": '{"id": "$context.connectionId"}'},
    }
    chat.deploy({"$connect": connect})
    assert chat.refused() == 502
    assert chat.events[0]["id"].endswith("=")
