"""The model's constraints, in AWS's words."""

import re
import time
from typing import Any

import pytest

from lambent.gateway.models import load_model
from lambent.gateway.validation import compile_pattern, validate
from lambent.model.errors import ApiError

LAMBDA = load_model("lambda")
ROLE = "arn:aws:iam::000000000000:role/r"
ARN_OF_FS = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
CREATE = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"x"}}


def violations(operation: str, params: dict[str, Any], service: str = "lambda") -> str:
    """The text of the error; empty if there is none."""
    try:
        validate(load_model(service).operation_model(operation), params)
    except ApiError as error:
        assert (error.code, error.status) == ("ValidationException", 400)
        return error.message
    return ""


def test_good_parameters_pass() -> None:
    """What the model allows raises nothing."""
    assert violations("CreateFunction", {**CREATE, "MemorySize": 128, "Layers": []}) == ""
    assert violations("GetAccountSettings", {}) == ""


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            {"MemorySize": 1},
            "Value '1' at 'memorySize' failed to satisfy constraint: "
            "Member must have value greater than or equal to 128",
        ),
        (
            {"Timeout": 0},
            "Value '0' at 'timeout' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            {"Handler": "h" * 129},
            f"Value '{'h' * 129}' at 'handler' failed to satisfy constraint: "
            "Member must have length less than or equal to 128",
        ),
        (
            {"Handler": "a b"},
            "Value 'a b' at 'handler' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [^\s]+",
        ),
        (
            {"PackageType": "Tar"},
            "Value 'Tar' at 'packageType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Zip, Image]",
        ),
        (
            {"Role": "r"},
            "Value 'r' at 'role' failed to satisfy constraint: Member must satisfy "
            r"regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?"
            r"[a-zA-Z_0-9+=,.@\-_/]+",
        ),
        (
            {"Architectures": ["X86_64"]},
            "Value '[X86_64]' at 'architectures' failed to satisfy "
            "constraint: Member must satisfy constraint: [Member must satisfy enum value set: "
            "[x86_64, arm64], Member must not be null]",
        ),
        (
            {"Architectures": ["x86_64", "arm64"]},
            "Value '[x86_64, arm64]' at 'architectures' failed "
            "to satisfy constraint: Member must have length less than or equal to 1",
        ),
        (
            {"EphemeralStorage": {"Size": 1}},
            "Value '1' at 'ephemeralStorage.size' failed to satisfy "
            "constraint: Member must have value greater than or equal to 512",
        ),
        (
            {"EphemeralStorage": {}},
            "Value null at 'ephemeralStorage.size' failed to satisfy "
            "constraint: Member must not be null",
        ),
        (
            {"Environment": {"Variables": {"1BAD": "hidden"}}},
            "Value at 'environment.variables' failed to satisfy constraint: "
            "Map keys must satisfy constraint: [Member must satisfy regular expression "
            "pattern: [a-zA-Z]([a-zA-Z0-9_])+, "
            "Member must not be null]",
        ),
        (
            {"KMSKeyArn": "nonsense"},
            "Value 'nonsense' at 'kMSKeyArn' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: "
            "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
        ),
        (
            {"FileSystemConfigs": [{"Arn": ARN_OF_FS, "LocalMountPath": "/x"}]},
            "Value '/x' at 'fileSystemConfigs.1.member.localMountPath' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: /mnt/[a-zA-Z0-9-_.]+",
        ),
    ],
)
def test_one_violation(params: dict[str, Any], expected: str) -> None:
    """One error, with the value, the path in camel case and the constraint."""
    assert violations("CreateFunction", {**CREATE, **params}) == (
        f"1 validation error detected: {expected}"
    )


def test_several_violations_are_reported_together() -> None:
    """All of them at once, with their number."""
    text = violations("CreateFunction", {"FunctionName": "f", "Timeout": 0, "MemorySize": 1})
    assert text.startswith("4 validation errors detected: ")
    for part in ("'role'", "'code'", "'timeout'", "'memorySize'"):
        assert text.count(part) == 1
    assert text.count("; ") == 3


def test_layers_name_the_whole_list() -> None:
    """Constraints of a list's members are listed together, in AWS's order."""
    text = violations("CreateFunction", {**CREATE, "Layers": ["nope"]})
    pattern = LAMBDA.shape_for("LayerVersionArn").metadata["pattern"]
    assert text == (
        "1 validation error detected: Value '[nope]' at 'layers' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to 2048, "
        "Member must have length greater than or equal to 1, "
        f"Member must satisfy regular expression pattern: {pattern}, Member must not be null]"
    )


def test_an_unknown_runtime_is_left_to_the_use_case() -> None:
    """AWS words this one differently, so the use case checks it."""
    assert violations("CreateFunction", {**CREATE, "Runtime": "cobol", "Handler": "h"}) == ""


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        ("f", True),
        ("my-function_1:$LATEST", True),
        ("000000000000:function:f", True),
        ("arn:aws:lambda:us-east-1:000000000000:function:f:1", True),
        ("٣", False),
        ("fünf", False),
        ("f\n", False),
        ("", False),
        ("a b", False),
        ("../f", False),
        ("f" * 257, False),
    ],
)
def test_function_names(name: str, is_good: bool) -> None:
    """Classes of characters are ASCII's, as in Java, and a pattern means the whole value."""
    assert (violations("Invoke", {"FunctionName": name}) == "") is is_good


@pytest.mark.parametrize("digit", ["٠" * 12, "０" * 12])
def test_digits_are_ascii(digit: str) -> None:
    """A digit of another script is none in an ARN."""
    assert "'role'" in violations(
        "CreateFunction", {**CREATE, "Role": f"arn:aws:iam::{digit}:role/r"}
    )


@pytest.mark.parametrize(
    ("tags", "is_good"),
    [
        ({"größe": "breit und hoch", "日本": "1", "a.b:/=+-@_": ""}, True),
        ({"emoji🎉": "x"}, False),
        ({"a": "semi;colon"}, False),
        ({"tab\t": "x"}, False),
        ({"": "x"}, False),
        ({"aws" * 50: "x"}, False),
    ],
)
def test_tags(tags: dict[str, str], is_good: bool) -> None:
    r"""The classes `\p{L}`, `\p{Z}` and `\p{N}`, which Python's own expressions lack."""
    resource = "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert (violations("TagResource", {"Resource": resource, "Tags": tags}) == "") is is_good


def test_every_pattern_of_the_models_is_checked() -> None:
    """No pattern is quietly left out because Python cannot read it."""
    for service in ("lambda", "logs", "sts"):
        model = load_model(service)
        for name in model.shape_names:
            pattern = model.shape_for(name).metadata.get("pattern")
            if pattern is not None:
                assert isinstance(compile_pattern(pattern), re.Pattern), pattern


def test_hostile_values_are_checked_quickly() -> None:
    """No pattern takes noticeable time on any value of the wrong kind, however long."""
    shapes = [LAMBDA.shape_for(name) for name in LAMBDA.shape_names]
    started = time.thread_time()
    for pattern in {shape.metadata["pattern"] for shape in shapes if "pattern" in shape.metadata}:
        compiled = compile_pattern(pattern)
        assert compiled is not None
        for seed in ("a", "-", "arn:aws:lambda:", "1", "/", "_a", "$LATEST", "a.", "🎉"):
            compiled.fullmatch(seed * 10_000 + "\x01")
    assert time.thread_time() - started < 5


def test_a_huge_value_is_not_repeated_whole() -> None:
    """The text of an error is bounded, whatever was sent."""
    assert len(violations("Invoke", {"FunctionName": "f" * 5_000_000})) < 5000
    tags = {f"k{number}": "bad;" * 1000 for number in range(1000)}
    resource = "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert len(violations("TagResource", {"Resource": resource, "Tags": tags})) < 10_000


def test_many_violations_are_not_all_reported() -> None:
    """A list of a million bad members gets a bounded answer, soon."""
    configs: list[dict[str, str]] = [{}] * 1_000_000
    started = time.thread_time()
    text = violations("CreateFunction", {**CREATE, "FileSystemConfigs": configs})
    assert len(text) < 50_000
    assert time.thread_time() - started < 2


def test_secrets_are_not_repeated() -> None:
    """A package's bytes never appear in an error."""
    text = violations("CreateFunction", {**CREATE, "Code": {"ZipFile": b"hidden"}, "Timeout": 0})
    assert "hidden" not in text


@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028", "\u2029"])
def test_a_dot_of_the_model_is_no_end_of_a_line(end: str) -> None:
    """As in Java, for which its patterns are written."""
    for pattern in (".*", "a.b", r"(x|.+)*", r"\.?.{3}"):
        compiled = compile_pattern(pattern)
        assert compiled is not None
        assert compiled.fullmatch("a+b")
        assert compiled.fullmatch(f"a{end}b") is None


def test_a_dot_that_is_escaped_or_in_a_class_is_a_dot() -> None:
    for pattern in (r"\.", "[.]", "[^a.]", r"[\].]", "[].]"):
        compiled = compile_pattern(pattern)
        assert compiled is not None, pattern
        assert bool(compiled.fullmatch(".")) == (not pattern.startswith("[^")), pattern
        assert compiled.fullmatch("a") is None, pattern


@pytest.mark.parametrize("member", ["AllowHeaders", "AllowOrigins", "ExposeHeaders"])
def test_headers_of_a_function_url_are_one_line(member: str) -> None:
    params = {"FunctionName": "f", "AuthType": "NONE", "Cors": {member: ["a\r\nx: 1"]}}
    found = violations("CreateFunctionUrlConfig", params)
    assert "Member must satisfy regular expression pattern: .*" in found
