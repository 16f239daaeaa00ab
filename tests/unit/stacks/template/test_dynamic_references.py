"""Dynamic references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.stacks.template.dynamic_references import (
    DynamicReference,
    dynamic_references,
    parse_reference,
    substitute,
)
from lambent.stacks.template.errors import TemplateError
from tests.unit.stacks.template.test_evaluation import evaluate

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ssm:/a/b", DynamicReference("ssm", "/a/b")),
        ("ssm:name:3", DynamicReference("ssm", "name", "3")),
        ("ssm-secure:name:10", DynamicReference("ssm", "name", "10", is_secure=True)),
        ("secretsmanager:db", DynamicReference("secretsmanager", "db")),
        ("secretsmanager:db:SecretString", DynamicReference("secretsmanager", "db")),
        (
            "secretsmanager:db:SecretString:password",
            DynamicReference("secretsmanager", "db", key="password"),
        ),
        (
            "secretsmanager:db:SecretString:password:AWSPREVIOUS",
            DynamicReference("secretsmanager", "db", key="password", stage="AWSPREVIOUS"),
        ),
        (
            "secretsmanager:db:SecretString:::v1",
            DynamicReference("secretsmanager", "db", version="v1"),
        ),
        (f"secretsmanager:{SECRET}", DynamicReference("secretsmanager", SECRET)),
        (
            f"secretsmanager:{SECRET}:SecretString:user",
            DynamicReference("secretsmanager", SECRET, key="user"),
        ),
    ],
)
def test_what_a_reference_asks_for(written: str, meant: DynamicReference) -> None:
    """The parameter or the secret."""
    assert parse_reference(f"{{{{resolve:{written}}}}}") == meant


@pytest.mark.parametrize(
    "written",
    [
        "ssm:", "ssm:a:", "ssm:a:x", "ssm:a:1:2", "ssm::1", "s3:a", "secretsmanager::SecretString",
        "secretsmanager:db:SecretBinary", "secretsmanager:db:SecretString:k:stage:version",
        "secretsmanager:db:SecretString:k:::x", "ssm:{a}",
    ],
)  # fmt: skip
def test_malformed_references(written: str) -> None:
    """Are refused."""
    with pytest.raises(TemplateError, match="Invalid dynamic reference"):
        parse_reference(f"{{{{resolve:{written}}}}}")


def test_references_of_a_template() -> None:
    """What is shown has the reference, and what is sent has the value."""
    reference = "{{resolve:ssm:/shop/eu-west-1:1}}"
    evaluation = evaluate(
        """
Resources:
  A: {Type: T, Properties: {P: [!Sub "x-{{resolve:ssm:/${AWS::StackName}/${AWS::Region}:1}}", 5]}}
""",
        dynamic={reference: "secret"},
    )
    properties = evaluation.properties("A", {})
    assert properties == {"P": [f"x-{reference}", 5]}
    assert dynamic_references(properties) == {reference}
    assert evaluation.resolved(properties) == {"P": ["x-secret", 5]}
    with pytest.raises(TemplateError, match="Could not resolve the dynamic reference"):
        substitute(properties, {})


@given(
    st.recursive(
        st.text("{}:resolvma/1 ", max_size=40) | st.just("{{resolve:ssm:a}}") | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
    )
)
def test_values_stay_apart_from_references(value: object) -> None:
    """A value without references stays as it is, and replacing all of them leaves none."""
    found = dynamic_references(value)
    replaced = substitute(value, dict.fromkeys(found, "x"))
    assert dynamic_references(replaced) == frozenset()
    assert found or replaced == value
