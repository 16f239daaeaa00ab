"""REST APIs in front of servers: HTTP and HTTP_PROXY."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.sandbox.egress_policy import EgressSettings
from tests.unit.triggers.apis.backend import running_backend
from tests.unit.triggers.apis.serving import Served

from .apis import RestApi, serving_rest

PATH = {"integration.request.path.proxy": "method.request.path.proxy"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("rest")
    with serving_rest(directory, egress=EgressSettings(allow=("127.0.0.0/8",))) as served:
        yield served


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    with running_backend() as address:
        yield address


def deploy(served: Served, uri: str, kind: str = "HTTP_PROXY", **integration: Any) -> RestApi:
    api = RestApi(served)
    method = {"methodIntegration": {"type": kind, "uri": uri, **integration}}
    api.deploy({"ANY /{proxy+}": method})
    return api


def test_a_proxy_passes_all_on(served: Served, backend: str) -> None:
    """Method, path, query, headers and body; and the response with its status and headers."""
    mapped = {
        **PATH,
        "integration.request.header.x-stage": "context.stage",
        "integration.request.querystring.q": "'fixed'",
    }
    api = deploy(served, f"{backend}/base/{{proxy}}?k=v", requestParameters=mapped)
    response = api.request(
        "/stage/a/b%20c?q=1&r=2&r=3",
        "POST",
        body=b"hello",
        headers={"X-Mine": "1", "Content-Type": "text/plain", "Connection": "keep-alive"},
    )
    seen = response.json()
    assert response.status == 201
    assert response.headers["x-old"] == "1"
    assert (seen["method"], seen["body"]) == ("POST", "hello")
    assert seen["path"] == "/base/a/b%20c?k=v&q=fixed&r=2&r=3"
    assert seen["headers"]["x-mine"] == "1"
    assert seen["headers"]["x-stage"] == "stage"
    assert seen["headers"]["host"] == backend.removeprefix("http://")
    assert api.request("/stage/missing").status == 404


@pytest.mark.parametrize("kind", ["HTTP", "HTTP_PROXY"])
@pytest.mark.parametrize("more", ["", "x" * 100_000], ids=["small", "large"])
def test_parts_of_the_body_become_parameters(
    served: Served, backend: str, kind: str, more: str
) -> None:
    """By JSONPath; a body that is not JSON has no parts. All of it can be a parameter, too, if it
    is one line."""
    mapped = {
        "integration.request.header.item": "method.request.body.items[1]",
        "integration.request.querystring.name": "method.request.body.name",
        "integration.request.header.none": "method.request.body.none",
    }
    responses = {"200": {"statusCode": "200"}}
    api = deploy(
        served,
        f"{backend}/fixed",
        kind,
        httpMethod="POST",
        requestParameters=mapped,
        integrationResponses=responses,
    )
    body = {"items": [1, {"x": 2}], "name": "a b", "more": more}
    headers = {"Content-Type": "application/json"}
    seen = api.request("/stage/x", "POST", body=json.dumps(body).encode(), headers=headers).json()
    assert seen["path"] == "/fixed?name=a+b"
    assert seen["headers"]["item"] == '{"x":2}'
    assert "none" not in seen["headers"]
    assert (
        api.request("/stage/x", "POST", body=b"{" + more.encode(), headers=headers).json()["path"]
        == "/fixed"
    )
    whole = {"integration.request.header.all": "method.request.body"}
    api = deploy(
        served,
        f"{backend}/fixed",
        kind,
        httpMethod="POST",
        requestParameters=whole,
        integrationResponses=responses,
    )
    assert api.request("/stage/x", "POST", body=b"one line").json()["headers"]["all"] == "one line"
    assert api.request("/stage/x", "POST", body=b"a\r\nb: c" + more.encode()).status == 500


def test_a_server_behind_templates(served: Served, backend: str) -> None:
    """The template makes the body; the status selects the response."""
    api = deploy(
        served,
        f"{backend}/fixed",
        "HTTP",
        httpMethod="PUT",
        requestTemplates={"application/json": '{"n": "$input.path("$.name")"}'},
        integrationResponses={
            "200": {
                "statusCode": "202",
                "selectionPattern": "2\\d{2}",
                "responseTemplates": {
                    "application/json": "$input.path('$.method') $input.path('$.body')"
                },
                "responseParameters": {
                    "method.response.header.x-new": "integration.response.header.X-Old"
                },
            }
        },
    )
    response = api.request("/stage/x", "POST", body=b'{"name": "me"}')
    assert (response.status, response.body) == (202, b'PUT {"n": "me"}')
    assert response.headers["x-new"] == "1"


@pytest.mark.parametrize("path", ["..", "a/../../b", "%2e%2e", "a%2f..%2f..%2fb", "a%5c..%5cb"])
def test_no_path_leads_out_of_the_server_s(served: Served, backend: str, path: str) -> None:
    """Neither plain nor encoded."""
    api = deploy(served, f"{backend}/base/{{proxy}}", requestParameters=PATH)
    assert api.request(f"/stage/{path}").status == 400


def test_servers_that_fail(served: Served, backend: str) -> None:
    """Late, cut off, not there, or nothing mapped to a variable."""
    late = deploy(served, f"{backend}/slow", timeoutInMillis=100)
    response = late.request("/stage/x")
    assert (response.status, response.json()) == (504, {"message": "Endpoint request timed out"})
    assert deploy(served, f"{backend}/cut").request("/stage/x").status == 500
    assert deploy(served, "http://127.0.0.1:1/").request("/stage/x").status == 500
    assert deploy(served, f"{backend}/{{other}}").request("/stage/x").status == 500
    assert deploy(served, "ftp://example.com/").request("/stage/x").status == 500


def test_addresses_that_functions_may_not_reach(tmp_path: Path, backend: str) -> None:
    """Without `egress.allow` an API reaches no loopback address either."""
    with serving_rest(tmp_path) as served:
        assert deploy(served, backend).request("/stage/x").status == 500
