"""Evaluation of templates."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.evaluation import Evaluation, Inputs, Known
from lambent.stacks.template.parameters import resolve_parameters
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.shape import DEPTH_MAX
from lambent.stacks.template.template import parse_template
from lambent.stacks.template.values import UNKNOWN

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/1"


def evaluate(
    template: str | dict[str, Any],
    given: Mapping[str, str | None] | None = None,
    **others: Any,
) -> Evaluation:
    """An evaluation of a template in `eu-west-1`."""
    document = read_template(template) if isinstance(template, str) else template
    parsed = parse_template(document)
    inputs = {
        "account": "123456789012",
        "region": "eu-west-1",
        "stack_name": "shop",
        "stack_id": STACK,
        "zones": ("eu-west-1a", "eu-west-1b"),
    } | others
    parameters = resolve_parameters(parsed, given or {}, None).values({})
    return Evaluation(parsed, Inputs(**inputs, parameters=parameters))


def value(written: str, known: Mapping[str, Known] | None = None, **others: Any) -> Any:
    """A property, evaluated; None if it is left out."""
    evaluation = evaluate(f"{PARTS}  Z: {{Type: T, Properties: {{P: {written}}}}}\n", **others)
    return evaluation.properties("Z", known or {}).get("P")


PARTS = """
Parameters:
  Text: {Type: String, Default: text}
  Number: {Type: Number, Default: 1}
  List: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  M: {eu-west-1: {text: x, list: [a, b], "1": 5}, "012": {a: b}}
Conditions:
  Holds: !Equals [!Ref Text, text]
  Fails: !Not [!Condition Holds]
Resources:
  Q: {Type: AWS::SQS::Queue}
  R: {Type: AWS::SNS::Topic, Condition: Fails}
"""

SHOP = """
Parameters:
  Stage: {Type: String, Default: dev}
Conditions:
  IsProduction: !Equals [!Ref Stage, prod]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${AWS::StackName}-${Stage}"
      DelaySeconds: !If [IsProduction, 10, !Ref AWS::NoValue]
  Topic:
    Type: AWS::SNS::Topic
    Condition: IsProduction
  Function:
    Type: AWS::Lambda::Function
    DependsOn: Topic
    Properties:
      Queue: !GetAtt Queue.Arn
      Topic: !If [IsProduction, !Ref Topic, none]
Outputs:
  Url: {Value: !Ref Queue, Description: d, Export: {Name: !Sub "${AWS::StackName}-url"}}
  Topic: {Value: !Ref Topic, Condition: IsProduction}
"""


def test_a_template() -> None:
    """Conditions choose resources, values and dependencies; what does not exist is unknown."""
    evaluation = evaluate(SHOP)
    assert evaluation.conditions() == {"IsProduction": False}
    assert list(evaluation.wanted()) == ["Queue", "Function"]
    assert evaluation.dependencies("Function") == {"Queue"}
    assert evaluation.properties("Queue", {}) == {"QueueName": "shop-dev"}
    assert evaluation.properties("Function", {}) == {"Queue": UNKNOWN, "Topic": "none"}
    assert evaluation.outputs({}) == {"Url": (UNKNOWN, "d", "shop-url")}
    known = {"Queue": Known("url", {"Arn": "arn"})}
    assert evaluation.properties("Function", known)["Queue"] == "arn"
    assert evaluation.outputs(known) == {"Url": ("url", "d", "shop-url")}
    production = evaluate(SHOP, {"Stage": "prod"})
    assert production.dependencies("Function") == {"Queue", "Topic"}
    assert production.properties("Queue", {})["DelaySeconds"] == 10
    assert list(production.outputs({})) == ["Url", "Topic"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("!Ref Text", "text"),
        ("!Ref Number", "1"),
        ("!Ref List", ["a", "b"]),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref AWS::Region", "eu-west-1"),
        ("!Ref AWS::Partition", "aws"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref AWS::StackName", "shop"),
        ("!Ref AWS::StackId", STACK),
        ("!Ref AWS::NotificationARNs", []),
        ("!Ref AWS::NoValue", None),
        ("[a, !Ref AWS::NoValue, {b: !Ref AWS::NoValue, c: d}]", ["a", {"c": "d"}]),
        ("{Ref: Text, Other: 1}", {"Ref": "Text", "Other": 1}),
        ("{Condition: Holds}", {"Condition": "Holds"}),
        ("{a: 1, b: 1.5, c: true}", {"a": 1, "b": 1.5, "c": True}),
        ("!Sub a", "a"),
        ("!Sub '${Text}-${AWS::Region}-${!Text}-${Number}'", "text-eu-west-1-${Text}-1"),
        ("!Sub ['${x}${Text}${x.y}', {x: !Ref Number, x.y: 2, Text: own}]", "1own2"),
        ("!Sub 'a $b {c} ${unclosed'", "a $b {c} ${unclosed"),
        ("!Sub ['${x}', {x: true}]", "true"),
        ("!Sub 'a${AWS::NoValue}b'", "ab"),
        ("!Join ['-', [a, 1, true, 1.5, !Ref Text]]", "a-1-true-1.5-text"),
        ("!Join [',', !Ref List]", "a,b"),
        ("!Join [',', [a, !Ref AWS::NoValue, b]]", "a,b"),
        ("!Join [',', []]", ""),
        ("!Join [':', !GetAZs '']", "eu-west-1a:eu-west-1b"),
        ("!Split ['-', a-b--c]", ["a", "b", "", "c"]),
        ("!Split ['-', !Sub 'a-${Text}']", ["a", "text"]),
        ("!Select [1, [a, b]]", "b"),
        ("!Select ['0', !Ref List]", "a"),
        ("!Select [!Ref Number, !Ref List]", "b"),
        ("!Select [0, !Split [',', 'x,y']]", "x"),
        ("!Base64 'ä'", "w6Q="),
        ("!Base64 {'Fn::Sub': '${Text}'}", "dGV4dA=="),
        ("!FindInMap [M, !Ref AWS::Region, text]", "x"),
        ("!FindInMap [M, eu-west-1, list]", ["a", "b"]),
        ("!FindInMap [M, eu-west-1, !Ref Number]", 5),
        ("!FindInMap [M, '012', a]", "b"),
        ("!If [Holds, a, b]", "a"),
        ("!If [Fails, a, !If [Holds, c, d]]", "c"),
        ("!If [Fails, !GetAtt R.Arn, b]", "b"),
        ("!If [Fails, a, !Ref AWS::NoValue]", None),
        ("!GetAZs ''", ["eu-west-1a", "eu-west-1b"]),
        ("!GetAZs us-east-2", ["us-east-2a", "us-east-2b"]),
        ("!GetAZs {Ref: AWS::Region}", ["eu-west-1a", "eu-west-1b"]),
        ("!Cidr [10.0.0.0/16, 3, 8]", ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ("!Cidr [192.168.0.0/24, '2', '5']", ["192.168.0.0/27", "192.168.0.32/27"]),
        ("!Cidr ['2001:db8::/56', 2, 64]", ["2001:db8::/64", "2001:db8:0:1::/64"]),
        ("!Select [1, !Cidr [10.0.0.0/24, 2, 4]]", "10.0.0.16/28"),
        ("!Cidr [10.0.0.0/23, 2]", ["10.0.0.0/24", "10.0.1.0/24"]),
        ("!ImportValue net", "vpc-1"),
        ("!ImportValue {'Fn::Sub': '${Text}-net'}", "vpc-2"),
        ("!Ref Q", UNKNOWN),
        ("!GetAtt Q.Arn", UNKNOWN),
        ("!Sub '${Q}-x'", UNKNOWN),
        ("!Sub ['${x}', {x: !GetAtt Q.Arn}]", UNKNOWN),
        ("!Join ['', [a, !Ref Q]]", UNKNOWN),
        ("!Join ['', !GetAtt Q.List]", UNKNOWN),
        ("!Split ['-', !Ref Q]", UNKNOWN),
        ("!Select [0, !GetAtt Q.List]", UNKNOWN),
        ("!Select [0, [a, !Ref Q]]", "a"),
        ("!Select [1, [a, !Ref Q]]", UNKNOWN),
        ("!Select [!Ref Q, [a]]", UNKNOWN),
        ("!Base64 {Ref: Q}", UNKNOWN),
        ("!Cidr [!Ref Q, 1, 1]", UNKNOWN),
        ("!FindInMap [M, !Ref Q, a]", UNKNOWN),
        ("[a, !Ref Q]", ["a", UNKNOWN]),
        ("{a: !Ref Q}", {"a": UNKNOWN}),
        ("!If [Holds, !Ref Q, b]", UNKNOWN),
    ],
)
def test_functions(written: str, meant: Any) -> None:
    """Each function, with nothing known of resources."""
    read = value(written, imports={"net": "vpc-1", "text-net": "vpc-2"})
    assert read == meant
    assert type(read) is type(meant)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("!Ref Q", "url"),
        ("!GetAtt Q.Arn", "arn"),
        ("!GetAtt Q.Outer.Inner", "deep"),
        ("!GetAtt Q.Outputs.X", "x"),
        ("!GetAtt [Q, !Sub 'Arn']", "arn"),
        ("!GetAtt Q.Later", UNKNOWN),
        ("!Sub '${Q}=${Q.Arn}=${Q.Outer.Inner}'", "url=arn=deep"),
        ("!Join [',', !GetAtt Q.List]", "1,2"),
        ("!Select [1, !GetAtt Q.List]", "2"),
        ("!Split ['r', !GetAtt Q.Arn]", ["a", "n"]),
    ],
)
def test_what_is_known(written: str, meant: Any) -> None:
    """Replaces what a resource is and has."""
    attributes = {
        "Arn": "arn",
        "Outer.Inner": "deep",
        "Outputs": {"X": "x"},
        "List": ["1", "2"],
        "Later": UNKNOWN,
    }
    assert value(written, {"Q": Known("url", attributes)}) == meant
    assert value("!Ref Q", {"Q": Known(UNKNOWN, {})}) is UNKNOWN
    assert value("!GetAtt Q.Any", {"Q": Known("url", UNKNOWN)}) is UNKNOWN


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "!GetAtt Q.Nonsense",
            "Requested attribute Nonsense does not exist in schema for AWS::SQS",
        ),
        ("!GetAtt Q.Arn.Nonsense", "Requested attribute Arn.Nonsense does not exist in schema for"),
        (
            "!GetAtt [Q, !Ref List]",
            "Template error: every Fn::GetAtt object requires two",
        ),
        ("!Ref R", "Unresolved resource dependencies [R] in the Resources block of the template"),
        ("!Sub '${R.Arn}'", "Unresolved resource dependencies [R] in the Resources block of the"),
        ("!Sub '${List}'", "Template error: Fn::Sub expression does not resolve to a string"),
        ("!Join ['', [[a]]]", "Template error: every Fn::Join object requires a list of strings"),
        ("!Join ['', !Ref Text]", "Template error: every Fn::Join object requires two parameters"),
        ("!Split ['-', !Ref List]", "Template error: every Fn::Split object requires two"),
        ("!Select [2, !Ref List]", "Template error: Fn::Select cannot select nonexistent value at"),
        (
            "!Select [-1, [a]]",
            "Template error: Fn::Select cannot select nonexistent value at",
        ),
        (
            "!Select [x, [a]]",
            "Fn::Select cannot select nonexistent value at index x",
        ),
        ("!Select [0, !Ref Text]", "Template error: Fn::Select requires a list argument"),
        ("!FindInMap [M, b, c]", "Template error: Unable to get mapping for M::b::c"),
        ("!FindInMap [N, b, c]", "Template error: Mapping named 'N' is not present in the 'Mappi"),
        ("!FindInMap [M, !Ref List, c]", "Template error: every Fn::FindInMap object must have"),
        ("!FindInMap [M, b, c, {DefaultValue: d}]", "Template error: every Fn::FindInMap object"),
        ("!Base64 {Ref: List}", "Template error: every Fn::Base64 object must have a String-typed"),
        ("!ImportValue none", "No export named none found"),
        ("!GetAZs {Ref: List}", "Template error: every Fn::GetAZs object must have a String-typed"),
        ("!Cidr [x, 1, 1]", "Template error: every Fn::Cidr object requires"),
        ("!Cidr [10.0.0.0/24, 300, 1]", "Template error: Fn::Cidr cannot make 300 blocks"),
        ("!Cidr [10.0.0.0/24, 0, 1]", "Template error: Fn::Cidr cannot make 0 blocks"),
        ("!Cidr [10.0.0.0/24, 2, 8]", "Template error: Fn::Cidr cannot make 2 blocks of 8 bits"),
        ("!Cidr [10.0.0.0/24, 1, 33]", "Template error: Fn::Cidr cannot make 1 blocks of 33 bits"),
        ("!Cidr ['::/0', 256, -9]", "Template error: Fn::Cidr cannot make 256 blocks"),
        ("!Cidr [10.0.0.0/24, '1e99', 1]", "Template error: every Fn::Cidr object requires"),
        ("!Equals [a, b]", "Template error: Fn::Equals cannot be used here"),
        ("!Contains [[a], b]", "Template error: Fn::Contains cannot be used here"),
        ("{'Fn::Nonsense': a}", "Template error: Fn::Nonsense cannot be used here"),
        ("{'Fn::Join': ['', [a]], b: c}", "Template error: Fn::Join cannot be used here, or not"),
    ],
)
def test_what_cannot_be_evaluated(written: str, message: str) -> None:
    """Is refused with AWS's error."""
    with pytest.raises(TemplateError) as refused:
        value(written, {"Q": Known("url", {"Arn": "arn"})})
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ("!Equals [a, a]", True),
        ("!Equals [1, '1']", True),
        ("!Equals [true, 'true']", True),
        ("!Equals [!Ref List, [a, b]]", True),
        ("!Equals [!Join ['', !Ref List], ab]", True),
        ("!Equals [!FindInMap [M, eu-west-1, text], x]", True),
        ("!Equals [!Select [0, !Ref List], b]", False),
        ("!And [!Condition Holds, !Equals [a, a]]", True),
        ("!And [!Condition Holds, !Condition Fails]", False),
        ("!Or [!Condition Fails, !Condition Fails, !Condition Holds]", True),
        ("!Not [!Condition Holds]", False),
        ("!Condition Holds", True),
        ("{Condition: Fails}", False),
        ("!Equals [!If [Holds, a, b], a]", True),
        ("!Equals [!Sub '${AWS::Region}', eu-west-1]", True),
    ],
)
def test_conditions(written: str, holds: bool) -> None:
    """What a condition says."""
    text = PARTS.replace("Conditions:", f"Conditions:\n  Test: {written}")
    assert evaluate(text).conditions() == {"Test": holds, "Holds": True, "Fails": False}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("text", "Conditions can only be boolean operations on parameters and other conditions"),
        ("!Ref Text", "Conditions can only be boolean operations on parameters"),
        ("!Not [a]", "Conditions can only be boolean operations on parameters"),
        ("!Equals [!Ref AWS::NoValue, a]", "every Fn::Equals object requires"),
        ("!Equals [!ImportValue x, a]", "Cannot use Fn::ImportValue in Conditions."),
        ("!Equals [!If [Nonsense, a, b], a]", "Nonsense"),
    ],
)
def test_what_is_no_condition(written: str, message: str) -> None:
    """Is refused."""
    text = PARTS.replace("Conditions:", f"Conditions:\n  Test: {written}")
    with pytest.raises(TemplateError) as refused:
        evaluate(text)
    assert message in refused.value.message


def test_a_chain_of_conditions() -> None:
    """May be as long as a template, in any order."""
    chain: dict[str, Any] = {
        f"C{number}": {"Fn::Not": [{"Condition": f"C{number + 1}"}]} for number in range(499)
    }
    chain["C499"] = {"Fn::Equals": ["a", "a"]}
    document = {"Conditions": chain, "Resources": {"A": {"Type": "T", "Condition": "C0"}}}
    evaluation = evaluate(document)
    assert evaluation.conditions()["C1"]
    assert list(evaluation.wanted()) == []


def test_circles_depend_on_conditions() -> None:
    """A circle counts if the conditions close it."""
    text = """
Parameters: {P: {Type: String}}
Conditions: {C: !Equals [!Ref P, circle]}
Resources:
  A: {Type: T, Properties: {x: !Ref B}}
  B: {Type: T, Properties: {x: !If [C, !Ref A, y]}}
"""
    assert evaluate(text, {"P": "none"}).dependencies("A") == {"B"}
    with pytest.raises(TemplateError) as refused:
        evaluate(text, {"P": "circle"})
    assert refused.value.message == "Circular dependency between resources: [A, B]"


def test_dependencies() -> None:
    """Ref, Fn::GetAtt, Fn::Sub, DependsOn, metadata and policies count; variables of Fn::Sub's own
    do not, nor do parameters."""
    evaluation = evaluate("""
Parameters: {P: {Type: String, Default: p}}
Resources:
  A: {Type: T}
  B: {Type: T}
  C: {Type: T}
  D: {Type: T}
  E: {Type: T}
  F: {Type: T}
  Z:
    Type: T
    DependsOn: [A]
    Metadata: {m: !Ref B}
    UpdatePolicy: {u: !GetAtt C.x}
    Properties:
      s: !Sub ["${D} ${E} ${P} ${AWS::Region}", {E: !GetAtt F.y}]
""")
    assert evaluation.dependencies("Z") == {"A", "B", "C", "D", "F"}


def test_sources() -> None:
    """Each property says what it is computed from."""
    evaluation = evaluate(SHOP)
    assert evaluation.sources("Queue") == {
        "QueueName": [("AWS::StackName", None, True), ("Stage", None, True)],
        "DelaySeconds": [("AWS::NoValue", None, True)],
    }
    assert evaluation.sources("Function") == {"Queue": [("Queue", "Arn", True)], "Topic": []}


def test_outputs_that_are_wrong() -> None:
    """Outputs are texts, and may refer only to what is wanted."""
    for written, message in (
        ("[a]", "The Value field of every Outputs member must evaluate to a String."),
        ("{a: b}", "The Value field of every Outputs member must evaluate to a String."),
        (
            "a, Export: {Name: [b]}",
            "The Name field of every Export member must evaluate",
        ),
        ("a, Export: {Name: !Ref Q}", "The Name field of every Export member must evaluate to a"),
    ):
        with pytest.raises(TemplateError, match=message):
            evaluate(f"{PARTS}Outputs: {{O: {{Value: {written}}}}}").outputs({})
    with pytest.raises(TemplateError) as refused:
        evaluate(f"{PARTS}Outputs: {{O: {{Value: !Ref R}}}}")
    assert "[R] in the Outputs block of the template" in refused.value.message
    numbers = evaluate(f"{PARTS}Outputs: {{N: {{Value: 1}}, B: {{Value: true}}}}").outputs({})
    assert [output.value for output in numbers.values()] == ["1", "true"]


def test_imported_names() -> None:
    """Those of taken branches of wanted resources and outputs."""
    evaluation = evaluate(
        PARTS
        + """
  I: {Type: T, Properties: {a: !ImportValue one, b: !If [Fails, !ImportValue two, x]}}
  J: {Type: T, Condition: Fails, Properties: {a: !ImportValue three}}
  K: {Type: T, Properties: {a: !Select [0, !Split [",", !ImportValue {"Fn::Sub": "${Text}-k"}]]}}
Outputs: {O: {Value: !ImportValue four}, N: {Condition: Fails, Value: !ImportValue five}}
"""
    )
    assert evaluation.imported_names() == {"one", "text-k", "four"}
    for depending in ("Ref: Q", "'Fn::ImportValue': x", "'Fn::Sub': '${Q.Arn}'"):
        text = f"{PARTS}  I: {{Type: T, Properties: {{a: !ImportValue {{{depending}}}}}}}"
        with pytest.raises(TemplateError, match="must not depend on any resources"):
            evaluate(text).imported_names()


def test_policies_and_metadata() -> None:
    """Are evaluated; a resource is deleted unless it says something else."""
    evaluation = evaluate(
        PARTS
        + """
  A:
    Type: T
    DeletionPolicy: Retain
    UpdateReplacePolicy: Snapshot
    Metadata: {a: !Ref Text}
    CreationPolicy: {ResourceSignal: {Count: !Ref Number}}
    UpdatePolicy: {u: !Ref Q}
"""
    )
    assert evaluation.deletion_policy("A") == "Retain"
    assert evaluation.update_replace_policy("A") == "Snapshot"
    assert evaluation.metadata("A", {}) == {"a": "text"}
    assert evaluation.creation_policy("A", {}) == {"ResourceSignal": {"Count": "1"}}
    assert evaluation.update_policy("A", {}) == {"u": UNKNOWN}
    assert evaluation.deletion_policy("Q") == evaluation.update_replace_policy("Q") == "Delete"
    assert evaluation.metadata("Q", {}) is None


NAMES = ("A", "B", "C")


def _function(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
        st.tuples(st.sampled_from(["Holds", "Fails"]), inner, inner).map(
            lambda parts: {"Fn::If": list(parts)}
        ),
        st.lists(TEXTS, max_size=3).map(lambda items: {"Fn::Join": [",", items]}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"Fn::Select": [0, items]}),
        TEXTS.map(lambda text: {"Fn::Split": [",", text]}),
        TEXTS.map(lambda text: {"Fn::Base64": {"Fn::Join": ["", [text]]}}),
        TEXTS.map(lambda text: {"Fn::Sub": ["${A}-${V}-${B.Arn}", {"V": text}]}),
    )


TEXTS: st.SearchStrategy[Any] = st.one_of(
    st.just("a,b"),
    st.sampled_from(NAMES).map(lambda name: {"Ref": name}),
    st.sampled_from(NAMES).map(lambda name: {"Fn::GetAtt": [name, "Arn"]}),
    st.just({"Ref": "AWS::StackName"}),
).flatmap(lambda text: st.sampled_from([text, {"Fn::Join": ["/", [text, "x"]]}]))
EXPRESSIONS = st.recursive(TEXTS, _function, max_leaves=8)


@given(EXPRESSIONS, st.sets(st.sampled_from(NAMES)))
def test_unknown_is_what_depends_on_what_is_not_known(expression: Any, exist: set[str]) -> None:
    """With less known, each part is as it is with everything known, or unknown. With all
    dependencies known, nothing is unknown."""
    document: dict[str, Any] = {
        "Conditions": {"Holds": {"Fn::Equals": ["a", "a"]}, "Fails": {"Fn::Equals": ["a", "b"]}},
        "Resources": {name: {"Type": "T"} for name in NAMES},
    }
    document["Resources"]["Z"] = {"Type": "T", "Properties": {"P": expression}}
    evaluation = evaluate(document)
    everything = {name: Known(name.lower(), {"Arn": f"{name},arn"}) for name in NAMES}
    complete = evaluation.properties("Z", everything)
    needed = {name: everything[name] for name in evaluation.dependencies("Z")}
    assert evaluation.properties("Z", needed) == complete
    partial = evaluation.properties("Z", {name: everything[name] for name in exist})
    assert _agree(partial, complete)


def _agree(partial: Any, complete: Any) -> bool:
    if partial is UNKNOWN:
        return True
    if isinstance(partial, dict):
        return partial.keys() == complete.keys() and all(
            _agree(partial[name], complete[name]) for name in partial
        )
    if isinstance(partial, list):
        return len(partial) == len(complete) and all(map(_agree, partial, complete))
    return bool(partial == complete)


def _nested(function: Any, depth: int) -> Any:
    made: Any = "x"
    for _ in range(depth):
        made = function(made)
    return made


@pytest.mark.parametrize(
    "function",
    [
        lambda inner: {"Fn::Base64": {"Fn::Join": ["", [inner]]}},
        lambda inner: {"Fn::If": ["Holds", inner, "x"]},
        lambda inner: {"Fn::Sub": ["${a}", {"a": inner}]},
        lambda inner: {"Fn::Select": [0, [inner]]},
    ],
)
def test_deep_functions(function: Any) -> None:
    """As deep as a document may be, functions are evaluated; deeper ones are refused."""
    levels = 4
    document: dict[str, Any] = {"Conditions": {"Holds": {"Fn::Equals": ["a", "a"]}}}
    step = _depth(function("x"))
    deepest = _nested(function, (DEPTH_MAX - levels) // step)
    document["Resources"] = {"Z": {"Type": "T", "Properties": {"P": deepest}}}
    if "Fn::Base64" not in str(deepest):
        assert evaluate(document).properties("Z", {}) == {"P": "x"}
    document["Resources"]["Z"]["Properties"]["P"] = _nested(function, 10_000)
    with pytest.raises(TemplateError, match="nested deeper"):
        evaluate(document)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()))
    if isinstance(value, list):
        return 1 + max(map(_depth, value))
    return 0


LONG = "x" * 4_000


@pytest.mark.parametrize(
    "made",
    [
        [{"Ref": "Long"}] * 2_000,
        {"Fn::Join": ["", [{"Ref": "Long"}] * 2_000]},
        {"Fn::Sub": "${Long}" * 2_000},
        {"Fn::Split": [",", {"Fn::Join": ["", [{"Ref": "Long"}] * 900]}]},
        {"Fn::Join": [LONG, ["a"] * 2_000]},
        {"Fn::Base64": {"Fn::Sub": "${Long}" * 700}},
        [{"Fn::FindInMap": ["M", "a", "b"]}] * 2_000,
        [{"Ref": "Many"}] * 2_000,
        [{"Fn::Cidr": ["::/0", 256, 64]}] * 400,
    ],
    ids=range(9),
)
def test_results_are_bounded(made: Any) -> None:
    """A small template cannot make a large result."""
    with pytest.raises(TemplateError, match=r"more than [0-9,]+ (characters|steps)"):
        evaluate(
            {
                "Parameters": {
                    "Long": {"Type": "String"},
                    "Many": {"Type": "CommaDelimitedList"},
                },
                "Mappings": {"M": {"a": {"b": [LONG]}}},
                "Resources": {"Z": {"Type": "T", "Properties": {"P": made}}},
            },
            {"Long": LONG, "Many": ",".join(["a"] * 2_000)},
        ).properties("Z", {})


def test_attributes_are_bounded() -> None:
    """What a custom resource says of itself may be anything."""
    for attribute, complaint in (
        (_nested(lambda inner: [inner], 900), "nested deeper"),
        (["a"] * 300_000, "more than [0-9,]+ steps"),
        ("a" * 5_000_000, "more than [0-9,]+ characters"),
    ):
        with pytest.raises(TemplateError, match=complaint):
            value("!GetAtt Q.Data", {"Q": Known("q", {"Data": attribute})})


def test_messages_are_bounded() -> None:
    """An error does not repeat a whole template."""
    with pytest.raises(TemplateError) as refused:
        value(f"!FindInMap [M, {'x' * 100_000}, y]")
    assert len(refused.value.message) < 5_000


def test_the_processed_template_is_json() -> None:
    """A document can be written as JSON, and read again."""
    document = evaluate(SHOP).template.document
    assert read_template(json.dumps(document)) == document
