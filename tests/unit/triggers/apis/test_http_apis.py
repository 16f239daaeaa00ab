"""HTTP APIs as clients and functions see them: events, responses, stages, CORS, limits."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.model.changes import Changes
from lambent.model.concurrency import no_capacity

from .http_apis import HttpApi, one_function, serving_http
from .serving import NoResponse, Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_http(tmp_path_factory.mktemp("apis")) as served:
        yield served


@pytest.fixture(scope="module")
def echo(served: Served) -> str:
    """The ARN of a function that returns its event."""
    return served.function("echo", lambda event: event)


@pytest.fixture(scope="module")
def api(served: Served, echo: str) -> HttpApi:
    """An API whose function returns its event."""
    return one_function(served, echo)


def raising(error: BaseException) -> Any:
    def function(_: Any) -> Any:
        raise error

    return function


# -- events ---------------------------------------------------------------------------------------


def test_event_2(served: Served, echo: str) -> None:
    """Exactly these members; what is empty is absent."""
    api = HttpApi(served)
    api.route("GET /pets/{id}", api.integration(echo))
    api.deploy("dev", StageVariables={"color": "blue"})
    headers = [("X-Twice", "a"), ("x-twice", "b"), ("Cookie", "c=1; d=2"), ("User-Agent", "me")]
    response = api.request("GET", "/dev/pets/a%2Fb%20c?x=1&x=2&y=%20+", headers=headers)
    assert response.status == 404  # `%2F` is a slash for routes, as it is for the function.
    response = api.request("GET", "/dev/pets/b%20c?x=1&x=2&y=%20+", headers=headers)
    event = response.json()
    context = event.pop("requestContext")
    sent = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "GET /pets/{id}",
        "rawPath": "/dev/pets/b c",
        "rawQueryString": "x=1&x=2&y=%20+",
        "cookies": ["c=1", "d=2"],
        "queryStringParameters": {"x": "1,2", "y": "  "},
        "pathParameters": {"id": "b c"},
        "stageVariables": {"color": "blue"},
        "isBase64Encoded": False,
    }
    assert sent.pop("x-amzn-trace-id").startswith("Root=1-")
    assert sent == {
        "host": api.host,
        "x-twice": "a,b",
        "user-agent": "me",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-port": "80",
        "x-forwarded-proto": "http",
    }
    assert isinstance(context.pop("timeEpoch"), int)
    assert context.pop("time").endswith(" +0000")
    assert context.pop("requestId") == response.headers["apigw-requestid"]
    assert context == {
        "accountId": "000000000000",
        "apiId": api.id,
        "domainName": api.host,
        "domainPrefix": api.id,
        "http": {
            "method": "GET",
            "path": "/dev/pets/b c",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "me",
        },
        "routeKey": "GET /pets/{id}",
        "stage": "dev",
    }


def test_event_1(served: Served) -> None:
    """As of REST APIs, with the version and lower-case headers; what is empty is None."""
    seen: list[Any] = []
    function = served.function("note", lambda event: seen.append(event) or {"statusCode": 200})
    api = HttpApi(served)
    api.route("ANY /pets/{id+}", api.integration(function, PayloadFormatVersion="1.0"))
    api.deploy()
    headers = [("X-Twice", "a"), ("x-twice", "b"), ("Cookie", "c=1")]
    assert api.request("GET", "/pets/1?x=1&x=2", headers=headers).status == 200
    (event,) = seen
    context = event.pop("requestContext")
    assert event.pop("headers")["x-twice"] == "b"
    multiple = event.pop("multiValueHeaders")
    assert (multiple["x-twice"], multiple["cookie"]) == (["a", "b"], ["c=1"])
    assert event == {
        "version": "1.0",
        "resource": "/pets/{id+}",
        "path": "/pets/1",
        "httpMethod": "GET",
        "queryStringParameters": {"x": "2"},
        "multiValueQueryStringParameters": {"x": ["1", "2"]},
        "pathParameters": {"id": "1"},
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    assert context["requestId"] == context["extendedRequestId"]
    assert context["resourcePath"] == "/pets/{id+}"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert "authorizer" not in context


@pytest.mark.parametrize(
    ("kind", "is_text"),
    [
        ("text/plain; charset=utf-8", True),
        ("text/x", True),
        ("application/json", True),
        ("Application/XML", True),
        ("application/javascript", True),
        ("application/ld+json", False),
        ("application/x-www-form-urlencoded", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_four_types_are_text(api: HttpApi, kind: str, is_text: bool) -> None:
    """All other bodies are base64."""
    headers = {"Content-Type": kind} if kind else {}
    event = api.request("POST", "/", b"a=b", headers).json()
    assert event["isBase64Encoded"] is not is_text
    assert event["body"] == ("a=b" if is_text else base64.b64encode(b"a=b").decode())


def test_text_that_is_no_utf8_is_base64(api: HttpApi) -> None:
    """So nothing is lost."""
    event = api.request("POST", "/", b"\xff", {"Content-Type": "text/plain"}).json()
    assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)


def test_large_bodies(api: HttpApi) -> None:
    """A body is up to 10 MB, an event up to 6 MB; both ends are large documents here."""
    body = b"x" * 4_000_000
    event = api.request("POST", "/", body, {"Content-Type": "text/plain"}).json()
    assert event["body"] == body.decode()
    response = api.request("POST", "/", b"x" * 7_000_000, {"Content-Type": "text/plain"})
    assert (response.status, response.json()) == (413, {"message": "Request Entity Too Large"})


# -- responses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "status", "body", "kind"),
    [
        ({"statusCode": 201, "body": "hi"}, 201, b"hi", "application/json"),
        ({"statusCode": "202", "headers": {"Content-Type": "text/x"}}, 202, b"", "text/x"),
        ({"statusCode": 200, "body": "aGk=", "isBase64Encoded": True}, 200, b"hi", None),
        ({"statusCode": 204, "body": "x"}, 204, b"", None),
        ({"hello": "you"}, 200, b'{"hello":"you"}', "application/json"),
        ("text", 200, b"text", "application/json"),
        ([1, 2], 200, b"[1,2]", "application/json"),
        (None, 200, b"null", "application/json"),
    ],
)
def test_results_of_format_2(
    served: Served, result: Any, status: int, body: bytes, kind: str | None
) -> None:
    """A structure, or any JSON."""
    api = one_function(served, served.function("fixed", lambda _: result))
    response = api.get()
    assert (response.status, response.body) == (status, body)
    assert kind is None or response.headers["content-type"] == kind
    assert response.headers["apigw-requestid"].endswith("=")


def test_cookies_come_first(served: Served) -> None:
    """Then the header of the same name."""
    result = {"statusCode": 200, "headers": {"Set-Cookie": "b=2"}, "cookies": ["a=1"]}
    api = one_function(served, served.function("cookies", lambda _: result))
    found = [value for name, value in api.get().items if name == "Set-Cookie"]
    assert found == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "x"},
        {"statusCode": 99},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
        {"statusCode": 200, "cookies": "a"},
    ],
)
def test_malformed_results(served: Served, result: Any) -> None:
    """500 in both formats."""
    for version in ("1.0", "2.0"):
        function = served.function("malformed", lambda _: {**result, "multiValueHeaders": {}})
        api = one_function(served, function, PayloadFormatVersion=version)
        if version == "1.0" and "cookies" in result:
            continue  # It has no such member.
        response = api.get()
        assert (response.status, response.json()) == (500, {"message": "Internal Server Error"})


def test_results_of_format_1(served: Served) -> None:
    """Only the structure; several values of a header, each once."""
    results: dict[str, Any] = {
        "/good": {
            "statusCode": 200,
            "headers": {"a": "2", "b": "3"},
            "multiValueHeaders": {"A": ["1", "2"], "x-flag": [True]},
            "body": "hi",
        },
        "/plain": {"hello": "you"},
        "/text": "text",
        "/none": None,
        "/object": {"statusCode": 200, "body": {}},
        "/single": {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
    }
    function = served.function("strict", lambda event: results[event["path"]])
    api = one_function(served, function, PayloadFormatVersion="1.0")
    response = api.get("/good")
    assert (response.status, response.body) == (200, b"hi")
    found = {name: response.headers[name] for name in ("a", "b", "x-flag", "content-type")}
    assert found == {"a": "1, 2", "b": "3", "x-flag": "true", "content-type": "application/json"}
    for path in results:
        assert api.get(path).status == (200 if path == "/good" else 500), path


def test_failures(served: Served) -> None:
    """What a function does wrong is 500, what takes too long is 503; there is no 502."""
    failing = one_function(served, served.function("failing", raising(ValueError("no"))))
    assert (failing.get().status, failing.get().json()) == (
        500,
        {"message": "Internal Server Error"},
    )
    hanging = served.function("hanging", raising(NoResponse()))
    slow = one_function(served, hanging, TimeoutInMillis=50)
    assert (slow.get().status, slow.get().json()) == (503, {"message": "Service Unavailable"})
    missing = one_function(served, "arn:aws:lambda:us-east-1:000000000000:function:missing")
    assert missing.get().status == 500
    throttled = served.function("busy", lambda _: no_capacity())
    assert one_function(served, throttled).get().status == 500


# -- stages and routes ----------------------------------------------------------------------------


def test_routes_and_stages(served: Served, echo: str) -> None:
    """A stage runs what was deployed to it; no stage and no route are 404, an open end is 500."""
    api = HttpApi(served)
    api.route("GET /a", api.integration(echo))
    api.deploy("one")
    api.route("GET /b", api.integration(echo))
    api.route("GET /open", None)
    api.deploy("two")
    assert [api.get(path).status for path in ("/one/a", "/one/b", "/two/b")] == [200, 404, 200]
    for path in ("/", "/three/a", "/one"):
        response = api.get(path)
        assert (response.status, response.json()) == (404, {"message": "Not Found"})
    assert api.request("POST", "/one/a").status == 404
    assert api.get("/two/open").status == 500


def test_no_spelling_evades_a_route(served: Served, echo: str) -> None:
    """The function sees the path that the route was chosen by."""
    api = HttpApi(served)
    target = api.integration(echo)
    api.route("GET /admin/{proxy+}", target, AuthorizationType="AWS_IAM")
    api.route("$default", target)
    api.deploy()
    for path in ("/admin/x", "/%61dmin/x", "/admin%2Fx", "/admin/%2e%2e/x", "/adm%69n%2fx"):
        assert api.get(path).status == 403, path
    for path in ("/Admin/x", "//admin/x", "/x/../admin/x", "/%2561dmin/x"):
        assert not api.get(path).json()["rawPath"].startswith("/admin"), path


@pytest.mark.slow
@pytest.mark.parametrize("is_wrapped", [False, True])
@pytest.mark.parametrize("suffix", ["", ":3", ":live", ":$LATEST", ":${stageVariables.alias}"])
@pytest.mark.parametrize("name", ["uri", "${stageVariables.name}"])
def test_uris_of_functions(served: Served, name: str, suffix: str, is_wrapped: bool) -> None:
    """An ARN, or that of its invocation; with a version or an alias; with stage variables."""
    served.function("uri", lambda _: "ok")
    uri = f"arn:aws:lambda:us-east-1:000000000000:function:{name}{suffix}"
    if is_wrapped:
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{uri}/invocations"
    api = HttpApi(served)
    api.route("$default", api.integration(uri))
    api.deploy(StageVariables={"name": "uri", "alias": "live"})
    assert api.get().body == b"ok"
    qualifier = suffix.removeprefix(":").replace("${stageVariables.alias}", "live") or None
    assert served.node.requests[-1].qualifier == qualifier
    broken = HttpApi(served)
    broken.route("$default", broken.integration(uri))
    if "${" in uri:
        assert broken.deploy().get().status == 500


def test_functions_of_other_accounts_have_to_agree(served: Served) -> None:
    """Their policy names API Gateway and the route, also on a relaxed platform."""
    served.function("theirs", lambda _: "ok")
    arn = "arn:aws:lambda:us-east-1:111111111111:function:theirs"
    api = one_function(served, arn, key="ANY /pets/{id}")
    assert api.get("/pets/1").status == 500
    source = f"arn:aws:execute-api:us-east-1:000000000000:{api.id}/*/GET/pets/{{id}}"
    served.policies[arn] = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Condition": {"ArnLike": {"aws:SourceArn": source}},
        }
    ]
    served.portal.call(_forget_policies, served)
    assert api.get("/pets/1").body == b"ok"
    assert api.request("POST", "/pets/1").status == 500


async def _forget_policies(served: Served) -> None:
    served.apis.context.authorizer.note_changes(Changes(is_everything=True))


# -- CORS, throttles, limits ----------------------------------------------------------------------


def test_cors(served: Served) -> None:
    """A preflight needs no route. Other responses have the configured headers instead of the
    function's, and only if the client names its origin."""
    result = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "mine", "a": "b"}}
    function = served.function("cors", lambda _: result)
    api = HttpApi(served)
    api.route("GET /x", api.integration(function), AuthorizationType="AWS_IAM")
    api.route("OPTIONS /x", api.integration(function))
    api.route("GET /open", api.integration(function))
    cors = {
        "AllowOrigins": ["https://*", "http://a.test"],
        "AllowMethods": ["GET", "PUT"],
        "AllowHeaders": ["x-a"],
        "ExposeHeaders": ["x-b"],
        "MaxAge": 5,
    }
    api.deploy(cors=cors)
    asked = {"Origin": "https://b.test", "Access-Control-Request-Method": "GET"}
    for path in ("/x", "/nowhere"):
        response = api.request("OPTIONS", path, headers=asked)
        found = {k: v for k, v in response.headers.items() if k.startswith("access-control")}
        assert (response.status, response.body) == (204, b"")
        assert found == {
            "access-control-allow-origin": "https://b.test",
            "access-control-allow-methods": "GET,PUT",
            "access-control-allow-headers": "x-a",
            "access-control-max-age": "5",
        }
    refused = api.request("OPTIONS", "/x", headers={**asked, "Origin": "http://b.test"})
    assert (refused.status, "access-control-allow-origin" in refused.headers) == (204, False)
    assert (
        api.get("/x", Origin="http://a.test").headers["access-control-allow-origin"]
        == "http://a.test"
    )
    allowed = api.get("/open", Origin="http://a.test").headers
    assert (allowed["access-control-expose-headers"], allowed["a"]) == ("x-b", "b")
    assert "access-control-allow-origin" not in api.get("/open").headers
    # An OPTIONS request that is no preflight goes its way.
    assert api.request("OPTIONS", "/x").headers["a"] == "b"


def test_without_cors_nothing_is_added(served: Served) -> None:
    """The function's headers are the client's."""
    result = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "mine"}}
    api = one_function(served, served.function("own", lambda _: result))
    asked = {"Origin": "https://b.test", "Access-Control-Request-Method": "GET"}
    response = api.request("OPTIONS", "/", headers=asked)
    assert (response.status, response.headers["access-control-allow-origin"]) == (200, "mine")


def test_throttles(served: Served, echo: str) -> None:
    """Of a route, or of the stage's routes; each route has its own bucket."""
    api = HttpApi(served)
    target = api.integration(echo)
    for key in ("GET /a", "GET /b", "GET /closed"):
        api.route(key, target)
    api.deploy(
        DefaultRouteSettings={"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001},
        RouteSettings={"GET /closed": {"ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0}},
    )
    assert [api.get("/a").status for _ in range(3)] == [200, 200, 429]
    assert api.get("/b").status == 200
    response = api.get("/closed")
    assert (response.status, response.json()) == (429, {"message": "Too Many Requests"})


def test_giant_and_repeated_headers(api: HttpApi) -> None:
    """Up to 10,240 bytes."""
    assert api.get(a="x" * 9000).json()["headers"]["a"] == "x" * 9000
    assert api.get(a="x" * 11_000).status == 431
    repeated = [("a", "x")] * 90
    assert api.request("GET", headers=repeated).json()["headers"]["a"] == ",".join("x" * 90)
    assert api.get("/" + "x" * 11_000).status == 431


@pytest.mark.parametrize("path", ["/%", "/%zz", "/%ff%fe", "/%00", "/a?%", "/a?&&=&a", "/;"])
def test_broken_encodings(api: HttpApi, path: str) -> None:
    """The function gets an event, the client a response."""
    response = api.request("GET", path)
    assert response.status == 200
    assert response.json()["version"] == "2.0"


def test_paths_are_ascii(api: HttpApi) -> None:
    """Other bytes are no request."""
    assert api.request("GET", "/é").status == 400


# -- parameter mapping ----------------------------------------------------------------------------


def test_request_mapping(served: Served, echo: str) -> None:
    """Headers, query and path change for the function; what has no value changes nothing."""
    changes = {
        "overwrite:header.x-id": "$request.path.id",
        "append:header.x-more": "b",
        "append:header.x-none": "$request.header.missing",
        "remove:header.x-secret": "''",
        "overwrite:querystring.q": "${request.querystring.q}!${stageVariables.v}",
        "append:querystring.r": "$context.apiId",
        "remove:querystring.s": "''",
        "overwrite:header.x-name": "$request.body.user.names[1]",
        "overwrite:header.x-user": "$request.body.user",
        "overwrite:path": "/v2$request.path",
    }
    changes["overwrite:path"] = "/v2${request.path}"
    api = HttpApi(served)
    api.route("POST /pets/{id}", api.integration(echo, RequestParameters=changes))
    api.deploy(StageVariables={"v": "blue"})
    body = json.dumps({"user": {"names": ["a", "b"]}}).encode()
    headers = {"X-More": "a", "X-Secret": "s", "Content-Type": "application/json"}
    event = api.request("POST", "/pets/7?q=1&s=2&r=0", body, headers).json()
    sent = event["headers"]
    assert sent["x-id"] == "7"
    assert sent["x-more"] == "a,b"
    assert (sent["x-name"], sent["x-user"]) == ("b", '{"names":["a","b"]}')
    assert not {"x-none", "x-secret"} & set(sent)
    assert event["queryStringParameters"] == {"r": f"0,{api.id}", "q": "1!blue"}
    assert event["rawPath"] == "/v2/pets/7"


def test_response_mapping(served: Served) -> None:
    """By the status of the integration."""
    result = {
        "statusCode": 404,
        "headers": {"x-old": "1", "x-a": "1"},
        "body": '{"a":{"b":"c\\nd"}}',
    }
    function = served.function("mapped", lambda _: result)
    changes = {
        "404": {
            "overwrite:statuscode": "201",
            "remove:header.x-old": "''",
            "append:header.x-a": "2",
            "overwrite:header.x-b": "$response.body.a.b",
            "overwrite:header.x-c": "${response.header.x-a}/${context.routeKey}",
        },
        "500": {"overwrite:statuscode": "418"},
    }
    api = one_function(served, function, ResponseParameters=changes)
    response = api.get()
    assert response.status == 201
    assert "x-old" not in response.headers
    # Nothing that a body holds can end a header.
    assert response.headers["x-b"] == "c d"
    assert response.headers["x-a"] == "1, 2"
    assert response.headers["x-c"] == "1/$default"


def test_mapping_bombs(served: Served, echo: str) -> None:
    """A mapping that multiplies a large body is refused, not computed."""
    bomb = "${request.body}" * 100
    api = one_function(served, echo, RequestParameters={"overwrite:header.x-bomb": bomb})
    assert api.request("POST", "/", b"x" * 8000).status == 500
    assert api.request("POST", "/", b"x" * 2_000_000).status == 500
    nested = ("[" * 40_000).encode()
    api = one_function(served, echo, RequestParameters={"overwrite:header.x-a": "$request.body.a"})
    assert "x-a" not in api.request("POST", "/", nested).json()["headers"]


# -- access logs ----------------------------------------------------------------------------------


def test_access_log(served: Served, echo: str) -> None:
    """A line for each request, also for those that are refused."""
    api = HttpApi(served)
    api.route("GET /a", api.integration(echo))
    names = (
        *("routeKey", "status", "stage", "path", "httpMethod", "identity.sourceIp", "protocol"),
        *("integrationStatus", "error.message", "responseLength", "integrationLatency"),
    )
    text = json.dumps({name: f"$context.{name}" for name in names})
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/apis/x:*"
    api.deploy(AccessLogSettings={"DestinationArn": arn, "Format": text})
    length = len(api.get("/a").body)
    api.get("/nowhere?a=b")
    found, refused = (json.loads(line) for line in served.log_lines("/apis/x"))
    assert int(found.pop("integrationLatency")) >= 0
    assert found == {
        "routeKey": "GET /a",
        "status": "200",
        "stage": "$default",
        "path": "/a",
        "httpMethod": "GET",
        "identity.sourceIp": "127.0.0.1",
        "protocol": "HTTP/1.1",
        "integrationStatus": "200",
        "error.message": "-",
        "responseLength": str(length),
    }
    assert (refused["routeKey"], refused["status"]) == ("-", "404")
    assert (refused["error.message"], refused["path"]) == ("Not Found", "/nowhere")
