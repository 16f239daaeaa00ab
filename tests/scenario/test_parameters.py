"""The platform's own Parameter Store, as boto3 sees it."""

from typing import Any

import boto3
import pytest
from botocore.config import Config

from .functions_api import ACCOUNT, endpoint, refusal

__all__ = ["endpoint"]


def client_of(endpoint: str, account: str = ACCOUNT) -> Any:
    return boto3.client(
        "ssm",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def ssm(endpoint: str) -> Any:
    return client_of(endpoint)


def test_versions(endpoint: str, ssm: Any) -> None:
    """Each change is a version, and names may say which; accounts are separate."""
    put = {"Name": "/app/db", "Type": "String"}
    assert ssm.put_parameter(**put, Value="one")["Version"] == 1
    assert refusal(ssm.put_parameter, **put, Value="two")[0] == "ParameterAlreadyExists"
    assert ssm.put_parameter(Name="/app/db", Value="two", Overwrite=True)["Version"] == 2
    found = ssm.get_parameter(Name="/app/db")["Parameter"]
    assert (found["Value"], found["Version"]) == ("two", 2)
    assert ssm.get_parameter(Name="/app/db:1")["Parameter"]["Value"] == "one"
    assert ssm.get_parameter(Name=found["ARN"])["Parameter"]["Value"] == "two"
    values = [each["Value"] for each in ssm.get_parameter_history(Name="/app/db")["Parameters"]]
    assert values == ["one", "two"]
    assert refusal(ssm.get_parameter, Name="/app/db:3")[0] == "ParameterVersionNotFound"
    assert refusal(ssm.get_parameter, Name="/app/db:label")[0] == "ParameterVersionNotFound"
    other = client_of(endpoint, "222222222222")
    for name in ("/app/db", found["ARN"]):
        assert refusal(other.get_parameter, Name=name)[0] == "ParameterNotFound"


def test_paths(ssm: Any) -> None:
    """Parameters below a path, one level or all, page by page."""
    for name in ("/p/a", "/p/b", "/p/c/d", "/pq"):
        ssm.put_parameter(Name=name, Value=name, Type="String")
    pages = ssm.get_paginator("get_parameters_by_path").paginate
    for recursive, names in ((False, ["/p/a", "/p/b"]), (True, ["/p/a", "/p/b", "/p/c/d"])):
        found = pages(Path="/p", Recursive=recursive, PaginationConfig={"PageSize": 1})
        assert [each["Name"] for each in found.search("Parameters[]") if each] == names
    several = ssm.get_parameters(Names=["/p/a", "/no"])
    assert [each["Value"] for each in several["Parameters"]] == ["/p/a"]
    assert several["InvalidParameters"] == ["/no"]
    below = [{"Key": "Path", "Option": "Recursive", "Values": ["/p"]}]
    described = ssm.describe_parameters(ParameterFilters=below)["Parameters"]
    assert [each["Name"] for each in described] == ["/p/a", "/p/b", "/p/c/d"]
    assert "Value" not in described[0]
    deleted = ssm.delete_parameters(Names=["/p/a", "/no"])
    assert (deleted["DeletedParameters"], deleted["InvalidParameters"]) == (["/p/a"], ["/no"])
    assert refusal(ssm.delete_parameter, Name="/p/a")[0] == "ParameterNotFound"


def test_secure_strings(ssm: Any) -> None:
    """Are shown only if the request asks for it."""
    ssm.put_parameter(Name="secret", Value="hidden", Type="SecureString")
    assert ssm.get_parameter(Name="secret")["Parameter"]["Value"] == "****"
    shown = ssm.get_parameter(Name="secret", WithDecryption=True)["Parameter"]
    assert (shown["Value"], shown["Type"]) == ("hidden", "SecureString")


def test_tags(ssm: Any) -> None:
    """Of parameters."""
    tags = [{"Key": "team", "Value": "blue"}]
    ssm.put_parameter(Name="tagged", Value="v", Type="String", Tags=tags)
    which = {"ResourceType": "Parameter", "ResourceId": "tagged"}
    ssm.add_tags_to_resource(**which, Tags=[{"Key": "a", "Value": "b"}])
    ssm.remove_tags_from_resource(**which, TagKeys=["a"])
    assert ssm.list_tags_for_resource(**which)["TagList"] == tags
    missing = {**which, "ResourceId": "no"}
    assert refusal(ssm.list_tags_for_resource, **missing)[0] == "InvalidResourceId"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Name": "a/b"}, "ValidationException"),
        ({"Name": "/a b"}, "ValidationException"),
        ({"Name": "/" + "a" * 256}, "ValidationException"),
        ({"Name": "/a" * 16}, "HierarchyLevelLimitExceededException"),
        ({"Name": "/aws/x"}, "AccessDeniedException"),
        ({"Value": "é" * 2049}, "ValidationException"),
        ({"Policies": '[{"Type": "Expiration"}]'}, "InvalidPolicyTypeException"),
        ({"DataType": "aws:ssm:integration"}, "ValidationException"),
    ],
)
def test_what_is_refused(ssm: Any, members: dict[str, Any], code: str) -> None:
    """Bad names, long values, and what is not offered."""
    params = {"Name": "/refused", "Value": "v", "Type": "String", **members}
    assert refusal(ssm.put_parameter, **params)[0] == code
