"""What a client gets when a function fails: behind a proxy, and behind templates whose responses
are selected by the error message."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.model.errors import ApiError
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refusal,
    Refused,
    Succeeded,
    TimedOut,
)
from tests.unit.triggers.apis.serving import Response, Served

from .apis import RestApi, serving_rest, uri

INTERNAL = {"message": "Internal server error"}


def document(message: Any, **more: Any) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": "Error", **more}).encode()


def refused(code: str, status: int, reason: Refusal) -> Refused:
    return Refused(ApiError(code, f"{code}.", status=status), reason)


FAILED = FunctionFailed(document("no such pet"), "Error")
TIMED_OUT = TimedOut(document("2026-11-29T00:00:00.000Z x Task timed out after 3.00 seconds"))
CRASHED = Crashed(document("RequestId: x Error: Runtime exited"), "Runtime.ExitError")
THROTTLED = refused("TooManyRequestsException", 429, Refusal.THROTTLED)
MISSING = refused("ResourceNotFoundException", 404, Refusal.NOT_FOUND)
NOT_READY = refused("ResourceConflictException", 409, Refusal.NOT_READY)
TOO_LARGE = refused("RequestTooLargeException", 413, Refusal.INVALID)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


def ask(
    served: Served,
    outcome: Outcome,
    others: Any = None,
    kind: str = "AWS_PROXY",
    **integration: Any,
) -> Response:
    """The response of an API whose function ends so; its access log has one line more."""
    api = RestApi(served)
    arn = served.function("fails", lambda _: outcome)
    body = {"type": kind, "httpMethod": "POST", "uri": uri(arn), **integration}
    api.deploy({"GET /": {"methodIntegration": body}}, others=others)
    return api.request("/stage")


def selected(served: Served, outcome: Outcome, **patterns: str) -> Response:
    """Behind responses by status, `s404="missing.*"`, each of which says which it is."""
    responses = {
        name: {
            "statusCode": name[1:],
            "selectionPattern": pattern,
            "responseTemplates": {
                "application/json": f'{name} $input.path("$.errorMessage")',
            },
            "responseParameters": {
                "method.response.header.x-type": "integration.response.body.errorType",
                "method.response.header.x-first": "integration.response.body.stackTrace[0]",
                "method.response.header.x-kind": "integration.response.header.Content-Type",
            },
        }
        for name, pattern in patterns.items()
    }
    return ask(served, outcome, kind="AWS", integrationResponses=responses)


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (FAILED, 502, INTERNAL),
        (TIMED_OUT, 502, INTERNAL),
        (CRASHED, 502, INTERNAL),
        (Succeeded(b"null"), 502, INTERNAL),
        (THROTTLED, 500, INTERNAL),
        (MISSING, 500, INTERNAL),
        (NOT_READY, 500, INTERNAL),
        (TOO_LARGE, 413, {"message": "HTTP content length exceeded 10485760 bytes."}),
    ],
)
def test_behind_a_proxy(served: Served, outcome: Outcome, status: int, body: Any) -> None:
    """The client learns nothing of the error."""
    response = ask(served, outcome)
    assert (response.status, response.json()) == (status, body)
    assert response.headers["content-type"] == "application/json"


def test_a_function_that_is_not_there_is_500(served: Served) -> None:
    """Nor is one that the API may not call any different."""
    for kind in ("AWS_PROXY", "AWS"):
        api = RestApi(served)
        nowhere = uri("arn:aws:lambda:us-east-1:000000000000:function:nowhere")
        body = {"type": kind, "httpMethod": "POST", "uri": nowhere}
        api.deploy({"GET /": {"methodIntegration": body}})
        response = api.request("/stage")
        assert (response.status, response.json()) == (500, INTERNAL)
        assert response.headers["x-amzn-errortype"] == "InternalServerErrorException"


@pytest.mark.parametrize(
    ("type", "outcome"),
    [("DEFAULT_5XX", FAILED), ("DEFAULT_5XX", THROTTLED), ("API_CONFIGURATION_ERROR", THROTTLED)],
)
def test_gateway_responses_of_failures(served: Served, type: str, outcome: Outcome) -> None:
    """Status, headers and template are those that are configured."""
    body = {
        "statusCode": "503",
        "responseParameters": {"gatewayresponse.header.x-type": "context.error.responseType"},
        "responseTemplates": {"application/json": '{"m": $context.error.messageString}'},
    }
    response = ask(served, outcome, [["gateway_response", type, body]])
    assert (response.status, response.json()) == (503, {"m": "Internal server error"})
    is_failed = outcome is FAILED
    assert response.headers["x-type"] == ("DEFAULT_5XX" if is_failed else "API_CONFIGURATION_ERROR")


@pytest.mark.parametrize(
    ("outcome", "patterns", "status"),
    [
        # The whole message has to match.
        (FAILED, {"s200": "", "s404": "no such .*"}, 404),
        (FAILED, {"s200": "", "s404": "no such"}, 200),
        (FAILED, {"s200": "", "s404": ".*such.*"}, 404),
        (FAILED, {"s200": "", "s404": "No Such Pet"}, 200),
        (FAILED, {"s200": "", "s404": "(?i)No Such Pet"}, 404),
        # The first that matches, whatever comes before it.
        (FAILED, {"s200": "", "s400": "yes.*", "s404": "no.*", "s500": ".+"}, 404),
        (FAILED, {"s500": "(.|\\n)+", "s200": ""}, 500),
        # A dot is no end of a line.
        (FunctionFailed(document("a\nb"), "Error"), {"s200": "", "s500": ".+"}, 200),
        (FunctionFailed(document("a\nb"), "Error"), {"s200": "", "s500": "(.|\\n)+"}, 500),
        # What ends a function has a message too.
        (TIMED_OUT, {"s200": "", "s504": ".*Task timed out.*"}, 504),
        (CRASHED, {"s200": "", "s502": ".*Runtime exited.*"}, 502),
        # Without a message there is nothing to match.
        (FunctionFailed(document(None), "Error"), {"s200": "", "s500": ".+"}, 200),
        (FunctionFailed(document({"a": 1}), "Error"), {"s200": "", "s500": ".+"}, 200),
        (Succeeded(document("fine")), {"s200": "", "s500": ".+"}, 200),
    ],
)
def test_a_response_is_selected(
    served: Served, outcome: Outcome, patterns: dict[str, str], status: int
) -> None:
    """By the error message alone."""
    assert selected(served, outcome, **patterns).status == status


@pytest.mark.parametrize(
    ("outcome", "patterns"),
    [
        (FAILED, {}),
        (FAILED, {"s404": "missing"}),
        (Succeeded(b"{}"), {"s404": "missing"}),
        (FAILED, {"s200": "", "s404": "(no).*\\1"}),
        (FAILED, {"s200": "", "s404": "("}),
        (FunctionFailed(document("a" * 50_000), "Error"), {"s404": "(a+)+b"}),
        (THROTTLED, {"s200": "", "s429": ".+"}),
        (MISSING, {"s200": "", "s404": ".+"}),
    ],
)
def test_nothing_is_selected(served: Served, outcome: Outcome, patterns: dict[str, str]) -> None:
    """500: no response matches, a pattern cannot be used, or the function was not called."""
    response = selected(served, outcome, **patterns)
    assert (response.status, response.json()) == (500, INTERNAL)


def test_the_error_is_mapped(served: Served) -> None:
    """Its members are in reach of the template and of the headers."""
    error = FunctionFailed(document("gone", errorType="Gone", stackTrace=["one", "two"]), "Gone")
    response = selected(served, error, s200="", s410="gone")
    assert (response.status, response.body) == (410, b"s410 gone")
    assert response.headers["x-type"] == "Gone"
    assert response.headers["x-first"] == "one"
    assert response.headers["x-kind"] == "application/json"
    plain = ask(
        served,
        error,
        kind="AWS",
        integrationResponses={"410": {"statusCode": "410", "selectionPattern": "gone"}},
    )
    assert (plain.status, plain.json()["errorMessage"]) == (410, "gone")


@pytest.mark.parametrize("payload", [b"no JSON", b"[" * 100_000, b""])
def test_an_error_that_is_no_document_has_no_message(served: Served, payload: bytes) -> None:
    """It is passed on as it is, by the response without a pattern."""
    responses = {
        "200": {"statusCode": "200"},
        "500": {"statusCode": "500", "selectionPattern": ".+"},
    }
    error = FunctionFailed(payload, "Error")
    response = ask(served, error, kind="AWS", integrationResponses=responses)
    assert (response.status, response.body) == (200, payload)


def test_a_template_that_fails_is_500(served: Served) -> None:
    """Also that of an error, and a header that cannot be sent."""
    for response in (
        {"responseTemplates": {"application/json": "#foreach("}},
        {"responseTemplates": {"application/json": "#set($context.responseOverride.status = 7)"}},
        {"responseParameters": {"method.response.header.a b": "'x'"}},
    ):
        body = {"500": {"statusCode": "500", "selectionPattern": ".+", **response}}
        failed = ask(served, FAILED, kind="AWS", integrationResponses=body)
        assert (failed.status, failed.json()) == (500, INTERNAL)
