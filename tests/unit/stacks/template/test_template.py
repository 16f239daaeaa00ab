"""What is checked of a template without parameters, and its summary."""

from typing import Any

import pytest

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.summary import summary
from lambent.stacks.template.template import Template, parse_template

QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}


def parse(text: str) -> Template:
    """The template of a text, with a resource `Q` if it has none."""
    document = read_template(text)
    document.setdefault("Resources", {"Q": QUEUE})
    return parse_template(document)


def test_all_parts() -> None:
    """Each part is read."""
    template = parse("""
AWSTemplateFormatVersion: 2010-09-09
Description: A shop
Metadata: {M: 1}
Parameters:
  P: {Type: Number, Default: 5, MinValue: 1, MaxValue: 9, NoEcho: true, AllowedValues: [5, 6]}
Mappings: {M: {a: {b: [1, 2]}}}
Conditions: {C: !Equals [!Ref P, 5]}
Rules: {R: {Assertions: [{Assert: !Equals [a, a], AssertDescription: d}]}}
Resources:
  Q:
    Type: AWS::SQS::Queue
    DependsOn: T
    Condition: C
    DeletionPolicy: Retain
    UpdateReplacePolicy: Snapshot
    Metadata: {x: y}
    CreationPolicy: {ResourceSignal: {Count: 1}}
    UpdatePolicy: {a: b}
    Properties: {QueueName: n}
  T: {Type: AWS::SNS::Topic, DependsOn: []}
Outputs: {O: {Description: d, Value: !Ref Q, Export: {Name: n}, Condition: C}}
""")
    queue = template.resources["Q"]
    assert queue.depends_on == ("T",)
    assert (queue.condition, queue.deletion_policy, queue.update_replace_policy) == (
        "C",
        "Retain",
        "Snapshot",
    )
    assert queue.creation_policy == {"ResourceSignal": {"Count": 1}}
    assert (queue.update_policy, queue.metadata) == ({"a": "b"}, {"x": "y"})
    parameter = template.parameters["P"]
    assert (parameter.default, parameter.no_echo, parameter.allowed_values) == (
        "5",
        True,
        ("5", "6"),
    )
    assert (parameter.min_value, parameter.max_value) == (1, 9)
    output = template.outputs["O"]
    assert (output.export_name, output.condition, output.description) == ("n", "C", "d")
    assert template.rules["R"].assertions[0].description == "d"
    assert template.mappings["M"]["a"]["b"] == [1, 2]
    assert (template.description, template.metadata) == ("A shop", {"M": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources: {}", "At least one Resources member must be defined."),
        ("Resources: [a]", "At least one Resources member must be defined."),
        ("Hooks: {}", "Invalid template property or properties [Hooks]"),
        ("Globals: {}", "Invalid template property or properties [Globals]"),
        ("Nonsense: 1", "Invalid template property or properties [Nonsense]"),
        (
            "AWSTemplateFormatVersion: 2010-09-10",
            "2010-09-10 is not a supported value for AWSTemplateFormatVersion.",
        ),
        ("Description: [a]", "Description must be a string."),
        ("Description: " + "x" * 1025, "'Description' length is greater than 1024."),
        ("Outputs: {O: {Value: {'Fn::Transform': {Name: !Ref Q}}}}", "Key Name of transform"),
        ("Transform: {a: b}", "Key Name of transform definition must be a string."),
        ("Resources: {Q: 1}", "Any Resources member must be an object."),
        (
            "Resources: {Q: {Properties: {}}}",
            "[/Resources/Q] Every Resources object must contain a Type member.",
        ),
        ("Resources: {Q: {Type: [a]}}", "[/Resources/Q/Type]"),
        ("Resources: {Q: {Type: T, Invalid: x}}", "Invalid template resource property 'Invalid'"),
        ("Resources: {Q-1: {Type: T}}", "Resource name Q-1 is non alphanumeric."),
        ("Resources: {Ä: {Type: T}}", "Resource name Ä is non alphanumeric."),
        ("Resources: {%s: {Type: T}}" % ("x" * 256), "longer than 255 characters"),
        ("Resources: {Q: {Type: T, Properties: [a]}}", "Any Properties member must be an object."),
        ("Resources: {Q: {Type: T, DependsOn: [1]}}", "Every DependsOn value must be a string."),
        ("Resources: {Q: {Type: T, DependsOn: {}}}", "Every DependsOn value must be a string."),
        ("Resources: {Q: {Type: T, Condition: []}}", "Every Condition member must be a string."),
        ("Resources: {Q: {Type: T, DeletionPolicy: Keep}}", "Unrecognized DeletionPolicy Keep"),
        ("Resources: {Q: {Type: T, DeletionPolicy: !Ref Q}}", "Every DeletionPolicy and"),
        ("Resources: {Q: {Type: T, DeletionPolicy: [a]}}", "Unrecognized DeletionPolicy"),
        (
            "Resources: {Q: {Type: T, DependsOn: X}}",
            "Template format error: Unresolved resource dependencies [X] in the Resources block of"
            " the template",
        ),
        (
            "Resources: {Q: {Type: T, Properties: {a: !Ref X, b: !Sub '${Y} ${AWS::Region}'}}}",
            "Template format error: Unresolved resource dependencies [X, Y] in the Resources block"
            " of the template",
        ),
        ("Resources: {Q: {Type: T, Properties: {a: !Ref AWS::Nonsense}}}", "[AWS::Nonsense]"),
        (
            "Resources: {Q: {Type: T, Properties: {a: !GetAtt X.Arn}}}",
            "Template error: instance of Fn::GetAtt references undefined resource X",
        ),
        ("Resources: {Q: {Type: T, Properties: {a: !Sub '${X.Arn}'}}}", "undefined resource X"),
        (
            "Resources: {Q: {Type: T, Properties: {a: !If [C, 1, 2]}}}",
            "Template error: unresolved condition dependency C in Fn::If",
        ),
        (
            "Resources: {Q: {Type: T, Condition: C}}",
            "Unresolved condition dependency C in the Resources block of the template",
        ),
        (
            "Outputs: {O: {Value: a, Condition: C}}",
            "Unresolved condition dependency C in the Outputs block of the template",
        ),
        (
            "Resources: {A: {Type: T, Properties: {b: !Ref B}}, B: {Type: T, DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        ("Resources: {A: {Type: T, DependsOn: A}}", "Circular dependency between resources: [A]"),
        ("Resources: {A: {Type: T, Properties: {a: !Length [1]}}}", "AWS::LanguageExtensions"),
        ("Outputs: {O: {Value: !Ref X}}", "[X] in the Outputs block of the template"),
        ("Outputs: {O: {Export: {Name: x}}}", "Every Outputs member must contain a Value object"),
        ("Outputs: {O: {Value: a, Export: x}}", "Output O is malformed."),
        ("Outputs: {O: {Value: a, Name: x}}", "Invalid template output property 'Name'"),
        ("Outputs: {o_p: {Value: a}}", "Output name o_p is non alphanumeric."),
        ("Outputs: {O: {Value: a, Description: !Ref Q}}", "Every Description member must be"),
        ("Parameters: {P: {Default: a}}", "Every Parameters object must contain a Type member."),
        ("Parameters: {P: {Type: Text}}", "Unrecognized parameter type: Text"),
        ("Parameters: {P: {Type: [a]}}", "Unrecognized parameter type"),
        ("Parameters: {P: {Type: String, Allowed: a}}", "Invalid template parameter property"),
        ("Parameters: {P: {Type: String, AllowedValues: a}}", "AllowedValues must be a list"),
        ("Parameters: {P: {Type: String, Default: [a]}}", "Every Default member must be a string."),
        ("Parameters: {P: {Type: Number, MinValue: x}}", "Every MinValue member must be a number."),
        ("Parameters: {P: {Type: Number, MaxValue: 1e999}}", "must be a number."),
        ("Parameters: {P_: {Type: String}}", "Parameter name P_ is non alphanumeric."),
        ("Parameters: [a]", "Any Parameters member must be an object."),
        ("Mappings: {A: x}", "Template format error: Every Mappings member A must be a map"),
        (
            "Mappings: {A: {b: {c: {d: e}}}}",
            "Every Mappings attribute must be a String or a List.",
        ),
        ("Mappings: {A: {b: {c: [!Ref D]}}}", "Every Mappings attribute must be a String or"),
        (
            "Conditions: {C: !Equals [!Ref Q, a]}",
            "Template format error: Unresolved dependencies [Q]. Cannot reference resources in the"
            " Conditions block of the template",
        ),
        ("Conditions: {C: !Condition D}", "Unresolved dependencies [D]."),
        (
            "Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}",
            "Circular dependency between conditions: [C, D]",
        ),
        (
            "Conditions: {C: !And [!Condition C]}",
            "every Fn::And object requires a list of at least",
        ),
        ("Rules: {R: {}}", "Every Rules object must contain an Assertions member."),
        ("Rules: {R: {Assertions: [{}]}}", "Every assertion must contain an Assert member."),
        ("Rules: {R: {Assertions: [{Assert: a, B: c}]}}", "Invalid template assertion property"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    """Is refused with AWS's error."""
    with pytest.raises(TemplateError) as refused:
        parse(text)
    assert message in refused.value.message


SHAPES = {
    "!Join [',', a]": "every Fn::Join object requires two parameters, (1) a string delimiter",
    "!Join [!Ref Q, [a]]": "every Fn::Join object requires two parameters",
    "!Split ['', a]": "every Fn::Split object requires two parameters, (1) a string",
    "!Split [a]": "every Fn::Split object requires two parameters",
    "!Select [0]": "Fn::Select requires a list argument with two elements: an integer index and a",
    "!Select [0, a]": "Fn::Select requires a list argument with two elements",
    "!GetAtt Q": "every Fn::GetAtt object requires two non-empty parameters, the resource name and",
    "!GetAtt [Q, '']": "every Fn::GetAtt object requires two non-empty parameters",
    "!GetAtt [!Ref Q, Arn]": "every Fn::GetAtt object requires two non-empty parameters",
    "!Ref [a]": "every Ref object must have a single String value.",
    "!Ref ''": "every Ref object must have a single String value.",
    "!Sub [a]": "One or more Fn::Sub intrinsic functions don't specify expected arguments.",
    "!Sub [!Ref Q, {}]": "One or more Fn::Sub intrinsic functions don't specify expected",
    "!Sub '${a b}'": "variable names in Fn::Sub syntax must contain only alphanumeric characters",
    "!Sub '${}'": "variable names in Fn::Sub syntax must contain only alphanumeric characters",
    "!FindInMap [a, b]": "every Fn::FindInMap object requires three parameters, the map name",
    "!If [a, b]": "Fn::If requires a list argument with three elements",
    "!If [[a], b, c]": "Fn::If requires a list argument with the first element being a condition",
    "!Base64 [a]": "every Fn::Base64 object must have a String-typed value.",
    "!GetAZs [a]": "every Fn::GetAZs object must have a String-typed value.",
    "!ImportValue [a]": "every Fn::ImportValue object must have a String-typed value.",
    "!Cidr [a]": "every Fn::Cidr object requires two parameters",
    "!Equals [a]": "every Fn::Equals object requires a list of 2 string parameters.",
    "!Not [a, b]": "every Fn::Not object requires one boolean parameter.",
    "!Or [a]": "every Fn::Or object requires a list of at least 2 and at most 10 boolean",
}


@pytest.mark.parametrize("written", SHAPES)
def test_arguments_of_the_wrong_shape(written: str) -> None:
    """Are refused before any parameter is known."""
    with pytest.raises(TemplateError) as refused:
        parse(f"Resources: {{Q: {{Type: T, Properties: {{P: {written}}}}}}}")
    assert refused.value.message.startswith(f"Template error: {SHAPES[written]}")


@pytest.mark.parametrize(
    ("section", "member", "most"),
    [
        ("Resources", QUEUE, 500),
        ("Parameters", {"Type": "String"}, 200),
        ("Outputs", {"Value": "a"}, 200),
        ("Mappings", {"a": {"b": "c"}}, 200),
    ],
)
def test_limits(section: str, member: Any, most: int) -> None:
    """A template has at most so many members of a section."""
    document: dict[str, Any] = {"Resources": {"Q": QUEUE}}
    document[section] = {f"M{number}": member for number in range(most)}
    parse_template(document)
    document[section]["More"] = member
    with pytest.raises(TemplateError) as refused:
        parse_template(document)
    what = section.lower()
    assert refused.value.message == (
        f"Template format error: Number of {what}, {most + 1}, is greater than maximum allowed,"
        f" {most}"
    )


def test_a_circle_that_conditions_may_break_is_not_refused_here() -> None:
    """Whether it is one depends on parameters."""
    parse("""
Conditions: {C: !Equals [a, a]}
Resources:
  A: {Type: T, Properties: {x: !If [C, !Ref B, y]}}
  B: {Type: T, Properties: {x: !If [C, y, !Ref A]}}
  C: {Type: T, Condition: C, DependsOn: D}
  D: {Type: T, DependsOn: C}
""")


def test_templates_of_macros() -> None:
    """Members and references that a macro replaces are not refused."""
    template = parse("""
Transform: [AWS::Serverless-2016-10-31, {Name: Mine}]
Globals: {Function: {Timeout: 3}}
Resources:
  F: {Type: AWS::Serverless::Function, Connectors: {}, Properties: {Role: !Ref FRole}}
""")
    assert template.transforms == ("AWS::Serverless-2016-10-31", "Mine")
    template = parse("""
Resources:
  A: {Type: T, Properties: {P: !Sub {"Fn::Transform": {Name: M}}, Q: !Ref X}}
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://a/b}}
""")
    assert template.transforms == ("M", "AWS::Include")


IAM = "The following resource(s) require capabilities: [AWS::IAM::Role]"


@pytest.mark.parametrize(
    ("text", "capabilities", "reason"),
    [
        ("Resources: {Q: {Type: AWS::SQS::Queue}}", (), None),
        ("Resources: {R: {Type: AWS::IAM::Role}}", ("CAPABILITY_IAM",), IAM),
        (
            "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: r}}}",
            ("CAPABILITY_NAMED_IAM",),
            IAM,
        ),
        (
            "Transform: M",
            ("CAPABILITY_AUTO_EXPAND",),
            "The following transform(s) require capabilities: [M]",
        ),
        (
            "Resources: {R: {Type: AWS::IAM::Role, Properties: {'Fn::Transform': {Name: M}}}}",
            ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
            f"{IAM}. The following transform(s) require capabilities: [M]",
        ),
        (
            "Transform: AWS::LanguageExtensions\n"
            "Resources: {'Fn::ForEach::L': [I, [a, b], {'R${I}': {Type: AWS::IAM::Role}}]}",
            ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
            f"{IAM}. The following transform(s) require capabilities: [AWS::LanguageExtensions]",
        ),
    ],
)
def test_capabilities(text: str, capabilities: tuple[str, ...], reason: str | None) -> None:
    """A summary says which capabilities are needed, and why."""
    found = summary(parse(text))
    assert (found.capabilities, found.capabilities_reason) == (capabilities, reason)


def test_a_summary() -> None:
    """A summary lists types and parameters."""
    found = summary(
        parse("""
Description: d
Metadata: {a: b}
Parameters: {P: {Type: String}}
Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::SNS::Topic}, C: {Type: AWS::SQS::Queue}}
""")
    )
    assert found.resources == {"AWS::SQS::Queue": ("A", "C"), "AWS::SNS::Topic": ("B",)}
    assert found.resource_types == ("AWS::SQS::Queue", "AWS::SNS::Topic")
    assert found.version is None
    assert [parameter.name for parameter in found.parameters] == ["P"]
    assert (found.description, found.metadata, found.transforms) == ("d", {"a": "b"}, ())
