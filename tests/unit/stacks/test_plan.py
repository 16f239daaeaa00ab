"""What change sets say about changes."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.errors import ApiError
from lambent.stacks.plan import Change, Planner, Wanted, compare, references
from lambent.stacks.planning import check_changes, check_policy
from lambent.stacks.records import State
from lambent.stacks.template.values import UNKNOWN

from .engine.cloud import Cloud, FakeType

KIND = FakeType(Cloud(), "Thing", ManualClock())
PROPERTIES = st.dictionaries(
    st.sampled_from(["A", "B", "FixedC", "FixedD"]),
    st.integers(0, 2) | st.just("x") | st.lists(st.integers(0, 1), max_size=2),
)


def state(properties: Mapping[str, Any], **more: Any) -> State:
    return State(type="Thing", name="n", token="t", properties=properties, **more)


def wanted(properties: Mapping[str, Any], **more: Any) -> Wanted:
    return Wanted(type="Thing", properties=properties, **more)


def planned(
    deployed: Mapping[str, State], resources: Mapping[str, Wanted], tags: Mapping[str, str] = {}
) -> dict[str, Change]:
    planner = Planner(deployed, ["Size"], lambda _: KIND, tags)
    for logical_id, resource in resources.items():
        planner.add(logical_id, resource)
    return {change.logical_id: change for change in planner.finish()}


@given(PROPERTIES)
def test_what_is_wanted_already_is_no_change(properties: Mapping[str, Any]) -> None:
    assert compare(KIND, state(properties), wanted(dict(properties)), {}) is None


@given(PROPERTIES, PROPERTIES)
def test_a_difference_names_each_property_that_differs(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """And needs a new resource if one of them does."""
    found = compare(KIND, state(old), wanted(new), {})
    differing = {
        name
        for name in {*old, *new}
        if (name in old, old.get(name)) != (name in new, new.get(name))
    }
    assert set(found.properties if found else ()) == differing
    if found is not None:
        is_replaced = any(name.startswith("Fixed") for name in differing)
        assert found.replacement == ("True" if is_replaced else "False")


@given(PROPERTIES)
def test_what_is_not_known_yet_is_a_change(properties: Mapping[str, Any]) -> None:
    """It may be the same in the end, so a replacement is conditional."""
    new = {**properties, "FixedC": ["a", UNKNOWN]}
    found = compare(KIND, state(properties), wanted(new), {})
    assert found is not None
    assert found.properties == ("FixedC",)
    assert found.replacement == "Conditional"


def test_tags_and_metadata_are_changes_too() -> None:
    old = state({"A": 1}, tags={"team": "red"})
    found = compare(KIND, old, wanted({"A": 1}, metadata={"x": 1}), {"team": "blue"})
    assert found is not None
    assert found.scope == ("Tags", "Metadata")
    assert found.needs_call
    only_metadata = compare(KIND, state({}), wanted({}, metadata={"x": 1}), {})
    assert only_metadata is not None
    assert not only_metadata.needs_call


def test_changes_say_what_causes_them() -> None:
    """A parameter, a resource that is replaced, or the template itself."""
    deployed = {
        "Queue": state({"FixedSize": 1}, physical_id="q"),
        "Reader": state({"Queue": "q", "Size": 1, "Text": "a"}, physical_id="r"),
        "Gone": state({}, physical_id="g"),
    }
    expressions = {"Queue": {"Ref": "Queue"}, "Size": {"Fn::Sub": "${Size}"}, "Text": "b"}
    changes = planned(
        deployed,
        {
            "Queue": wanted({"FixedSize": 2}, expressions={"FixedSize": 2}),
            "Reader": wanted({"Queue": UNKNOWN, "Size": "2", "Text": "b"}, expressions=expressions),
            "New": wanted({}),
        },
    )
    assert {id: change.action for id, change in changes.items()} == {
        "Queue": "Modify",
        "Reader": "Modify",
        "New": "Add",
        "Gone": "Remove",
    }
    assert changes["Queue"].shown()["ResourceChange"]["Replacement"] == "True"
    assert changes["Gone"].physical_id == "g"
    details = [
        (
            detail["Target"]["Name"],
            detail["Evaluation"],
            detail["ChangeSource"],
            detail.get("CausingEntity"),
        )
        for detail in changes["Reader"].details
    ]
    # A parameter has two: AWS does not know whether the template has changed as well.
    assert details == [
        ("Queue", "Dynamic", "ResourceReference", "Queue"),
        ("Size", "Static", "ParameterReference", "Size"),
        ("Size", "Dynamic", "DirectModification", None),
        ("Text", "Static", "DirectModification", None),
    ]


def test_references_in_expressions() -> None:
    expression = {
        "Fn::Join": ["", [{"Ref": "A"}, {"Fn::GetAtt": "B.Arn"}, {"Fn::GetAtt": ["C", "X.Y"]}]],
        "Fn::Sub": ["${D}${E.Arn}${Own}${!Not}", {"Own": {"Ref": "F"}}],
    }
    assert set(references(expression)) == {
        *(("A", ""), ("B", "Arn"), ("C", "X.Y"), ("D", ""), ("E", "Arn"), ("F", "")),
    }


ALLOW = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statement", "change", "is_allowed"),
    [
        (None, Change("Modify", "Db", "T", "p", "False"), True),
        ({"Action": "Update:Replace"}, Change("Modify", "Db", "T", "p", "False"), True),
        ({"Action": "Update:Replace"}, Change("Modify", "Db", "T", "p", "Conditional"), False),
        ({"Action": "Update:*"}, Change("Modify", "Db", "T", "p", "False"), False),
        ({"Action": ["Update:Delete"]}, Change("Remove", "Db", "T", "p"), False),
        ({"Action": "Update:*"}, Change("Add", "Db", "T"), True),
        ({"Action": "Update:*"}, Change("Modify", "Other", "T", "p", "False"), True),
        (
            {"Condition": {"StringEquals": {"ResourceType": ["X"]}}},
            Change("Modify", "Db", "T", "p", "False"),
            True,
        ),
    ],
)
def test_stack_policies(statement: dict[str, Any] | None, change: Change, is_allowed: bool) -> None:
    """A denial wins; additions are always allowed."""
    resource = "LogicalResourceId/Db"
    deny = {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": resource}
    statements = [ALLOW, *([{**deny, **statement}] if statement is not None else [])]
    policy = check_policy(json.dumps({"Statement": statements}))
    if is_allowed:
        check_changes(policy, [change])
    else:
        with pytest.raises(ApiError, match="Action denied by stack policy: Statement \\[#2\\]"):
            check_changes(policy, [change])


def test_a_policy_denies_what_no_statement_allows() -> None:
    policy = check_policy(json.dumps({"Statement": [{**ALLOW, "Resource": "LogicalResourceId/A"}]}))
    with pytest.raises(ApiError, match="no statement allows"):
        check_changes(policy, [Change("Modify", "B", "T", "p", "False")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"Statement": 1}',
        '{"Statement": [{"Effect": "Maybe", "Action": "Update:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Deny", "Action": "Update:*"}]}',
        '{"Statement": [{"Effect": "Deny", "Resource": "*"}]}',
        "[" * 100_000,
        json.dumps({"Statement": [ALLOW], "x": "y" * 20_000}),
    ],
)
def test_policies_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Invalid stack policy"):
        check_policy(text)
