"""Values of parameters."""

import pytest

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.parameters import Parameters, resolve_parameters
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.template import parse_template


def resolve(
    declared: str, given: dict[str, str | None], previous: dict[str, str] | None = None
) -> Parameters:
    """The parameters of a template that declares these."""
    text = f"Parameters: {{{declared}}}\nResources: {{Q: {{Type: AWS::SQS::Queue}}}}"
    return resolve_parameters(parse_template(read_template(text)), given, previous)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("String", " a ", " a "),
        ("String", "", ""),
        ("Number", "1.50", "1.50"),
        ("List<Number>", "1, 2", ["1", "2"]),
        ("List<String>", "a,b", ["a", "b"]),
        ("CommaDelimitedList", "a, b ,c", ["a", "b", "c"]),
        ("CommaDelimitedList", "", [""]),
        ("AWS::EC2::VPC::Id", "vpc-1", "vpc-1"),
        ("AWS::EC2::KeyPair::KeyName", "k", "k"),
        ("List<AWS::EC2::Subnet::Id>", "a,b", ["a", "b"]),
        ("List<AWS::Route53::HostedZone::Id>", "a", ["a"]),
        ("AWS::SSM::Parameter::Name", "/a", "/a"),
    ],
)
def test_types(kind: str, text: str, value: str | list[str]) -> None:
    """Lists are split; everything else is the text."""
    assert resolve(f"P: {{Type: '{kind}'}}", {"P": text}).values({}) == {"P": value}


@pytest.mark.parametrize(
    "kind",
    ["List<AWS::EC2::VPC::Id", "AWS::EC2::VPC::Id>", "AWS::S3::Bucket", "List<CommaDelimitedList>",
     "AWS::SSM::Parameter::Value<Number>", "string"],
)  # fmt: skip
def test_unknown_types(kind: str) -> None:
    """Are refused."""
    with pytest.raises(TemplateError, match="Unrecognized parameter type: "):
        resolve(f"P: {{Type: '{kind}'}}", {})


def test_where_values_come_from() -> None:
    """From the caller, from the stack as it was if the caller wants that, or from the default."""
    declared = "A: {Type: String}, B: {Type: String}, C: {Type: Number, Default: 7}"
    previous = {"A": "old", "B": "old", "C": "1"}
    texts = resolve(declared, {"A": "new", "B": None}, previous).texts
    assert texts == {"A": "new", "B": "old", "C": "7"}


def test_values_of_systems_manager() -> None:
    """Are looked up by names; the value has the type in the brackets."""
    parameters = resolve(
        "A: {Type: AWS::SSM::Parameter::Value<String>, Default: /version},"
        " L: {Type: AWS::SSM::Parameter::Value<List<String>>},"
        " I: {Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>}, S: {Type: String}",
        {"L": "/list", "I": "/image", "S": "s"},
    )
    assert parameters.lookups == {"A": "/version", "L": "/list", "I": "/image"}
    looked_up = {"A": "6", "L": "a,b", "I": "ami"}
    assert parameters.values(looked_up) == {"A": "6", "L": ["a", "b"], "I": "ami", "S": "s"}
    assert parameters.texts["A"] == "/version"
    with pytest.raises(TemplateError) as refused:
        parameters.values({"I": "ami"})
    assert refused.value.message == (
        "Unable to fetch parameters [/list,/version] from parameter store for this account."
    )


def test_no_echo() -> None:
    """Hides the value from those who look."""
    parameters = resolve("A: {Type: String, NoEcho: true}, B: {Type: String}", {"A": "a", "B": "b"})
    assert parameters.shown() == {"A": "****", "B": "b"}
    assert parameters.values({}) == {"A": "a", "B": "b"}


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ("A: {Type: String}, B: {Type: String}", {}, "Parameters: [A, B] must have values"),
        ("", {"X": "a"}, "Parameters: [X] do not exist in the template"),
        (
            "A: {Type: String, Default: a}",
            {"A": None},
            "Invalid input for parameter key A. Cannot specify usePreviousValue as true for a"
            " parameter key not in the previous template",
        ),
        ("A: {Type: Number}", {"A": "x"}, "Parameter 'A' must be a number."),
        ("A: {Type: Number}", {"A": "1_0"}, "Parameter 'A' must be a number."),
        ("A: {Type: Number}", {"A": "nan"}, "Parameter 'A' must be a number."),
        ("A: {Type: Number}", {"A": "9" * 4096}, "Parameter 'A' must be a number."),
        ("A: {Type: Number}", {"A": "1e9999"}, "Parameter 'A' must be a number."),
        ("A: {Type: List<Number>}", {"A": "1,x"}, "Parameter 'A' must be a number."),
        ("A: {Type: Number, Default: x}", {}, "Parameter 'A' must be a number."),
        (
            "A: {Type: Number, MinValue: 1000000}",
            {"A": "999999"},
            "Parameter 'A' must be a number not less than 1000000",
        ),
        (
            "A: {Type: List<Number>, MaxValue: 1.5}",
            {"A": "1,2"},
            "Parameter 'A' must be a number not greater than 1.5",
        ),
        (
            "A: {Type: String, MinLength: 8}",
            {"A": "short"},
            "Parameter 'A' must contain at least 8 characters",
        ),
        (
            "A: {Type: String, MaxLength: '2'}",
            {"A": "long"},
            "Parameter 'A' must contain at most 2 characters",
        ),
        (
            "A: {Type: String, AllowedPattern: '[a-z]+'}",
            {"A": "a1"},
            "Parameter 'A' must match pattern [a-z]+",
        ),
        (
            "A: {Type: CommaDelimitedList, AllowedPattern: '[a-z]+'}",
            {"A": "a, 1"},
            "Parameter 'A' must match pattern [a-z]+",
        ),
        (
            "A: {Type: String, AllowedPattern: 'a(?=b)'}",
            {"A": "a"},
            "Template format error: AllowedPattern a(?=b): ",
        ),
        (
            "A: {Type: String, AllowedValues: [a, b]}",
            {"A": "c"},
            "Parameter 'A' must be one of AllowedValues",
        ),
        (
            "A: {Type: CommaDelimitedList, AllowedValues: [a, b]}",
            {"A": "a,c"},
            "Parameter 'A' must be one of AllowedValues",
        ),
        (
            "A: {Type: Number, AllowedValues: [1, 2, x]}",
            {"A": "3"},
            "Parameter 'A' must be one of AllowedValues",
        ),
        (
            "A: {Type: String, AllowedValues: [a], ConstraintDescription: must be a}",
            {"A": "c"},
            "Parameter A failed to satisfy constraint: must be a",
        ),
        ("A: {Type: String}", {"A": "ä" * 2049}, "Parameter 'A' must contain at most 4096 bytes."),
    ],
)
def test_values_that_are_refused(declared: str, given: dict[str, str | None], message: str) -> None:
    """With AWS's error."""
    with pytest.raises(TemplateError) as refused:
        resolve(declared, given)
    assert refused.value.message.startswith(message)


def test_values_that_are_allowed() -> None:
    """Bounds are inclusive, numbers are compared as numbers, and lists item by item."""
    declared = (
        "N: {Type: Number, AllowedValues: [1.0, 2], MinValue: 1, MaxValue: 1},"
        " S: {Type: String, MinLength: 2, MaxLength: 2, AllowedPattern: '[a-z]*'},"
        " L: {Type: CommaDelimitedList, AllowedValues: [a, b], MinLength: 50}"
    )
    given: dict[str, str | None] = {"N": "1", "S": "ab", "L": "b, a"}
    assert resolve(declared, given).values({}) == {"N": "1", "S": "ab", "L": ["b", "a"]}


def test_patterns_of_strangers() -> None:
    """Take time that is linear in the value."""
    with pytest.raises(TemplateError, match="must match pattern"):
        resolve("A: {Type: String, AllowedPattern: '(a+)+b'}", {"A": "a" * 4000})
