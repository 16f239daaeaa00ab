"""The Rules section."""

import pytest

from lambent.stacks.template.errors import TemplateError
from tests.unit.stacks.template.test_evaluation import evaluate

BOOTSTRAP = """
Parameters:
  Version: {Type: String}
  Zones: {Type: List<AWS::EC2::AvailabilityZone::Name>, Default: "a,b"}
  Zone: {Type: AWS::EC2::AvailabilityZone::Name, Default: a}
Rules:
  CheckVersion:
    Assertions:
      - Assert: !Not [!Contains [["1", "2"], !Ref Version]]
        AssertDescription: Version 3 is required.
Resources: {Q: {Type: AWS::SQS::Queue}}
"""


def check(condition: str, rule: str = "") -> None:
    """Check one assertion."""
    text = BOOTSTRAP.replace('!Not [!Contains [["1", "2"], !Ref Version]]', condition)
    text = text.replace("CheckVersion:", f"CheckVersion:\n    {rule}")
    evaluate(text, {"Version": "3"}).rules()


def test_an_assertion() -> None:
    """Refuses a parameter, with its description."""
    evaluate(BOOTSTRAP, {"Version": "3"}).rules()
    with pytest.raises(TemplateError) as refused:
        evaluate(BOOTSTRAP, {"Version": "1"}).rules()
    assert refused.value.message == "Version 3 is required."


HOLDING = [
    "!Equals [!Ref Version, '3']",
    "!Equals [!Ref AWS::Region, eu-west-1]",
    "!Contains [!Ref Zones, a]",
    "!Contains [['3'], !Ref Version]",
    "!EachMemberEquals [[x, x], x]",
    "!EachMemberIn [!Ref Zones, [a, b, c]]",
    "!EachMemberIn [!RefAll AWS::EC2::AvailabilityZone::Name, [a, b]]",
    "!And [!Equals [a, a], !Or [!Equals [a, b], !Equals [a, a]]]",
]


@pytest.mark.parametrize("condition", HOLDING)
def test_functions(condition: str) -> None:
    """An assertion that holds passes; its contrary fails, unless the rule does not apply."""
    check(condition)
    with pytest.raises(TemplateError, match="Version 3 is required"):
        check(f"!Not [{condition}]")
    check(f"!Not [{condition}]", "RuleCondition: !Equals [a, b]")
    with pytest.raises(TemplateError, match="Version 3 is required"):
        check(f"!Not [{condition}]", f"RuleCondition: {condition}")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("text", "Conditions can only be boolean operations"),
        ("!Contains [a, b]", "every Fn::Contains object requires"),
        ("!Contains [[a]]", "every Fn::Contains object requires"),
        ("!EachMemberIn [[a], b]", "every Fn::EachMemberIn object requires"),
        ("!EachMemberEquals [[a], [b]]", "every Fn::EachMemberEquals object requires"),
        ("!Contains [!RefAll [a], b]", "every Fn::RefAll object requires a parameter type"),
        ("!Equals [!Ref Q, a]", "A rule cannot refer to a resource: Q"),
        ("!Equals [!ValueOf [Zone, x], a]", "Fn::ValueOf reads resources of EC2"),
        ("!Contains [!ValueOfAll [Zone, x], a]", "Fn::ValueOfAll reads resources of EC2"),
        ("!Equals [!If [C, a, b], a]", "Fn::If cannot be used here"),
        ("!Equals [!ImportValue x, a]", "Fn::ImportValue cannot be used here"),
    ],
)
def test_what_is_wrong(condition: str, message: str) -> None:
    """Is refused."""
    with pytest.raises(TemplateError) as refused:
        check(condition)
    assert message in refused.value.message
