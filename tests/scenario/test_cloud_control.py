"""Cloud Control as boto3 sees it: resources without a stack, and those that were made by hand."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import PYTHON, ROLE, Platform, wait_for, zip_of

FUNCTION, URL, IAM_ROLE = "AWS::Lambda::Function", "AWS::Lambda::Url", "AWS::IAM::Role"
SOURCE = "def handler(event, context):\n    return 1\n"


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    return platform.client("cloudcontrol")


@pytest.fixture
def name() -> str:
    return f"cc-{uuid.uuid4().hex[:8]}"


def ended(client: Any, begun: Any) -> Any:
    """The event of a request that has ended."""
    token = begun["ProgressEvent"]["RequestToken"]

    def event() -> Any:
        found = client.get_resource_request_status(RequestToken=token)["ProgressEvent"]
        return found if found["OperationStatus"] != "IN_PROGRESS" else None

    return wait_for(event, "the request ends")


def done(client: Any, begun: Any) -> str:
    """The identifier of the resource of a request that has succeeded."""
    event = ended(client, begun)
    assert event["OperationStatus"] == "SUCCESS", json.dumps(event, default=str)
    return str(event["Identifier"])


def shown(client: Any, type: str, identifier: str) -> Any:
    found = client.get_resource(TypeName=type, Identifier=identifier)
    return json.loads(found["ResourceDescription"]["Properties"])


def test_a_function_and_its_url(client: Any, name: str) -> None:
    """The URL is read by the function's name, as `sam list endpoints` does."""
    state = {
        "FunctionName": name,
        "Runtime": PYTHON,
        "Handler": "index.handler",
        "Role": ROLE,
        "Code": {"ZipFile": SOURCE},
        "Environment": {"Variables": {"AA": "1"}},
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    made = client.create_resource(TypeName=FUNCTION, DesiredState=json.dumps(state))
    assert done(client, made) == name
    found = shown(client, FUNCTION, name)
    assert "Code" not in found
    del state["Code"]
    assert found.items() >= {**state, "Timeout": 3, "MemorySize": 128}.items()
    patch = [
        {"op": "replace", "path": "/Timeout", "value": 7},
        {"op": "add", "path": "/Environment/Variables/BB", "value": "2"},
        {"op": "add", "path": "/Tags/-", "value": {"Key": "n", "Value": "1"}},
    ]
    changed = client.update_resource(
        TypeName=FUNCTION, Identifier=name, PatchDocument=json.dumps(patch)
    )
    done(client, changed)
    found = shown(client, FUNCTION, name)
    assert (found["Timeout"], len(found["Tags"])) == (7, 2)
    assert found["Environment"] == {"Variables": {"AA": "1", "BB": "2"}}
    with pytest.raises(ClientError) as refused:
        client.get_resource(TypeName=URL, Identifier=name)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    url = json.dumps({"TargetFunctionArn": found["Arn"], "AuthType": "NONE"})
    assert done(client, client.create_resource(TypeName=URL, DesiredState=url)) == found["Arn"]
    assert shown(client, URL, name)["FunctionUrl"].startswith("http")
    listed = client.list_resources(TypeName=FUNCTION)["ResourceDescriptions"]
    assert name in [each["Identifier"] for each in listed]
    for type, identifier in ((URL, found["Arn"]), (FUNCTION, name)):
        done(client, client.delete_resource(TypeName=type, Identifier=identifier))
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_resource(TypeName=type, Identifier=identifier)


def test_what_was_made_by_hand_is_changed(platform: Platform, client: Any, name: str) -> None:
    """And a role, whose parts are policies, is deleted with them."""
    platform.client("lambda").create_function(
        FunctionName=name,
        Runtime=PYTHON,
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": zip_of({"index.py": SOURCE})},
    )
    patch = json.dumps([{"op": "add", "path": "/Description", "value": "changed"}])
    changed = client.update_resource(TypeName=FUNCTION, Identifier=name, PatchDocument=patch)
    done(client, changed)
    assert shown(client, FUNCTION, name)["Description"] == "changed"
    done(client, client.delete_resource(TypeName=FUNCTION, Identifier=name))
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    principal = {"Service": "lambda.amazonaws.com"}
    trust = {"Version": "2012-10-17", "Statement": [{**statement, "Principal": principal}]}
    allowed = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}
    policy = {"PolicyName": "p", "PolicyDocument": allowed}
    state = {"RoleName": name, "AssumeRolePolicyDocument": trust, "Policies": [policy]}
    made = client.create_resource(TypeName=IAM_ROLE, DesiredState=json.dumps(state))
    assert done(client, made) == name
    assert shown(client, IAM_ROLE, name).items() >= state.items()
    again = ended(client, client.create_resource(TypeName=IAM_ROLE, DesiredState=json.dumps(state)))
    assert (again["OperationStatus"], again["ErrorCode"]) == ("FAILED", "AlreadyExists")
    done(client, client.delete_resource(TypeName=IAM_ROLE, Identifier=name))
    requests = client.list_resource_requests(
        ResourceRequestStatusFilter={"OperationStatuses": ["FAILED"]}
    )["ResourceRequestStatusSummaries"]
    assert again["RequestToken"] in [each["RequestToken"] for each in requests]
