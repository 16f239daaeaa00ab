"""Aliases and versions as boto3 sees them."""

from collections.abc import Callable
from typing import Any

import pytest

from .functions_api import ROLE, arn_of, create_active, package, refusal, wait


@pytest.fixture
def published(client: Any, name: str) -> str:
    """A function with versions 1 and 2."""
    create_active(client, name)
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=package("x = 2"))
    wait(client, "function_updated_v2", name)
    client.publish_version(FunctionName=name)
    return name


def test_an_alias_from_creation_to_deletion(client: Any, published: str) -> None:
    """Created, read, changed, listed, deleted; every change has a new revision id."""
    arn = arn_of(published)
    created = client.create_alias(
        FunctionName=published, Name="live", FunctionVersion="1", Description="the one"
    )
    revision = created.pop("RevisionId")
    assert created.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    assert created == {
        "AliasArn": f"{arn}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "the one",
    }
    shown = client.get_alias(FunctionName=published, Name="live")
    assert (shown["RevisionId"], shown["FunctionVersion"]) == (revision, "1")
    changed = client.update_alias(
        FunctionName=published,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.25}},
        RevisionId=revision,
    )
    assert changed["RevisionId"] != revision
    assert changed["FunctionVersion"] == "1"
    assert changed["Description"] == "the one"
    assert changed["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}}
    code, message = refusal(
        client.update_alias, FunctionName=published, Name="live", RevisionId=revision
    )
    assert code == "PreconditionFailedException"
    assert "GetFunction/GetAlias" in message
    cleared = client.update_alias(FunctionName=published, Name="live", RoutingConfig={})
    assert "RoutingConfig" not in cleared
    deleted = client.delete_alias(FunctionName=published, Name="live")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.delete_alias(FunctionName=published, Name="live")
    assert refusal(client.get_alias, FunctionName=published, Name="live") == (
        "ResourceNotFoundException",
        f"Cannot find alias arn: {arn}:live",
    )
    assert refusal(client.update_alias, FunctionName=published, Name="live") == (
        "ResourceNotFoundException",
        f"Alias not found: {arn}:live",
    )


def test_aliases_in_pages_and_by_version(client: Any, published: str) -> None:
    """By name; an alias belongs to a version even if that gets only a share of its calls."""
    for number in range(55):
        client.create_alias(FunctionName=published, Name=f"a{number:02}", FunctionVersion="1")
    client.create_alias(
        FunctionName=published,
        Name="both",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}},
    )
    pages = list(client.get_paginator("list_aliases").paginate(FunctionName=published))
    assert [len(page["Aliases"]) for page in pages] == [50, 6]
    names = [alias["Name"] for page in pages for alias in page["Aliases"]]
    assert names == [*(f"a{number:02}" for number in range(55)), "both"]
    found = client.list_aliases(FunctionName=published, FunctionVersion="2")["Aliases"]
    assert [alias["Name"] for alias in found] == ["both"]
    paginator = client.get_paginator("list_aliases")
    pages = paginator.paginate(FunctionName=published, FunctionVersion="1")
    assert sum(len(page["Aliases"]) for page in pages) == 56


def test_what_an_alias_cannot_point_to(client: Any, published: str) -> None:
    """Each refusal in AWS's words."""
    arn = arn_of(published)

    def refused(**members: Any) -> tuple[str, str]:
        return refusal(client.create_alias, **{"FunctionName": published, "Name": "bad", **members})

    def weighted(version: str, weights: dict[str, float]) -> dict[str, Any]:
        routing = {"AdditionalVersionWeights": weights}
        return {"FunctionVersion": version, "RoutingConfig": routing}

    assert refused(FunctionVersion="7") == (
        "ResourceNotFoundException",
        f"Function not found: {arn}:7",
    )
    assert refused(**weighted("1", {"7": 0.5})) == (
        "ResourceNotFoundException",
        f"Function not found: {arn}:7",
    )
    assert refused(**weighted("$LATEST", {"1": 0.5})) == (
        "InvalidParameterValueException",
        "$LATEST is not supported for an alias pointing to more than 1 version",
    )
    assert refused(**weighted("1", {"1": 0.5})) == (
        "InvalidParameterValueException",
        "Invalid function version 1. Function version 1 is already included in routing"
        " configuration.",
    )
    assert refused(**weighted("1", {"2": 0.5, "1": 0.5})) == (
        "InvalidParameterValueException",
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
    )
    assert refused(**weighted("1", {"2": 1.5}))[0] == "ValidationException"
    assert refused(FunctionVersion="1", Name="123")[0] == "ValidationException"
    assert refused(FunctionVersion="$LATEST.PUBLISHED")[0] == "InvalidParameterValueException"
    client.create_alias(FunctionName=published, Name="taken", FunctionVersion="1")
    assert refused(FunctionVersion="1", Name="taken") == (
        "ResourceConflictException",
        f"Alias already exists: {arn}:taken",
    )


def test_versions_of_an_alias_need_the_same_role(client: Any, published: str) -> None:
    """An invocation must not change its role by chance."""
    client.update_function_configuration(FunctionName=published, Role=f"{ROLE}-other")
    wait(client, "function_updated_v2", published)
    assert client.publish_version(FunctionName=published)["Version"] == "3"
    code, message = refusal(
        client.create_alias,
        FunctionName=published,
        Name="mixed",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"3": 0.5}},
    )
    assert code == "InvalidParameterValueException"
    assert "same execution role" in message


def test_functions_are_shown_through_aliases(client: Any, published: str) -> None:
    """The ARN is the alias's, the version its target; names may carry the qualifier."""
    client.create_alias(FunctionName=published, Name="live", FunctionVersion="1")
    for members in (
        {"FunctionName": published, "Qualifier": "live"},
        {"FunctionName": f"{published}:live"},
        {"FunctionName": f"{arn_of(published)}:live", "Qualifier": "live"},
    ):
        shown = client.get_function(**members)["Configuration"]
        assert shown["FunctionArn"] == f"{arn_of(published)}:live"
        assert shown["Version"] == "1"
    assert refusal(client.get_function, FunctionName=f"{published}:live", Qualifier="other") == (
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


def test_a_version_that_an_alias_needs_stays(client: Any, published: str) -> None:
    """Deleted only when no alias leads to it any more; then it is no target."""
    client.create_alias(
        FunctionName=published,
        Name="both",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.5}},
    )
    for version in ("1", "2"):
        code, message = refusal(client.delete_function, FunctionName=published, Qualifier=version)
        assert code == "ResourceConflictException"
        assert "both" in message
    client.delete_alias(FunctionName=published, Name="both")
    client.delete_function(FunctionName=published, Qualifier="1")
    code, _ = refusal(client.create_alias, FunctionName=published, Name="late", FunctionVersion="1")
    assert code == "ResourceNotFoundException"


def test_aliases_go_with_their_function(client: Any, published: str) -> None:
    """A new function of that name starts without them."""
    client.create_alias(FunctionName=published, Name="live", FunctionVersion="1")
    client.delete_function(FunctionName=published)
    create_active(client, published)
    assert client.list_aliases(FunctionName=published)["Aliases"] == []


def test_qualified_names_are_refused(client: Any, published: str) -> None:
    """Aliases belong to functions, not to versions."""
    for attempt, members in (
        (client.create_alias, {"Name": "x", "FunctionVersion": "1"}),
        (client.get_alias, {"Name": "x"}),
        (client.list_aliases, {}),
    ):
        code, _ = refusal(attempt, FunctionName=f"{published}:1", **members)
        assert code == "InvalidParameterValueException"


def test_markers_are_ours(client: Any, published: str, connect: Callable[..., Any]) -> None:
    """A made-up marker is refused, whatever it contains."""
    for marker in ("x", "W10=", "WyJcdWQ4MDAiLCAwXQ==", "WyJcdTAwMDAiLCAwXQ=="):
        code, _ = refusal(client.list_aliases, FunctionName=published, Marker=marker)
        assert code == "InvalidParameterValueException"
