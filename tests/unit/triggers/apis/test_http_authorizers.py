"""Routes of HTTP APIs with authorizers: JWTs, functions, signatures."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.control.apis.v2.room import ApisV2

from .http_apis import HttpApi, claims_of, serving_http
from .issuer import URL, Issuer, make_key
from .serving import ACCOUNT, Served

issuer = Issuer()
SIMPLE = {
    "AuthorizerType": "REQUEST",
    "AuthorizerPayloadFormatVersion": "2.0",
    "EnableSimpleResponses": True,
}
POLICY = {"AuthorizerType": "REQUEST", "AuthorizerPayloadFormatVersion": "1.0"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_http(tmp_path_factory.mktemp("apis"), fetch=issuer.fetch) as served:
        served.function("echo", lambda event: event)
        yield served


ECHO = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo"


def authorized(
    served: Served, *, key: str = "GET /{proxy+}", version: str = "2.0", **authorizer: Any
) -> HttpApi:
    """An API whose route has an authorizer."""
    api = HttpApi(served)
    id = api.add("authorizer", **authorizer)
    kind = "JWT" if authorizer["AuthorizerType"] == "JWT" else "CUSTOM"
    target = api.integration(ECHO, PayloadFormatVersion=version)
    api.route(key, target, AuthorizationType=kind, AuthorizerId=id)
    return api


def asking(served: Served, function: Any, **body: Any) -> tuple[HttpApi, list[Any]]:
    """An API with a Lambda authorizer, and the events that the authorizer gets."""
    seen: list[Any] = []

    def noting(event: Any) -> Any:
        seen.append(event)
        return function(event)

    served.function(f"authorizer{id(seen)}", noting)
    uri = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:authorizer{id(seen)}"
    return authorized(served, AuthorizerUri=uri, **body), seen


# -- JWT ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jwt_api(served: Served) -> HttpApi:
    """An API with a JWT authorizer, and a route that needs scopes."""
    configuration = {"Issuer": URL, "Audience": ["app"]}
    source = ["$request.header.Authorization"]
    api = authorized(
        served, AuthorizerType="JWT", JwtConfiguration=configuration, IdentitySource=source
    )
    _, authorizer, _ = api.documents[0]
    _, _, route = api.documents[-1]
    api.route(
        "GET /scoped",
        route["Target"],
        AuthorizationType="JWT",
        AuthorizerId=authorizer,
        AuthorizationScopes=["a", "b"],
    )
    return api.deploy()


def test_jwt(jwt_api: HttpApi) -> None:
    """With or without `Bearer`; claims are texts."""
    token = issuer.token(time.time(), roles=["x", "y"], admin=True, scope="b c")
    for text in (token, f"Bearer {token}", f"bearer  {token}"):
        response = jwt_api.get("/x", Authorization=text)
        assert response.status == 200
        claims = dict(claims_of(response))
        assert claims.pop("exp").isdigit()
        claims.pop("iat")
        assert claims == {
            "iss": URL,
            "aud": "app",
            "sub": "me",
            "roles": "[x y]",
            "admin": "true",
            "scope": "b c",
        }
        assert response.json()["requestContext"]["authorizer"]["jwt"]["scopes"] is None
    scoped = jwt_api.get("/scoped", Authorization=token).json()
    assert scoped["requestContext"]["authorizer"]["jwt"]["scopes"] == ["b"]


def test_jwt_refusals(jwt_api: HttpApi) -> None:
    """401 and why; 403 for a scope that is missing."""
    missing = jwt_api.get("/x")
    assert (missing.status, missing.json()) == (401, {"message": "Unauthorized"})
    assert missing.headers["www-authenticate"] == "Bearer"
    wrong = jwt_api.get("/x", Authorization=issuer.token(time.time(), aud="y"))
    assert wrong.status == 401
    assert wrong.headers["www-authenticate"] == (
        'Bearer scope="" error="invalid_token"'
        ' error_description="the token does not have a valid audience"'
    )
    for token in (
        issuer.token(time.time() - 4000),
        issuer.token(time.time(), key=make_key(2048, "other")),
        issuer.token(time.time(), key_id="k9"),
        "Bearer",
        "Basic eDp5",
        "a.b.c",
    ):
        assert jwt_api.get("/x", Authorization=token).status == 401, token
    narrow = jwt_api.get("/scoped", Authorization=issuer.token(time.time(), scope="c"))
    assert (narrow.status, narrow.json()) == (403, {"message": "Forbidden"})
    assert 'error="insufficient_scope"' in narrow.headers["www-authenticate"]


def test_an_authorizer_that_is_missing_refuses(served: Served) -> None:
    """What is configured is never skipped."""
    api = HttpApi(served)
    target = api.integration(ECHO)
    api.route("GET /a", target, AuthorizationType="JWT", AuthorizerId="gone")
    api.route("GET /b", target, AuthorizationType="CUSTOM")
    api.deploy()
    assert [api.get(path).status for path in ("/a", "/b")] == [500, 500]


def test_an_issuer_that_is_away(served: Served) -> None:
    """401 without a wait for each request."""
    configuration = {"Issuer": "https://away.test", "Audience": ["app"]}
    api = authorized(served, AuthorizerType="JWT", JwtConfiguration=configuration).deploy()
    before = len(issuer.fetched)
    issuer.is_away = True
    try:
        for _ in range(5):
            assert api.get("/x", Authorization=issuer.token(time.time())).status == 401
        assert len(issuer.fetched) == before + 1
    finally:
        issuer.is_away = False


# -- functions ------------------------------------------------------------------------------------


def test_simple_responses(served: Served) -> None:
    """`isAuthorized`, and any context for the function."""
    context = {"user": {"id": 7}, "list": [1], "text": "t"}
    api, seen = asking(
        served,
        lambda event: {"isAuthorized": event["headers"]["x-key"] == "good", "context": context},
        IdentitySource=["$request.header.x-key", "$request.querystring.q"],
        **SIMPLE,
    )
    api.deploy("dev", StageVariables={"v": "1"})
    response = api.get("/dev/a/b?q=1", x_key="good")
    assert response.json()["requestContext"]["authorizer"] == {"lambda": context}
    refused = api.get("/dev/a/b?q=1", x_key="bad")
    assert (refused.status, refused.json()) == (403, {"message": "Forbidden"})
    for path, headers in (
        ("/dev/a?q=1", {}),
        ("/dev/a", {"x_key": "good"}),
        ("/dev/a?q=", {"x_key": "a"}),
    ):
        missing = api.get(path, **headers)
        assert (missing.status, missing.json()) == (401, {"message": "Unauthorized"})
    assert len(seen) == 2
    event = seen[0]
    assert event["type"] == "REQUEST"
    assert event["version"] == "2.0"
    assert event["routeArn"] == f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/dev/GET/a/b"
    assert event["identitySource"] == ["good", "1"]
    assert event["routeKey"] == "GET /{proxy+}"
    assert event["rawPath"] == "/dev/a/b"
    assert event["pathParameters"] == {"proxy": "a/b"}
    assert event["stageVariables"] == {"v": "1"}
    assert "body" not in event
    assert "authorizer" not in event["requestContext"]


def test_policies(served: Served) -> None:
    """A policy is evaluated for each request, also when it is cached."""

    def allow(event: Any) -> Any:
        root = event["methodArn"].rpartition("/GET/")[0]
        statements = [
            {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{root}/GET/a*"},
            {"Effect": "Deny", "Action": "execute-api:*", "Resource": f"{root}/*/ab"},
        ]
        return {
            "principalId": "me",
            "policyDocument": {"Version": "2012-10-17", "Statement": statements},
            "context": {"n": 1},
        }

    api, seen = asking(served, allow, IdentitySource=["$request.header.x-key"], **POLICY)
    api.deploy()
    response = api.get("/a", x_key="k")
    assert response.json()["requestContext"]["authorizer"] == {"lambda": {"n": 1}}
    assert [api.get(f"/{name}", x_key="k").status for name in ("a", "ab", "b")] == [200, 403, 403]
    assert len(seen) == 1
    assert api.get("/a", x_key="other").status == 200
    event = seen[0]
    assert event["identitySource"] == event["authorizationToken"] == "k"
    assert event["methodArn"] == f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/$default/GET/a"
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/{proxy+}", "/a", "GET")


def test_cache(served: Served) -> None:
    """By the identity sources; format 2.0 caches only if it learns to; a deployment ends it."""
    source = {"IdentitySource": ["$request.header.x-key"]}
    for ttl, calls in ((None, 2), (0, 2), (60, 1)):
        more = {} if ttl is None else {"AuthorizerResultTtlInSeconds": ttl}
        api, seen = asking(served, lambda _: {"isAuthorized": True}, **source, **more, **SIMPLE)
        api.deploy()
        assert [api.get("/a", x_key="k").status for _ in range(2)] == [200, 200]
        assert len(seen) == calls
        api.deploy()
        api.get("/a", x_key="k")
        assert len(seen) == calls + 1


@pytest.mark.slow
def test_failures_of_functions(served: Served) -> None:
    """`Unauthorized` is 401, everything else that is no decision is 500."""

    def unauthorized(_: Any) -> Any:
        raise PermissionError("Unauthorized")

    api, _ = asking(served, unauthorized, **SIMPLE)
    response = api.deploy().get("/a")
    assert (response.status, response.json()) == (401, {"message": "Unauthorized"})
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    results = [
        *(None, "text", [], {}, {"isAuthorized": "yes"}, {"isAuthorized": 1}, b"\xff", b"[" * 5000),
        {"isAuthorized": True, "context": [1]},
        {"policyDocument": {"Statement": [allow]}},
    ]
    for result in results:
        api, _ = asking(served, lambda _, result=result: result, **SIMPLE)
        response = api.deploy().get("/a")
        assert (response.status, response.json()) == (500, {"message": "Internal Server Error"})
    statements = [
        *("text", 5, None, [allow, "x"], [{**allow, "Effect": "Maybe"}], {"Effect": "Allow"}),
        [{**allow, "Condition": 5}],
        [{**allow, "Resource": 5}],
        [{**allow, "Action": [5]}],
        [allow] * 300,
    ]
    for statement in statements:
        policy = {"policyDocument": {"Statement": statement}}
        api, _ = asking(served, lambda _, policy=policy: policy, **POLICY)
        assert api.deploy().get("/a").status in (403, 500), statement
    huge = {"policyDocument": {"Statement": [{**allow, "Resource": "*a" * 8000}]}}
    api, _ = asking(served, lambda _: huge, **POLICY)
    assert api.deploy().get("/a").status == 500


def test_an_authorizer_that_may_not_be_called(served: Served) -> None:
    """500, as in AWS: its owner has to see it."""
    uri = "arn:aws:lambda:us-east-1:111111111111:function:echo"
    assert authorized(served, AuthorizerUri=uri, **SIMPLE).deploy().get("/a").status == 500


def test_integrations_of_format_1_get_the_context(served: Served) -> None:
    """Without the kind of the authorizer."""
    seen: list[Any] = []
    served.function("note1", lambda event: seen.append(event) or {"statusCode": 200})
    served.function("yes", lambda _: {"isAuthorized": True, "context": {"a": "b"}})
    api = HttpApi(served)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
    id = api.add("authorizer", AuthorizerUri=f"{arn}yes", **SIMPLE)
    target = api.integration(f"{arn}note1", PayloadFormatVersion="1.0")
    api.route("GET /a", target, AuthorizationType="CUSTOM", AuthorizerId=id)
    assert api.deploy().get("/a").status == 200
    assert seen[0]["requestContext"]["authorizer"] == {"a": "b"}


# -- signatures -----------------------------------------------------------------------------------


def signed(
    api: HttpApi,
    service: str = "execute-api",
    body: bytes = b"",
    key: str = ACCOUNT,
    secret: str = "secret",
) -> Any:
    """The response to a request that is signed with a key."""
    request = AWSRequest("POST", f"http://{api.host}/a", data=body, headers={"Host": api.host})
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return api.request(
        "POST", "/a", body, {k: v for k, v in request.headers.items() if k != "Host"}
    )


def test_signatures(served: Served) -> None:
    """The function sees who signed. A relaxed platform knows accounts only."""
    api = HttpApi(served)
    api.route("POST /a", api.integration(ECHO), AuthorizationType="AWS_IAM")
    api.deploy()
    assert api.request("POST", "/a").json() == {"message": "Forbidden"}
    assert signed(api, "lambda").status == 403
    for body in (b"", b"x" * 100_000):
        iam = signed(api, body=body).json()["requestContext"]["authorizer"]["iam"]
        assert iam == {
            "accessKey": ACCOUNT,
            "accountId": ACCOUNT,
            "callerId": ACCOUNT,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::{ACCOUNT}:root",
            "userId": ACCOUNT,
        }


def test_signatures_on_a_strict_platform(tmp_path: Any) -> None:
    """The key is known, and the signer's policies allow this method and path."""
    with serving_http(tmp_path, is_strict=True) as served:
        served.function("echo", lambda event: event)
        api = HttpApi(served)
        api.route("POST /{name}", api.integration(ECHO), AuthorizationType="AWS_IAM")
        api.deploy()
        served.policies[ECHO] = [
            {
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": ECHO,
            }
        ]
        assert signed(api, key="AKIAEXAMPLE").status == 403
        arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/$default/POST/"
        for resource, status in ((f"{arn}b", 403), (f"{arn}a", 200), ("*", 200)):
            served.user("execute-api:Invoke", resource)
            assert signed(api, key="AKIAEXAMPLE").status == status, resource
        assert signed(api, key="AKIAEXAMPLE", secret="other").status == 403


def test_role_of_the_caller(served: Served) -> None:
    """An integration with the credentials of its caller needs one."""
    api = HttpApi(served)
    target = api.integration(
        "arn:aws:lambda:us-east-1:111111111111:function:echo",
        CredentialsArn="arn:aws:iam::*:user/*",
    )
    api.route("POST /a", target)
    assert api.deploy().request("POST", "/a").status == 500


def test_results_are_forgotten_on_request(served: Served) -> None:
    """ResetAuthorizersCache: the next request is asked about again."""
    source = {
        "IdentitySource": ["$request.header.authorization"],
        "AuthorizerResultTtlInSeconds": 300,
    }
    api, seen = asking(served, lambda _: {"isAuthorized": True}, **SIMPLE, **source)
    api.deploy("dev")
    room = ApisV2(served.store, served.apis.context.clock, domain="localhost")

    def ask() -> int:
        assert api.get("/dev/x", authorization="t").status == 200
        return len(seen)

    assert [ask(), ask()] == [1, 1]
    params = {"ApiId": api.id, "StageName": "dev"}
    served.portal.call(room.reset_authorizers_cache, api.root.scope, params)
    assert [ask(), ask()] == [2, 2]
