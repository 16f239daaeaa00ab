"""TestInvokeMethod and TestInvokeAuthorizer, with functions that are part of the test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.triggers.apis.rest.trials import Trials
from tests.unit.triggers.apis.serving import ACCOUNT, REGION, Served

from .apis import API, ROOT, RestApi, mock, serving_rest, uri

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


def put(served: Served, method: dict[str, Any], *others: tuple[str, str, Any]) -> None:
    """An API that is not deployed, with one method of `/pets/{id}`."""
    body = {"httpMethod": "POST", "authorizationType": "AWS_IAM", "apiKeyRequired": True, **method}
    served.put(
        ROOT,
        ("api", API, {"id": API}),
        ("resource", "r", {"id": "r", "path": "/pets/{id}"}),
        ("method", "r/POST", body),
        *others,
    )


def trial(served: Served, operation: str = "invoke_method", **params: Any) -> Any:
    """The output of an operation."""
    trials = Trials(served.apis.context, served.store, "localhost")
    plain = {"restApiId": API, "resourceId": "r", "httpMethod": "POST", "authorizerId": "a"}

    async def run() -> Any:
        return await getattr(trials, operation)(Scope(ACCOUNT, REGION), plain | params)

    return served.portal.call(run)


def test_a_function_is_called(served: Served) -> None:
    """Without authorization and API key; the log has no secrets."""
    events: list[Any] = []

    def function(event: Any) -> Any:
        events.append(event)
        return {"statusCode": 201, "multiValueHeaders": {"x-a": ["1", "2"]}, "body": "é"}

    put(served, RestApi(served).proxy(function))
    result = trial(
        served,
        pathWithQueryString="/pets/a b?x=1&x=2",
        headers={"Authorization": "secret-1", "X-Plain": "seen"},
        multiValueHeaders={"X-API-Key": ["secret-2"], "X-Many": ["1", "2"]},
        body='{"a": 1}',
        stageVariables={"v": "w"},
    )
    (event,) = events
    assert event["pathParameters"] == {"id": "a%20b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["multiValueHeaders"]["X-Many"] == ["1", "2"]
    assert (event["body"], event["stageVariables"]) == ('{"a": 1}', {"v": "w"})
    assert event["requestContext"]["stage"] == "test-invoke-stage"
    assert event["requestContext"]["identity"]["sourceIp"] == "test-invoke-source-ip"
    assert (result["status"], result["body"]) == (201, "é")
    assert result["multiValueHeaders"]["x-a"] == ["1", "2"]
    assert result["headers"]["x-a"] == "2"
    assert result["latency"] >= 0
    for text in (
        "Execution log for request ",
        " : HTTP Method: POST, Resource Path: /pets/a%20b",
        " : Method request query string: {x=2}",
        "X-Plain=seen",
        ' : Method request body before transformations: {"a": 1}',
        " : Sending request to arn:aws:lambda:us-east-1:000000000000:function:f",
        " : Successfully completed execution",
        " : Method completed with status: 201",
    ):
        assert text in result["log"]
    assert "secret" not in result["log"].partition("Endpoint request body")[0]


def test_a_mock_and_its_templates(served: Served) -> None:
    """What the templates make is in the log."""
    put(served, mock(template="$context.stage $stageVariables.v $input.params('id')"))
    result = trial(served, pathWithQueryString="/pets/7", stageVariables={"v": "w"})
    assert (result["status"], result["body"]) == (200, "test-invoke-stage w 7")
    assert ' : Endpoint request body after transformations: {"statusCode": 200}' in result["log"]
    plain = trial(served)
    assert plain["status"] == 200


def test_failures_are_results(served: Served) -> None:
    """A gateway response, and why."""
    put(served, {})
    result = trial(served)
    assert (result["status"], result["body"]) == (500, '{"message": "Internal server error"}')
    assert "No integration is defined" in result["log"]
    assert "Successfully" not in result["log"]
    validated = mock() | {"requestValidatorId": "v", "requestParameters": PARAMETERS}
    validator = {"id": "v", "validateRequestParameters": True}
    put(served, validated, ("request_validator", "v", validator))
    refused = trial(served)
    assert refused["status"] == 400
    assert "Missing required request parameters: [x]" in refused["body"]


PARAMETERS = {"method.request.querystring.x": True}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"restApiId": "none"}, "NotFoundException"),
        ({"resourceId": "none"}, "NotFoundException"),
        ({"httpMethod": "GET"}, "NotFoundException"),
        ({"headers": {"X": "a\r\nX-Evil: b"}}, "BadRequestException"),
        ({"headers": {"X y": "a"}}, "BadRequestException"),
        ({"multiValueHeaders": {"X": ["a", "\0"]}}, "BadRequestException"),
        ({"headers": {f"x-{number}": "" for number in range(101)}}, "BadRequestException"),
        ({"pathWithQueryString": "http://evil.test/"}, "BadRequestException"),
        ({"pathWithQueryString": "/" + "x" * 9000}, "BadRequestException"),
    ],
)
def test_what_is_no_request(served: Served, params: dict[str, Any], code: str) -> None:
    """Modelled errors; other accounts' APIs are not found."""
    put(served, mock())
    with pytest.raises(ApiError) as caught:
        trial(served, **params)
    assert caught.value.code == code


def test_apis_of_other_accounts_are_not_there(served: Served) -> None:
    """Whatever their id is."""
    put(served, mock())
    trials = Trials(served.apis.context, served.store, "localhost")
    other = Scope(type(ACCOUNT)("111111111111"), REGION)

    async def run() -> Any:
        return await trials.invoke_method(
            other, {"restApiId": API, "resourceId": "r", "httpMethod": "POST"}
        )

    with pytest.raises(ApiError, match="Invalid API identifier"):
        served.portal.call(run)


def test_a_function_authorizer_is_asked_each_time(served: Served) -> None:
    """Its policy is shown, whatever it says."""
    events: list[Any] = []

    def function(event: Any) -> Any:
        events.append(event)
        if event["authorizationToken"] == "bad":
            raise ValueError("Unauthorized")
        return {"principalId": "me", "policyDocument": POLICY}

    arn = served.function("authorizer", function)
    source = "method.request.header.Authorization"
    body = {"id": "a", "type": "TOKEN", "identitySource": source, "authorizerUri": uri(arn)}
    put(served, mock(), ("authorizer", "a", body))
    for _ in range(2):
        result = trial(served, "invoke_authorizer", headers={"Authorization": "t"})
        assert (result["clientStatus"], result["principalId"]) == (200, "me")
        assert json.loads(result["policy"]) == POLICY
        assert "Successfully completed authorizer execution" in result["log"]
    assert len(events) == 2
    assert events[0]["methodArn"].endswith(f":{API}/test-invoke-stage/GET/")
    for headers in ({}, {"Authorization": "bad"}):
        refused = trial(served, "invoke_authorizer", headers=headers)
        assert refused["clientStatus"] == 401
        assert "policy" not in refused
    with pytest.raises(ApiError, match="Invalid Authorizer identifier"):
        trial(served, "invoke_authorizer", authorizerId="none")


def test_a_template_bomb_is_a_result(served: Served) -> None:
    """Its budget ends it."""
    bomb = "#set($x = 'x')" + "#foreach($i in [1..1000])#set($x = $x + $x)#end$x"
    put(served, mock(request=bomb))
    result = trial(served)
    assert result["status"] == 500
    assert len(result["log"]) < 100_000
