"""Responses recorded from AWS: codes, messages, and which members are present."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .functions_api import arn_of, create, create_active, package, refusal, wait

INVALID = "InvalidParameterValueException"
MISSING = "ResourceNotFoundException"


@pytest.fixture(scope="module")
def function(connect: Callable[..., Any]) -> str:
    """A function with version 1 and the alias `live`."""
    client = connect()
    create_active(client, "recorded")
    client.publish_version(FunctionName="recorded")
    client.create_alias(FunctionName="recorded", Name="live", FunctionVersion="1")
    return "recorded"


GONE = arn_of("gone")
ALIAS_GONE = f"Cannot find alias arn: {arn_of('recorded')}:noalias"
PUBLISHED = "The function resource provided must be an alias or a published version."
NO_RESOURCE = "The resource you requested does not exist."


@pytest.mark.parametrize(
    ("operation", "members", "code", "message"),
    [
        (
            "delete_function",
            {"FunctionName": "gone", "Qualifier": "$LATEST"},
            INVALID,
            "$LATEST version cannot be deleted without deleting the function.",
        ),
        (
            "delete_function",
            {"FunctionName": "gone", "Qualifier": "1233"},
            MISSING,
            f"Function not found: {GONE}",
        ),
        (
            "get_function_concurrency",
            {"FunctionName": "gone"},
            MISSING,
            f"Function not found: {GONE}",
        ),
        *(
            (
                operation,
                {"FunctionName": "x" * 65},
                MISSING,
                f"Function not found: {arn_of('x' * 65)}",
            )
            for operation in ("get_function", "delete_function")
        ),
        *(
            (
                f"{verb}_provisioned_concurrency_config",
                {"FunctionName": "recorded", "Qualifier": "noalias", **more},
                MISSING,
                ALIAS_GONE,
            )
            for verb, more in (
                ("get", {}),
                ("put", {"ProvisionedConcurrentExecutions": 1}),
                ("delete", {}),
            )
        ),
        *(
            (
                f"{verb}_provisioned_concurrency_config",
                {"FunctionName": "recorded", "Qualifier": "$LATEST"},
                INVALID,
                PUBLISHED,
            )
            for verb in ("get", "delete")
        ),
        (
            "put_provisioned_concurrency_config",
            {
                "FunctionName": "recorded",
                "Qualifier": "$LATEST",
                "ProvisionedConcurrentExecutions": 1,
            },
            INVALID,
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ),
        (
            "put_function_concurrency",
            {
                "FunctionName": f"{arn_of('recorded')}:$LATEST",
                "ReservedConcurrentExecutions": 0,
            },
            INVALID,
            "This operation is permitted on Lambda functions only. Aliases and versions do not"
            " support this operation. Please specify either a function name or an unqualified"
            " function ARN.",
        ),
        ("get_policy", {"FunctionName": "gone"}, MISSING, NO_RESOURCE),
        ("get_policy", {"FunctionName": "recorded", "Qualifier": "7"}, MISSING, NO_RESOURCE),
        *(
            (
                operation,
                {"FunctionName": "recorded", "Qualifier": "noalias", "StatementId": "s", **more},
                MISSING,
                ALIAS_GONE,
            )
            for operation, more in (
                (
                    "add_permission",
                    {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"},
                ),
                ("remove_permission", {}),
            )
        ),
        (
            "update_function_url_config",
            {"FunctionName": "gone", "AuthType": "NONE"},
            MISSING,
            "Function does not exist",
        ),
        (
            "create_alias",
            {
                "FunctionName": "gone",
                "Name": "a",
                "FunctionVersion": "1",
                "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}},
            },
            MISSING,
            f"Function not found: {GONE}:1",
        ),
        (
            "tag_resource",
            {
                "Resource": "arn:aws:lambda:us-east-1:111111111111:capacity-provider:cp",
                "Tags": {"a": "b"},
            },
            MISSING,
            "Capacity provider not found:"
            " arn:aws:lambda:us-east-1:111111111111:capacity-provider:cp",
        ),
        *(
            (
                operation,
                {"LayerName": "none", "VersionNumber": 2, **more},
                MISSING,
                "Layer version arn:aws:lambda:us-east-1:111111111111:layer:none:2 does not exist.",
            )
            for operation, more in (
                (
                    "add_layer_version_permission",
                    {"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*"},
                ),
                ("remove_layer_version_permission", {"StatementId": "s"}),
                ("get_layer_version_policy", {}),
            )
        ),
        (
            "put_function_code_signing_config",
            {
                "FunctionName": "gone",
                "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:111111111111"
                ":code-signing-config:csc-0123456789abcdefg",
            },
            "CodeSigningConfigNotFoundException",
            "The code signing configuration cannot be found. Check that the provided configuration"
            " is not deleted: arn:aws:lambda:us-east-1:111111111111"
            ":code-signing-config:csc-0123456789abcdefg.",
        ),
    ],
)
def test_refusals(
    client: Any, function: str, operation: str, members: dict[str, Any], code: str, message: str
) -> None:
    """Code and message are the recorded ones."""
    assert refusal(getattr(client, operation), **members) == (code, message)


def test_refusals_without_a_type(client: Any, function: str) -> None:
    """Of some errors AWS leaves `Type` out."""
    missing = "arn:aws:lambda:us-east-1:111111111111:code-signing-config:csc-0123456789abcdefg"
    for operation, members in (
        (
            client.create_alias,
            {
                "FunctionName": function,
                "Name": "two",
                "FunctionVersion": "$LATEST",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}},
            },
        ),
        (
            client.put_function_concurrency,
            {"FunctionName": function, "ReservedConcurrentExecutions": 1000},
        ),
        (
            client.put_provisioned_concurrency_config,
            {
                "FunctionName": function,
                "Qualifier": "live",
                "ProvisionedConcurrentExecutions": 1000,
            },
        ),
        (client.get_code_signing_config, {"CodeSigningConfigArn": missing}),
    ):
        with pytest.raises(ClientError) as caught:
            operation(**members)
        assert "Type" not in caught.value.response
    with pytest.raises(ClientError) as caught:
        client.get_function(FunctionName="gone")
    assert caught.value.response["Type"] == "User"


def test_members_of_lists_are_worded_with_and_without_null(client: Any, name: str) -> None:
    """Only for some shapes, the message says that a member must not be null."""
    for members, names_null in (
        ({"VpcConfig": {"SubnetIds": ["x"], "SecurityGroupIds": []}}, False),
        ({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": ["x"]}}, False),
        ({"Layers": ["x"]}, True),
    ):
        with pytest.raises(ClientError) as caught:
            create(client, name, **members)
        message = caught.value.response["Error"]["Message"]
        assert ("Member must not be null" in message) is names_null, message


@pytest.mark.parametrize("runtime", ["python2.7", "nodejs12.x", "go1.x", "dotnetcore3.1"])
def test_runtimes_that_nothing_runs_any_more(client: Any, name: str, runtime: str) -> None:
    """Refused when a function is created or changed, not when it is called."""
    message = (
        f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS"
        " Lambda functions. We recommend you use a supported runtime while creating or updating"
        " functions."
    )
    with pytest.raises(ClientError) as caught:
        create(client, name, Runtime=runtime)
    assert caught.value.response["Error"] == {"Code": INVALID, "Message": message}


@pytest.mark.parametrize(
    ("runtime", "is_accepted"),
    [
        *((runtime, True) for runtime in ("java11", "java17", "java25", "dotnet8", "python3.12")),
        *((runtime, False) for runtime in ("java8.al2", "dotnet6", "python3.11", "nodejs20.x")),
    ],
)
def test_runtimes_of_snap_start(client: Any, name: str, runtime: str, is_accepted: bool) -> None:
    """Java from 11, .NET from 8 and Python from 3.12 on."""
    members = {"Runtime": runtime, "SnapStart": {"ApplyOn": "PublishedVersions"}}
    if is_accepted:
        assert create(client, name, **members)["SnapStart"]["ApplyOn"] == "PublishedVersions"
    else:
        with pytest.raises(ClientError, match="is not supported for SnapStart enabled functions"):
            create(client, name, **members)


def test_the_mode_of_a_url_is_shown_when_it_was_chosen(client: Any, name: str) -> None:
    """Responses of changes omit a mode that was not given; reads always have it."""
    create_active(client, name)
    created = client.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert "InvokeMode" not in created
    assert client.get_function_url_config(FunctionName=name)["InvokeMode"] == "BUFFERED"
    listed = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert listed[0]["InvokeMode"] == "BUFFERED"
    updated = client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert "InvokeMode" not in updated
    updated = client.update_function_url_config(FunctionName=name, InvokeMode="RESPONSE_STREAM")
    assert updated["InvokeMode"] == "RESPONSE_STREAM"
    updated = client.update_function_url_config(FunctionName=name, AuthType="NONE")
    assert updated["InvokeMode"] == "RESPONSE_STREAM"


def test_any_origin_with_credentials_is_accepted(client: Any, name: str) -> None:
    """The front names the origin then."""
    create_active(client, name)
    cors = {"AllowCredentials": True, "AllowOrigins": ["*"]}
    created = client.create_function_url_config(FunctionName=name, AuthType="NONE", Cors=cors)
    assert created["Cors"] == cors


def test_the_first_permission_of_an_alias_is_at_the_alias_s_revision(
    client: Any, function: str
) -> None:
    """Without a policy, the revision is that of the resource."""
    statement = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    alias = client.create_alias(FunctionName=function, Name="fresh", FunctionVersion="1")
    named = {"FunctionName": function, "Qualifier": "fresh", **statement}
    wrong = "00000000-0000-4000-8000-000000000000"
    code, _ = refusal(client.add_permission, **named, StatementId="a", RevisionId=wrong)
    assert code == "PreconditionFailedException"
    client.add_permission(**named, StatementId="a", RevisionId=alias["RevisionId"])
    code, _ = refusal(
        client.add_permission, **named, StatementId="b", RevisionId=alias["RevisionId"]
    )
    assert code == "PreconditionFailedException"


def test_layers_name_runtimes_that_exist(client: Any, name: str) -> None:
    """Unknown ones are refused; empty lists stay empty lists."""
    content = {"ZipFile": package()}
    code, message = refusal(
        client.publish_layer_version,
        LayerName=name,
        Content=content,
        CompatibleRuntimes=["invalidruntime"],
    )
    assert code == "ValidationException"
    assert "Value '[invalidruntime]' at 'compatibleRuntimes' failed to satisfy" in message
    for operation, more in (
        (client.list_layers, {}),
        (client.list_layer_versions, {"LayerName": name}),
    ):
        code, message = refusal(operation, CompatibleRuntime="runtimedoesnotexist", **more)
        assert code == "ValidationException"
        assert "Value 'runtimedoesnotexist' at 'compatibleRuntime'" in message
    published = client.publish_layer_version(
        LayerName=name, Content=content, CompatibleRuntimes=[], CompatibleArchitectures=[]
    )
    assert (published["CompatibleRuntimes"], published["CompatibleArchitectures"]) == ([], [])


def test_layers_are_looked_at_before_the_name(client: Any, name: str, function: str) -> None:
    """For a taken name with a layer of another region, the error is about the layer."""
    layer = "arn:aws:lambda:eu-west-1:111111111111:layer:far:1"
    with pytest.raises(ClientError, match="Layers are not in the same region as the function"):
        create(client, function, Layers=[layer])


def test_a_function_without_code_signing(client: Any, function: str) -> None:
    """No member at all."""
    found = client.get_function_code_signing_config(FunctionName=function)
    assert found.keys() == {"ResponseMetadata"}


def test_limits_are_worded_alike(client: Any, function: str) -> None:
    """Whether a function is created or changed."""
    message = (
        "1 validation error detected: Value '9999' at 'timeout' failed to satisfy constraint:"
        " Member must have value less than or equal to 900"
    )
    assert refusal(client.update_function_configuration, FunctionName=function, Timeout=9999) == (
        "ValidationException",
        message,
    )
    with pytest.raises(ClientError) as caught:
        create(client, "long", Timeout=9999)
    assert caught.value.response["Error"]["Message"] == message
    wait(client, "function_active_v2", function)
