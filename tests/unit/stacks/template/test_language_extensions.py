"""The transform AWS::LanguageExtensions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.stacks.template import budget
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.evaluation import Evaluation, Known
from lambent.stacks.template.language_extensions import expand
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.values import UNKNOWN
from tests.unit.stacks.template.test_evaluation import evaluate

HEAD = "Transform: AWS::LanguageExtensions\n"


def extended(text: str, given: dict[str, str | None] | None = None) -> Evaluation:
    """An evaluation of a template with the transform."""
    return evaluate(HEAD + text, given)


def test_loops_make_resources_conditions_and_outputs() -> None:
    """Members of a section are repeated; everything refers to what was made."""
    evaluation = extended(
        """
Parameters: {Names: {Type: CommaDelimitedList, Default: "Red, Blue"}}
Conditions:
  Fn::ForEach::Conditions: [C, [Red, Blue], {"Is${C}": !Equals [!Ref C, Red]}]
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - Queue${Name}:
        Type: AWS::SQS::Queue
        Condition: Is${Name}
        DependsOn: Topic
        Properties:
          QueueName: !Sub "${Name}-${AWS::Region}"
          Tags: [{Key: name, Value: !Ref Name}]
Outputs:
  Fn::ForEach::Outputs:
    - Name
    - [Red]
    - "${Name}Arn": {Value: !GetAtt [!Sub "Queue${Name}", Arn]}
      "${Name}Url": {Value: {Ref: {"Fn::Sub": "Queue${Name}"}}}
"""
    )
    template = evaluation.template
    assert list(template.resources) == ["Topic", "QueueRed", "QueueBlue"]
    assert list(evaluation.wanted()) == ["Topic", "QueueRed"]
    assert evaluation.dependencies("QueueRed") == {"Topic"}
    assert evaluation.properties("QueueRed", {}) == {
        "QueueName": "Red-eu-west-1",
        "Tags": [{"Key": "name", "Value": "Red"}],
    }
    outputs = evaluation.outputs({"QueueRed": Known("url", {"Arn": "arn"})})
    assert {name: output.value for name, output in outputs.items()} == {
        "RedArn": "arn",
        "RedUrl": "url",
    }
    assert template.transforms == ()
    assert "Transform" not in template.document
    assert template.document["Outputs"]["RedArn"] == {"Value": {"Fn::GetAtt": ["QueueRed", "Arn"]}}


def test_loops_make_properties() -> None:
    """At any depth; other members stay."""
    evaluation = extended("""
Mappings: {M: {a: {list: [x, y]}}}
Resources:
  T:
    Type: AWS::X
    Properties:
      Before: 1
      Fn::ForEach::Outer:
        - I
        - !FindInMap [M, a, list]
        - "P${I}":
            Fn::ForEach::Inner: [J, [1, 2], {"Q${I}${J}": [!Sub "${J}-${!J}", "${I}"]}]
            After: !Ref I
""")
    assert evaluation.properties("T", {}) == {
        "Before": 1,
        "Px": {"Qx1": ["1-${J}", "x"], "Qx2": ["2-${J}", "x"], "After": "x"},
        "Py": {"Qy1": ["1-${J}", "y"], "Qy2": ["2-${J}", "y"], "After": "y"},
    }


def test_names_of_values_that_are_not_alphanumeric() -> None:
    """`&{X}` leaves out other characters."""
    evaluation = extended(
        'Resources: {"Fn::ForEach::L": [I, [10.0.0.0/8, a-b], {"R&{I}": {Type: T, Properties: {P:'
        ' "${I}"}}}]}'
    )
    assert list(evaluation.wanted()) == ["R100008", "Rab"]
    assert evaluation.properties("R100008", {}) == {"P": "10.0.0.0/8"}


def test_loops_with_several_identifiers() -> None:
    """They take the values of a list of lists, or keys and values of a map."""
    evaluation = extended("""
Parameters: {Name: {Type: String, Default: Id}}
Resources:
  Fn::ForEach::Lists:
    - [!Ref Name, Size]
    - [[a, 1], [!Ref AWS::StackName, 2]]
    - R${Id}: {Type: T, Properties: {P: !Ref Size}}
  Fn::ForEach::Map: [[Key, Port], {Web: 443, SSH: 22}, {"G${Key}": {Type: T, DependsOn: "Ra"}}]
""")
    assert list(evaluation.wanted()) == ["Ra", "Rshop", "GWeb", "GSSH"]
    assert evaluation.properties("Rshop", {}) == {"P": "2"}


def test_an_empty_loop() -> None:
    """Makes nothing."""
    evaluation = extended('Resources: {A: {Type: T}, "Fn::ForEach::L": [I, [], {"R${I}": {}}]}')
    assert list(evaluation.wanted()) == ["A"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("!Length [a, b]", 2),
        ("!Length {Ref: List}", 3),
        ("!Length []", 0),
        ("!Length {'Fn::Split': [',', 'a,b']}", 2),
        ("!Length {'Fn::GetAtt': [Q, List]}", UNKNOWN),
        ("!ToJsonString {a: [1, true, 'ä'], b: !Ref Text}", '{"a":[1,true,"ä"],"b":"text"}'),
        ("!ToJsonString [!Ref AWS::NoValue, a]", '["a"]'),
        ("!ToJsonString {a: !Ref Q}", UNKNOWN),
        ("!FindInMap [M, a, b]", "c"),
        ("!FindInMap [M, a, x, {DefaultValue: d}]", "d"),
        ("!FindInMap [N, a, x, {DefaultValue: !Ref Text}]", "text"),
        ("!FindInMap [!Select [0, [M]], !Sub a, !Join ['', [b]]]", "c"),
        ("!FindInMap [M, a, x, {DefaultValue: !Ref Q}]", UNKNOWN),
    ],
)
def test_functions(written: str, meant: Any) -> None:
    """Functions that the transform adds."""
    evaluation = extended(f"""
Parameters:
  Text: {{Type: String, Default: text}}
  List: {{Type: CommaDelimitedList, Default: "1,2,3"}}
Mappings: {{M: {{a: {{b: c}}}}}}
Resources:
  Q: {{Type: T}}
  Z: {{Type: T, Properties: {{P: {written}}}}}
""")
    assert evaluation.properties("Z", {})["P"] == meant


def test_json_in_json_is_bounded() -> None:
    """Each level doubles the backslashes of the level in it."""
    nested: Any = {"a": '"'}
    for _ in range(40):
        nested = {"Fn::ToJsonString": [nested]}
    document = {
        "Transform": "AWS::LanguageExtensions",
        "Resources": {"Z": {"Type": "T", "Properties": {"P": nested}}},
    }
    with pytest.raises(TemplateError, match=r"more than [0-9,]+ characters"):
        evaluate(document).properties("Z", {})


def test_functions_in_policies() -> None:
    """Policies may depend on parameters."""
    evaluation = extended(
        """
Parameters: {Stage: {Type: String}}
Conditions: {Keep: !Equals [!Ref Stage, prod]}
Resources:
  A: {Type: T, DeletionPolicy: !If [Keep, Retain, Delete], UpdateReplacePolicy: !Ref Stage}
""",
        {"Stage": "prod"},
    )
    assert evaluation.deletion_policy("A") == "Retain"
    with pytest.raises(TemplateError, match="Unrecognized UpdateReplacePolicy prod for resource A"):
        evaluation.update_replace_policy("A")


FAILED = "Transform AWS::LanguageExtensions failed with: "


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ('"Fn::ForEach::L": [I, [a]]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": {}', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [[[I]], [a], {}]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [[], [], {}]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [[I, I], [], {}]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [[I, J], [[a]], {}]', f"{FAILED}The collection of Fn::ForEach::L has"),
        ('"Fn::ForEach::L": [[I, J], [a], {}]', f"{FAILED}The collection of Fn::ForEach::L has"),
        ('"Fn::ForEach::L": [I, {a: b}, {}]', f"{FAILED}The collection of Fn::ForEach::L is not"),
        ('"Fn::ForEach::L": [I-1, [a], {}]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [I, a, {}]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [I, [a], [b]]', f"{FAILED}Fn::ForEach layout is incorrect"),
        ('"Fn::ForEach::L": [I, !Ref Text, {}]', f"{FAILED}The collection of Fn::ForEach::L is"),
        ('"Fn::ForEach::L": [I, [{a: b}], {}]', f"{FAILED}The collection of Fn::ForEach::L has an"),
        ('"Fn::ForEach::L": [I, !GetAtt A.List, {}]', f"{FAILED}A cannot be used here"),
        ('"Fn::ForEach::L": [I, [!ImportValue x], {}]', f"{FAILED}x cannot be used here"),
        ('"Fn::ForEach::L": [I, !If [C, [a], [b]], {}]', f"{FAILED}C cannot be used here"),
        (
            '"Fn::ForEach::L": [Text, [a], {}]',
            f"{FAILED}The identifier Text of Fn::ForEach::L names",
        ),
        (
            '"Fn::ForEach::L": [I, [a, b], {Same: {Type: T}}]',
            f"{FAILED}Two members are named Same.",
        ),
        ('"Fn::ForEach::L": [I, [A], {"${I}": {Type: T}}]', f"{FAILED}Two members are named A."),
        ('"Fn::ForEach::L": [I, [a-b], {"${I}": {Type: T}}]', "Resource name a-b is non alphanum"),
        ('"Fn::ForEach::L": [I, [a], {"R${I}": 1}]', "Any Resources member must be an object."),
        ('"Fn::ForEach::L": [I, [a], {"R${I}": {Type: T, DependsOn: "X${I}"}}]', "[Xa]"),
    ],
)
def test_what_is_wrong(resources: str, message: str) -> None:
    """Is refused."""
    text = "Parameters: {Text: {Type: String, Default: t}}\nResources: {A: {Type: T}, %s}"
    with pytest.raises(TemplateError) as refused:
        extended(text % resources)
    assert message in refused.value.message


def test_arguments_that_are_wrong() -> None:
    """Are refused."""
    evaluation = extended(
        "Resources: {L: {Type: T, Properties: {P: !Length a}},"
        " J: {Type: T, Properties: {P: !ToJsonString a}}}"
    )
    with pytest.raises(TemplateError, match=r"Fn::Length requires a list\."):
        evaluation.properties("L", {})
    with pytest.raises(TemplateError, match="Fn::ToJsonString requires an object or a list"):
        evaluation.properties("J", {})


def test_loops_need_the_transform() -> None:
    """Without it, they are no resources."""
    with pytest.raises(TemplateError, match="is non alphanumeric"):
        evaluate('Resources: {"Fn::ForEach::L": [I, [a], {}]}')


def _loops(count: int, items: int) -> dict[str, Any]:
    body: dict[str, Any] = {"R" + "".join(f"${{I{n}}}x" for n in range(count)): {"Type": "T"}}
    for n in range(count):
        body = {f"Fn::ForEach::L{n}": [f"I{n}", [str(item) for item in range(items)], body]}
    return body


def test_nested_loops_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five may be in each other, and what they make is bounded before it is made."""
    monkeypatch.setattr(budget, "STEPS_MAX", 20_000)
    template: dict[str, Any] = {"Transform": "AWS::LanguageExtensions"}
    assert len(evaluate({**template, "Resources": _loops(5, 3)}).wanted()) == 3**5
    for count, items, complaint in (
        (6, 1, "in more than 4 other loops"),
        (4, 5, "Number of resources, 625, is greater than maximum allowed, 500"),
        (5, 300, "more than [0-9,]+ (steps|characters)"),
    ):
        with pytest.raises(TemplateError, match=complaint):
            evaluate({**template, "Resources": _loops(count, items)})


def test_other_transforms_stay() -> None:
    """They are for others to perform, after the loops are written out."""
    document = read_template("""
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Resources: {"Fn::ForEach::L": [I, [a], {"F${I}": {Type: AWS::Serverless::Function}}]}
""")
    inputs = evaluate("Resources: {A: {Type: T}}").inputs
    assert expand(document, inputs) == {
        "Transform": ["AWS::Serverless-2016-10-31"],
        "Resources": {"Fa": {"Type": "AWS::Serverless::Function"}},
    }


@given(st.lists(st.text("abcXYZ09", min_size=1, max_size=4), unique=True, max_size=8))
def test_a_loop_is_what_it_stands_for(items: list[str]) -> None:
    """A loop makes what the same resources written one by one make."""
    written = {
        f"R{item}": {"Type": "T", "Properties": {"P": f"p-{item}", "Q": {"Ref": "AWS::Region"}}}
        for item in items
    }
    body = {"R${I}": {"Type": "T", "Properties": {"P": "p-${I}", "Q": {"Ref": "AWS::Region"}}}}
    looped = evaluate(
        {
            "Transform": ["AWS::LanguageExtensions"],
            "Resources": {"A": {"Type": "T"}, "Fn::ForEach::L": ["I", items, body]},
        }
    )
    assert looped.template.document == {"Resources": {"A": {"Type": "T"}, **written}}
