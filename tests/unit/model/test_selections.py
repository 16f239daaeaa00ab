"""Selection expressions and parameter mappings: what is accepted, and what it selects."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.parameter_mapping import parse_request_changes, parse_response_changes
from lambent.model.selections import JsonBody, Selection, parse_selection, parse_text
from lambent.model.service_integrations import SUBTYPES, parse_parameters

DOCUMENT = {"a": {"b": ["x", {"c": 1}], "d e": None}, "t": "text", "n": 1.5}


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("$request.header.X-A", "request.header", "x-a"),
        ("$request.querystring.a b", "request.querystring", "a b"),
        ("$request.path", "request.path", ""),
        ("$request.path.id", "request.path", "id"),
        ("$request.body", "request.body", ""),
        ("$request.body.a[0]", "request.body", "$.a[0]"),
        ("$request.body[0].a", "request.body", "$[0].a"),
        ("$context.authorizer.claims.sub", "context", "authorizer.claims.sub"),
        ("$stageVariables.v", "stageVariables", "v"),
    ],
)
def test_selections(text: str, source: str, name: str) -> None:
    """Names of headers are in lower case."""
    assert parse_selection(text)[:2] == (source, name)


@pytest.mark.parametrize(
    "text",
    [
        *("", "$", "request.header.a", "$request", "$request.header", "$request.header."),
        *("$request.header.a b", "$request.header.é", "$request.bodyx", "$request.body."),
        *("$request.body..a", "$request.body.a[?(@.b)]", "$request.body.a[", "$request.body.()"),
        *("$response.header.a", "$context", "$context.", "$context.a b", "$stageVariables.a-b"),
        *("$request.querystring.{a}", "$request.path.", "$nothing.a", "$request.header.a\n"),
        "$request.body." + "[0]" * 400,
    ],
)
def test_what_is_no_selection(text: str) -> None:
    """It is refused when it is configured."""
    with pytest.raises(ValueError, match=r"."):
        parse_selection(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$request.body.t", "text"),
        ("$request.body.n", "1.5"),
        ("$request.body.a.b[0]", "x"),
        ("$request.body.a.b[1]", '{"c":1}'),
        ("$request.body.a.b[-1].c", "1"),
        ("$request.body.a.b[*]", '["x",{"c":1}]'),
        ("$request.body.a['d e']", None),
        ("$request.body.a.x", None),
        ("$request.body.t.x", None),
        ("$request.body.a.b[9]", None),
    ],
)
def test_values_in_bodies(path: str, value: str | None) -> None:
    """Text as it is, other values as JSON."""
    assert JsonBody(json.dumps(DOCUMENT).encode()).find(parse_selection(path)) == value


@pytest.mark.parametrize("body", [b"", b"text", b"\xff", b"[" * 100_000, b'{"a":' + b" " * 200_000])
def test_bodies_without_values(body: bytes) -> None:
    """Nothing is found; the whole body is there nevertheless."""
    assert JsonBody(body).find(parse_selection("$request.body.a")) is None
    whole = JsonBody(body).find(parse_selection("$request.body"))
    assert whole == (body.decode("utf-8", "replace") or None)


def test_texts() -> None:
    """A text mixes selections in braces; alone they need none."""
    values = {"a": "1", "b": "2"}

    def look_up(selection: Selection) -> str | None:
        return values.get(selection.name)

    for text, rendered in (
        ("$request.querystring.a", "1"),
        ("${request.querystring.a}", "1"),
        ("x${request.querystring.a}-${request.querystring.b}$", "x1-2$"),
        ("x${request.querystring.c}", "x"),
        ("$request.querystring.c", None),
        ("${request.querystring.c}", None),
        ("static", "static"),
        ("", ""),
    ):
        assert parse_text(text).render(look_up, 10) == rendered, text
    with pytest.raises(ValueError, match="more than 3"):
        parse_text("${request.querystring.a}" * 4).render(look_up, 3)


@given(st.text(max_size=60) | st.text("${}.requstbody[*]0'", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """And nothing that was parsed raises later."""
    for candidate in (text, f"${{request.body.{text}}}", f"$request.body.{text}"):
        try:
            parsed = parse_text(candidate)
        except ValueError:
            continue
        parsed.render(_find, 1 << 20)


def _find(selection: Selection) -> str | None:
    return JsonBody(json.dumps(DOCUMENT).encode()).find(selection) if selection.path else "v"


@pytest.mark.parametrize(
    "parameters",
    [
        {"append:header.x-a": "$request.header.b"},
        {"overwrite:querystring.q": "v${request.path.id}"},
        {"remove:header.x-a": ""},
        {"overwrite:path": "$request.path"},
        {"overwrite:header.host": "a.test"},
    ],
)
def test_mappings(parameters: dict[str, str]) -> None:
    """One change for each key."""
    assert len(parse_request_changes(parameters)) == 1


@pytest.mark.parametrize(
    "parameters",
    [
        *({"overwrite:header.authorization": "x"}, {"append:header.X-Amz-Date": "x"}),
        *({"remove:header.Access-Control-Allow-Origin": ""}, {"append:path": "x"}),
        *({"overwrite:statuscode": "200"}, {"set:header.a": "x"}, {"header.a": "x"}),
        *({"overwrite:header.a b": "x"}, {"overwrite:header.": "x"}, {"overwrite:body": "x"}),
        *({"overwrite:querystring.a&b": "x"}, {"overwrite:header.a": "$response.body"}),
        *({"overwrite:header.a": "x" * 3000}, {"overwrite:header.a\r\nb": "x"}),
    ],
)
def test_mappings_that_are_refused(parameters: dict[str, str]) -> None:
    """Reserved headers, unknown places, values of responses."""
    with pytest.raises(ValueError, match=r"."):
        parse_request_changes(parameters)


def test_mappings_of_responses() -> None:
    """By status code."""
    found = parse_response_changes({"404": {"overwrite:statuscode": "200"}, "500": {}})
    assert {status: len(changes) for status, changes in found.items()} == {404: 1, 500: 0}
    refused: list[dict[str, Any]] = [
        *({"199": {}}, {"x": {}}, {"200": {"overwrite:statuscode": "600"}}),
        *({"200": {"append:querystring.a": "x"}}, {"200": {"overwrite:path": "/"}}),
        {"200": {"overwrite:header.a": "$request.body"}},
    ]
    for parameters in refused:
        with pytest.raises(ValueError, match=r"."):
            parse_response_changes(parameters)


def test_parameters_of_services() -> None:
    """Required ones are there, unknown ones are not."""
    subtype = SUBTYPES["SQS-SendMessage"]
    good = {"QueueUrl": "u", "MessageBody": "$request.body", "Region": "eu-west-1"}
    assert set(parse_parameters(subtype, good)) == set(good)
    for text in ("${", "a${request.path", "${request.path}${"):
        with pytest.raises(ValueError, match=r"brace"):
            parse_text(text)
    for wrong in ({"QueueUrl": "u"}, {**good, "Other": "x"}, {**good, "DelaySeconds": "$x"}):
        with pytest.raises(ValueError, match=r"."):
            parse_parameters(subtype, wrong)
