"""What surrounds the operations of stacks: signals, repeated requests, events, who owns what."""

import json
from typing import Any
from unittest.mock import ANY

import pytest

from tests.platforms import Platform, wait_for
from tests.scenario.test_stacks import refusal, settled, statuses

PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}
WAIT = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT5M"}},
}


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    return platform.client("cloudformation")


@pytest.mark.parametrize("last", ["SUCCESS", "FAILURE"])
def test_a_stack_waits_for_signals(client: Any, last: str) -> None:
    name = f"signals-{last.lower()}"
    signal = {"StackName": name, "LogicalResourceId": "Wait"}
    made = client.create_stack(StackName=name, TemplateBody=template(Wait=WAIT, P=PARAMETER))
    wait_for(lambda: ("P", "CREATE_COMPLETE") in statuses(client, name), "the parameter is made")
    client.signal_resource(**signal, UniqueId="1", Status="SUCCESS")
    client.signal_resource(**signal, UniqueId="1", Status="SUCCESS")
    refused = refusal(client.signal_resource, **{**signal, "LogicalResourceId": "P"}, **ONCE)
    assert refused[1] == "Resource P is in CREATE_COMPLETE state and cannot be signaled"
    refused = refusal(client.signal_resource, **{**signal, "LogicalResourceId": "X"}, **ONCE)
    assert refused[1] == f"Resource X does not exist for stack {name}"
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_IN_PROGRESS"
    client.signal_resource(**signal, UniqueId="2", Status=last)
    stack = settled(client, name)
    expected = "CREATE_COMPLETE" if last == "SUCCESS" else "ROLLBACK_COMPLETE"
    assert stack["StackStatus"] == expected, statuses(client, name)
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events]
    assert f"Received {last} signal with UniqueId 2" in reasons
    refused = refusal(client.signal_resource, **signal, **ONCE)
    assert refused[1] == f"Stack {made['StackId']} is in {expected} state and cannot be signaled"
    client.delete_stack(StackName=name)


ONCE = {"UniqueId": "1", "Status": "SUCCESS"}


def test_a_repeated_request_does_nothing_again(client: Any) -> None:
    """Every operation that takes a token knows the last one: the same request succeeds, another
    operation with the token is refused."""
    body = template(P=PARAMETER)
    create = {"StackName": "twice", "TemplateBody": body, "ClientRequestToken": "one"}
    first = client.create_stack(**create)
    assert client.create_stack(**create) == {**first, "ResponseMetadata": ANY}
    assert settled(client, "twice")["StackStatus"] == "CREATE_COMPLETE"
    assert client.create_stack(**create)["OperationId"] == first["OperationId"]
    other = {**create, "ClientRequestToken": "other"}
    assert refusal(client.create_stack, **other)[0] == "AlreadyExistsException"
    changed = template(P={**PARAMETER, "Properties": {"Type": "String", "Value": "w"}})
    update = {"StackName": "twice", "TemplateBody": changed, "ClientRequestToken": "one"}
    assert refusal(client.update_stack, **update)[0] == "TokenAlreadyExistsException"
    update["ClientRequestToken"] = "two"
    second = client.update_stack(**update)
    assert client.update_stack(**update)["OperationId"] == second["OperationId"]
    settled(client, "twice")
    assert client.update_stack(**update)["OperationId"] == second["OperationId"]
    made = {
        **{"StackName": "twice", "ChangeSetName": "c", "TemplateBody": body, "ClientToken": "t"},
    }
    change_set = client.create_change_set(**made)["Id"]
    assert client.create_change_set(**made)["Id"] == change_set
    taken = refusal(client.create_change_set, **{**made, "ClientToken": "u"})
    assert taken[0] == "AlreadyExistsException"
    execute = {"ChangeSetName": change_set, "ClientRequestToken": "three"}
    client.execute_change_set(**execute)
    client.execute_change_set(**execute)
    stack = settled(client, "twice")
    assert stack["StackStatus"] == "UPDATE_COMPLETE", statuses(client, "twice")
    client.execute_change_set(**execute)
    operations = [operation["OperationType"] for operation in stack["LastOperations"]]
    assert operations == ["UPDATE_STACK", "UPDATE_STACK", "CREATE_STACK"]
    for _ in range(2):
        client.delete_stack(StackName=stack["StackId"], ClientRequestToken="four")
    settled(client, stack["StackId"])


def test_a_rollback_is_begun_once(client: Any) -> None:
    broken = template(
        P=PARAMETER,
        Q={"Type": "AWS::SSM::Parameter", "Properties": {"Type": "Odd", "Value": "v"}},
    )
    client.create_stack(StackName="back", TemplateBody=broken, DisableRollback=True)
    assert settled(client, "back")["StackStatus"] == "CREATE_FAILED"
    for _ in range(2):
        client.rollback_stack(StackName="back", ClientRequestToken="r")
    stack = settled(client, "back")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    failed = client.describe_events(StackName="back", Filters={"FailedEvents": True})
    found = [(e["LogicalResourceId"], e["EventType"]) for e in failed["OperationEvents"]]
    assert found == [("back", "STACK_EVENT"), ("Q", "PROVISIONING_ERROR")]
    ids = {event["OperationId"] for event in failed["OperationEvents"]}
    assert ids == {stack["LastOperations"][1]["OperationId"]}
    of_rollback = client.describe_events(OperationId=stack["LastOperations"][0]["OperationId"])
    (last, *_) = of_rollback["OperationEvents"]
    assert (last["OperationType"], last["OperationStatus"]) == ("ROLLBACK", "SUCCEEDED")
    assert (last["ResourceStatus"], last["ClientRequestToken"]) == ("ROLLBACK_COMPLETE", "r")
    client.delete_stack(StackName="back")


def test_resources_by_their_physical_ids(client: Any) -> None:
    """Of stacks that exist."""
    client.create_stack(StackName="owner", TemplateBody=template(P=PARAMETER, Q=PARAMETER))
    stack = settled(client, "owner")
    (found,) = client.describe_stack_resources(StackName="owner", LogicalResourceId="P")[
        "StackResources"
    ]
    about = {"PhysicalResourceId": found["PhysicalResourceId"]}
    both = client.describe_stack_resources(**about)["StackResources"]
    assert {resource["LogicalResourceId"] for resource in both} == {"P", "Q"}
    assert {resource["StackId"] for resource in both} == {stack["StackId"]}
    (one,) = client.describe_stack_resources(**about, LogicalResourceId="Q")["StackResources"]
    assert one["LogicalResourceId"] == "Q"
    client.delete_stack(StackName="owner")
    settled(client, stack["StackId"])
    missing = f"Stack for {found['PhysicalResourceId']} does not exist"
    assert refusal(client.describe_stack_resources, **about)[1] == missing
    assert refusal(client.describe_stack_resources, StackName="x", **about)[0] == "ValidationError"
    assert refusal(client.describe_stack_resources)[0] == "ValidationError"


def test_what_cannot_be_notified_is_refused(client: Any) -> None:
    arns = ["arn:aws:sqs:us-east-1:123456789012:q"]
    params = {"StackName": "none", "TemplateBody": template(P=PARAMETER), "NotificationARNs": arns}
    assert "must be ARNs of topics" in refusal(client.create_stack, **params)[1]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"OperationId": "none"},
        {"StackName": "none"},
        {"StackName": "none", "NextToken": "x"},
        {"ChangeSetName": "none"},
        {"StackName": "none", "ChangeSetName": "none"},
    ],
)
def test_events_that_are_not_there(client: Any, params: dict[str, str]) -> None:
    assert refusal(client.describe_events, **params)[0] == "ValidationError"
