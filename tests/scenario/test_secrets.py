"""The platform's own secrets, as boto3 sees them."""

from typing import Any

import boto3
import pytest
from botocore.config import Config

from .functions_api import ACCOUNT, endpoint, refusal

__all__ = ["endpoint"]


def client_of(endpoint: str, account: str = ACCOUNT) -> Any:
    return boto3.client(
        "secretsmanager",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def client(endpoint: str) -> Any:
    return client_of(endpoint)


def test_versions(endpoint: str, client: Any) -> None:
    """A new value is current, the one before it stays; names and ARNs mean the same."""
    made = client.create_secret(Name="app/db", SecretString="one")
    assert refusal(client.create_secret, Name="app/db")[0] == "ResourceExistsException"
    put = client.put_secret_value(SecretId="app/db", SecretBinary=b"\xff")
    assert put["VersionStages"] == ["AWSCURRENT"]
    for name in ("app/db", made["ARN"], made["ARN"][:-7]):
        assert client.get_secret_value(SecretId=name)["SecretBinary"] == b"\xff"
    before = client.get_secret_value(SecretId="app/db", VersionStage="AWSPREVIOUS")
    assert (before["SecretString"], before["VersionId"]) == ("one", made["VersionId"])
    again = {"SecretId": "app/db", "ClientRequestToken": put["VersionId"]}
    assert client.put_secret_value(**again, SecretBinary=b"\xff")["VersionId"] == put["VersionId"]
    changed = refusal(client.put_secret_value, **again, SecretString="x")
    assert changed[0] == "ResourceExistsException"
    client.update_secret(SecretId="app/db", Description="d", SecretString="three")
    shown = client.describe_secret(SecretId="app/db")
    stages = shown["VersionIdsToStages"]
    assert shown["Description"] == "d"
    assert sorted(stages.values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert stages[put["VersionId"]] == ["AWSPREVIOUS"]
    other = client_of(endpoint, "222222222222")
    for name in ("app/db", made["ARN"]):
        assert refusal(other.get_secret_value, SecretId=name)[0] == "ResourceNotFoundException"


def test_deletion(client: Any) -> None:
    """A secret can be restored until its recovery window ends."""
    client.create_secret(Name="gone", SecretString="v")
    client.delete_secret(SecretId="gone", RecoveryWindowInDays=7)
    assert refusal(client.get_secret_value, SecretId="gone")[0] == "InvalidRequestException"
    assert refusal(client.create_secret, Name="gone")[0] == "InvalidRequestException"
    assert "gone" not in [each["Name"] for each in client.list_secrets()["SecretList"]]
    client.restore_secret(SecretId="gone")
    assert client.get_secret_value(SecretId="gone")["SecretString"] == "v"
    client.delete_secret(SecretId="gone", ForceDeleteWithoutRecovery=True)
    assert refusal(client.describe_secret, SecretId="gone")[0] == "ResourceNotFoundException"


def test_lists_and_tags(client: Any) -> None:
    """Secrets by name and tag, page by page."""
    for name in ("l/1", "l/2", "l/3"):
        client.create_secret(Name=name, Tags=[{"Key": "of", "Value": name}])
    filters = [{"Key": "name", "Values": ["l/"]}]
    pages = client.get_paginator("list_secrets").paginate(
        Filters=filters, PaginationConfig={"PageSize": 2}
    )
    assert [each["Name"] for each in pages.search("SecretList[]")] == ["l/1", "l/2", "l/3"]
    client.tag_resource(SecretId="l/1", Tags=[{"Key": "a", "Value": "b"}])
    client.untag_resource(SecretId="l/1", TagKeys=["of"])
    assert client.describe_secret(SecretId="l/1")["Tags"] == [{"Key": "a", "Value": "b"}]
    missing = refusal(client.get_secret_value, SecretId="l/1")
    assert missing[0] == "ResourceNotFoundException"
    assert "ResourcePolicy" not in client.get_resource_policy(SecretId="l/1")


def test_passwords(client: Any) -> None:
    """Of the characters that are asked for."""
    password = client.get_random_password(PasswordLength=20, ExcludePunctuation=True)
    assert password["RandomPassword"].isalnum()
    digits = client.get_random_password(
        ExcludeLowercase=True, ExcludeUppercase=True, ExcludePunctuation=True, ExcludeCharacters="0"
    )["RandomPassword"]
    assert digits.isdecimal()
    assert "0" not in digits
    none = {"PasswordLength": 1}
    assert refusal(client.get_random_password, **none)[0] == "InvalidParameterException"


@pytest.mark.parametrize(
    "members",
    [
        {"Name": "a b"},
        {"Name": "a" * 257},
        {"SecretString": "x" * 65_537},
        {"SecretString": "x", "SecretBinary": b"x"},
        {"AddReplicaRegions": [{"Region": "eu-west-1"}]},
    ],
)
def test_what_is_refused(client: Any, members: dict[str, Any]) -> None:
    """Bad names, large values, and what is not offered."""
    params = {"Name": "refused", **members}
    code, message = refusal(client.create_secret, **params)
    assert code in ("InvalidParameterException", "ValidationException"), message
