"""Schemas and templates that would keep the platform busy, through the front door."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.triggers.apis.serving import Served

from .apis import RestApi, mock, serving_rest

VALIDATED = {"requestValidatorId": "v", "requestModels": {"application/json": "M"}}
_DOUBLED = {f"a{n}": {"allOf": [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(40)}
SCHEMAS: dict[str, tuple[Any, Any]] = {
    "a reference to itself": ({"$ref": "#"}, {}),
    "itself twice": ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {}),
    "references in a circle": (
        {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}},
        {},
    ),
    "references that double": (
        {
            "allOf": [{"$ref": "#/definitions/a0"}],
            "definitions": {**_DOUBLED, "a40": {"type": "object"}},
        },
        {},
    ),
    "choices that double": (
        {
            "anyOf": [{"$ref": "#/definitions/a0"}],
            "definitions": {
                **json.loads(json.dumps(_DOUBLED).replace("allOf", "oneOf")),
                "a40": {"type": "string"},
            },
        },
        {},
    ),
    "a regular expression of names": (
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
        {"a" * 60 + "!": 1},
    ),
    "a regular expression of values": (
        {"properties": {"x": {"pattern": "^(a|aa)+$"}}},
        {"x": "a" * 5000 + "!"},
    ),
    "many patterns for many names": (
        {"patternProperties": {f"x{n}": {} for n in range(5000)}},
        {f"y{n}": 1 for n in range(20_000)},
    ),
    "long errors, many times": (
        {"anyOf": [{"type": "string"}] * 5000},
        {"x": "y" * 500_000},
    ),
    "a long list of values, many times": (
        {"anyOf": [{"properties": {"x": {"items": {"enum": [f"v{n}" for n in range(20_000)]}}}}]},
        {"x": ["y"] * 50_000},
    ),
    "a missing model": (
        {"$ref": "https://apigateway.amazonaws.com/restapis/other/models/None"},
        {},
    ),
    "another server": ({"$ref": "http://127.0.0.1:1/schema"}, {}),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest")) as served:
        yield served


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_end(served: Served, name: str) -> None:
    """With an error, soon, and without the backend."""
    schema, body = SCHEMAS[name]
    api = RestApi(served)
    api.deploy(
        {
            "POST /": mock() | VALIDATED,
            "GET /": mock(),
        },
        others=[
            ["model", "M", {"name": "M", "schema": json.dumps(schema)}],
            ["request_validator", "v", {"id": "v", "validateRequestBody": True}],
        ],
    )
    began = time.monotonic()
    headers = {"Content-Type": "application/json"}
    response = api.request("/stage/", "POST", body=json.dumps(body).encode(), headers=headers)
    assert response.status in (400, 500)
    assert len(response.body) < 5000
    assert time.monotonic() - began < 10
    assert api.request("/stage/").status == 200


@pytest.mark.parametrize(
    "template",
    [
        "#macro(m)#m()#m()#end#m()",
        "#foreach($i in [1..1000])#foreach($j in [1..1000])#foreach($k in [1..1000])x#end#end#end",
        "#set($x = 'x')#foreach($i in [1..60])#set($x = $x + $x)#end$x",
        "$input.path('$..*..*..*..*..*')",
        "#if(" + "(" * 5000 + "1" + ")" * 5000 + ")#end",
    ],
)
def test_templates_end(served: Served, template: str) -> None:
    """In requests as in responses; other requests are served meanwhile."""
    api = RestApi(served)
    api.deploy(
        {"POST /": mock(request=template), "PUT /": mock(template=template), "GET /": mock()}
    )
    nested = json.dumps({"a": [[[[[1] * 3] * 3] * 3] * 3] * 3}).encode()
    for verb in ("POST", "PUT"):
        headers = {"Content-Type": "application/json"}
        began = time.monotonic()
        response = api.request("/stage/", verb, body=nested, headers=headers)
        assert response.status in (200, 400, 500)
        assert len(response.body) <= 10 * 1024 * 1024
        assert time.monotonic() - began < 15
    assert api.request("/stage/").status == 200


@pytest.mark.parametrize(
    "path",
    ["/stage/%", "/stage/%zz", "/stage/%ff%fe", "/stage/%00", "/stage/a?%", "/stage/a?&&=&a%zz=%"],
)
def test_broken_encodings(served: Served, path: str) -> None:
    """The function gets an event, with the path as it was sent; the client gets a response."""
    api = RestApi(served)
    api.deploy({"GET /{proxy+}": api.proxy(lambda event: {"body": json.dumps(event["path"])})})
    response = api.request(path)
    assert (response.status, response.json()) == (
        200,
        path.partition("?")[0].removeprefix("/stage"),
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stage/public/../secret", 200),
        ("/stage/public/%2e%2e/secret", 200),
        ("/stage/%73ecret", 403),
        ("/stage/secret%2f", 403),
        ("/%73tage/secret", 403),
        ("/stage/../stage/secret", 403),
    ],
)
def test_paths_are_not_resolved(served: Served, path: str, status: int) -> None:
    """What looks like a way around a method's authorization leads to no method, or is a text for
    the function that it does lead to."""
    api = RestApi(served)
    public = api.proxy(lambda event: {"body": event["pathParameters"]["proxy"]})
    secret = api.proxy(lambda event: {"body": "secret"}, "secret")
    api.deploy(
        {"GET /public/{proxy+}": public, "GET /secret": {"authorizationType": "AWS_IAM", **secret}}
    )
    response = api.request(path)
    assert response.status == status
    assert response.body != b"secret"
    assert api.request("/stage/secret").status == 403


def test_many_and_large_headers(served: Served) -> None:
    """More than 10,240 bytes are refused. Headers that are there several times all count, and all
    arrive."""
    api = RestApi(served)
    api.deploy({"GET /": api.proxy(lambda event: {"body": json.dumps(event["multiValueHeaders"])})})
    repeated = [("a", "x")] * 90
    assert api.request("/stage/", headers=repeated).json()["a"] == ["x"] * 90
    for headers in ([("a", "x" * 11_000)], [("a", "x" * 100)] * 120):
        response = api.request("/stage/", headers=headers)
        assert (response.status, len(response.body) < 500) == (413, True)
    assert api.request("/stage/?" + "a" * 11_000).status == 413
