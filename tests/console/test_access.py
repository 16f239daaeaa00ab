"""The console against pages of others, stolen cookies, hostile paths and bodies: what the platform
sends to a client that can send anything, on a relaxed and on a strict platform."""

import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from tests.platforms import Platform, deploy

CONSOLE = "/_lambent/console"
LIST = f"{CONSOLE}/api/lambda/ListFunctions"
OURS = {"X-Lambent-Console": "none", "Sec-Fetch-Site": "same-origin"}
BROWSES = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
PAGE = """
def handler(event, context):
    headers = {"Content-Type": "text/html", "Service-Worker-Allowed": "/", "Set-Cookie": "a=b"}
    return {"statusCode": 200, "headers": headers, "body": "<script>1</script>"}
"""


class Answer:
    """A response."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    @property
    def code(self) -> str:
        """Of an error."""
        return str(json.loads(self.body)["code"])


def ask(
    platform: Platform,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = OURS,
) -> Answer:
    """Send a request, with the path as it is written."""
    where = urlsplit(platform.endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A strict platform."""
    running = Platform(tmp_path_factory.mktemp("strict") / "data", "--auth", "strict")
    yield running
    running.stop()


def root_key(platform: Platform) -> tuple[str, str]:
    """The first key of a strict platform."""
    text = (platform.data_dir / "root-credentials").read_text()
    found = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    return found["aws_access_key_id"], found["aws_secret_access_key"]


def signed_in(platform: Platform) -> dict[str, str]:
    """The headers of a session."""
    key_id, secret = root_key(platform)
    body = json.dumps({"accessKeyId": key_id, "secretAccessKey": secret}).encode()
    answer = ask(platform, f"{CONSOLE}/session", "POST", body)
    assert answer.status == 200, answer.body
    cookie = answer.headers["Set-Cookie"]
    assert "; Path=/_lambent/console; HttpOnly; SameSite=Strict" in cookie
    token = json.loads(answer.body)["token"]
    return {**OURS, "Cookie": cookie.partition(";")[0], "X-Lambent-Console": token}


def test_the_page_is_guarded(console_platform: Platform) -> None:
    """It cannot be framed, and runs only its own scripts."""
    answer = ask(console_platform, f"{CONSOLE}/", headers=BROWSES)
    assert answer.status == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src http://127.0.0.1:")
    assert "frame-ancestors 'none'" in policy
    assert ask(console_platform, CONSOLE, headers=BROWSES).headers["Location"] == f"{CONSOLE}/"
    script = ask(console_platform, f"{CONSOLE}/static/app.js", headers={})
    assert script.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert script.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "static/../front.py",
        "static/%2e%2e/front.py",
        "static/..%2ffront.py",
        "static//etc/passwd",
        "static/pages/../../settings.py",
        "static/index.html",
        "static/",
        "static",
        "nothing",
        "session/..",
    ],
)
def test_nothing_else_is_a_file(console_platform: Platform, path: str) -> None:
    assert ask(console_platform, f"{CONSOLE}/{path}").status == 404


@pytest.mark.parametrize(
    "path", [LIST, f"{CONSOLE}/raw/lambda/2015-03-31/functions", f"{CONSOLE}/session"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {**OURS, "Sec-Fetch-Site": "cross-site"},
        {**OURS, "Sec-Fetch-Site": "same-site"},
        {**OURS, "Origin": "http://evil.example"},
        {**OURS, "Origin": "http://127.0.0.1:1"},
        {**OURS, "Origin": "null"},
        {**OURS, "Host": "evil.example"},
        {**OURS, "Host": f"{'a' * 32}.lambda-url.us-east-1.localhost"},
        {**OURS, "Host": "a.localhost"},
        {**OURS, "Host": "10.1.2.3"},
    ],
)
def test_pages_of_others_get_nothing(
    console_platform: Platform, path: str, headers: Mapping[str, str]
) -> None:
    """By links, forms and scripts, from other ports, and by names that lead to this machine."""
    method = "POST" if path == LIST else "GET"
    answer = ask(console_platform, path, method, b"{}" if method == "POST" else None, headers)
    assert answer.status == 403
    assert b"greeter" not in answer.body
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_other_origins_are_not_allowed_to_ask(console_platform: Platform) -> None:
    headers = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-lambent-console,content-type",
    }
    answer = ask(console_platform, LIST, "OPTIONS", headers=headers)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_the_console_is_not_at_names_of_functions(console_platform: Platform) -> None:
    """There, pages of functions would have its origin."""
    host = f"{'a' * 32}.lambda-url.us-east-1.localhost"
    assert ask(console_platform, f"{CONSOLE}/", headers={**BROWSES, "Host": host}).status == 403


def test_pages_of_functions_have_another_origin(console_platform: Platform) -> None:
    """A function has a path at the console's address. A browser shows its page in an origin of its
    own, which has neither the console's cookies nor its storage; a client is not concerned."""
    client = console_platform.client("lambda")
    deploy(client, "page", {"app.py": PAGE})
    url = client.create_function_url_config(FunctionName="page", AuthType="NONE")["FunctionUrl"]
    path = f"/_lambent/url/{urlsplit(url).netloc.partition('.')[0]}/"
    for browses in (BROWSES, {"User-Agent": "Mozilla/5.0 (X11)"}, {"Sec-Fetch-Dest": "empty"}):
        policy = ask(console_platform, path, headers=browses).headers["Content-Security-Policy"]
        assert policy.startswith("sandbox ")
        assert "allow-same-origin" not in policy
    for other in ({}, {"User-Agent": "Boto3/1.44"}, {"Accept": "text/html"}):
        assert "Content-Security-Policy" not in ask(console_platform, path, headers=other).headers
    by_name = {**BROWSES, "Host": urlsplit(url).netloc}
    answer = ask(console_platform, "/", headers=by_name)
    assert answer.status == 200
    assert "Content-Security-Policy" not in answer.headers

    passed = ask(console_platform, f"{CONSOLE}/raw/lambda{path}")
    assert passed.status == 200
    assert "Set-Cookie" not in passed.headers
    assert "Service-Worker-Allowed" not in passed.headers
    shown = json.loads(passed.headers["X-Lambent-Headers"])
    assert {name.lower() for name, _ in shown["headers"]} >= {"content-type", "set-cookie"}
    client.delete_function(FunctionName="page")


def test_pages_in_buckets_have_another_origin(console_platform: Platform) -> None:
    buckets = console_platform.client("s3", config=Config(signature_version="s3v4"))
    buckets.create_bucket(Bucket="pages")
    buckets.put_object(Bucket="pages", Key="a.html", Body=b"<p>", ContentType="text/html")
    given = {"Bucket": "pages", "Key": "a.html"}
    link = urlsplit(buckets.generate_presigned_url("get_object", Params=given))
    host = {"Host": link.netloc}
    answer = ask(console_platform, f"{link.path}?{link.query}", headers={**BROWSES, **host})
    assert (answer.status, answer.body) == (200, b"<p>")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")
    assert ask(console_platform, "/_lambent/health", headers=BROWSES).status == 200


def test_invoke_is_passed_on(console_platform: Platform) -> None:
    path = f"{CONSOLE}/raw/lambda/2015-03-31/functions/greeter/invocations"
    answer = ask(console_platform, path, "POST", b'{"a": 1}', {**OURS, "X-Amz-Log-Type": "Tail"})
    assert json.loads(answer.body)["hello"] == {"a": 1}
    assert "X-Amz-Log-Result" in answer.headers
    assert "x-amzn-RequestId" in answer.headers


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("api/lambda/Nothing", 400, "UnknownOperationException"),
        ("api/ec2/RunInstances", 400, "UnknownOperationException"),
        ("api/../lambda/ListFunctions", 400, "UnknownOperationException"),
        ("api/lambda", 400, "UnknownOperationException"),
        ("raw/lambda", 404, "ResourceNotFoundException"),
        (f"raw/lambda{LIST}", 404, "ResourceNotFoundException"),
        ("raw/lambda/_lambent/debug/greeter?port=1", 404, "ResourceNotFoundException"),
        ("raw/l*/x", 404, "ResourceNotFoundException"),
    ],
)
def test_unknown_requests(console_platform: Platform, path: str, status: int, code: str) -> None:
    answer = ask(console_platform, f"{CONSOLE}/{path}", "POST", b"{}")
    assert (answer.status, answer.code) == (status, code)


def test_errors_are_those_of_the_api(console_platform: Platform) -> None:
    answer = ask(
        console_platform,
        f"{CONSOLE}/api/lambda/GetFunction",
        "POST",
        b'{"FunctionName": "nothing"}',
    )
    assert (answer.status, answer.code) == (404, "ResourceNotFoundException")
    answer = ask(
        console_platform, f"{CONSOLE}/api/lambda/GetFunction", "POST", b'{"FunctionName": ""}'
    )
    assert (answer.status, answer.code) == (400, "ValidationException")
    headers = {**OURS, "X-Lambent-Region": "../../x"}
    assert (
        ask(console_platform, LIST, "POST", b"{}", headers).code == "InvalidParameterValueException"
    )
    assert ask(console_platform, LIST).code == "MethodNotAllowedException"


def test_regions_are_apart(console_platform: Platform) -> None:
    headers = {**OURS, "X-Lambent-Region": "eu-west-1"}
    assert json.loads(ask(console_platform, LIST, "POST", b"{}", headers).body) == {"Functions": []}


# -- a strict platform -------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIST, f"{CONSOLE}/raw/lambda/2015-03-31/functions/"])
def test_no_one_is_let_in_without_a_session(strict: Platform, path: str) -> None:
    for headers in (OURS, {**OURS, "Cookie": "lambent-console-1=x"}):
        method = "POST" if path == LIST else "GET"
        answer = ask(strict, path, method, b"{}" if method == "POST" else None, headers)
        assert (answer.status, answer.code) == (401, "UnrecognizedClientException")


def test_a_cookie_alone_is_worth_nothing(strict: Platform) -> None:
    """Another server on the same host gets the cookie, but not the token. Scripts get the token,
    but not the cookie."""
    session = signed_in(strict)
    assert ask(strict, LIST, "POST", b"{}", session).status == 200
    stolen = {**session, "X-Lambent-Console": "none"}
    assert ask(strict, LIST, "POST", b"{}", stolen).status == 401
    without = {name: value for name, value in session.items() if name != "Cookie"}
    assert ask(strict, LIST, "POST", b"{}", without).status == 401
    foreign = {**session, "Sec-Fetch-Site": "same-site"}
    assert ask(strict, LIST, "POST", b"{}", foreign).status == 403


def test_signing_out_ends_the_session(strict: Platform) -> None:
    session = signed_in(strict)
    answer = ask(strict, f"{CONSOLE}/session", "DELETE", headers=session)
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert ask(strict, LIST, "POST", b"{}", session).status == 401


def test_large_bodies_of_strangers_are_not_read(strict: Platform) -> None:
    """A user may upload a package. Of anyone else, no more than the head of a request is read."""
    body = b" " * (2 << 20)
    assert ask(strict, LIST, "POST", body, signed_in(strict)).status == 200
    with_body = f"{CONSOLE}/api/lambda/UpdateFunctionCode"
    where = urlsplit(strict.endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=60)
    connection.putrequest("POST", with_body)
    for name, value in {**OURS, "Content-Length": str(60 << 20)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()
    for session in (f"{CONSOLE}/session", LIST):
        assert ask(strict, session, "POST", b" " * (100 << 10), OURS).status in (400, 401)


def test_sign_in_takes_only_what_it_needs(strict: Platform) -> None:
    for body in (b"[]", b"{", b'{"accessKeyId": 1}', b'{"accessKeyId": ["a"]}', b"null", b'"x"'):
        answer = ask(strict, f"{CONSOLE}/session", "POST", body)
        assert answer.status == 400, body


def test_a_user_may_do_what_policies_allow(strict: Platform) -> None:
    """The same as with a signed request, and nothing once the key is deleted."""
    key_id, secret = root_key(strict)
    keys: dict[str, Any] = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
    iam = strict.client("iam", **keys)
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "lambda:ListFunctions", "Resource": "*"}
    iam.put_user_policy(
        UserName="reader", PolicyName="p", PolicyDocument=json.dumps({"Statement": [allowed]})
    )
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    given = {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]}
    answer = ask(strict, f"{CONSOLE}/session", "POST", json.dumps(given).encode())
    session = {
        **OURS,
        "Cookie": answer.headers["Set-Cookie"].partition(";")[0],
        "X-Lambent-Console": json.loads(answer.body)["token"],
    }
    described = json.loads(ask(strict, f"{CONSOLE}/session", headers=session).body)
    assert described["arn"] == "arn:aws:iam::000000000000:user/reader"
    assert ask(strict, LIST, "POST", b"{}", session).status == 200
    headers = {**session, "X-Lambent-Account": "111111111111"}
    assert (
        json.loads(ask(strict, f"{CONSOLE}/session", headers=headers).body)["account"] == "0" * 12
    )
    denied = ask(strict, f"{CONSOLE}/api/lambda/GetAccountSettings", "POST", b"{}", session)
    assert (denied.status, denied.code) == (403, "AccessDeniedException")
    for name in ("metrics", "schedules"):
        denied = ask(strict, f"{CONSOLE}/raw/lambda/_lambent/{name}", headers=session)
        assert (denied.status, denied.code) == (403, "AccessDeniedException")
    iam.delete_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"])
    assert ask(strict, LIST, "POST", b"{}", session).status == 401


def test_functions_cannot_use_the_console(console_platform: Platform) -> None:
    """Also on a relaxed platform, where they may use the API."""
    source = """
import os, urllib.error, urllib.request
def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL"] + "/_lambent/console/api/lambda/ListFunctions"
    headers = {"X-Lambent-Console": "none", "Host": "127.0.0.1"}
    try:
        return urllib.request.urlopen(urllib.request.Request(url, b"{}", headers)).status
    except urllib.error.HTTPError as error:
        return error.code
"""
    client = console_platform.client("lambda")
    deploy(client, "intruder", {"app.py": source})
    assert json.loads(client.invoke(FunctionName="intruder")["Payload"].read()) == 403
    client.delete_function(FunctionName="intruder")


def test_a_browser_keeps_its_caller(strict: Platform) -> None:
    """What a session asks for as it is, is done as its user and in the Region of the page."""
    browser = {**signed_in(strict), "User-Agent": "Mozilla/5.0", "X-Lambent-Region": "eu-west-1"}
    answer = ask(strict, f"{CONSOLE}/raw/lambda/2015-03-31/functions/nothing", headers=browser)
    assert answer.status == 404
    assert "arn:aws:lambda:eu-west-1:" in json.loads(answer.body)["Message"]
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")


def test_secrets_are_not_in_the_log(strict: Platform) -> None:
    signed_in(strict)
    _, secret = root_key(strict)
    logs = [path.read_text(errors="replace") for path in Path(strict.data_dir).rglob("*.log")]
    assert not [text for text in logs if secret in text]


def test_brute_force_is_slowed_down(strict: Platform) -> None:
    """The last test here: the address has to wait for a minute then."""
    body = json.dumps({"accessKeyId": root_key(strict)[0], "secretAccessKey": "x"}).encode()
    answers = [ask(strict, f"{CONSOLE}/session", "POST", body) for _ in range(12)]
    assert {answer.status for answer in answers} == {401, 429}
    assert answers[-1].code == "TooManyRequestsException"
