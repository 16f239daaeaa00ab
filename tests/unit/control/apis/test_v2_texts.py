"""The rules of route keys, parameter mappings and other texts of HTTP and WebSocket APIs."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.control.apis.model_templates import model_template
from lambent.control.apis.v2.integrations import check_function
from lambent.control.apis.v2.routes import check_http_key
from lambent.control.apis.v2.stages import check_variables
from lambent.control.apis.v2.texts import parsed
from lambent.model.errors import ApiError
from lambent.model.parameter_mapping import parse_request_changes, parse_response_changes

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


def check_request_parameters(parameters: dict[str, str]) -> None:
    parsed(parse_request_changes, parameters)


def check_response_parameters(parameters: dict[str, dict[str, str]]) -> None:
    parsed(parse_response_changes, parameters)


def fails(check: Callable[[Any], object], value: Any) -> str:
    """The text with which a value is refused."""
    with pytest.raises(ApiError) as caught:
        check(value)
    assert caught.value.code == "BadRequestException"
    return caught.value.message


@pytest.mark.parametrize(
    "key",
    ["$default", "GET /", "ANY /{proxy+}", "POST /a/{b}/c", "GET /a/{b}/{c+}", "PUT /a.b~c/%20"],
)
def test_route_keys(key: str) -> None:
    """A method and a path, or `$default`."""
    check_http_key(key)


@pytest.mark.parametrize(
    "key",
    [
        *("", "GET", "/a", "get /a", "TRACE /a", "GET a", "GET  /a", "GET /a b", "$connect"),
        *(
            "GET /{a+}/b",
            "GET /{a}/{a}",
            "GET /x{a}",
            "GET /{a",
            "GET /{a}y",
            "GET /a?b",
            "GET /{}",
        ),
    ],
)
def test_what_is_no_route_key(key: str) -> None:
    """Greedy variables are last, variables are whole parts and different."""
    fails(check_http_key, key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("append:header.x", "text"),
        ("overwrite:header.x", "$request.header.a"),
        ("overwrite:querystring.y", "${request.body.a.b} and ${context.requestId}"),
        ("overwrite:path", "/${request.path.id}/$x"),
        ("remove:querystring.z", "''"),
        ("append:header.x", "$request.body"),
        ("append:header.x", "$request.body.a[0].b"),
        ("append:header.x", "$stageVariables.a"),
        ("append:header.x", "$context.authorizer.claims.sub"),
    ],
)
def test_parameter_mappings(key: str, value: str) -> None:
    """As AWS documents them."""
    check_request_parameters({key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("header.x", "text"),
        ("replace:header.x", "text"),
        ("append:path", "text"),
        ("append:body.x", "text"),
        ("append:header.a b", "text"),
        ("append:header.", "text"),
        ("append:header.x", "$request.nothing"),
        ("append:header.x", "${request.nothing}"),
        ("append:header.x", "${request.header.a"),
        ("append:header.x", "$request.body..a"),
        ("append:header.x", "$request.body.a[?(@.b)]"),
        ("append:header.x", "$response.header.a"),
        *(
            (f"overwrite:header.{name}", "text")
            for name in (
                "Authorization",
                "x-amz-a",
                "Access-Control-Allow-Origin",
                "VIA",
                "apigw-a",
            )
        ),
    ],
)
def test_what_is_no_parameter_mapping(key: str, value: str) -> None:
    """Reserved headers are not changed, JSON paths have no filters."""
    fails(check_request_parameters, {key: value})


def test_mappings_of_responses() -> None:
    """By status code: headers, and the status itself."""
    check_response_parameters(
        {"200": {"overwrite:statuscode": "204", "append:header.a": "$response.body.b"}}
    )
    fails(check_response_parameters, {"20": {}})
    fails(check_response_parameters, {"600": {}})
    fails(check_response_parameters, {"200": {"overwrite:statuscode": "20"}})
    fails(check_response_parameters, {"200": {"append:querystring.a": "b"}})
    fails(check_response_parameters, {"200": {"append:header.a": "$request.header.b"}})
    fails(check_response_parameters, {"200": {"append:header.set-cookie:": "b"}})


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_mapping_is_checked(key: str, value: str) -> None:
    """Whatever a caller sends."""
    for check in (check_request_parameters, lambda it: check_response_parameters({"200": it})):
        for whole in (key, f"append:header.{key}"):
            try:
                check({whole: value})
            except ApiError as error:
                assert error.code == "BadRequestException"


@pytest.mark.parametrize("wrapped", ["{}", URI.replace(FUNCTION, "{}")])
@pytest.mark.parametrize(
    "function",
    [
        *(FUNCTION, f"{FUNCTION}:live", f"{FUNCTION}:7", f"{FUNCTION}:$LATEST"),
        *(f"{FUNCTION}:${{stageVariables.alias}}", f"{FUNCTION[:-1]}${{stageVariables.name}}"),
        FUNCTION.replace("111111111111", "222222222222"),
    ],
)
def test_functions_in_integrations(wrapped: str, function: str) -> None:
    """Twelve shapes and more: alone or in a path, with an alias, a version, a stage variable."""
    check_function(wrapped.format(function))


@pytest.mark.parametrize(
    "uri",
    ["f", "arn:aws:lambda:us-east-1:1:function:f", f"{FUNCTION} ", "arn:aws:sqs:a:b:c", URI[:-12]],
)
def test_what_is_no_function(uri: str) -> None:
    """Names alone, other ARNs, and half of a path."""
    fails(check_function, uri)


def test_stage_variables() -> None:
    """At most 100, with names of 64 and values of 512 characters."""
    check_variables({f"v{number}": "x" * 512 for number in range(100)})
    fails(check_variables, {f"v{number}": "" for number in range(101)})
    for name, value in (("a" * 65, ""), ("a-b", ""), ("a", "x" * 513), ("a", "a b"), ("a", "${b}")):
        fails(check_variables, {name: value})


def test_templates_of_models() -> None:
    """Samples of each type, lists as loops."""
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer"},
            "l": {"type": "array", "items": {"type": "boolean"}},
            "o": {"type": "object", "properties": {"s": {"type": ["string"]}}},
        },
    }
    template = model_template(json.dumps(schema))
    assert template.startswith("#set($inputRoot = $input.path('$'))\n{")
    for part in ('"n" : 42', "#foreach($elem in $inputRoot.l)", "true#if", '"s" : "foo"'):
        assert part in template
