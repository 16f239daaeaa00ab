"""Execution logs of stages: what is written at which level, and what is not."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.triggers.apis.rest.call_log import masked, shown_data
from tests.unit.triggers.apis.serving import Served

from .apis import ACCOUNT_ROOT, API, RestApi, mock, serving_rest

GROUP = f"API-Gateway-Execution-Logs_{API}/stage"
TOKEN = "Bearer a-token-that-is-secret"
VALUE = "an-api-key-with-the-end-abc123"


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


def settings(level: str, *, data: bool = False, key: str = "*/*") -> Mapping[str, Any]:
    return {"methodSettings": {key: {"loggingLevel": level, "dataTraceEnabled": data}}}


def logged(served: Served) -> list[str]:
    """The lines of the log, each after the ID of its request."""
    found = [line.partition(") ") for line in served.log_lines(GROUP)]
    assert all(len(id) == 37 and id[0] == "(" for id, _, _ in found)
    return [line for _, _, line in found]


def test_every_step_of_a_request(served: Served) -> None:
    """With its data, in AWS's words; secrets are masked wherever they are."""
    api = RestApi(served)
    method = api.proxy(lambda event: {"statusCode": 201, "body": event["headers"]["Authorization"]})
    api.deploy(
        {"POST /pets/{id}": {**method, "apiKeyRequired": True}}, stage=settings("INFO", data=True)
    )
    served.put(
        ACCOUNT_ROOT,
        ("api_key", "k", {"id": "k", "value": VALUE}),
        ("usage_plan", "p", {"id": "p", "apiStages": [{"apiId": API, "stage": "stage"}]}),
        ("usage_plan_key", "p/k", {"id": "k"}),
    )
    response = api.request(
        "/stage/pets/7?a=b",
        "POST",
        body=b'{"n": 1}',
        headers={"Authorization": TOKEN, "x-api-key": VALUE, "X-Plain": "seen"},
    )
    assert (response.status, response.body.decode()) == (201, TOKEN)
    id, lines = response.headers["x-amzn-requestid"], logged(served)
    assert all(line.startswith(f"({id}) ") for line in served.log_lines(GROUP))
    hidden, where = f"{'*' * 24}abc123", f"{API}/stage"
    shown = [line for line in lines if not line.startswith("Endpoint request body")]
    headers = shown.pop(8)
    assert headers.startswith("Method request headers: {")
    assert "X-Plain=seen" in headers
    assert f"Authorization={masked(TOKEN)}" in headers
    assert shown == [
        f"Extended Request Id: {response.headers['x-amz-apigw-id']}",
        f"Verifying Usage Plan for request: {id}. API Key: {hidden} API Stage: {where}",
        f"API Key {hidden} authorized because method 'POST /pets/{{id}}' requires API Key and the"
        " key is in a usage plan of the stage",
        f"Usage Plan check succeeded for API Key {hidden} and API Stage {where}",
        f"Starting execution for request: {id}",
        "HTTP Method: POST, Resource Path: /pets/7",
        "Method request path: {id=7}",
        "Method request query string: {a=b}",
        'Method request body before transformations: {"n": 1}',
        "Sending request to arn:aws:lambda:us-east-1:000000000000:function:f",
        "Received response. Status: 200",
        "Endpoint response body before transformations: "
        + json.dumps({"statusCode": 201, "body": masked(TOKEN)}),
        f"Method response body after transformations: {masked(TOKEN)}",
        "Method response headers: {Content-Type=application/json}",
        "Successfully completed execution",
        "Method completed with status: 201",
    ]
    assert not any(secret in line for line in lines for secret in (TOKEN, VALUE))
    (stream,) = served.portal.call(served.logs.stream_names, *ACCOUNT_ROOT.scope, GROUP)
    assert len(stream) == 32


def test_without_data_only_steps(served: Served) -> None:
    """Of a method that needs no key, and of one with an authorizer."""
    api = RestApi(served)
    policy = {"Statement": [{"Action": "*", "Effect": "Allow", "Resource": "*"}]}
    token = {"type": "TOKEN", "identitySource": "method.request.header.Authorization"}
    authorizer = api.authorizer(lambda _: {"policyDocument": policy}, **token)
    custom = {"authorizationType": "CUSTOM", "authorizerId": "a"}
    api.deploy(
        {"GET /": mock(), "GET /a": mock() | custom}, stage=settings("INFO"), others=[authorizer]
    )
    id = api.request("/stage").headers["x-amzn-requestid"]
    lines = logged(served)
    assert lines[2:] == [
        "API Key  authorized because method 'GET /' does not require API Key. Request will not"
        " contribute to throttle or quota limits",
        f"Usage Plan check succeeded for API Key  and API Stage {API}/stage",
        f"Starting execution for request: {id}",
        "HTTP Method: GET, Resource Path: /",
        "Received response. Status: 200",
        "Successfully completed execution",
        "Method completed with status: 200",
    ]
    id = api.request("/stage/a", headers={"Authorization": TOKEN}).headers["x-amzn-requestid"]
    asked = logged(served)[len(lines) :]
    assert asked[1:3] == [
        f"Starting authorizer: a for request: {id}",
        "Successfully completed authorizer execution",
    ]


def test_errors(served: Served) -> None:
    """At the level ERROR nothing else, at INFO with the gateway response."""
    api = RestApi(served)

    def fail(_: Any) -> Any:
        raise ValueError("no")

    methods = {"GET /fails": api.proxy(fail), "GET /bad": api.proxy(lambda _: "bad", "g")}
    methods["GET /fine"] = api.proxy(lambda _: {}, "h")
    methods["GET /slow"] = api.proxy(lambda _: {}, "i")
    methods["GET /slow"]["methodIntegration"]["timeoutInMillis"] = 50
    served.node.functions["i"] = lambda _: lambda reply: None
    served.node.functions["h"] = lambda _: {"statusCode": 200}
    api.deploy(methods, stage=settings("ERROR", data=True))
    for path in ("fine", "fails", "bad", "slow"):
        api.request(f"/stage/{path}")
    errors = [
        "Execution failed due to configuration error: The function failed: its log says why.",
        "Execution failed due to configuration error: Malformed Lambda proxy response: the result"
        " is no response",
        "Execution failed due to a timeout error",
    ]
    assert logged(served) == errors
    api.deploy(methods, stage=settings("INFO", data=True))
    api.request("/stage/fails")
    lines = logged(served)[len(errors) :]
    at = lines.index(errors[0])
    assert lines[at + 1 :] == [
        "Gateway response type: DEFAULT_5XX with status code: 502",
        'Gateway response body: {"message": "Internal server error"}',
        "Gateway response headers: {x-amzn-ErrorType=InternalServerErrorException,"
        " Content-Type=application/json}",
        "Method completed with status: 502",
    ]


def test_settings_of_one_method(served: Served) -> None:
    """They go before those of all; without any, nothing is written."""
    api = RestApi(served)
    one = settings("INFO", key="a~1b/GET")["methodSettings"]
    methods = {"GET /a/b": mock(), "GET /c": mock()}
    api.deploy(methods)
    api.request("/stage/a/b")
    api.deploy(methods, stage=settings("OFF", data=True))
    api.request("/stage/a/b")
    api.deploy(methods, stage={"methodSettings": one})
    api.request("/stage/c")
    assert served.portal.call(served.logs.stream_names, *ACCOUNT_ROOT.scope, GROUP) is None
    api.request("/stage/a/b")
    assert "HTTP Method: GET, Resource Path: /a/b" in logged(served)
    off = {**settings("INFO")["methodSettings"], "c/GET": {"loggingLevel": "OFF"}}
    api.deploy(methods, stage={"methodSettings": off})
    before = len(logged(served))
    api.request("/stage/c")
    assert len(logged(served)) == before


def test_what_is_long_is_truncated() -> None:
    """After 1,024 characters, as in AWS."""
    assert shown_data(b"x" * 1024, []) == "x" * 1024
    assert shown_data(b"x" * 1025, []) == "x" * 1024 + " [TRUNCATED]"
    assert shown_data(b"\xff" * 5_000_000, []).endswith("[TRUNCATED]")
    assert shown_data({"A": "x" * 2000}, []).endswith("x [TRUNCATED]")


@given(
    st.text(min_size=8, max_size=3000),
    st.integers(0, 2000),
    st.sampled_from([False, True]),
)
def test_no_secret_is_shown(secret: str, at: int, in_json: bool) -> None:
    """Wherever it begins, also in JSON: of it at most the last six characters."""
    text = secret if not in_json else json.dumps(secret)
    body = b"-" * at + text.encode("utf-8", "surrogatepass")
    shown = shown_data(body, [secret])
    whole = shown_data({"Authorization": secret, "X": [secret, secret]}, [secret])
    visible = set(secret) - set("*-") - set(secret[-6:]) - set(json.dumps(secret[-6:]))
    assert not visible & (set(shown) - set(' [TRUNCATED]"\\ufffd'))
    assert secret not in whole or not visible
