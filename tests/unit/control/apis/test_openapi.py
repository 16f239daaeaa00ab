"""OpenAPI documents, from friends and from enemies."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control.apis.openapi.document import OpenApi
from lambent.control.apis.openapi.reading import (
    BYTES_MAX,
    DEPTH_MAX,
    read_document,
    try_reading,
)
from lambent.control.apis.v2.importing import make_plan
from lambent.kit.computing import LOOP_BYTES_MAX
from lambent.model.errors import ApiError
from tests.unit.control.control_room import refused

INFO = {"openapi": "3.0.1", "info": {"title": "t", "version": "1"}}


def plan_of(base_path: str = "ignore", **document: Any) -> Any:
    return make_plan({**INFO, **document}, base_path)


def text_of(**document: Any) -> str:
    """The text with which a document is refused."""
    with pytest.raises(ApiError) as caught:
        plan_of(**document)
    assert caught.value.code == "BadRequestException"
    return caught.value.message


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("size", [10, LOOP_BYTES_MAX + 1, 200_000])
async def test_json_and_yaml_are_the_same(size: int) -> None:
    """In memory, in a thread and in another process."""
    document = {"a": {"200": [1, 2.5, True, None, "x" * size]}, "date": "2026-01-01"}
    assert await read_document(json.dumps(document)) == document
    text = f"a:\n  200: [1, 2.5, true, null, {'x' * size}]\ndate: 2026-01-01\n"
    assert await read_document("\ufeff" + text) == document


LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12)
)
HOSTILE = {
    "laughs": LAUGHS,
    "merges": MERGES,
    "loop": "a: &a [*a]\n",
    "flow": "[" * 200_000,
    "flow object": '{"a":' * 200_000,
    "block": "".join(" " * depth + "a:\n" for depth in range(2000)),
    "json depth": '{"a":' + "[" * 5000 + "]" * 5000 + "}",
    "many": "- " + "- " * 1000 + "x",
    "object": "a: !!python/object/apply:os.system ['true']\n",
    "binary": "a: !!binary aGk=\n",
    "set": "a: !!set {b, c}\n",
    "key": "? [a]\n: b\n",
    "number": '{"a": NaN}',
    "digits": '{"a": ' + "9" * 10_000 + "}",
    "list": "[1]",
    "scalar": "text",
    "empty": "",
    "two": "a: 1\n---\nb: 2\n",
    "undefined": "a: *b\n",
    "control": "a: \x00\n",
    "surrogate": '{"a": 1',
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents(name: str) -> None:
    """Are refused, in seconds and without ending the process."""
    began = time.monotonic()
    assert isinstance(try_reading(HOSTILE[name].encode()), str)
    assert time.monotonic() - began < 20


def test_bytes_that_are_no_text() -> None:
    """Neither is Latin-1."""
    assert isinstance(try_reading(b"a: \xff"), str)


@pytest.mark.anyio
async def test_large_documents() -> None:
    """There is a limit of bytes."""
    error = await refused(read_document("a" * (BYTES_MAX + 1)))
    assert (error.code, error.status) == ("BadRequestException", 400)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever is sent, nothing but a document or a reason comes out."""
    assert isinstance(try_reading(data), dict | str)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=5).filter(lambda key: key != "<<"), JSON_VALUES))
def test_json_is_read_as_json(document: dict[str, Any]) -> None:
    """Every document comes out as it is."""
    assert try_reading(json.dumps(document).encode()) == document


# -- references --------------------------------------------------------------------------------


def test_references() -> None:
    """Within the document, with escapes; loops have an end."""
    root = {
        **INFO,
        "a/b": {"c~d": {"x": 1}},
        "one": {"$ref": "#/two"},
        "two": {"$ref": "#/one"},
        "deep": {"$ref": "#/a~1b/c~0d"},
    }
    openapi = OpenApi(root)
    assert openapi.resolve({"$ref": "#/deep"}) == {"x": 1}
    for reference in ("#/one", "#/none", "#/openapi/x", "http://h/x", "file.yaml#/a", "", "#"):
        with pytest.raises(ApiError):
            openapi.resolve({"$ref": reference})
    for other in ({"openapi": "3.1.0"}, {"swagger": "1.2"}, {}, {"openapi": 3}):
        with pytest.raises(ApiError):
            OpenApi(other)
    assert OpenApi({"swagger": "2.0", "basePath": "/v1/"}).base_path == "/v1"


# -- plans -------------------------------------------------------------------------------------

PROXY = {
    "x-amazon-apigateway-integration": {
        "type": "http_proxy",
        "uri": "https://h",
        "httpMethod": "get",
    }
}


@pytest.mark.parametrize(
    ("mode", "key"),
    [("ignore", "GET /p"), ("prepend", "GET /v1/pets/p"), ("split", "GET /pets/p")],
)
def test_base_paths(mode: str, key: str) -> None:
    """As the parameter `Basepath` says."""
    server = {"url": "https://h/{base}/pets", "variables": {"base": {"default": "v1"}}}
    plan = plan_of(mode, servers=[server], paths={"/p": {"get": PROXY}})
    assert [route.given["RouteKey"] for route in plan.routes] == [key]
    assert plan.routes[0].integration["IntegrationMethod"] == "GET"


def test_security_is_never_dropped() -> None:
    """What a document requires is enforced, or the document is refused."""
    schemes = {
        "iam": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        "jwt": {
            "x-amazon-apigateway-authorizer": {
                "type": "jwt",
                "jwtConfiguration": {"issuer": "https://i", "audience": ["a"]},
                "identitySource": "$request.header.Authorization",
            }
        },
        "odd": {"x-amazon-apigateway-authorizer": {"type": "token"}},
    }

    def routes(required: Any, **operation: Any) -> Any:
        return plan_of(
            components={"securitySchemes": schemes},
            security=required,
            paths={"/p": {"get": operation}},
        ).routes[0]

    assert routes([{"iam": []}]).given["AuthorizationType"] == "AWS_IAM"
    found = routes([{"jwt": ["s"]}])
    assert (found.authorizer, found.given["AuthorizationScopes"]) == ("jwt", ["s"])
    assert routes([{"jwt": []}], security=[]).authorizer is None
    auth = {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}
    assert routes(None, **auth).given["AuthorizationType"] == "AWS_IAM"
    for required in ([{"key": []}], [{"none": []}], [{"jwt": [], "iam": []}], [{"odd": []}], ["x"]):
        with pytest.raises(ApiError):
            routes(required)


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"info": {}}, "title"),
        ({"swagger": "2.0"}, "Swagger"),
        ({"paths": {"p": {}}}, "slash"),
        ({"paths": []}, "paths"),
        ({"paths": {"/p": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}}}, "type"),
        ({"paths": {"/p": {"get": None}}}, "object"),
        ({"paths": {"/p": {"$ref": "other.yaml"}}}, "within the document"),
        ({"x-amazon-apigateway-cors": {"maxAge": "x"}}, "maxAge"),
        ({"x-amazon-apigateway-policy": {"a": 1}}, "policy"),
    ],
)
def test_what_is_no_http_api(document: dict[str, Any], word: str) -> None:
    """Says what is wrong."""
    assert word in text_of(**document)


@given(
    st.dictionaries(
        st.sampled_from(
            ["paths", "components", "security", "tags", "servers", "x-amazon-apigateway-cors"]
        ),
        JSON_VALUES,
        max_size=4,
    )
)
def test_any_document_is_a_plan_or_is_refused(document: dict[str, Any]) -> None:
    """Nothing but `BadRequestException` comes out of odd documents."""
    try:
        plan_of(**document)
    except ApiError as error:
        assert error.code == "BadRequestException"


OPERATIONS = st.dictionaries(
    st.sampled_from(
        [
            "security",
            "operationId",
            "x-amazon-apigateway-integration",
            "$ref",
            "x-amazon-apigateway-auth",
            "isDefaultRoute",
        ]
    ),
    JSON_VALUES | st.fixed_dictionaries({"type": st.just("http_proxy"), "uri": JSON_VALUES}),
    max_size=4,
)


@given(st.dictionaries(st.sampled_from(["get", "x-amazon-apigateway-any-method"]), OPERATIONS))
def test_any_operation_is_a_plan_or_is_refused(item: dict[str, Any]) -> None:
    """The same, of operations."""
    try:
        plan_of(paths={"/p": item})
    except ApiError as error:
        assert error.code == "BadRequestException"


def test_depth_is_bounded_by_what_python_can_copy() -> None:
    """The limit itself is accepted."""
    nested = "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)
    assert isinstance(try_reading(f'{{"a": {nested}}}'.encode()), dict)
