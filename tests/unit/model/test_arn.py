"""ARNs are taken apart in one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.arn import Arn, has_right_partition

PART = st.text(st.characters(exclude_characters=":"), max_size=10)


@given(PART, PART, PART, PART, st.text(max_size=20))
def test_parts_and_text_are_the_same(
    partition: str, service: str, region: str, account: str, resource: str
) -> None:
    """The resource may hold colons; no other part may."""
    text = f"arn:{partition}:{service}:{region}:{account}:{resource}"
    arn = Arn.parse(text)
    assert tuple(arn) == (partition, service, region, account, resource)
    assert str(arn) == text


@pytest.mark.parametrize(
    "text", ["", "arn", "arn:aws:sqs:us-east-1:1", "urn:aws:sqs:r:a:x", ":::::"]
)
def test_what_is_not_an_arn(text: str) -> None:
    """It has six parts, of which the first is `arn`."""
    assert Arn.try_parse(text) is None
    with pytest.raises(ValueError, match="not an ARN"):
        Arn.parse(text)


def test_the_name_of_a_resource() -> None:
    """What follows the last slash, else the last colon."""
    assert Arn.parse("arn:aws:iam::1:role/service-role/mine").name == "mine"
    assert Arn.parse("arn:aws:mq:r:1:broker:b:b-1").name == "b-1"
    assert Arn.parse("arn:aws:sqs:r:1:queue").name == "queue"


def test_a_partition_goes_with_its_region() -> None:
    """No resource has two ARNs; functions are in `aws` everywhere."""
    assert has_right_partition("arn:aws:sqs:us-east-1:1:q")
    assert not has_right_partition("arn:aws:sqs:cn-north-1:1:q")
    assert has_right_partition("arn:aws-cn:sqs:cn-north-1:1:q")
    assert has_right_partition("arn:aws-us-gov:s3:::b", "us-gov-west-1")
    assert not has_right_partition("arn:aws-us-gov:s3:::b", "us-east-1")
    assert has_right_partition("arn:aws:lambda:cn-north-1:1:function:f")
    assert not has_right_partition("arn:aws:sqs:us-east-1:1")
