"""Configuration outside of a function's own, as boto3 sees it: concurrency, asynchronous
invocation, runtime management, recursion, scaling."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from .functions_api import arn_of, create_active, refusal


@pytest.fixture
def function(client: Any, name: str) -> str:
    """A function with version 1 and the alias `live`."""
    create_active(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def test_reserved_concurrency(connect: Callable[..., Any]) -> None:
    """Reserved, shown in three places, released; 100 of the account's 1,000 must remain."""
    client = connect("777777777777")
    for name in ("a", "b"):
        create_active(client, name)
    assert client.get_function_concurrency(FunctionName="a").keys() == {"ResponseMetadata"}
    put = client.put_function_concurrency(FunctionName="a", ReservedConcurrentExecutions=600)
    assert put["ReservedConcurrentExecutions"] == 600
    assert client.get_function_concurrency(FunctionName="a")["ReservedConcurrentExecutions"] == 600
    shown = client.get_function(FunctionName="a")["Concurrency"]
    assert shown == {"ReservedConcurrentExecutions": 600}
    limits = client.get_account_settings()["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] == 400
    assert refusal(
        client.put_function_concurrency, FunctionName="b", ReservedConcurrentExecutions=301
    ) == (
        "InvalidParameterValueException",
        "Specified ReservedConcurrentExecutions for function decreases account's"
        " UnreservedConcurrentExecution below its minimum value of [100].",
    )
    client.put_function_concurrency(FunctionName="b", ReservedConcurrentExecutions=300)
    client.put_function_concurrency(FunctionName="b", ReservedConcurrentExecutions=0)
    client.delete_function_concurrency(FunctionName="a")
    assert client.get_function_concurrency(FunctionName="a").keys() == {"ResponseMetadata"}
    assert "Concurrency" not in client.get_function(FunctionName="a")
    assert refusal(
        client.put_function_concurrency, FunctionName="no", ReservedConcurrentExecutions=1
    )[1].endswith(":function:no:$LATEST")
    assert refusal(
        client.put_function_concurrency, FunctionName="a:1", ReservedConcurrentExecutions=1
    )[1].startswith("This operation is permitted on Lambda functions only.")


def test_provisioned_concurrency(connect: Callable[..., Any]) -> None:
    """For aliases and published versions, within what the function or the account has."""
    client = connect("888888888888")
    create_active(client, "f")
    client.publish_version(FunctionName="f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")

    def put(qualifier: str, number: int) -> Any:
        return client.put_provisioned_concurrency_config(
            FunctionName="f", Qualifier=qualifier, ProvisionedConcurrentExecutions=number
        )

    assert refusal(lambda: put("$LATEST", 1))[1] == (
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    assert refusal(lambda: put("9", 1))[0] == "ResourceNotFoundException"
    assert refusal(lambda: put("live", 901))[1] == (
        "Specified ConcurrentExecutions for function decreases account's"
        " UnreservedConcurrentExecution below its minimum value of [100]."
    )
    assert refusal(lambda: put("live", 1001))[1] == (
        "Specified ConcurrentExecutions for function is greater than account's unreserved"
        " concurrency [1000]."
    )
    client.create_alias(FunctionName="f", Name="newest", FunctionVersion="$LATEST")
    assert refusal(lambda: put("newest", 1))[1] == (
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    accepted = put("live", 10)
    assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert accepted["RequestedProvisionedConcurrentExecutions"] == 10
    assert accepted["Status"] == "IN_PROGRESS"
    assert refusal(lambda: put("1", 5)) == (
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )
    assert refusal(
        client.put_function_concurrency, FunctionName="f", ReservedConcurrentExecutions=9
    )[1] == (
        " ReservedConcurrentExecutions  9 should not be lower than function's total provisioned"
        " concurrency [10]."
    )
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=12)
    assert refusal(lambda: put("live", 13))[1] == (
        "Requested Provisioned Concurrency should not be greater than the"
        " reservedConcurrentExecution for function"
    )
    (listed,) = client.list_provisioned_concurrency_configs(FunctionName="f")[
        "ProvisionedConcurrencyConfigs"
    ]
    assert listed["FunctionArn"].endswith(":function:f:live")
    client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    assert refusal(
        client.get_provisioned_concurrency_config, FunctionName="f", Qualifier="live"
    ) == (
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    put("1", 5)
    assert refusal(lambda: put("live", 5)) == (
        "ResourceConflictException",
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned"
        " version",
    )
    client.delete_function_concurrency(FunctionName="f")
    create_active(client, "g")
    assert refusal(
        client.put_function_concurrency, FunctionName="g", ReservedConcurrentExecutions=896
    )[1].endswith("below its minimum value of [100].")
    client.put_function_concurrency(FunctionName="g", ReservedConcurrentExecutions=895)


def test_event_invoke_configurations(client: Any, function: str) -> None:
    """Put replaces, update merges, each qualifier has its own."""
    queue = "arn:aws:sqs:us-east-1:111111111111:queue"
    put = client.put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    assert isinstance(put["LastModified"], datetime.datetime)
    assert put["FunctionArn"] == f"{arn_of(function)}:$LATEST"
    assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": queue}}
    assert "MaximumEventAgeInSeconds" not in put
    updated = client.update_function_event_invoke_config(
        FunctionName=function, MaximumEventAgeInSeconds=60
    )
    assert updated["MaximumRetryAttempts"] == 1
    assert updated["MaximumEventAgeInSeconds"] == 60
    assert updated["DestinationConfig"]["OnFailure"] == {"Destination": queue}
    replaced = client.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0
    )
    assert replaced["MaximumRetryAttempts"] == 0
    assert "MaximumEventAgeInSeconds" not in replaced
    client.put_function_event_invoke_config(
        FunctionName=function, Qualifier="live", MaximumRetryAttempts=2
    )
    listed = client.list_function_event_invoke_configs(FunctionName=function)
    assert [
        function_event_invoke_config["FunctionArn"]
        for function_event_invoke_config in listed["FunctionEventInvokeConfigs"]
    ] == [
        f"{arn_of(function)}:$LATEST",
        f"{arn_of(function)}:live",
    ]
    client.delete_function_event_invoke_config(FunctionName=function)
    assert refusal(client.get_function_event_invoke_config, FunctionName=function) == (
        "ResourceNotFoundException",
        f"The function {arn_of(function)}:$LATEST doesn't have an EventInvokeConfig",
    )
    for attempt in (
        client.delete_function_event_invoke_config,
        lambda **which: client.update_function_event_invoke_config(**which, MaximumRetryAttempts=1),
    ):
        assert refusal(attempt, FunctionName=function)[0] == "ResourceNotFoundException"


def test_event_invoke_refusals(client: Any, function: str) -> None:
    """Nothing to configure, destinations that are none, the function itself."""
    put = client.put_function_event_invoke_config
    assert refusal(put, FunctionName=function) == (
        "InvalidParameterValueException",
        "You must specify at least one of error handling or destination setting.",
    )

    def to(arn: str, target: str = "OnFailure") -> tuple[str, str]:
        config = {target: {"Destination": arn}}
        return refusal(put, FunctionName=function, DestinationConfig=config)

    for arn in ("arn:aws:sqs:us-east-1::q", f"{arn_of(function)}-missing"):
        assert to(arn)[1] == f"The destination ARN {arn} is invalid."
    table = "arn:aws:dynamodb:us-east-1:111111111111:table/t"
    assert to(table, "OnSuccess")[1] == (
        "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination="
        f"{table}), onFailure=null) is invalid."
    )
    for arn in (arn_of(function), f"{arn_of(function)}:live"):
        assert to(arn)[1] == "You can't specify the function as a destination for itself."
    assert "OnSuccess" in to("arn:aws:s3:::bucket", "OnSuccess")[1]
    assert refusal(put, FunctionName=function, MaximumRetryAttempts=3)[0] == "ValidationException"
    assert refusal(put, FunctionName="nobody", MaximumRetryAttempts=1) == (
        "ResourceNotFoundException",
        "The function doesn't exist.",
    )


def test_runtime_management(client: Any, function: str) -> None:
    """`Auto` until configured; a runtime version only with `Manual`."""
    shown = client.get_runtime_management_config(FunctionName=function)
    assert (shown["UpdateRuntimeOn"], shown["FunctionArn"]) == ("Auto", arn_of(function))
    version = f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"
    put = client.put_runtime_management_config(
        FunctionName=function, Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=version
    )
    assert put["RuntimeVersionArn"] == version
    shown = client.get_runtime_management_config(FunctionName=function, Qualifier="1")
    assert (shown["UpdateRuntimeOn"], shown["RuntimeVersionArn"]) == ("Manual", version)
    assert shown["FunctionArn"] == f"{arn_of(function)}:1"
    assert client.get_runtime_management_config(FunctionName=function)["UpdateRuntimeOn"] == "Auto"
    for members in ({"UpdateRuntimeOn": "Manual"}, {"UpdateRuntimeOn": "Sometimes"}):
        code, _ = refusal(client.put_runtime_management_config, FunctionName=function, **members)
        assert code in ("InvalidParameterValueException", "ValidationException")


def test_recursion(client: Any, function: str) -> None:
    """`Terminate` until allowed."""
    get = client.get_function_recursion_config
    assert get(FunctionName=function)["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")
    assert get(FunctionName=function)["RecursiveLoop"] == "Allow"
    code, message = refusal(
        client.put_function_recursion_config, FunctionName=function, RecursiveLoop="Sometimes"
    )
    assert code == "ValidationException"
    assert "[Terminate, Allow]" in message


def test_scaling_is_for_managed_instances(client: Any, function: str) -> None:
    """An ordinary function has no scaling configuration."""
    which = {"FunctionName": function, "Qualifier": "1"}
    for attempt, members in (
        (client.get_function_scaling_config, {}),
        (client.put_function_scaling_config, {"FunctionScalingConfig": {}}),
    ):
        code, message = refusal(attempt, **which, **members)
        assert code == "InvalidParameterValueException"
        assert "Managed Instances" in message
        missing = {"FunctionName": "nobody", "Qualifier": "1"}
        assert refusal(attempt, **missing, **members)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "members",
    [
        {"DurableConfig": {"ExecutionTimeout": 60}},
        {
            "CapacityProviderConfig": {
                "LambdaManagedInstancesCapacityProviderConfig": {
                    "CapacityProviderArn": "arn:aws:lambda:us-east-1:111111111111"
                    ":capacity-provider:c"
                }
            }
        },
    ],
)
def test_features_that_are_not_offered(client: Any, name: str, members: dict[str, Any]) -> None:
    """Refused with the feature's name, not stored and ignored."""
    code, message = refusal(lambda: create_active(client, name, **members))
    assert code == "InvalidParameterValueException"
    assert "does not offer" in message
