"""Functions at the edge: Lambda@Edge at its four events, and CloudFront functions."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.packages import package
from tests.platforms import ROLE, Platform, deploy, log_lines, wait_active, wait_for, zip_of
from tests.scenario.edge.distributions import (
    ALL_BUT_HOST,
    BY_ORIGIN,
    UNCACHED,
    Viewer,
    behavior,
    change,
    config_of,
    distribute,
    listed,
    url_origin,
)

EDGE = """
import base64, json, time
def handler(event, context):
    cf = event["Records"][0]["cf"]
    kind, request = cf["config"]["eventType"], cf["request"]
    print("GOT " + json.dumps(cf))
    does = dict(part.split("=", 1) for part in request["querystring"].split("&") if "=" in part)
    if does.get("fail") == kind:
        raise ValueError("secret detail")
    if does.get("null") == kind:
        return None
    if does.get("host") == kind:
        request["headers"]["host"] = [{"key": "Host", "value": "evil.example.com"}]
        return request
    if does.get("make") == kind:
        return {"status": "302", "statusDescription": "Found",
                "headers": {"location": [{"key": "Location", "value": "https://example.com/"}]},
                "body": base64.b64encode(b"made").decode(), "bodyEncoding": "base64"}
    if kind.endswith("request"):
        request["headers"]["x-" + kind] = [{"key": "X-" + kind.title(), "value": "seen"}]
        if does.get("uri") == kind:
            request["uri"] = "/changed"
        if "body" in request and does.get("body") == kind:
            request["body"] = {"action": "replace", "encoding": "text", "data": "replaced"}
        return request
    response = cf["response"]
    response["headers"]["x-" + kind] = [{"key": "X-" + kind.title(), "value": "seen"}]
    if does.get("turn") == kind:
        response["status"] = 418
        response["body"] = "teapot"
    return response
"""


def publish(platform: Platform, name: str, code: str = EDGE, **more: Any) -> str:
    """Deploy a function; returns the ARN of its version 1."""
    client = platform.client("lambda")
    deploy(client, name, {"app.py": code}, **{"MemorySize": 128, "Timeout": 5, **more})
    return str(client.publish_version(FunctionName=name)["FunctionArn"])


def at(event: str, arn: str, **more: Any) -> dict[str, Any]:
    """An association with a function of Lambda."""
    return {"EventType": event, "LambdaFunctionARN": arn, **more}


@pytest.fixture(scope="module")
def origin(platform: Platform) -> dict[str, Any]:
    """A function URL that all distributions of this module have as their origin."""
    return url_origin(platform, "edge-functions-origin")


@pytest.fixture(scope="module")
def arn(platform: Platform) -> str:
    """A function that does at each event what the query string says."""
    return publish(platform, "edge-all")


@pytest.fixture(scope="module")
def viewer(platform: Platform, origin: dict[str, Any], arn: str) -> Viewer:
    """Of a distribution with that function at all events."""
    methods = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
    default = behavior(
        BY_ORIGIN,
        OriginRequestPolicyId=ALL_BUT_HOST,
        AllowedMethods=methods,
        LambdaFunctionAssociations=listed(
            at("viewer-request", arn, IncludeBody=True),
            at("origin-request", arn, IncludeBody=True),
            at("origin-response", arn),
            at("viewer-response", arn),
        ),
    )
    return distribute(platform, config_of(origin, default=default))[1]


def test_the_four_events(platform: Platform, viewer: Viewer) -> None:
    target = "/a?cache=max-age%3D600"
    first = viewer.get(target)
    assert (first.status, first.cache) == (200, "Miss"), first.body
    assert first.headers["x-viewer-response"] == first.headers["x-origin-response"] == "seen"
    sent = first.json()["headers"]
    assert sent["x-viewer-request"] == sent["x-origin-request"] == "seen"
    # From the cache: only the functions of the viewer run.
    again = viewer.get(target)
    assert (again.cache, again.body) == ("Hit", first.body)

    def events() -> list[Any]:
        lines = [line for line in log_lines(platform, "edge-all") if line.startswith("GOT ")]
        found = [json.loads(line[4:]) for line in lines]
        return [cf for cf in found if cf["request"]["uri"] == "/a"]

    seen = wait_for(lambda: events() if len(events()) == 6 else None, "six events")
    kinds = [cf["config"]["eventType"] for cf in seen]
    assert kinds == [
        *("viewer-request", "origin-request", "origin-response", "viewer-response"),
        *("viewer-request", "viewer-response"),
    ]
    by_viewer, for_origin, from_origin, _ = seen[:4]
    assert by_viewer["config"]["distributionDomainName"] == viewer.host
    assert by_viewer["request"]["clientIp"] == "127.0.0.1"
    assert by_viewer["request"]["headers"]["host"] == [{"key": "Host", "value": viewer.host}]
    assert "origin" not in by_viewer["request"]
    custom = for_origin["request"]["origin"]["custom"]
    assert (custom["protocol"], custom["port"], custom["customHeaders"]) == ("https", 443, {})
    assert for_origin["request"]["headers"]["x-forwarded-for"][0]["value"] == "127.0.0.1"
    assert from_origin["response"]["status"] == "200"
    assert "body" not in from_origin["response"]


@pytest.mark.parametrize("kind", ["viewer-request", "origin-request"])
def test_functions_change_requests_and_make_responses(viewer: Viewer, kind: str) -> None:
    assert viewer.get(f"/b?uri={kind}").json()["path"] == "/changed"
    made = viewer.get(f"/c?make={kind}")
    assert (made.status, made.body, made.headers["location"]) == (
        302,
        b"made",
        "https://example.com/",
    )
    assert made.cache == "LambdaGeneratedResponse"
    posted = viewer.request("POST", f"/d?body={kind}", body=b"given")
    assert base64.b64decode(posted.json()["body"]) == b"replaced"
    same = viewer.request("POST", "/d?x=1", body=b"given").json()
    assert base64.b64decode(same["body"]) == b"given"


def test_a_response_that_a_function_changes(viewer: Viewer) -> None:
    found = viewer.get("/e?turn=origin-response")
    assert (found.status, found.body) == (418, b"teapot")
    # At the viewer a function cannot change the status.
    assert viewer.get("/e?turn=viewer-response").status == 200


def test_errors_of_the_origin_are_for_origin_response_only(viewer: Viewer) -> None:
    found = viewer.get("/f?status=404")
    assert found.status == 404
    assert found.headers["x-origin-response"] == "seen"
    assert "x-viewer-response" not in found.headers


@pytest.mark.parametrize(
    "kind", ["viewer-request", "origin-request", "origin-response", "viewer-response"]
)
def test_functions_that_fail(viewer: Viewer, kind: str) -> None:
    failed = viewer.get(f"/g?fail={kind}")
    assert (failed.status, failed.cache) == (503, "LambdaExecutionError")
    assert b"doesn't have the required permissions" in failed.body
    assert b"secret" not in failed.body
    invalid = viewer.get(f"/g?null={kind}")
    assert (invalid.status, invalid.cache) == (502, "LambdaValidationError")
    if kind == "viewer-request":
        refused = viewer.get(f"/g?host={kind}")
        assert (refused.status, b"read-only header: host" in refused.body) == (502, True)


def test_a_function_sends_a_request_to_another_origin(
    platform: Platform, origin: dict[str, Any]
) -> None:
    other = url_origin(platform, "edge-other-origin")
    code = f"""
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    request["origin"]["custom"]["domainName"] = {other["DomainName"]!r}
    request["origin"]["custom"]["customHeaders"] = {{"x-key": [{{"value": "of-origin"}}]}}
    return request
"""
    arn = publish(platform, "edge-chooses", code)
    default = behavior(UNCACHED, LambdaFunctionAssociations=listed(at("origin-request", arn)))
    _, viewer = distribute(platform, config_of(origin, default=default))
    found = viewer.get("/a").json()
    assert found["headers"]["host"] == other["DomainName"]
    assert found["headers"]["x-key"] == "of-origin"


def test_a_function_that_is_throttled(platform: Platform, origin: dict[str, Any]) -> None:
    arn = publish(platform, "edge-throttled")
    platform.client("lambda").put_function_concurrency(
        FunctionName="edge-throttled", ReservedConcurrentExecutions=0
    )
    default = behavior(LambdaFunctionAssociations=listed(at("viewer-request", arn)))
    _, viewer = distribute(platform, config_of(origin, default=default))
    found = viewer.get("/a")
    assert (found.status, found.cache) == (503, "LambdaLimitExceeded")
    platform.client("lambda").delete_function(FunctionName="edge-throttled")
    assert viewer.get("/a").cache == "LambdaExecutionError"


@pytest.mark.parametrize(
    ("event", "message", "more"),
    [
        ("viewer-request", "environment variables", {"Environment": {"Variables": {"AB": "c"}}}),
        ("viewer-request", "memory size is larger", {"MemorySize": 256}),
        ("origin-request", "timeout is larger", {"Timeout": 60}),
        ("origin-request", "ephemeral storage", {"EphemeralStorage": {"Size": 1024}}),
        (
            "origin-request",
            "active tracing",
            {"TracingConfig": {"Mode": "Active"}},
        ),
    ],
)
def test_functions_that_cannot_run_at_the_edge(
    platform: Platform,
    origin: dict[str, Any],
    event: str,
    message: str,
    more: dict[str, Any],
) -> None:
    name = f"edge-refused-{abs(hash(message)) % 10_000}"
    arn = publish(platform, name, **more)
    refused(platform, origin, message, at(event, arn))


def refused(
    platform: Platform, origin: dict[str, Any], message: str, *associations: dict[str, Any]
) -> None:
    default = behavior(LambdaFunctionAssociations=listed(*associations))
    with pytest.raises(ClientError, match=message) as caught:
        platform.client("cloudfront").create_distribution(
            DistributionConfig=config_of(origin, default=default)
        )
    assert caught.value.response["Error"]["Code"] == "InvalidLambdaFunctionAssociation"


def test_associations_that_are_refused(
    platform: Platform, origin: dict[str, Any], arn: str
) -> None:
    name = arn.rpartition(":")[0]
    refused(platform, origin, "specific function version", at("viewer-request", name))
    refused(platform, origin, "specific function version", at("viewer-request", f"{name}:$LATEST"))
    refused(platform, origin, "specific function version", at("viewer-request", f"{name}:alias"))
    refused(platform, origin, "cannot be found", at("viewer-request", f"{name}:99"))
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    refused(platform, origin, "must be in region 'us-east-1'", at("viewer-request", elsewhere))
    foreign = arn.replace("000000000000", "111111111111")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetFunction"):
        platform.client("cloudfront").create_distribution(
            DistributionConfig=config_of(
                origin,
                default=behavior(LambdaFunctionAssociations=listed(at("viewer-request", foreign))),
            )
        )
    both = (at("viewer-request", arn), at("viewer-request", arn))
    refused(platform, origin, "can have one function", *both)
    with_body = at("viewer-response", arn, IncludeBody=True)
    refused(platform, origin, "IncludeBody", with_body)


# -- CloudFront functions --------------------------------------------------------------------------

REWRITE = b"""
import_free = true;
async function handler(event) {
  const request = event.request;
  if (event.context.eventType === 'viewer-response') {
    event.response.headers['x-served'] = { value: event.request.uri };
    event.response.cookies.seen = { value: '1', attributes: 'Path=/; Secure' };
    return event.response;
  }
  console.log('uri', request.uri);
  if (request.querystring.go) {
    return {
      statusCode: 302,
      statusDescription: 'Found',
      headers: { location: { value: '/' + request.querystring.go.value } },
    };
  }
  if (request.querystring.spin) for (;;);
  if (request.querystring.bad) return { statusCode: 'x' };
  request.uri = request.uri.replace(/\\/$/, '/index.html');
  request.headers['x-hash'] = {
    value: require('crypto').createHash('md5').update(request.uri).digest('hex'),
  };
  return request;
}
"""


def create_function(platform: Platform, name: str, code: bytes) -> tuple[str, str]:
    """Create and publish a CloudFront function; returns its ARN and its ETag."""
    client = platform.client("cloudfront")
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    etag = client.create_function(Name=name, FunctionConfig=config, FunctionCode=code)["ETag"]
    summary = client.publish_function(Name=name, IfMatch=etag)["FunctionSummary"]
    return summary["FunctionMetadata"]["FunctionARN"], etag


def test_a_cloudfront_function(platform: Platform, origin: dict[str, Any]) -> None:
    client = platform.client("cloudfront")
    arn, etag = create_function(platform, "rewrite", REWRITE)
    default = behavior(
        BY_ORIGIN,
        OriginRequestPolicyId=ALL_BUT_HOST,
        FunctionAssociations=listed(
            {"EventType": "viewer-request", "FunctionARN": arn},
            {"EventType": "viewer-response", "FunctionARN": arn},
        ),
    )
    id, viewer = distribute(platform, config_of(origin, default=default))
    found = viewer.get("/docs/?cache=max-age%3D60")
    assert found.json()["path"] == "/docs/index.html"
    assert found.json()["headers"]["x-hash"] == hashlib.md5(b"/docs/index.html").hexdigest()
    assert found.headers["x-served"] == "/docs/index.html"
    assert found.headers["set-cookie"] == "seen=1; Path=/; Secure"
    assert viewer.get("/docs/?cache=max-age%3D60").cache == "Hit"
    moved = viewer.get("/a?go=there")
    assert (moved.status, moved.headers["location"]) == (302, "/there")
    assert moved.cache == "FunctionGeneratedResponse"
    for query in ("spin=1", "bad=1"):
        failed = viewer.get(f"/a?{query}")
        assert (failed.status, failed.cache) == (503, "FunctionExecutionError")
        assert b"invalid or could not run" in failed.body
    # An update takes effect when it is published.
    code = b"function handler(event) { return { statusCode: 200, body: 'second' } }"
    config = {"Comment": "", "Runtime": "cloudfront-js-1.0"}
    updated = client.update_function(
        Name="rewrite", IfMatch=etag, FunctionConfig=config, FunctionCode=code
    )
    assert viewer.get("/a?go=there").status == 302
    assert client.get_function(Name="rewrite")["FunctionCode"].read() == code
    assert client.get_function(Name="rewrite", Stage="LIVE")["FunctionCode"].read() == REWRITE
    client.publish_function(Name="rewrite", IfMatch=updated["ETag"])
    assert viewer.get("/a?go=there").body == b"second"
    with pytest.raises(ClientError, match="FunctionInUse"):
        client.delete_function(Name="rewrite", IfMatch=updated["ETag"])
    change(platform, id, DefaultCacheBehavior=behavior())
    client.delete_function(Name="rewrite", IfMatch=updated["ETag"])
    with pytest.raises(ClientError, match="NoSuchFunctionExists"):
        client.describe_function(Name="rewrite")


def test_functions_are_tested_before_they_are_published(platform: Platform) -> None:
    client = platform.client("cloudfront")
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    made = client.create_function(Name="tried", FunctionConfig=config, FunctionCode=REWRITE)
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": "198.51.100.1"},
        "request": {
            "method": "GET",
            "uri": "/a/",
            "headers": {},
            "cookies": {},
            "querystring": {},
        },
    }

    def run(**members: Any) -> Any:
        given = {**event, "request": {**event["request"], **members}}  # type: ignore[dict-item]
        return client.test_function(
            Name="tried", IfMatch=made["ETag"], EventObject=json.dumps(given).encode()
        )["TestResult"]

    result = run()
    output = json.loads(result["FunctionOutput"])
    assert output["request"]["uri"] == "/a/index.html"
    assert result["FunctionExecutionLogs"] == ["uri /a/"]
    assert 0 <= int(result["ComputeUtilization"]) <= 100
    assert result["FunctionErrorMessage"] == ""
    spun = run(querystring={"spin": {"value": "1"}})
    assert "exceeded the time" in spun["FunctionErrorMessage"]
    assert "statusCode" in run(querystring={"bad": {"value": "1"}})["FunctionErrorMessage"]
    functions = client.list_functions(Stage="DEVELOPMENT")["FunctionList"]["Items"]
    assert "tried" in {each["Name"] for each in functions}
    for event_object in (b"{", b"[]", b"{}", b"x" * 50_000):
        with pytest.raises(ClientError, match=r"InvalidArgument|less than or equal to 40960"):
            client.test_function(Name="tried", IfMatch=made["ETag"], EventObject=event_object)


HOSTILE = {
    "process": "return { statusCode: 200, body: typeof process + typeof fetch + typeof Buffer }",
    "constructor": "return this.constructor.constructor('return process')()",
    "require": "return require('child_process')",
    "function": "return require.constructor('return process')()",
    "error": "try { null.x } catch (e) { return e.constructor.constructor('return this')() }",
    "import": "return import('node:fs')",
    "memory": "const held = []; for (;;) held.push(new Array(1e6).fill(1))",
    "forever": "await new Promise(() => {})",
    "promises": "for (;;) await null",
    "getter": "return { get statusCode() { for (;;); } }",
    "log": "for (let n = 0; n < 1e5; n++) console.log('x'.repeat(1000)); return event.request",
    "prototype": "Object.prototype.statusCode = 200; Array.prototype.map = 1; return {}",
    "proxy": "return new Proxy({}, { ownKeys() { for (;;); } })",
}


def test_hostile_cloudfront_functions(platform: Platform) -> None:
    """None reaches its process, its modules or a network; none runs for long."""
    client = platform.client("cloudfront")
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    etag = None
    event = json.dumps(
        {
            "context": {"eventType": "viewer-request"},
            "request": {"method": "GET", "uri": "/", "headers": {}},
        }
    ).encode()
    found = {}
    for name, body in HOSTILE.items():
        code = f"async function handler(event) {{ {body} }}".encode()
        params: dict[str, Any] = {
            "Name": "hostile",
            "FunctionConfig": config,
            "FunctionCode": code,
        }
        if etag is None:
            etag = client.create_function(**params)["ETag"]
        else:
            etag = client.update_function(**params, IfMatch=etag)["ETag"]
        result = client.test_function(Name="hostile", IfMatch=etag, EventObject=event)
        found[name] = result["TestResult"]
    output = json.loads(found["process"]["FunctionOutput"])
    assert output["response"]["body"] == "undefinedundefinedundefined"
    for name in set(HOSTILE) - {"process", "log"}:
        assert found[name]["FunctionErrorMessage"], (name, found[name])
    assert sum(map(len, found["log"]["FunctionExecutionLogs"])) <= 10_240


@pytest.mark.parametrize(
    "params",
    [
        {"FunctionCode": b"x" * 10_241},
        {"FunctionCode": b""},
        {"FunctionCode": b"\xff\xfe"},
        {"Name": "a b"},
        {
            "FunctionConfig": {
                "Comment": "",
                "Runtime": "cloudfront-js-2.0",
                "KeyValueStoreAssociations": listed(
                    {"KeyValueStoreARN": "arn:aws:cloudfront::000000000000:key-value-store/a"}
                ),
            }
        },
    ],
)
def test_functions_that_are_refused(platform: Platform, params: dict[str, Any]) -> None:
    usual = {
        "Name": "refused",
        "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"},
        "FunctionCode": b"function handler() {}",
    }
    with pytest.raises(ClientError):
        platform.client("cloudfront").create_function(**{**usual, **params})


def test_a_node_function_that_signs_visitors_in(platform: Platform, origin: dict[str, Any]) -> None:
    """Basic authentication, as many sites have it, in Node.js."""
    code = """
exports.handler = async (event) => {
  const request = event.Records[0].cf.request;
  const given = request.headers.authorization;
  const wanted = 'Basic ' + Buffer.from('ann:secret').toString('base64');
  if (given && given[0].value === wanted) return request;
  return {
    status: '401',
    statusDescription: 'Unauthorized',
    headers: { 'www-authenticate': [{ key: 'WWW-Authenticate', value: 'Basic realm="x"' }] },
    body: 'Who are you?',
  };
};
"""
    client = platform.client("lambda")
    client.create_function(
        FunctionName="edge-basic",
        Runtime="nodejs20.x",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": zip_of({"index.js": code})},
    )
    wait_active(client, "edge-basic")
    arn = client.publish_version(FunctionName="edge-basic")["FunctionArn"]
    default = behavior(LambdaFunctionAssociations=listed(at("viewer-request", arn)))
    _, viewer = distribute(platform, config_of(origin, default=default))
    asked = viewer.get("/a")
    assert (asked.status, asked.headers["www-authenticate"]) == (401, 'Basic realm="x"')
    key = base64.b64encode(b"ann:secret").decode()
    assert viewer.get("/a", Authorization=f"Basic {key}").status == 200
    assert viewer.get("/a").status == 401


def test_a_library_signs_visitors_in_with_a_user_pool(
    platform: Platform, origin: dict[str, Any]
) -> None:
    """cognito-at-edge, unmodified, sends those who are not signed in to the pool's own pages."""
    code = """
const { Authenticator } = require('cognito-at-edge');
const authenticator = new Authenticator({
  region: 'us-east-1',
  userPoolId: 'us-east-1_tests',
  userPoolAppId: 'client',
  userPoolDomain: 'tests.auth.us-east-1.amazoncognito.com',
});
exports.handler = async (event) => authenticator.handle(event);
"""
    client = platform.client("lambda")
    client.create_function(
        FunctionName="edge-pool",
        Runtime="nodejs20.x",
        Role=ROLE,
        Handler="index.handler",
        Timeout=5,
        Code={"ZipFile": package("edge", code, "index.js")},
    )
    wait_active(client, "edge-pool")
    arn = client.publish_version(FunctionName="edge-pool")["FunctionArn"]
    default = behavior(LambdaFunctionAssociations=listed(at("viewer-request", arn)))
    _, viewer = distribute(platform, config_of(origin, default=default))
    cookie = "CognitoIdentityServiceProvider.client.ann.idToken=not-a-token"
    for headers in ({}, {"Cookie": cookie}):
        found = viewer.request("GET", "/members?a=b", headers)
        assert found.status == 302
        location = urlsplit(found.headers["location"])
        assert location.hostname == "tests.auth.us-east-1.amazoncognito.com"
        asked = parse_qs(location.query)
        assert asked["redirect_uri"] == [f"https://{viewer.host}"]
        assert asked["client_id"] == ["client"]
