"""Lambda authorizers of REST APIs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.control.apis.v1.operations import RestApis
from lambent.model.changes import Changes
from tests.unit.triggers.apis.serving import Served

from .apis import API, ROOT, RestApi, serving_rest

CUSTOM = {"authorizationType": "CUSTOM", "authorizerId": "a"}
TOKEN = {"type": "TOKEN", "identitySource": "method.request.header.Authorization"}
ALLOWED = f"arn:aws:execute-api:us-east-1:000000000000:{API}/stage/GET/a"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


class Asked:
    """An authorizer that remembers its events."""

    def __init__(self, result: Any) -> None:
        self.events: list[Any] = []
        self._result = result

    def __call__(self, event: Any) -> Any:
        self.events.append(event)
        return self._result(event) if callable(self._result) else self._result


def policy(effect: str = "Allow", resource: str = "*", **members: Any) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, **members}


def deploy(served: Served, authorizer: Any, **body: Any) -> RestApi:
    api = RestApi(served)
    method = api.proxy(lambda event: {"body": json.dumps(event)}) | CUSTOM
    others = [api.authorizer(authorizer, **body)]
    api.deploy({"GET /a": method, "GET /b": method}, others=others)
    return api


def ask(api: RestApi, path: str = "/stage/a", token: str | None = "t") -> Any:
    headers = {} if token is None else {"Authorization": token}
    return api.request(path, headers=headers)


def allow(served: Served, function: str, source: str) -> None:
    """Let API Gateway call a function for a method or an authorizer."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": function,
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    served.policies[function] = [statement]
    served.portal.call(forget_policies, served)


async def forget_policies(served: Served) -> None:
    served.apis.context.authorizer.note_changes(Changes(is_everything=True))


def test_a_token_authorizer_is_asked_once(served: Served) -> None:
    """Its policy is kept by token, and evaluated for each method."""
    result = policy(
        resource=ALLOWED, principalId="me", context={"n": 1, "yes": True, "s": "x", "none": None}
    )
    asked = Asked(result)
    api = deploy(served, asked, **TOKEN)
    event = ask(api).json()
    assert event["requestContext"]["authorizer"] == {
        "n": "1",
        "yes": "true",
        "s": "x",
        "principalId": "me",
    }
    response = ask(api, "/stage/b")
    assert response.status == 403
    assert response.json() == {"Message": "User is not authorized to access this resource"}
    assert ask(api).status == 200
    assert asked.events == [
        {"type": "TOKEN", "authorizationToken": "t", "methodArn": ALLOWED},
    ]
    assert ask(api, token="other").status == 200
    assert len(asked.events) == 2


def test_results_are_forgotten_on_request(served: Served) -> None:
    """FlushStageAuthorizersCache: the next request is asked about again."""
    asked = Asked(policy())
    api = deploy(served, asked, **TOKEN)
    control = RestApis(served.store, served.apis.context.clock, "localhost")
    assert [ask(api).status for _ in range(2)] == [200, 200]
    assert len(asked.events) == 1
    params = {"restApiId": API, "stageName": "stage"}
    served.portal.call(control.perform, "FlushStageAuthorizersCache", ROOT.scope, params)
    assert [ask(api).status for _ in range(2)] == [200, 200]
    assert len(asked.events) == 2


def test_a_deny_is_explicit(served: Served) -> None:
    """The text says so."""
    api = deploy(served, Asked(policy("Deny")), **TOKEN)
    response = ask(api)
    assert (response.status, response.json()) == (
        403,
        {"Message": "User is not authorized to access this resource with an explicit deny"},
    )
    assert response.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_without_a_usable_token_no_function_is_called(served: Served) -> None:
    """It is missing, or does not match the expression."""
    asked = Asked(policy())
    api = deploy(served, asked, **TOKEN, identityValidationExpression="Bearer [a-z]+")
    for token in (None, "", "t", "Bearer 1", "Bearer a b"):
        response = ask(api, token=token)
        assert (response.status, response.json()) == (401, {"message": "Unauthorized"})
    assert not asked.events
    assert ask(api, token="Bearer abc").status == 200


def test_an_authorizer_that_raises_unauthorized_is_401(served: Served) -> None:
    """Exactly this text; anything else is 500."""

    def refuse(event: Any) -> Any:
        raise ValueError("Unauthorized" if event["authorizationToken"] == "no" else "broken")

    api = deploy(served, refuse, **TOKEN)
    assert ask(api, token="no").status == 401
    response = ask(api, token="x")
    assert response.status == 500
    assert response.headers["x-amzn-errortype"] == "AuthorizerConfigurationException"
    assert response.json() == {"message": None}


@pytest.mark.parametrize(
    "result",
    [None, "text", {}, {"principalId": "x"}, policy(context={"a": []}), policy("Maybe"), b"["],
)
def test_what_is_no_policy_is_500_and_not_kept(served: Served, result: Any) -> None:
    """A result without a principal is a policy nonetheless."""
    asked = Asked(result)
    api = deploy(served, asked, **TOKEN)
    assert ask(api).status == 500
    assert ask(api).status == 500
    assert len(asked.events) == 2


def test_a_request_authorizer_gets_the_request(served: Served) -> None:
    """All but the body; its identity sources are the key of what is kept."""
    asked = Asked(policy())
    sources = "method.request.header.X-Who, method.request.querystring.q"
    api = deploy(served, asked, type="REQUEST", identitySource=sources)
    assert api.request("/stage/a?q=1", headers={"X-Who": "me"}).status == 200
    assert api.request("/stage/b?q=1", headers={"X-Who": "me"}).status == 200
    assert api.request("/stage/a?q=1").status == 401
    [event] = asked.events
    assert event["type"] == "REQUEST"
    assert event["methodArn"] == ALLOWED
    assert event["resource"] == "/a"
    assert event["headers"]["X-Who"] == "me"
    assert event["queryStringParameters"] == {"q": "1"}
    assert event["pathParameters"] == {}
    assert event["requestContext"]["apiId"] == API
    assert "body" not in event


def test_without_caching_every_request_is_asked(served: Served) -> None:
    """Even if an identity source is missing."""
    asked = Asked(policy())
    sources = "method.request.header.X-Who"
    api = deploy(
        served, asked, type="REQUEST", identitySource=sources, authorizerResultTtlInSeconds=0
    )
    assert [api.request("/stage/a").status for _ in range(2)] == [200, 200]
    assert len(asked.events) == 2


def test_an_authorizer_names_the_api_key(served: Served) -> None:
    """If that is where the API takes keys from."""
    from .apis import ACCOUNT_ROOT

    asked = Asked(lambda event: policy(usageIdentifierKey=event["authorizationToken"]))
    api = RestApi(served)
    method = api.proxy(lambda _: {"body": "x"}) | CUSTOM | {"apiKeyRequired": True}
    api.deploy(
        {"GET /a": method},
        api={"apiKeySource": "AUTHORIZER"},
        others=[api.authorizer(asked, **TOKEN)],
    )
    served.put(
        ACCOUNT_ROOT,
        ("api_key", "k", {"id": "k", "value": "the-key-with-20-characters"}),
        ("usage_plan", "p", {"id": "p", "apiStages": [{"apiId": API, "stage": "stage"}]}),
        ("usage_plan_key", "p/k", {"id": "k"}),
    )
    assert ask(api, token="the-key-with-20-characters").status == 200
    assert ask(api, token="another").status == 403


def test_policies_of_functions_name_the_method_and_the_authorizer(tmp_path: Path) -> None:
    """A strict platform asks for both; the ARNs are those that AWS has in `aws:SourceArn`."""
    of_api = f"arn:aws:execute-api:us-east-1:000000000000:{API}"
    with serving_rest(tmp_path, is_strict=True) as served:
        api = deploy(served, Asked(policy()), **TOKEN)
        arn = "arn:aws:lambda:us-east-1:000000000000:function"
        method, authorizer = f"{arn}:f", f"{arn}:authorizer"
        assert ask(api).status == 500
        allow(served, authorizer, f"{of_api}/authorizers/b")
        assert ask(api).status == 500
        allow(served, authorizer, f"{of_api}/authorizers/a")
        assert ask(api).status == 500
        allow(served, method, f"{of_api}/*/GET/a")
        assert ask(api).status == 200
        assert ask(api, "/stage/b").status == 500
