"""Function URLs as a plain HTTP client sees them."""

import base64
import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .conftest import ACCOUNT, Platform, deploy, wait_for
from .functions_api import refusal

ECHO = "def handler(event, context): return event"
ANSWERS = """
import json
def handler(event, context):
    return json.loads(event["body"]) if event.get("body") else None
"""


class Answer:
    """A response."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.cookies = response.msg.get_all("Set-Cookie") or []
        self.body = response.read()

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Url:
    """One URL, reached by host name or by path."""

    def __init__(self, platform: Platform, address: str) -> None:
        self.platform = platform
        self.address = address
        self.host = urlsplit(address).netloc
        self.id = self.host.partition(".")[0]

    def request(
        self,
        method: str = "GET",
        path: str = "/",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        by_path: bool = False,
    ) -> Answer:
        """Send a request on a separate connection."""
        connection = http.client.HTTPConnection(urlsplit(self.platform.endpoint).netloc, timeout=60)
        given = {"Host": self.host, **(headers or {})}
        if by_path:
            path = f"/_lambent/url/{self.id}{path}"
            del given["Host"]
        connection.request(method, path, body, given)
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def returning(self, result: Any, **more: Any) -> Answer:
        """The response of a client if the function returns this."""
        return self.request("POST", "/", json.dumps(result).encode(), {"Content-Type": "text/x"})


@pytest.fixture(scope="module")
def make_url(platform: Platform, lambda_client: Any) -> Callable[..., Url]:
    """Deploys a function with a URL."""

    def make(name: str, source: str, **members: Any) -> Url:
        deploy(lambda_client, name, {"app.py": source}, **members.pop("Function", {}))
        created = lambda_client.create_function_url_config(
            FunctionName=name, **{"AuthType": "NONE", **members}
        )
        return Url(platform, created["FunctionUrl"])

    return make


@pytest.fixture(scope="module")
def echo(make_url: Callable[..., Url]) -> Url:
    """Answers with the event."""
    return make_url("url-echo", ECHO)


@pytest.fixture(scope="module")
def answers(make_url: Callable[..., Url]) -> Url:
    """Responds with the request's content."""
    return make_url("url-answers", ANSWERS)


def test_a_configuration_from_creation_to_deletion(lambda_client: Any, platform: Platform) -> None:
    """Created, read, changed, listed, deleted; of the function and of an alias."""
    deploy(lambda_client, "url-config", {"app.py": ECHO})
    cors = {"AllowOrigins": ["https://example.com"], "MaxAge": 5}
    created = lambda_client.create_function_url_config(
        FunctionName="url-config", AuthType="AWS_IAM", Cors=cors
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:url-config"
    port = urlsplit(platform.endpoint).port
    url_id = urlsplit(created["FunctionUrl"]).netloc.partition(".")[0]
    assert len(url_id) == 32
    assert created["FunctionUrl"] == f"http://{url_id}.lambda-url.us-east-1.localhost:{port}/"
    assert (created["FunctionArn"], created["AuthType"], created["Cors"]) == (arn, "AWS_IAM", cors)
    assert "InvokeMode" not in created
    assert refusal(
        lambda_client.create_function_url_config, FunctionName="url-config", AuthType="NONE"
    ) == (
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {arn}]. Error message:"
        "  FunctionUrlConfig exists for this Lambda function",
    )
    lambda_client.publish_version(FunctionName="url-config")
    lambda_client.create_alias(FunctionName="url-config", Name="live", FunctionVersion="1")
    of_alias = lambda_client.create_function_url_config(
        FunctionName="url-config", Qualifier="live", AuthType="NONE"
    )
    assert of_alias["FunctionArn"] == f"{arn}:live"
    updated = lambda_client.update_function_url_config(
        FunctionName="url-config", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    assert updated["FunctionUrl"] == created["FunctionUrl"]
    assert (updated["AuthType"], updated["Cors"]) == ("NONE", cors)
    assert updated["LastModifiedTime"] >= updated["CreationTime"] == created["CreationTime"]
    listed = lambda_client.list_function_url_configs(FunctionName="url-config")
    assert [
        function_url_config["FunctionArn"] for function_url_config in listed["FunctionUrlConfigs"]
    ] == [arn, f"{arn}:live"]
    lambda_client.delete_function_url_config(FunctionName="url-config")
    for attempt in (
        lambda_client.get_function_url_config,
        lambda_client.delete_function_url_config,
        lambda_client.update_function_url_config,
    ):
        assert refusal(attempt, FunctionName="url-config") == (
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
        )
    assert refusal(
        lambda_client.create_function_url_config,
        FunctionName="url-config", Qualifier="1", AuthType="NONE",
    )[0] == "ValidationException"  # fmt: skip
    assert refusal(
        lambda_client.create_function_url_config, FunctionName="nobody", AuthType="NONE"
    ) == ("ResourceNotFoundException", "Function does not exist")


def test_any_origin_with_credentials(make_url: Callable[..., Url]) -> None:
    """Browsers take no wildcard together with credentials, so the origin is named."""
    cors = {"AllowOrigins": ["*"], "AllowCredentials": True}
    url = make_url("url-any-origin", ANSWERS, Cors=cors)
    answer = url.request(headers={"Origin": "https://example.com"})
    assert answer.headers["access-control-allow-origin"] == "https://example.com"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("by_path", [False, True])
def test_the_event(echo: Url, by_path: bool) -> None:
    """Payload format 2.0, member by member, by host name and by path."""
    answer = echo.request(
        "PUT",
        "/a%20b/%2Fc?x=1&x=2&y=%C3%A9&z",
        b'{"n": 1}',
        {
            "Content-Type": "application/json; charset=utf-8",
            "Cookie": "a=1; b=2",
            "User-Agent": "browser",
            "X-Custom": "yes",
            "X-Forwarded-For": "9.9.9.9",
        },
        by_path=by_path,
    )
    assert answer.status == 200
    event = answer.json()
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b/%2Fc",
        "rawQueryString": "x=1&x=2&y=%C3%A9&z",
        "cookies": ["a=1", "b=2"],
        "queryStringParameters": {"x": "1,2", "y": "é", "z": ""},
        "body": '{"n": 1}',
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "PUT",
        "path": "/a b//c",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "browser",
    }
    assert context["accountId"] == "anonymous"
    assert context["apiId"] == context["domainPrefix"] == echo.id
    assert (context["routeKey"], context["stage"]) == ("$default", "$default")
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert headers["x-custom"] == "yes"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert headers["cookie"] == "a=1; b=2"


def test_the_host_in_the_event_is_the_one_that_was_asked(echo: Url) -> None:
    """With its port, so that a function that redirects to itself uses the right one; the domain in
    the context has none."""
    domain, _, port = echo.host.partition(":")
    event = echo.request().json()
    assert event["headers"]["host"] == f"{domain}:{port}"
    assert event["headers"]["x-forwarded-port"] == port
    assert event["requestContext"]["domainName"] == domain


def test_repeated_headers_are_joined(echo: Url) -> None:
    """By commas; cookies by semicolons."""
    connection = http.client.HTTPConnection(urlsplit(echo.platform.endpoint).netloc, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("GET", "/", skip_host=True)
        for name, value in (
            ("Host", echo.host), ("X-R", "1"), ("X-R", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")
        ):  # fmt: skip
            connection.putheader(name, value)
        connection.endheaders()
        event = json.loads(connection.getresponse().read())
    assert event["headers"]["x-r"] == "1,2"
    assert event["headers"]["cookie"] == "a=1; b=2"
    assert event["cookies"] == ["a=1", "b=2"]


def test_bodies(echo: Url) -> None:
    """Text as text, everything else in base64, nothing if there is none."""
    binary = bytes(range(256))
    for kind, body, shown in (
        ("text/plain", b"plain", "plain"),
        ("application/vnd.api+json", b"{}", "{}"),
        ("application/x-www-form-urlencoded", b"a=b", base64.b64encode(b"a=b").decode()),
        ("image/png", binary, base64.b64encode(binary).decode()),
        ("text/plain", b"\xff", base64.b64encode(b"\xff").decode()),
    ):
        event = echo.request("POST", "/", body, {"Content-Type": kind}).json()
        assert event["body"] == shown
        assert event["isBase64Encoded"] == (shown != body.decode("latin-1"))
    assert "body" not in echo.request("DELETE").json()


@pytest.mark.parametrize(
    ("result", "status", "kind", "body"),
    [
        ({"a": 1}, 200, "application/json", b'{"a":1}'),
        (["hello", 3, True], 200, "application/json", b'["hello",3,true]'),
        ("hello", 200, "application/json", b"hello"),
        (7, 200, "application/json", b"7"),
        (None, 200, "application/json", b"null"),
        ({"statusCode": 201}, 201, "application/json", b""),
        ({"statusCode": "404", "body": "no"}, 404, "application/json", b"no"),
        ({"statusCode": 200, "body": {"a": [1, 2]}}, 200, "application/json", b'{"a":[1,2]}'),
        (
            {"statusCode": 200, "headers": {"content-type": "text/html"}, "body": "<p>é"},
            200,
            "text/html",
            "<p>é".encode(),
        ),
        (
            {"statusCode": 200, "body": "AP8=", "isBase64Encoded": True},
            200,
            "application/json",
            b"\x00\xff",
        ),
    ],
)
def test_what_functions_return(
    answers: Url, result: Any, status: int, kind: str, body: bytes
) -> None:
    """Plain values are wrapped, responses are used unchanged."""
    answer = answers.returning(result)
    assert (answer.status, answer.headers["content-type"], answer.body) == (status, kind, body)
    assert answer.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 1000},
        {"statusCode": True},
        {"statusCode": None},
        {"statusCode": [200]},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a\r\nb": "c"}},
        {"statusCode": 200, "headers": {"a": "c\r\nSet-Cookie: x=y"}},
        {"statusCode": 200, "headers": {"a": "\x00"}},
        {"statusCode": 200, "headers": {"a": {"b": 1}}},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "cookies": ["a=b\r\nX-Injected: 1"]},
        {"statusCode": 200, "body": "!", "isBase64Encoded": True},
    ],
)
def test_answers_that_cannot_be_sent(answers: Url, result: Any) -> None:
    """502, and no byte of the function's response is sent."""
    answer = answers.returning(result)
    assert (answer.status, answer.body) == (502, b"Internal Server Error")
    assert "x-injected" not in answer.headers
    assert answer.cookies == []


def test_headers_and_cookies(answers: Url) -> None:
    """Scalars become text, each cookie is a header; connection headers are the platform's."""
    answer = answers.returning(
        {
            "statusCode": 200,
            "headers": {"X-Flag": True, "X-Number": 5, "X-None": None, "X-Text": "grüße"},
            "cookies": ["a=1; Path=/", "b=2"],
            "body": "x",
        }
    )
    assert answer.headers["x-flag"] == "true"
    assert answer.headers["x-number"] == "5"
    assert answer.headers["x-text"].encode("latin-1").decode() == "grüße"
    assert answer.cookies == ["a=1; Path=/", "b=2"]
    answer = answers.returning(
        {
            "statusCode": 200,
            "headers": {"Content-Length": "1", "Transfer-Encoding": "chunked", "Connection": "x"},
            "body": "whole",
        }
    )
    assert answer.body == b"whole"
    assert "transfer-encoding" not in answer.headers


def test_methods(answers: Url, echo: Url) -> None:
    """HEAD has no body but its length; others reach the function."""
    head = echo.request("HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 100
    for method in ("PATCH", "OPTIONS", "DELETE"):
        assert echo.request(method).json()["requestContext"]["http"]["method"] == method


def test_errors(make_url: Callable[..., Url], echo: Url) -> None:
    """A function's failure is 502, its timeout 504; ids that are none are forbidden."""
    failing = make_url("url-failing", "def handler(event, context): raise ValueError('secret')")
    answer = failing.request()
    assert (answer.status, answer.body) == (502, b"Internal Server Error")
    slow = make_url(
        "url-slow",
        "import time\ndef handler(event, context): time.sleep(30)",
        Function={"Timeout": 1},
    )
    assert slow.request().status == 504
    unknown = Url(echo.platform, echo.address.replace(echo.id, "a" * 32))
    for by_path in (False, True):
        for _ in range(2):
            answer = unknown.request(by_path=by_path)
            assert (answer.status, answer.json()) == (403, {"Message": None})
            assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"


def test_events_have_a_size(echo: Url) -> None:
    """More than 6 MB is refused before the function sees it."""
    body = b"x" * (6 * 1024 * 1024 + 1)
    answer = echo.request("POST", "/", body, {"Content-Type": "text/plain"})
    assert answer.status == 413
    encoded = b"\xff" * (5 * 1024 * 1024)
    assert echo.request("POST", "/", encoded).status == 413


def test_cors(lambda_client: Any, make_url: Callable[..., Url]) -> None:
    """Preflight requests do not reach the function; the configuration replaces its headers."""
    source = """
def handler(event, context):
    assert event["requestContext"]["http"]["method"] != "OPTIONS"
    return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "https://evil.example"}}
"""
    url = make_url(
        "url-cors",
        source,
        Cors={
            "AllowOrigins": ["https://good.example"],
            "AllowMethods": ["GET", "POST"],
            "AllowHeaders": ["x-one", "x-two"],
            "ExposeHeaders": ["x-three"],
            "AllowCredentials": True,
            "MaxAge": 60,
        },
    )
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-one"}
    answer = url.request("OPTIONS", headers={"Origin": "https://good.example", **asking})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://good.example"
    assert answer.headers["access-control-allow-methods"] == "GET,POST"
    assert answer.headers["access-control-allow-headers"] == "x-one,x-two"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-max-age"] == "60"
    stranger = url.request("OPTIONS", headers={"Origin": "https://evil.example", **asking})
    assert not [name for name in stranger.headers if name.startswith("access-control")]
    answer = url.request(headers={"Origin": "https://good.example"})
    assert answer.headers["access-control-allow-origin"] == "https://good.example"
    assert answer.headers["access-control-expose-headers"] == "x-three"
    assert "access-control-allow-origin" not in url.request().headers


def test_aliases_have_urls(lambda_client: Any, platform: Platform) -> None:
    """An alias's URL runs its version; without the alias it is forbidden, and works again with
    it."""
    name = "url-alias"
    deploy(
        lambda_client,
        name,
        {"app.py": "def handler(event, context): return context.function_version"},
    )
    lambda_client.publish_version(FunctionName=name)
    alias = {"FunctionName": name, "Name": "live", "FunctionVersion": "1"}
    lambda_client.create_alias(**alias)
    config = lambda_client.create_function_url_config(
        FunctionName=name, Qualifier="live", AuthType="NONE"
    )
    url = Url(platform, config["FunctionUrl"])
    assert url.request().body == b"1"
    lambda_client.delete_alias(FunctionName=name, Name="live")
    assert url.request().status == 403
    lambda_client.create_alias(**alias)
    assert url.request().body == b"1"
    lambda_client.delete_function(FunctionName=name)
    assert url.request().status == 403


def test_signatures(lambda_client: Any, platform: Platform, make_url: Callable[..., Url]) -> None:
    """AWS_IAM requires one, and the function learns who signed."""
    url = make_url("url-iam", ECHO, AuthType="AWS_IAM")
    answer = url.request()
    assert answer.status == 403
    assert answer.json()["Message"].startswith("Forbidden. For troubleshooting Function URL")
    iam = platform.client("iam")
    iam.create_user(UserName="urls")
    key = iam.create_access_key(UserName="urls")["AccessKey"]
    signed = sign(url, key["AccessKeyId"], key["SecretAccessKey"])
    answer = url.request("POST", "/p?a=b", b"{}", signed)
    assert answer.status == 200
    caller = answer.json()["requestContext"]["authorizer"]["iam"]
    assert caller["userArn"] == f"arn:aws:iam::{ACCOUNT}:user/urls"
    assert caller["accessKey"] == key["AccessKeyId"]
    wrong = sign(url, key["AccessKeyId"], "wrong")
    assert url.request("POST", "/p?a=b", b"{}", wrong).status == 403
    assert url.request("POST", "/p?a=c", b"{}", signed).status == 403
    stranger = sign(url, "222222222222", "any")
    assert url.request("POST", "/p?a=b", b"{}", stranger).status == 403
    for action, condition in (
        ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "AWS_IAM"}),
        ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        assert url.request("POST", "/p?a=b", b"{}", stranger).status == 403
        lambda_client.add_permission(
            FunctionName="url-iam",
            StatementId=action.rpartition(":")[2],
            Action=action,
            Principal="222222222222",
            **condition,
        )
    assert url.request("POST", "/p?a=b", b"{}", stranger).status == 200


def sign(url: Url, key: str, secret: str) -> dict[str, str]:
    """Headers of a signed `POST /p?a=b` with `{}`."""
    request = AWSRequest(method="POST", url=f"http://{url.host}/p?a=b", data=b"{}")
    SigV4Auth(Credentials(key, secret), "lambda", "us-east-1").add_auth(request)
    return {**dict(request.headers.items()), "Host": url.host}


def test_strict_platforms_ask_for_public_permission(
    start_platform: Callable[..., Platform],
) -> None:
    """NONE means that callers need not sign, not that every caller is allowed."""
    from .test_identity import TRUST, Strict

    strict = Strict(start_platform(None, "--auth", "strict"))
    strict.client("iam").create_role(
        RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    client = strict.client("lambda")
    deploy(client, "public", {"app.py": "def handler(event, context): return 'hi'"})
    config = client.create_function_url_config(FunctionName="public", AuthType="NONE")
    url = Url(strict.platform, config["FunctionUrl"])
    assert url.request().status == 403
    client.add_permission(
        FunctionName="public", StatementId="url", Principal="*",
        Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE",
    )  # fmt: skip
    assert url.request().status == 403
    client.add_permission(
        FunctionName="public", StatementId="invoke", Principal="*",
        Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True,
    )  # fmt: skip
    for _ in range(3):
        assert url.request().body == b"hi"
    arn = config["FunctionArn"]
    document = json.loads(client.get_resource_policy(ResourceArn=arn)["Policy"])
    denied = {
        "Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "lambda:InvokeFunctionUrl",
        "Resource": arn, "Condition": {"ArnEquals": {"lambda:FunctionArn": arn}},
    }  # fmt: skip
    document["Statement"].append(denied)
    client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
    assert url.request().status == 403
    client.remove_permission(FunctionName="public", StatementId="no")
    assert url.request().status == 200
    client.remove_permission(FunctionName="public", StatementId="url")
    assert url.request().status == 403


def test_streams_with_a_prelude(make_url: Callable[..., Url]) -> None:
    """RESPONSE_STREAM: raw bytes, as the function returned them, of the runtime's type."""
    url = make_url(
        "url-stream",
        "def handler(event, context): return {'statusCode': 418}",
        InvokeMode="RESPONSE_STREAM",
    )
    answer = url.request()
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"statusCode": 418}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: other\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nCookie: " + b"a" * 1_100_000 + b"\r\n\r\n",
        b"GET /_lambent/url/../../x HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"GET /?%zz=%&&&=\xff HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ],
)
def test_hostile_requests(echo: Url, data: bytes) -> None:
    """Whatever a client sends gets one response at most, and the next client is served."""
    address = urlsplit(echo.platform.endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(data.replace(b"HOST", echo.host.encode()))
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 ") <= 1
    assert echo.request().status == 200


def test_url_ids_are_not_guessed(echo: Url) -> None:
    """Parts of ids, and similar ids, are not found."""
    for url_id in ("", "a", echo.id[:-1], echo.id.upper(), echo.id + "a", "..", "%00", quote("é")):
        other = Url(echo.platform, echo.address)
        other.id = url_id
        assert other.request(by_path=True).status in (403, 404)


def test_many_functions_are_reached(make_url: Callable[..., Url]) -> None:
    """Updates count at once."""
    url = make_url("url-update", "def handler(event, context): return 1")
    assert url.request().body == b"1"
    from .conftest import zip_of

    client = url.platform.client("lambda")
    client.update_function_code(
        FunctionName="url-update",
        ZipFile=zip_of({"app.py": "def handler(event, context): return 2"}),
    )
    wait_for(lambda: url.request().body == b"2", "the new code answers")
