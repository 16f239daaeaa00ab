"""REST APIs from a client's request to the response, with functions that are part of the test."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.triggers.apis.serving import NoResponse, Served

from .apis import ACCOUNT_ROOT, API, HOST, RestApi, mock, serving_rest, uri

INTERNAL = b'{"message": "Internal server error"}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


@pytest.fixture
def api(served: Served) -> RestApi:
    return RestApi(served)


def echo(event: Any) -> Any:
    return {"statusCode": 200, "body": json.dumps(event)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("requested", "path", "proxy", "context_path"),
    [
        ("/stage/proxy-value", "/proxy-value", "proxy-value", "/stage/proxy-value"),
        ("/stage/proxy-value/", "/proxy-value/", "proxy-value", "/stage/proxy-value/"),
        ("/stage/a//b", "/a//b", "a//b", "/stage/a//b"),
        ("//stage/proxy-value", "/proxy-value", "proxy-value", "/stage/proxy-value"),
        ("/stage//proxy-value", "/proxy-value", "proxy-value", "/stage//proxy-value"),
        ("/stage//hardcoded", "/hardcoded", None, "/stage//hardcoded"),
        (
            "/stage/v/test%2Balias@gmail.com/plus/test+alias@gmail.com",
            "/v/test%2Balias@gmail.com/plus/test+alias@gmail.com",
            "v/test%2Balias@gmail.com/plus/test+alias@gmail.com",
            "/stage/v/test%2Balias@gmail.com/plus/test+alias@gmail.com",
        ),
        ("/stage/p/?urlparam=test", "/p/", "p", "/stage/p/"),
    ],
)
def test_paths_are_as_recorded(
    api: RestApi, requested: str, path: str, proxy: str | None, context_path: str
) -> None:
    """Slashes and encodings in the paths of events."""
    method = api.proxy(echo)
    api.deploy({"ANY /{proxy+}": method, "GET /hardcoded": method})
    event = api.request(requested).json()
    assert event["path"] == path
    assert event["pathParameters"] == (None if proxy is None else {"proxy": proxy})
    assert event["requestContext"]["path"] == context_path


def test_the_event_is_payload_format_1(api: RestApi) -> None:
    """All members, with names as the client spells them."""
    api.deploy({"POST /pets/{id}": api.proxy(echo)}, stage={"variables": {"v": "1"}})
    response = api.request(
        "/stage/pets/7?a=1&a=2&b=%20%2B+&c",
        "POST",
        body=b"hi",
        headers=[("X-One", "1"), ("X-Two", "a"), ("X-Two", "b"), ("User-Agent", "ua")],
    )
    event = response.json()
    assert list(event) == [
        "resource",
        "path",
        "httpMethod",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "requestContext",
        "body",
        "isBase64Encoded",
    ]
    assert event["resource"] == "/pets/{id}"
    assert event["pathParameters"] == {"id": "7"}
    assert event["stageVariables"] == {"v": "1"}
    assert event["queryStringParameters"] == {"a": "2", "b": " + ", "c": ""}
    assert event["multiValueQueryStringParameters"]["a"] == ["1", "2"]
    assert event["headers"]["X-Two"] == "b"
    assert event["multiValueHeaders"]["X-Two"] == ["a", "b"]
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert (event["body"], event["isBase64Encoded"]) == ("hi", False)
    context = event["requestContext"]
    assert (context["stage"], context["apiId"], context["httpMethod"]) == ("stage", API, "POST")
    assert context["domainName"] == HOST
    assert context["identity"]["userAgent"] == "ua"
    assert context["requestId"] == response.headers["x-amzn-requestid"]
    assert context["extendedRequestId"] == response.headers["x-amz-apigw-id"]


def test_maps_without_entries_are_null(api: RestApi) -> None:
    """Query, variables, path and body."""
    api.deploy({"GET /": api.proxy(echo)})
    event = api.request("/stage").json()
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None
    assert event["pathParameters"] is None
    assert event["stageVariables"] is None
    assert event["body"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ({"statusCode": 200}, 200, b""),
        ({"headers": {"x-a": "1"}}, 200, b""),
        ({"statusCode": 200, "headers": None, "body": "x"}, 200, b"x"),
        ({"statusCode": "200", "body": "x"}, 200, b"x"),
        ({"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}, 200, b"aGk="),
        ({"statusCode": 404, "body": "no"}, 404, b"no"),
        ({"statusCode": 200, "extra": 1}, 502, INTERNAL),
        ({}, 502, INTERNAL),
        ("text", 502, INTERNAL),
        ([], 502, INTERNAL),
        (None, 502, INTERNAL),
        ({"statusCode": "abc"}, 502, INTERNAL),
        ({"statusCode": True}, 502, INTERNAL),
        ({"statusCode": 200, "multiValueHeaders": {"a": "b"}}, 502, INTERNAL),
        ({"statusCode": 200, "body": {"a": 1}}, 502, INTERNAL),
        ({"statusCode": 200, "headers": {"bad name": "1"}}, 502, INTERNAL),
        (b"not JSON", 502, INTERNAL),
        (b"[" * 100_000, 502, INTERNAL),
    ],
)
def test_results_are_as_recorded(api: RestApi, result: Any, status: int, body: bytes) -> None:
    """What a function returns, and what the client gets."""
    api.deploy({"GET /": api.proxy(lambda _: result)})
    response = api.request("/stage")
    assert (response.status, response.body) == (status, body)
    assert response.headers["content-type"] == "application/json"


def test_headers_of_both_kinds_are_merged(api: RestApi) -> None:
    """Several values first, then the single one unless it is among them."""
    api.deploy(
        {
            "GET /": api.proxy(
                lambda _: {
                    "headers": {"X-A": "solo", "x-b": "1", "x-c": True, "Content-Type": "text/x"},
                    "multiValueHeaders": {"x-a": ["m1", "m2"], "X-B": ["1"]},
                }
            )
        }
    )
    headers = api.request("/stage").headers
    assert headers["x-a"] == "m1, m2, solo"
    assert (headers["x-b"], headers["x-c"], headers["content-type"]) == ("1", "true", "text/x")


def test_a_function_that_fails_is_502(api: RestApi) -> None:
    """The client learns nothing else."""

    def fail(_: Any) -> None:
        raise RuntimeError("secret")

    api.deploy({"GET /": api.proxy(fail)})
    response = api.request("/stage")
    assert (response.status, response.body) == (502, INTERNAL)
    assert response.headers["x-amzn-errortype"] == "InternalServerErrorException"


def test_a_function_that_takes_too_long_is_504(api: RestApi) -> None:
    """The timeout is the integration's."""

    def hang(_: Any) -> None:
        raise NoResponse

    method = api.proxy(hang)
    method["methodIntegration"]["timeoutInMillis"] = 50
    api.deploy({"GET /": method})
    response = api.request("/stage")
    assert (response.status, response.json()) == (504, {"message": "Endpoint request timed out"})


def test_routes_are_found_by_resource_and_method(api: RestApi) -> None:
    """Literal before variable before greedy; a resource without the method does not count."""

    def named(name: str) -> Any:
        return api.proxy(lambda event: {"body": f"{name} {event['pathParameters']}"}, name)

    api.deploy(
        {
            "GET /pets/dog": named("dog"),
            "OPTIONS /pets/cat": named("cat"),
            "GET /pets/{id}": named("id"),
            "ANY /{all+}": named("all"),
            "GET /a/{x}/c": named("axc"),
        }
    )
    answers = {
        (method, path): api.request(path, method).body.decode()
        for method, path in [
            ("GET", "/stage/pets/dog"),
            ("GET", "/stage/pets/do%67"),
            ("GET", "/stage/pets/1"),
            ("POST", "/stage/pets/1"),
            ("PUT", "/stage/pets/dog"),
            ("GET", "/stage/a/b/c"),
            ("GET", "/stage/a/b/d"),
        ]
    }
    assert list(answers.values()) == [
        "dog None",
        "dog None",
        "id {'id': '1'}",
        "all {'all': 'pets/1'}",
        "all {'all': 'pets/dog'}",
        "axc {'x': 'b'}",
        "all {'all': 'a/b/d'}",
    ]


def test_what_is_not_there(api: RestApi) -> None:
    """An unknown path or method, and an unknown stage or none."""
    api.deploy({"GET /pets": api.proxy(echo)})
    for path, method in [("/stage/other", "GET"), ("/stage/pets", "POST"), ("/stage", "GET")]:
        response = api.request(path, method)
        assert response.status == 403
        assert response.json() == {"message": "Missing Authentication Token"}
        assert response.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    for path in ("/nowhere/pets", "/"):
        response = api.request(path)
        assert (response.status, response.json()) == (403, {"message": "Forbidden"})
        assert response.headers["x-amzn-errortype"] == "ForbiddenException"


def test_binary_bodies(api: RestApi) -> None:
    """By content type on the way in, by the first accepted type on the way out."""
    raw = bytes(range(256))

    def function(event: Any) -> Any:
        assert event["isBase64Encoded"]
        assert base64.b64decode(event["body"]) == raw
        return {"body": event["body"], "isBase64Encoded": True}

    api.deploy({"POST /": api.proxy(function)}, api={"binaryMediaTypes": ["image/*", "a/b"]})
    kind = ("Content-Type", "image/png; x=1")
    sent = {"method": "POST", "body": raw}
    assert api.request("/stage", **sent, headers=[kind, ("Accept", "a/b, */*")]).body == raw
    text = base64.b64encode(raw)
    for accept in ("*/*", "text/plain, image/png"):
        assert api.request("/stage", **sent, headers=[kind, ("Accept", accept)]).body == text


def test_a_body_that_is_not_base64_is_500(api: RestApi) -> None:
    """As it was recorded."""
    method = api.proxy(lambda _: {"body": "%%%", "isBase64Encoded": True})
    api.deploy({"GET /": method}, api={"binaryMediaTypes": ["*/*"]})
    assert api.request("/stage", headers={"Accept": "image/png"}).status == 500


def test_a_preflight_by_mock(api: RestApi) -> None:
    """As every framework makes one."""
    api.deploy(
        {
            "OPTIONS /": mock(
                parameters={
                    "method.response.header.Access-Control-Allow-Origin": "'*'",
                    "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
                }
            )
        }
    )
    response = api.request("/stage", "OPTIONS", headers={"Origin": "http://x"})
    assert (response.status, response.body) == (200, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET,OPTIONS"


def test_a_mock_writes_what_its_templates_say(api: RestApi) -> None:
    """Both templates, overrides and a status that a pattern selects."""
    method = mock(
        "#set($context.responseOverride.header.x-from-request = $input.params('q'))"
        '{"statusCode": 4$input.path("$.code"),}',
        "#set($context.responseOverride.status = 418)"
        '{"stage": "$context.stage", "v": "$stageVariables.v"}',
    )
    responses = method["methodIntegration"]["integrationResponses"]
    responses["400"] = {"statusCode": "400", "selectionPattern": "4\\d{2}"} | responses.pop("200")
    api.deploy({"POST /": method}, stage={"variables": {"v": "x"}})
    response = api.request("/stage?q=1", "POST", body=b'{"code": "04"}')
    assert (response.status, response.json()) == (418, {"stage": "stage", "v": "x"})
    assert response.headers["x-from-request"] == "1"


@pytest.mark.parametrize(
    ("passthrough", "templates", "kind", "status"),
    [
        ("WHEN_NO_MATCH", {}, "text/plain", 200),
        ("WHEN_NO_MATCH", {"application/json": '{"statusCode":200}'}, "text/plain", 200),
        ("WHEN_NO_TEMPLATES", {}, "text/plain", 200),
        ("WHEN_NO_TEMPLATES", {"application/json": "x"}, "text/plain", 415),
        ("NEVER", {}, "text/plain", 415),
        ("NEVER", {"application/json": '{"statusCode":200}'}, "text/plain", 415),
        ("NEVER", {"application/json": '{"statusCode":200}'}, "application/json", 200),
    ],
)
def test_bodies_pass_through_or_not(
    api: RestApi, passthrough: str, templates: dict[str, str], kind: str, status: int
) -> None:
    """By the content type, the templates and the behavior."""
    method = mock(requestTemplates=templates, passthroughBehavior=passthrough)
    api.deploy({"POST /": method})
    body, headers = b'{"statusCode": 200}', {"Content-Type": kind}
    response = api.request("/stage", "POST", body=body, headers=headers)
    assert response.status == status
    if status == 415:
        assert response.json() == {"message": "Unsupported Media Type"}


def test_a_function_behind_templates(api: RestApi) -> None:
    """The function gets what the template makes; its error messages select responses."""

    def function(event: Any) -> Any:
        if "fail" in event:
            raise ValueError(event["fail"])
        return {"got": event}

    arn = api.served.function("custom", function)
    api.deploy(
        {
            "POST /": {
                "methodIntegration": {
                    "type": "AWS",
                    "httpMethod": "POST",
                    "uri": uri(arn),
                    "requestTemplates": {"application/json": '{"name": $input.json("$.n")}'},
                    "integrationResponses": {
                        "200": {"statusCode": "200", "selectionPattern": ""},
                        "404": {
                            "statusCode": "404",
                            "selectionPattern": "missing.*",
                            "responseTemplates": {
                                "application/json": '{"e": "$input.path(\'$.errorMessage\')"}'
                            },
                            "responseParameters": {
                                "method.response.header.x-kind": (
                                    "integration.response.body.errorType"
                                )
                            },
                        },
                    },
                }
            },
            "PUT /": {
                "methodIntegration": {
                    "type": "AWS",
                    "httpMethod": "POST",
                    "uri": uri(arn),
                    "integrationResponses": {"404": {"statusCode": "404", "selectionPattern": ".+"}}
                    | {"200": {"statusCode": "200"}},
                }
            },
        }
    )
    response = api.request("/stage", "POST", body=b'{"n": "x"}')
    assert (response.status, response.json()) == (200, {"got": {"name": "x"}})
    assert api.request("/stage", "PUT", body=b'{"a": 1}').json() == {"got": {"a": 1}}
    assert api.request("/stage", "PUT", body=b'{"fail": "missing it"}').status == 404
    api.served.node.functions["custom"] = lambda _: function({"fail": "missing it"})
    response = api.request("/stage", "POST", body=b"{}")
    assert (response.status, response.json()) == (404, {"e": "missing it"})
    assert response.headers["x-kind"] == "ValueError"


def test_a_body_that_is_not_json_is_400(api: RestApi) -> None:
    """When the template reads it as JSON."""
    api.deploy({"POST /": mock('$input.json("$")')})
    response = api.request("/stage", "POST", body=b"<a/>")
    assert response.status == 400
    assert response.json()["message"].startswith("Could not parse request body into json")


def test_a_template_that_takes_long_runs_in_a_thread(api: RestApi) -> None:
    """With the whole budget; one that takes more is an error."""
    turns = "#foreach($i in [1..%d])#foreach($j in [1..10])#set($x = $j)#end#end"
    api.deploy(
        {
            "GET /": mock(turns % 500 + '{"statusCode": 200}', turns % 500 + "$context.stage"),
            "GET /bomb": mock(turns.replace("10", "1000") % 1000 + '{"statusCode": 200}'),
        }
    )
    response = api.request("/stage")
    assert (response.status, response.body) == (200, b"stage")
    assert api.request("/stage/bomb").status == 500


def test_required_parameters(api: RestApi) -> None:
    """The names of those that are missing, as recorded."""
    method = api.proxy(echo) | {
        "requestValidatorId": "v",
        "requestParameters": {
            "method.request.header.x-header-param": True,
            "method.request.path.issuer": True,
            "method.request.querystring.qs1": True,
            "method.request.querystring.qs2": False,
        },
    }
    validator = ["request_validator", "v", {"id": "v", "validateRequestParameters": True}]
    api.deploy({"GET /{id}": method, "GET /i/{issuer}": method}, others=[validator])
    response = api.request("/stage/1")
    assert response.status == 400
    assert response.body == (
        b'{"message": "Missing required request parameters: [x-header-param, issuer, qs1]"}'
    )
    assert response.headers["x-amzn-errortype"] == "BadRequestException"
    assert api.request("/stage/i/1?qs1=1", headers={"X-Header-Param": "1"}).status == 200


def test_bodies_that_match_a_model(api: RestApi) -> None:
    """Draft 4, models that refer to models, and patterns that would run forever."""
    prefix = f"https://apigateway.amazonaws.com/restapis/{API}/models"
    models = [
        [
            "model",
            "Pair",
            {
                "schema": json.dumps(
                    {
                        "type": "object",
                        "properties": {"a": {"type": "number"}, "b": {"$ref": f"{prefix}/B"}},
                        "required": ["a", "b"],
                    }
                )
            },
        ],
        ["model", "B", {"schema": '{"type": "string", "pattern": "^(x+x+)+y$"}'}],
    ]
    validator = ["request_validator", "v", {"id": "v", "validateRequestBody": True}]
    method = api.proxy(echo) | {
        "requestValidatorId": "v",
        "requestModels": {"application/json": "Pair"},
    }
    api.deploy({"POST /": method}, others=[*models, validator])

    def status(body: bytes, kind: str = "application/json") -> int:
        return api.request("/stage", "POST", body=body, headers={"Content-Type": kind}).status

    assert status(b'{"a": 1, "b": "xxxy"}') == 200
    assert status(b'{"a": 1, "b": "' + b"x" * 5_000 + b'"}') == 400
    assert status(b'{"a": "1", "b": "xxy"}') == 400
    assert status(b"") == 400
    assert status(b"no JSON") == 400
    assert status(b"[" * 50_000) == 400
    assert status(b"anything", "text/plain") == 200
    response = api.request("/stage", "POST", body=b"{}")
    assert response.body == b'{"message": "Invalid request body"}'


def test_keys_and_usage_plans(api: RestApi) -> None:
    """A key must be there, be enabled, and be in a plan of the stage that has not been used up."""
    api.deploy({"GET /": api.proxy(echo) | {"apiKeyRequired": True}})
    plan = {"id": "p", "apiStages": [{"apiId": API, "stage": "stage"}]}
    keys = {"good": True, "disabled": False, "other": True}
    documents = [
        ("api_key", id, {"id": id, "value": f"{id}-value-of-20-chars", "enabled": enabled})
        for id, enabled in keys.items()
    ]
    api.served.put(
        ACCOUNT_ROOT,
        *documents,
        ("usage_plan", "p", plan | {"quota": {"limit": 3, "period": "DAY"}}),
        ("usage_plan_key", "p/good", {"id": "good"}),
        ("usage_plan_key", "p/disabled", {"id": "disabled"}),
    )

    def ask(key: str | None) -> Any:
        headers = {} if key is None else {"x-api-key": f"{key}-value-of-20-chars"}
        return api.request("/stage", headers=headers)

    for key in (None, "unknown", "disabled", "other"):
        response = ask(key)
        assert (response.status, response.json()) == (403, {"message": "Forbidden"})
        assert response.headers["x-amzn-errortype"] == "ForbiddenException"
    event = ask("good").json()
    assert event["requestContext"]["identity"]["apiKeyId"] == "good"
    assert event["requestContext"]["identity"]["apiKey"] == "good-value-of-20-chars"
    assert [ask("good").status for _ in range(3)] == [200, 200, 429]
    assert ask("good").json() == {"message": "Limit Exceeded"}
    limits = {"throttle": {"rateLimit": 0.001, "burstLimit": 1}}
    api.served.put(ACCOUNT_ROOT, ("usage_plan", "p", plan | limits))
    assert [ask("good").status for _ in range(2)] == [200, 429]
    assert ask("good").json() == {"message": "Too Many Requests"}


def test_throttles_of_methods(api: RestApi) -> None:
    """The setting of a method goes before that of all."""
    method = api.proxy(echo)
    settings = {
        "*/*": {"throttlingRateLimit": 0.001, "throttlingBurstLimit": 1},
        "a~1b/GET": {"throttlingRateLimit": 1000.0, "throttlingBurstLimit": 1000},
    }
    api.deploy({"GET /a/b": method, "GET /c": method}, stage={"methodSettings": settings})
    assert [api.request("/stage/a/b").status for _ in range(3)] == [200] * 3
    assert [api.request("/stage/c").status for _ in range(2)] == [200, 429]


def test_gateway_responses_are_configured(api: RestApi) -> None:
    """By type, then by class; status, headers and template each by itself."""
    others = [
        [
            "gateway_response",
            "DEFAULT_4XX",
            {
                "responseParameters": {
                    "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
                    "gatewayresponse.header.x-q": "method.request.querystring.q",
                    "gatewayresponse.header.x-none": "method.request.header.none",
                },
            },
        ],
        [
            "gateway_response",
            "MISSING_AUTHENTICATION_TOKEN",
            {
                "statusCode": "404",
                "responseTemplates": {
                    "application/json": '{"m": $context.error.messageString, "s": "$context.stage",'
                    ' "t": "$context.error.responseType"}'
                },
            },
        ],
    ]
    api.deploy({"GET /": api.proxy(echo)}, others=others)
    response = api.request("/stage/none?q=1")
    assert response.status == 404
    assert response.json() == {
        "m": "Missing Authentication Token",
        "s": "stage",
        "t": "MISSING_AUTHENTICATION_TOKEN",
    }
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["x-q"] == "1"
    assert "x-none" not in response.headers


def test_a_canary_serves_its_share(api: RestApi) -> None:
    """With its own deployment and stage variables."""

    def named(event: Any) -> Any:
        return {"body": f"{event['path']} {event['stageVariables']}"}

    api.deploy({"GET /new": api.proxy(named)})
    [document] = api.served.portal.call(_deployments, api.served)[-1:]
    canary = {
        "percentTraffic": 100.0,
        "deploymentId": document.id,
        "stageVariableOverrides": {"v": "canary"},
    }
    api.deploy({"GET /old": api.proxy(named)}, stage={"variables": {"v": "1", "w": "2"}})
    assert api.request("/stage/old").body == b"/old {'v': '1', 'w': '2'}"
    api.deploy(
        {"GET /old": api.proxy(named)},
        stage={"variables": {"v": "1", "w": "2"}, "canarySettings": canary},
    )
    assert api.request("/stage/new").body == b"/new {'v': 'canary', 'w': '2'}"
    assert api.request("/stage/old").status == 403


async def _deployments(served: Served) -> Any:
    from .apis import ROOT

    found = await served.store.read(lambda tx: tx.documents.list_of(ROOT, "deployment"))
    return sorted(found, key=lambda document: int(document.id[1:]))


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "execute-api:Invoke",
                "Resource": "execute-api:/stage/GET/*",
            },
            200,
        ),
        (
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "execute-api:Invoke",
                "Resource": "execute-api:/stage/POST/*",
            },
            403,
        ),
        (
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "execute-api:Invoke",
                "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
            },
            403,
        ),
        (
            {"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"},
            403,
        ),
    ],
)
def test_resource_policies(api: RestApi, policy: dict[str, Any], status: int) -> None:
    """A method without an authorizer is open to those that the policy allows."""
    text = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    api.deploy({"GET /a": api.proxy(echo)}, api={"policy": text})
    response = api.request("/stage/a")
    assert response.status == status
    if status == 403:
        assert response.json()["Message"].startswith("User is not authorized")
        assert response.headers["x-amzn-errortype"] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("method", "error_type"),
    [
        ({"authorizationType": "AWS_IAM"}, "MissingAuthenticationTokenException"),
        (
            {"authorizationType": "CUSTOM", "authorizerId": "none"},
            "AuthorizerConfigurationException",
        ),
        ({"authorizationType": "COGNITO_USER_POOLS"}, "AuthorizerConfigurationException"),
        ({"authorizationType": "WHAT"}, "AuthorizerConfigurationException"),
        (
            {"methodIntegration": {"type": "AWS_PROXY", "httpMethod": "GET", "uri": "x"}},
            "InternalServerErrorException",
        ),
        (
            {
                "methodIntegration": {
                    "type": "AWS",
                    "uri": "arn:aws:apigateway:r:sqs:path/q",
                }
            },
            "InternalServerErrorException",
        ),
        ({"methodIntegration": None}, "InternalServerErrorException"),
    ],
)
def test_what_cannot_be_served_is_closed(
    api: RestApi, method: dict[str, Any], error_type: str
) -> None:
    """No function is called, and the client gets an error."""
    calls: list[Any] = []
    api.deploy({"GET /": api.proxy(calls.append) | method})
    response = api.request("/stage")
    assert response.status in (403, 500)
    assert response.headers["x-amzn-errortype"] == error_type
    assert not calls


def test_a_policy_that_cannot_be_read_closes_the_api(api: RestApi) -> None:
    """Rather than to be as if there were none."""
    api.deploy({"GET /": api.proxy(echo)}, api={"policy": "{"})
    assert api.request("/stage").status == 500


def test_a_warm_call_makes_no_task_and_reads_no_database(api: RestApi) -> None:
    """Once the API and the function are in memory."""
    api.deploy({"GET /": api.proxy(echo)})
    assert api.request("/stage").status == 200
    reads: list[Any] = []
    store = api.served.store
    original = store.read
    store.read = lambda *arguments: reads.append(arguments)  # type: ignore[method-assign]
    try:
        assert api.request("/stage").status == 200
    finally:
        store.read = original  # type: ignore[method-assign]
    assert not reads


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x y", "a\r\nb", "", "x:", "é"])
def test_templates_make_no_headers_that_are_none(api: RestApi, name: str) -> None:
    """A response cannot be split by the name of a header, nor by its value."""
    set_name = f'#set($context.responseOverride.header["{name}"] = "1")'
    set_value = '#set($context.responseOverride.header.x = "1\r\nx-evil: 1")'
    set_length = '#set($context.responseOverride.header["content-length"] = "1")'
    api.deploy(
        {
            "GET /name": mock(template=f"{set_name}ok"),
            "GET /value": mock(template=f"{set_value}ok"),
            "GET /length": mock(template=f"{set_length}okay"),
        }
    )
    assert api.request("/stage/name").status == 500
    response = api.request("/stage/value")
    assert response.status == 500
    assert "x-evil" not in response.headers
    assert api.request("/stage/length").body == b"okay"
