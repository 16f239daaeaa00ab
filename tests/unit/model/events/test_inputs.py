"""What a target gets: the event, a part of it, a constant, or a template with values."""

import json
from typing import Any

import pytest

from lambent.model.events.inputs import Rule, check_input, input_for, read_path

RULE = Rule("r", "arn:aws:events:us-east-1:111111111111:rule/r")
EVENT = json.dumps(
    {
        "id": "1",
        "time": "2026-01-01T00:00:00Z",
        "detail": {"text": 'say "hi"\n', "n": 1.5, "list": [1, {"a": "b"}], "none": None},
    }
)


def templated(template: str, **paths: str) -> str:
    target = {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    check_input(target)
    return input_for(target, EVENT, RULE)


def test_without_an_input_it_is_the_event() -> None:
    assert input_for({}, EVENT, RULE) == EVENT
    assert input_for({"Input": '{"a": 1}'}, EVENT, RULE) == '{"a": 1}'


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.detail.n", "1.5"),
        ("$.detail.list[1].a", '"b"'),
        ("$['detail'][\"list\"][0]", "1"),
        ("$.detail.none", "null"),
        ("$.detail.list[7]", "{}"),
        ("$.missing", "{}"),
        ("$", json.dumps(json.loads(EVENT), separators=(",", ":"))),
    ],
)
def test_a_path_finds_a_part(path: str, found: str) -> None:
    assert input_for({"InputPath": path}, EVENT, RULE) == found


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"a": <text>}', {"a": 'say "hi"\n'}),
        ('{"a": "he <text>!"}', {"a": 'he say "hi"\n!'}),
        ('{"a": <list>, "b": <n>}', {"a": [1, {"a": "b"}], "b": 1.5}),
        ('{"a": "<list>"}', {"a": '[1,{"a":"b"}]'}),
        ('{"a": <none>, "b": "x<missing>y", "c": <missing>}', {"a": None, "b": "xy", "c": None}),
        ('{"a": "<b>", "b": "quote \\" <n>"}', {"a": "<b>", "b": 'quote " 1.5'}),
        ('[<aws.events.rule-name>, "<aws.events.rule-arn>"]', ["r", RULE.arn]),
        ("<aws.events.event>", {"id": "1", "time": "2026-01-01T00:00:00Z"}),
        ("<aws.events.event.json>", json.loads(EVENT)),
        ('"<aws.events.event.ingestion-time>"', "2026-01-01T00:00:00Z"),
    ],
)
def test_a_template_has_values(template: str, expected: Any) -> None:
    """Within quotes they are text, elsewhere JSON; what comes out is JSON, whatever is in the
    event."""
    paths = {"text": "$.detail.text", "list": "$.detail.list", "n": "$.detail.n"}
    more = {"none": "$.detail.none", "missing": "$.detail.missing"}
    assert json.loads(templated(template, **paths, **more)) == expected


@pytest.mark.parametrize("path", ["", "detail", "$.", "$..a", "$[", "$[-1]", "$.a b", "$[*]"])
def test_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        read_path(path)


@pytest.mark.parametrize(
    "target",
    [
        {"Input": "{", "Id": "1"},
        {"Input": "{}", "InputPath": "$"},
        {"InputPath": "a"},
        {"InputTransformer": {"InputPathsMap": {"aws.x": "$"}, "InputTemplate": "x"}},
        {"InputTransformer": {"InputPathsMap": {"x": "y"}, "InputTemplate": "x"}},
    ],
)
def test_inputs_are_refused(target: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_input(target)
