"""Names of resources: one resource, one ARN."""

import pytest

from lambent.model.arn import Scope, has_right_partition
from lambent.model.errors import ApiError
from lambent.model.layer import (
    parse_layer_arn,
    parse_layer_name,
    parse_layer_version,
    parse_layer_version_arn,
)
from lambent.model.names import parse_function_name
from lambent.model.resources import (
    parse_code_signing_arn,
    parse_log_group,
    parse_mapping_arn,
    parse_role_arn,
    parse_tagged,
)
from lambent.model.sources.registry import identify
from lambent.model.sources.sqs import SQS

HERE = Scope("111111111111", "us-east-1")
LAMBDA = "arn:aws:lambda:us-east-1:111111111111"
UUID = "0b1e3c1a-5c8d-4a34-a3a5-5d2a3c1e9f10"
CONFIG = f"{LAMBDA}:code-signing-config:csc-{'a' * 17}"
LOGS = "arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/f"
ROLE = "arn:aws:iam::111111111111:role/service/r"


@pytest.mark.parametrize("partition", ["aws-x", "aws-cn", "aws-us-gov", "AWS", "awsx", ""])
def test_other_partitions_name_nothing(partition: str) -> None:
    """An ARN of any partition but `aws` is refused by whoever reads it."""

    def there(arn: str) -> str:
        return arn.replace("arn:aws:", f"arn:{partition}:")

    assert parse_layer_arn(there(f"{LAMBDA}:layer:l")) is None
    assert parse_layer_version_arn(there(f"{LAMBDA}:layer:l:1")) is None
    assert parse_code_signing_arn(there(CONFIG)) is None
    assert parse_mapping_arn(there(f"{LAMBDA}:event-source-mapping:{UUID}")) is None
    assert parse_role_arn(there(ROLE)) is None
    assert identify({"EventSourceArn": there("arn:aws:sqs:us-east-1:111111111111:q")}) is None
    for arn in (f"{LAMBDA}:function:f", CONFIG):
        with pytest.raises(ApiError):
            parse_tagged(there(arn), HERE)
    with pytest.raises(ApiError):
        parse_function_name(there(f"{LAMBDA}:function:f"), HERE)
    with pytest.raises(ApiError):
        parse_layer_name(there(f"{LAMBDA}:layer:l"), HERE)
    with pytest.raises(ApiError):
        parse_log_group(None, there(LOGS), HERE)


def test_partitions_go_with_regions() -> None:
    """A queue of a region has the ARN of that region's partition and no other."""
    chinese = "arn:aws-cn:sqs:cn-north-1:111111111111:q"
    assert identify({"EventSourceArn": chinese}) == (SQS, chinese)
    assert identify({"EventSourceArn": "arn:aws:sqs:cn-north-1:111111111111:q"}) is None
    assert has_right_partition("arn:aws:s3:::b")
    assert not has_right_partition("arn:aws-cn:s3:::b")
    assert has_right_partition("arn:aws-cn:s3:::b", "cn-north-1")
    assert has_right_partition("arn:aws:lambda:cn-north-1:111111111111:function:f")
    assert not has_right_partition("arn:aws:sqs")
    assert not has_right_partition("no arn")


@pytest.mark.parametrize("number", ["01", "0", "+1", "1 ", "٣", "1e0", ""])
def test_versions_of_layers_are_spelled_one_way(number: str) -> None:
    """A number with a leading zero or in other digits is none."""
    assert parse_layer_version_arn(f"{LAMBDA}:layer:l:{number}") is None


def test_layers() -> None:
    """By name and by ARN the same; versions from 1."""
    for name in ("l", f"{LAMBDA}:layer:l"):
        assert parse_layer_name(name, HERE).arn == f"{LAMBDA}:layer:l"
        assert parse_layer_version(name, 3, HERE) == (parse_layer_name("l", HERE), 3)
    with pytest.raises(ApiError):
        parse_layer_version("l", 0, HERE)
    with pytest.raises(ApiError):
        parse_layer_name(f"{LAMBDA}:function:l", HERE)
    with pytest.raises(ApiError):
        parse_layer_name("arn:aws:lambda:eu-west-1:111111111111:layer:l", HERE)


def test_log_groups() -> None:
    """By name, by identifier and by ARN with and without its star the same."""
    names = [("/aws/lambda/f", None), (None, "/aws/lambda/f"), (None, LOGS), (None, f"{LOGS}:*")]
    for name, identifier in names:
        assert parse_log_group(name, identifier, HERE).arn == LOGS
    for name, identifier in ((None, None), ("a", "a")):
        with pytest.raises(ApiError, match="either"):
            parse_log_group(name, identifier, HERE)
    elsewhere = (
        LOGS.replace("111111111111", "222222222222"),
        LOGS.replace("us-east-1", "eu-west-1"),
        f"{LOGS}:log-stream:s",
    )
    for identifier in elsewhere:
        with pytest.raises(ApiError, match="does not exist"):
            parse_log_group(None, identifier, HERE)


def test_roles() -> None:
    """With and without a path; nothing else is a role."""
    for arn in (ROLE, "arn:aws:iam::111111111111:role/r"):
        found = parse_role_arn(arn)
        assert found is not None
        assert found.arn == arn
        assert found.name == "r"
    for other in ("rolex", "role", "role/", "user/r", "role//"):
        assert parse_role_arn(f"arn:aws:iam::111111111111:{other}") is None


def test_what_has_tags() -> None:
    """Functions, mappings and code signing configurations, by their own ARN."""
    for arn in (f"{LAMBDA}:function:f", f"{LAMBDA}:event-source-mapping:{UUID}", CONFIG):
        assert parse_tagged(arn, HERE) == arn
    for arn in (f"{LAMBDA}:function:f:1", f"{LAMBDA}:layer:l", "code-signing-config:csc"):
        with pytest.raises(ApiError):
            parse_tagged(arn, HERE)
