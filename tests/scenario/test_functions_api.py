"""The control plane's API as boto3 sees it: functions, versions, tags, account.

Gateway, control plane and store are real and run in a thread of this process; nothing is
invoked, so there are no sandboxes. Unpacking goes to a real code cache.
"""

import io
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from .functions_api import (
    ACCOUNT,
    ROLE,
    arn_of,
    create,
    create_active,
    package,
    refusal,
    wait,
)


def test_create_answers_as_aws_does(client: Any, name: str) -> None:
    """The whole answer, member by member."""
    created = create(client, name)
    assert created.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    assert uuid.UUID(created.pop("RevisionId"))
    assert created.pop("LastModified").endswith("+0000")
    assert created.pop("RuntimeVersionConfig")["RuntimeVersionArn"].startswith(
        "arn:aws:lambda:us-east-1::runtime:"
    )
    assert len(created.pop("CodeSha256")) == 44
    assert created == {
        "FunctionName": name,
        "FunctionArn": arn_of(name),
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(package()),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    wait(client, "function_active_v2", name)
    active = client.get_function_configuration(FunctionName=name)
    assert (active["State"], active["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReason" not in active


def test_everything_that_is_configured_is_shown(client: Any, name: str) -> None:
    """Members that are only stored are returned unchanged."""
    members: dict[str, Any] = {
        "Environment": {"Variables": {"KEY": "wert ü"}},
        "Description": "does things",
        "Timeout": 30,
        "MemorySize": 512,
        "EphemeralStorage": {"Size": 1024},
        "Architectures": ["arm64"],
        "DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"},
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/mine"},
    }
    create_active(client, name, **members, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    shown = client.get_function_configuration(FunctionName=name)
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    members["LoggingConfig"] |= levels
    assert {member: shown[member] for member in members} == members
    assert shown["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "VpcId": "",
        "Ipv6AllowedForDualStack": False,
    }


def test_get_function_links_to_the_package(client: Any, name: str, endpoint: str) -> None:
    """Code.Location can be downloaded, and only with the unchanged link."""
    create_active(client, name, Tags={"team": "blue"})
    answer = client.get_function(FunctionName=name)
    assert answer["Configuration"]["FunctionArn"] == arn_of(name)
    assert answer["Tags"] == {"team": "blue"}
    assert "Concurrency" not in answer
    location = answer["Code"]["Location"]
    assert location.startswith(endpoint)
    with urllib.request.urlopen(location) as response:
        assert response.read() == package()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(location[:-1] + "x")


def test_names_and_qualifiers(client: Any, name: str, connect: Callable[..., Any]) -> None:
    """Each way of naming a function returns the ARN that it refers to."""
    create_active(client, name, Publish=True)
    get = client.get_function_configuration
    for form in (name, f"function:{name}", f"{ACCOUNT}:function:{name}", arn_of(name)):
        assert get(FunctionName=form)["FunctionArn"] == arn_of(name)
    assert get(FunctionName=name, Qualifier="$LATEST")["FunctionArn"] == f"{arn_of(name)}:$LATEST"
    version = get(FunctionName=f"{name}:1")
    assert (version["FunctionArn"], version["Version"]) == (f"{arn_of(name)}:1", "1")
    assert refusal(get, FunctionName=f"{name}:1", Qualifier="2") == (
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )
    assert refusal(get, FunctionName=name, Qualifier="7") == (
        "ResourceNotFoundException",
        f"Function not found: {arn_of(name)}:7",
    )
    elsewhere = connect(region="eu-west-1").get_function_configuration
    assert refusal(elsewhere, FunctionName=arn_of(name)) == (
        "ResourceNotFoundException",
        "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')",
    )
    stranger = connect(account="222222222222").get_function_configuration
    assert refusal(stranger, FunctionName=arn_of(name))[0] == "AccessDeniedException"


def test_names_are_taken_once(client: Any, name: str) -> None:
    """AWS's words, its grammar included."""
    create(client, name)
    assert refusal(create, client=client, name=name) == (
        "ResourceConflictException",
        f"Function already exist: {name}",
    )


def test_update_code(client: Any, name: str) -> None:
    """New code is InProgress, then Successful; DryRun and stale revisions change nothing."""
    create_active(client, name)
    before = client.get_function_configuration(FunctionName=name)
    dry = client.update_function_code(FunctionName=name, ZipFile=package("2"), DryRun=True)
    assert dry["CodeSha256"] != before["CodeSha256"]
    stale = {"FunctionName": name, "ZipFile": package("2"), "RevisionId": str(uuid.uuid4())}
    code, message = refusal(client.update_function_code, **stale)
    assert code == "PreconditionFailedException"
    assert message.startswith("The Revision Id provided does not match the latest Revision Id.")
    updated = client.update_function_code(
        FunctionName=name, ZipFile=package("2"), RevisionId=before["RevisionId"]
    )
    assert updated["LastUpdateStatus"] == "InProgress"
    assert updated["LastUpdateStatusReasonCode"] == "Creating"
    wait(client, "function_updated_v2", name)
    after = client.get_function_configuration(FunctionName=name)
    assert after["LastUpdateStatus"] == "Successful"
    assert after["CodeSha256"] == dry["CodeSha256"]
    assert len({state["RevisionId"] for state in (before, updated, after)}) == 3


def test_update_configuration(client: Any, name: str) -> None:
    """Given members change, the others stay."""
    create_active(client, name, Environment={"Variables": {"OLD": "1"}}, Timeout=7)
    client.update_function_configuration(
        FunctionName=name, MemorySize=256, Environment={"Variables": {"NEW": "2"}}
    )
    wait(client, "function_updated_v2", name)
    shown = client.get_function_configuration(FunctionName=name)
    assert (shown["Timeout"], shown["MemorySize"]) == (7, 256)
    assert shown["Environment"] == {"Variables": {"NEW": "2"}}


def test_versions(client: Any, name: str) -> None:
    """Publishing, finding nothing new, listing and deleting."""
    created = create(client, name, Publish=True)
    assert (created["Version"], created["FunctionArn"]) == ("1", arn_of(name))
    wait(client, "function_active_v2", name)
    wait(client, "published_version_active", name, Qualifier="1")
    same = client.publish_version(FunctionName=name, Description="ignored")
    assert (same["Version"], same["Description"]) == ("1", "")
    assert same["ResponseMetadata"]["HTTPStatusCode"] == 201
    second = client.update_function_code(FunctionName=name, ZipFile=package("2"), Publish=True)
    assert (second["Version"], second["FunctionArn"]) == ("2", f"{arn_of(name)}:2")
    assert (second["State"], second["StateReasonCode"]) == ("Pending", "Creating")
    wait(client, "function_updated_v2", name)
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["FunctionArn"] for version in versions] == [
        f"{arn_of(name)}:{qualifier}" for qualifier in ("$LATEST", "1", "2")
    ]
    assert "State" not in versions[0]
    assert "RuntimeVersionConfig" not in versions[0]
    deleted = client.delete_function(FunctionName=name, Qualifier="2")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.delete_function(FunctionName=name, Qualifier="2")
    assert client.publish_version(FunctionName=name)["Version"] == "3"
    client.delete_function(FunctionName=name)
    assert refusal(client.get_function, FunctionName=name, Qualifier="1") == (
        "ResourceNotFoundException",
        f"Function not found: {arn_of(name)}:1",
    )
    assert refusal(client.delete_function, FunctionName=name) == (
        "ResourceNotFoundException",
        f"Function not found: {arn_of(name)}",
    )


def test_lists_in_pages(connect: Callable[..., Any]) -> None:
    """botocore's paginator finds every function and every version, in order."""
    client = connect(account="333333333333")
    for number in range(4):
        create_active(client, f"f{number}", Publish=True)
    paginator = client.get_paginator("list_functions")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Functions"]) for page in pages] == [3, 1]
    assert "NextMarker" not in pages[-1]
    arn = "arn:aws:lambda:us-east-1:333333333333:function"
    latest = [function["FunctionArn"] for page in pages for function in page["Functions"]]
    assert latest == [f"{arn}:f{number}" for number in range(4)]
    every = paginator.paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 3})
    found = [function["FunctionArn"] for page in every for function in page["Functions"]]
    assert found == [
        f"{arn}:f{number}:{version}" for number in range(4) for version in ("$LATEST", "1")
    ]
    code, _ = refusal(client.list_functions, Marker="made up")
    assert code == "InvalidParameterValueException"


def test_tags(client: Any, name: str) -> None:
    """On the function's ARN only; each change is a new revision."""
    create_active(client, name)
    arn = arn_of(name)
    before = client.get_function_configuration(FunctionName=name)["RevisionId"]
    tagged = client.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    assert tagged["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.untag_resource(Resource=arn, TagKeys=["a", "c"])
    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    assert client.get_function_configuration(FunctionName=name)["RevisionId"] != before
    assert refusal(client.list_tags, Resource=f"{arn}:1") == (
        "InvalidParameterValueException",
        "Tags on function aliases and versions are not supported. Please specify a function ARN.",
    )


def test_account_settings(connect: Callable[..., Any]) -> None:
    """Limits as in AWS; usage counts every version's copy."""
    client = connect(account="444444444444")
    create_active(client, "f", Publish=True)
    answer = client.get_account_settings()
    assert answer["AccountLimit"] == {
        "TotalCodeSize": 300 * 1024**3,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    assert answer["AccountUsage"] == {"TotalCodeSize": 2 * len(package()), "FunctionCount": 1}


def hostile(entry: str, mode: int = 0o100644, contents: str = "") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo(entry)
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, contents)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"no zip",
        package()[:-10],
        hostile("../../evil"),
        hostile("/etc/cron.d/evil"),
        hostile("link", 0o120777, ""),
        hostile("fifo", 0o010666),
    ],
)
def test_hostile_packages_are_refused(client: Any, name: str, data: bytes) -> None:
    """One message for all of them, and no function."""
    assert refusal(create, client=client, name=name, Code={"ZipFile": data}) == (
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
    code, _ = refusal(client.get_function, FunctionName=name)
    assert code == "ResourceNotFoundException"


def test_bombs_and_bulk_are_refused(client: Any, name: str) -> None:
    """Small zips of endless zeros, and uploads that are too large."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(263_000_000))
    assert refusal(create, client=client, name=name, Code={"ZipFile": file.getvalue()}) == (
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    )
    bulk = {"ZipFile": bytes(52_428_801)}
    assert refusal(create, client=client, name=name, Code=bulk) == (
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    )


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({"Runtime": None}, "InvalidParameterValueException", "Runtime and Handler are mandatory"),
        ({"Runtime": "cobol"}, "InvalidParameterValueException", "Value cobol at 'runtime'"),
        ({"Timeout": 901}, "ValidationException", "less than or equal to 900"),
        ({"MemorySize": 10241}, "ValidationException", "less than or equal to 10240"),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source"),
        ({"Layers": ["arn:aws:lambda:us-east-1:111111111111:layer:l:1"]},
         "InvalidParameterValueException", "does not exist."),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}},
         "InvalidParameterValueException", "exceeded the 4KB limit"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}},
         "InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION"),
        ({"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "WARN"}},
         "InvalidParameterValueException", "Log level cannot be set"),
    ],
)  # fmt: skip
def test_wrong_configurations_are_refused(
    client: Any, name: str, members: dict[str, Any], code: str, message: str
) -> None:
    """AWS's codes and words."""
    members = {"Runtime": "python3.12", **members}
    if members["Runtime"] is None:
        # boto3 would send null.
        request = {"FunctionName": name, "Role": ROLE, "Handler": "h", "Code": {"ZipFile": b""}}
        found = refusal(client.create_function, **request)
    else:
        found = refusal(create, client=client, name=name, **members)
    assert found[0] == code
    assert message in found[1]
