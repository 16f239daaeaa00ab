"""Integrations with HTTP servers, and which servers may be reached."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.sandbox.egress_policy import EgressSettings
from tests.platforms import wait_for

from .backend import running_backend
from .http_apis import HttpApi, serving_http
from .serving import ACCOUNT, REGION, Response, Served


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    with running_backend() as url:
        yield url


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Loopback is allowed, IPv6 is not."""
    egress = EgressSettings(allow=("127.0.0.0/8",))
    with serving_http(tmp_path_factory.mktemp("apis"), egress=egress) as served:
        yield served


def proxy(served: Served, uri: str, key: str = "ANY /{proxy+}", **more: Any) -> HttpApi:
    """An API whose route leads to a server."""
    api = HttpApi(served)
    integration = {"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", **more}
    api.route(key, api.integration(uri, **integration))
    return api.deploy("dev", StageVariables={"v": "v1"})


def seen(response: Response) -> Any:
    assert response.status == 201, response
    return response.json()


def test_requests_are_passed_on(served: Served, backend: str) -> None:
    """Method, path by its variable, query, headers, body; and what a proxy adds."""
    api = proxy(served, f"{backend}/${{stageVariables.v}}/{{proxy}}?own=1")
    headers = {"X-A": "b", "Connection": "close", "Content-Type": "text/x"}
    response = api.request("PUT", "/dev/a/b%20c?q=%2F&q=2", b"hi\xff", headers)
    found = seen(response)
    assert (found["method"], found["path"]) == ("PUT", "/v1/a/b%20c?own=1&q=%2F&q=2")
    assert found["body"] == "hi\xff"
    sent = found["headers"]
    assert (sent["x-a"], sent["content-type"]) == ("b", "text/x")
    assert sent["host"] == backend.removeprefix("http://")
    assert sent["forwarded"] == f"for=127.0.0.1;host={api.host};proto=http"
    assert sent["via"].startswith("1.1 lambent-")
    assert sent["x-amzn-trace-id"].startswith("Root=1-")
    assert response.headers["set-cookie"] == "a=b"
    assert response.headers["apigw-requestid"]


def test_a_uri_without_variables_is_the_whole_path(served: Served, backend: str) -> None:
    """The method may be fixed, too."""
    api = proxy(served, f"{backend}/fixed", IntegrationMethod="POST")
    found = seen(api.get("/dev/a/b?q=1"))
    assert (found["method"], found["path"]) == ("POST", "/fixed?q=1")


def test_mapping(served: Served, backend: str) -> None:
    """Of requests and of responses, also from the body of a response."""
    changes = {
        "overwrite:path": "/other/${request.path.proxy}",
        "append:header.x-api": "$context.apiId",
        "overwrite:querystring.q": "a b",
    }
    of_404 = {
        "overwrite:statuscode": "201",
        "overwrite:header.x-method": "$response.body.method",
        "remove:header.x-old": "''",
    }
    api = proxy(
        served, f"{backend}/x", RequestParameters=changes, ResponseParameters={"404": of_404}
    )
    response = api.get("/dev/missing?q=1")
    found = seen(response)
    assert found["path"] == "/other/missing?q=a+b"
    assert found["headers"]["x-api"] == api.id
    assert (response.headers["x-method"], "x-old" in response.headers) == ("GET", False)


def test_bodies_are_streamed(served: Served, backend: str) -> None:
    """Of any length, with a length or in chunks; HEAD has none. What breaks off is seen as such."""
    api = proxy(served, f"{backend}/{{proxy}}")
    assert api.get("/dev/large").body == b"x" * 3_000_000
    assert api.get("/dev/chunks").body == b"abc"
    head = api.request("HEAD", "/dev/large")
    assert (head.status, head.body) == (200, b"")
    with pytest.raises(Exception, match="IncompleteRead"):
        api.get("/dev/cut")


@pytest.mark.parametrize(("path", "line"), [("stuck", "200 5"), ("slow", "- 0")])
def test_a_client_that_leaves_is_in_the_access_log(
    served: Served, backend: str, path: str, line: str
) -> None:
    """Without a status if it had none."""
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:left-{path}"
    settings = {"DestinationArn": group, "Format": "$context.status $context.responseLength"}
    api = HttpApi(served)
    integration = api.integration(
        f"{backend}/{path}", IntegrationType="HTTP_PROXY", IntegrationMethod="ANY"
    )
    api.route("$default", integration)
    api.deploy(AccessLogSettings=settings)
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    client.request("GET", "/", headers={"Host": api.host})
    if path == "stuck":
        assert client.getresponse().read(5) == b"begin"
    client.close()
    wait_for(lambda: served.log_lines(f"left-{path}"), "the line")
    assert served.log_lines(f"left-{path}") == [line]


def test_servers_that_do_not_respond(served: Served, backend: str) -> None:
    """503, in time."""
    api = proxy(served, f"{backend}/{{proxy}}", TimeoutInMillis=100)
    for uri in ("/dev/slow",):
        response = api.get(uri)
        assert (response.status, response.json()) == (503, {"message": "Service Unavailable"})
    assert proxy(served, "http://127.0.0.1:1/").get("/dev/x").status == 503
    assert proxy(served, "http://no-such-host.invalid/").get("/dev/x").status == 503


@pytest.mark.parametrize(
    "uri",
    [
        "ftp://a/b",
        "http://",
        "a/b",
        "http://{proxy}/x",
        "http://a b/",
        "file:///etc/passwd",
        "${stageVariables.none}",
    ],
)
def test_uris_that_lead_nowhere(served: Served, uri: str) -> None:
    """A client cannot choose the host."""
    assert proxy(served, uri).get("/dev/x").status in (500, 503)


@pytest.mark.parametrize(
    "path", ["..", "a/../b", "%2e%2e/b", "a/%2E%2e", "a%2f..%2fb", "a\\..\\b", "."]
)
def test_paths_that_climb(served: Served, backend: str, path: str) -> None:
    """A variable does not lead out of the URI's path."""
    api = proxy(served, f"{backend}/public/{{proxy}}")
    assert api.get(f"/dev/{path}").status == 400


@pytest.mark.slow
@pytest.mark.parametrize("value", ["a?b=c", "a#b", "a%0d%0ab", "a%00", "a;b", "%25", "a//b", "{x}"])
def test_values_stay_in_the_path(served: Served, backend: str, value: str) -> None:
    """Whatever characters they have."""
    api = proxy(served, f"{backend}/public/{{proxy}}")
    path, _, query = value.partition("?")
    found = seen(api.get(f"/dev/{path.replace('#', '%23')}" + (f"?{query}" if query else "")))
    assert found["path"].startswith("/public/")
    assert "\r" not in found["path"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "localhost",
        "169.254.169.254",
        "[::1]",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "[fd00:ec2::254]",
    ],
)
def test_addresses_that_are_refused(tmp_path: Any, backend: str, address: str) -> None:
    """Functions cannot reach them either: loopback, metadata, this host."""
    port = backend.rpartition(":")[2]
    with serving_http(tmp_path, egress=EgressSettings()) as served:
        assert proxy(served, f"http://{address}:{port}/").get("/dev/x").status == 503
        own = f"http://{address}:{served.port}/_lambent/health"
        assert proxy(served, own).get("/dev/x").status == 503


def test_without_egress_nothing_is_reached(tmp_path: Any, backend: str) -> None:
    """`egress.enabled = false` is for APIs, too."""
    egress = EgressSettings(enabled=False, allow=("127.0.0.0/8",))
    with serving_http(tmp_path, egress=egress) as served:
        assert proxy(served, backend).get("/dev/x").status == 503


def test_loops_end(served: Served) -> None:
    """An API that leads to itself."""
    api = HttpApi(served)
    own = f"http://127.0.0.1:{served.port}/_lambent/api/{api.id}/{{proxy}}"
    target = api.integration(own, IntegrationType="HTTP_PROXY")
    api.route("ANY /{proxy+}", target)
    response = api.deploy().get("/x")
    assert (response.status, json.loads(response.body)) == (508, {"message": "Loop Detected"})
