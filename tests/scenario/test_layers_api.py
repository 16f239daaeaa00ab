"""Layers as boto3 sees them."""

import base64
import hashlib
import json
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from .functions_api import ACCOUNT, create, create_active, package, refusal, wait


@pytest.fixture
def layer() -> str:
    """A unique layer name."""
    return f"l-{uuid.uuid4().hex[:12]}"


def publish(client: Any, layer: str, **members: Any) -> dict[str, Any]:
    """PublishLayerVersion."""
    content = {"ZipFile": package("layered = 1")}
    answer: dict[str, Any] = client.publish_layer_version(
        **{"LayerName": layer, "Content": content, **members}
    )
    return answer


def test_a_version_from_publication_to_deletion(client: Any, layer: str) -> None:
    """Shown as it was published; its content can be fetched; numbers are never used again."""
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:{layer}"
    published = publish(
        client,
        layer,
        Description="shared",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12"],
        CompatibleArchitectures=["x86_64"],
    )
    assert published.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    assert published["LayerArn"] == arn
    assert published["LayerVersionArn"] == f"{arn}:1"
    assert published["Version"] == 1
    assert published["CreatedDate"].endswith("+0000")
    content = published.pop("Content")
    data = package("layered = 1")
    assert content["CodeSize"] == len(data)
    assert content["CodeSha256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    with urllib.request.urlopen(content["Location"], timeout=10) as link:
        assert link.read() == data
    for shown in (
        client.get_layer_version(LayerName=layer, VersionNumber=1),
        client.get_layer_version(LayerName=arn, VersionNumber=1),
        client.get_layer_version_by_arn(Arn=f"{arn}:1"),
    ):
        del shown["ResponseMetadata"], shown["Content"]
        assert shown == published
    assert publish(client, layer)["Version"] == 2
    for _ in range(2):
        gone = client.delete_layer_version(LayerName=layer, VersionNumber=2)
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert publish(client, layer)["Version"] == 3
    missing = ("ResourceNotFoundException", "The resource you requested does not exist.")
    assert refusal(client.get_layer_version, LayerName=layer, VersionNumber=2) == missing
    assert refusal(client.get_layer_version, LayerName="nothing", VersionNumber=1) == missing
    assert refusal(client.get_layer_version, LayerName=layer, VersionNumber=0) == (
        "InvalidParameterValueException",
        "Layer Version Cannot be less than 1",
    )


def test_lists_and_their_filters(connect: Callable[..., Any]) -> None:
    """Layers by name with the newest version that fits; versions the newest first; in pages."""
    client = connect("444444444444")
    for number in range(3):
        publish(client, "b", CompatibleRuntimes=["python3.12"] if number < 2 else ["nodejs22.x"])
    publish(client, "a", CompatibleArchitectures=["arm64"])
    layers = client.list_layers()["Layers"]
    assert [
        (layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for layer in layers
    ] == [
        ("a", 1),
        ("b", 3),
    ]
    (found,) = client.list_layers(CompatibleRuntime="python3.12")["Layers"]
    assert found["LatestMatchingVersion"]["Version"] == 2
    (found,) = client.list_layers(CompatibleArchitecture="arm64")["Layers"]
    assert found["LayerName"] == "a"
    versions = client.list_layer_versions(LayerName="b")["LayerVersions"]
    assert [version["Version"] for version in versions] == [3, 2, 1]
    assert "Content" not in versions[0]
    first = client.list_layer_versions(LayerName="b", MaxItems=2)
    second = client.list_layer_versions(LayerName="b", MaxItems=2, Marker=first["NextMarker"])
    assert [layer_version["Version"] for layer_version in first["LayerVersions"]] == [3, 2]
    assert [layer_version["Version"] for layer_version in second["LayerVersions"]] == [1]
    assert "NextMarker" not in second
    first = client.list_layers(MaxItems=1)
    second = client.list_layers(MaxItems=1, Marker=first["NextMarker"])
    assert [layer["LayerName"] for layer in second["Layers"]] == ["b"]
    assert client.list_layer_versions(LayerName="nothing")["LayerVersions"] == []


def test_functions_keep_their_layers(client: Any, name: str, layer: str) -> None:
    """Shown with their sizes, in order; kept when the layer version is deleted, until replaced."""
    one = publish(client, layer)
    two = publish(client, f"{layer}-two")
    arns = [two["LayerVersionArn"], one["LayerVersionArn"]]
    create_active(client, name, Layers=arns)
    shown = client.get_function_configuration(FunctionName=name)["Layers"]
    assert [entry["Arn"] for entry in shown] == arns
    assert shown[0]["CodeSize"] == two["Content"]["CodeSize"]
    client.delete_layer_version(LayerName=layer, VersionNumber=1)
    client.update_function_code(FunctionName=name, ZipFile=package("x = 2"))
    wait(client, "function_updated_v2", name)
    assert len(client.get_function_configuration(FunctionName=name)["Layers"]) == 2
    client.update_function_configuration(FunctionName=name, Layers=[])
    wait(client, "function_updated_v2", name)
    assert "Layers" not in client.get_function_configuration(FunctionName=name)
    assert refusal(client.update_function_configuration, FunctionName=name, Layers=arns) == (
        "InvalidParameterValueException",
        f"Layer version {arns[1]} does not exist.",
    )


def test_layers_a_function_cannot_have(client: Any, name: str, layer: str) -> None:
    """Each kind of wrong list has its own words."""
    arn = publish(client, layer)["LayerArn"]
    publish(client, layer)
    elsewhere = f"{arn}:1".replace("us-east-1", "eu-west-1")
    for arns, message in (
        ([f"{arn}:9"], f"Layer version {arn}:9 does not exist."),
        ([f"{arn}{n}:1" for n in range(6)], "Cannot reference more than 5 layers."),
        (
            [f"{arn}:1", f"{arn}:2"],
            "Two different versions of the same layer are not allowed to be referenced in the same"
            f" function. {arn}:1 and {arn}:2 are versions of the same layer.",
        ),
        (
            [elsewhere],
            "Layers are not in the same region as the function. Layers are expected to be in"
            " region us-east-1.",
        ),
    ):
        assert refusal(lambda arns=arns: create(client, name, Layers=arns)) == (
            "InvalidParameterValueException",
            message,
        )


def test_layers_of_others_must_be_shared(
    client: Any, name: str, layer: str, connect: Callable[..., Any]
) -> None:
    """Only accounts with `lambda:GetLayerVersion` may read or use a version."""
    arn = publish(client, layer)["LayerVersionArn"]
    other = connect("555555555555")
    code, message = refusal(other.get_layer_version_by_arn, Arn=arn)
    assert code == "AccessDeniedException"
    assert message == (
        "User: arn:aws:iam::555555555555:root is not authorized to perform:"
        f" lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows the"
        " lambda:GetLayerVersion action"
    )
    assert refusal(lambda: create(other, name, Layers=[arn]))[0] == "AccessDeniedException"
    granted = client.add_layer_version_permission(
        LayerName=layer,
        VersionNumber=1,
        StatementId="other",
        Action="lambda:GetLayerVersion",
        Principal="555555555555",
    )
    assert json.loads(granted["Statement"]) == {
        "Sid": "other",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::555555555555:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }
    assert other.get_layer_version_by_arn(Arn=arn)["Version"] == 1
    create_active(other, name, Layers=[arn])
    for attempt, members in (
        (other.delete_layer_version, {"VersionNumber": 1}),
        (other.publish_layer_version, {"Content": {"ZipFile": package()}}),
    ):
        code, _ = refusal(attempt, LayerName=arn.rpartition(":")[0], **members)
        assert code == "AccessDeniedException"
    third = connect("666666666666")
    assert refusal(third.get_layer_version_by_arn, Arn=arn)[0] == "AccessDeniedException"


def test_permissions_of_a_version(client: Any, layer: str) -> None:
    """Granted, shown, guarded by revisions, withdrawn."""
    publish(client, layer)
    which = {"LayerName": layer, "VersionNumber": 1}
    everybody = {"Action": "lambda:GetLayerVersion", "Principal": "*"}
    first = client.add_layer_version_permission(
        **which, **everybody, StatementId="all", OrganizationId="o-abcdefghij"
    )
    shown = client.get_layer_version_policy(**which)
    assert shown["RevisionId"] == first["RevisionId"]
    (statement,) = json.loads(shown["Policy"])["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    assert refusal(client.add_layer_version_permission, **which, **everybody, StatementId="all")[
        0
    ] == ("ResourceConflictException")
    code, message = refusal(
        client.remove_layer_version_permission, **which, StatementId="all", RevisionId="x"
    )
    assert code == "PreconditionFailedException"
    assert "GetLayerPolicy" in message
    client.remove_layer_version_permission(**which, StatementId="all")
    assert refusal(client.get_layer_version_policy, **which) == (
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )


@pytest.mark.parametrize("data", [b"", b"no zip", package()[:-10]])
def test_bad_content_is_refused(client: Any, layer: str, data: bytes) -> None:
    """As with functions, and no version number is spent on it."""
    code, _ = refusal(client.publish_layer_version, LayerName=layer, Content={"ZipFile": data})
    assert code == "InvalidParameterValueException"
    assert publish(client, layer)["Version"] == 1
