"""Cloud Control as boto3 sees it: resources without a stack, and those that were made by hand."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.stacks.cloud_control.listing import LISTINGS
from tests.platforms import ACCOUNT, PYTHON, ROLE, Platform, wait_for, zip_of

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


STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "AWS::ApiGateway::RestApi": ({"Name": "NAME"}, {}),
    "AWS::ApiGatewayV2::Api": ({"Name": "NAME", "ProtocolType": "HTTP"}, {}),
    "AWS::ECR::Repository": ({"RepositoryName": "NAME"}, {}),
    "AWS::Events::EventBus": ({"Name": "NAME"}, {}),
    "AWS::Events::Rule": ({"Name": "NAME", "ScheduleExpression": "rate(1 day)"}, {}),
    "AWS::IAM::Group": ({"GroupName": "NAME"}, {}),
    "AWS::IAM::ManagedPolicy": ({"ManagedPolicyName": "NAME", "PolicyDocument": "POLICY"}, {}),
    "AWS::IAM::Role": ({"RoleName": "NAME", "AssumeRolePolicyDocument": "TRUST"}, {}),
    "AWS::IAM::User": ({"UserName": "NAME"}, {}),
    "AWS::Lambda::Alias": (
        {"Name": "NAME", "FunctionName": "FUNCTION", "FunctionVersion": "$LATEST"},
        {"FunctionName": "FUNCTION"},
    ),
    "AWS::Lambda::CodeSigningConfig": (
        {"AllowedPublishers": {"SigningProfileVersionArns": ["PROFILE"]}},
        {},
    ),
    "AWS::Lambda::EventSourceMapping": (
        {"FunctionName": "FUNCTION", "EventSourceArn": "QUEUE", "Enabled": False},
        {},
    ),
    "AWS::Lambda::Function": (
        {
            "FunctionName": "NAME",
            "Code": {"ZipFile": SOURCE},
            "Handler": "index.handler",
            "Runtime": PYTHON,
            "Role": ROLE,
        },
        {},
    ),
    "AWS::Lambda::Url": (
        {"TargetFunctionArn": "FUNCTION", "AuthType": "NONE"},
        {"TargetFunctionArn": "FUNCTION"},
    ),
    "AWS::Lambda::Version": ({"FunctionName": "FUNCTION"}, {"FunctionName": "FUNCTION"}),
    "AWS::Logs::LogGroup": ({"LogGroupName": "NAME"}, {}),
    "AWS::S3::Bucket": ({"BucketName": "NAME"}, {}),
    "AWS::SecretsManager::Secret": ({"Name": "NAME", "SecretString": "s"}, {}),
}
"""What makes a resource of each type of the platform's own services that can be listed, and the
model that says of what it is a part."""
OTHERS = {
    *("AWS::DynamoDB::Table", "AWS::Kinesis::Stream", "AWS::SNS::Topic", "AWS::SQS::Queue"),
    *("AWS::StepFunctions::Activity", "AWS::StepFunctions::StateMachine"),
}
"""Those of other services: see tests/servers/test_resource_types.py."""


def test_every_type_that_can_be_listed_is_tried() -> None:
    assert STATES.keys() | OTHERS == LISTINGS.keys()


@pytest.mark.parametrize("type", sorted(STATES))
def test_lists(platform: Platform, client: Any, name: str, type: str) -> None:
    """A resource is in the list of its type when it is made, and not when it is deleted."""
    wanted, model = (json.dumps(each) for each in STATES[type])
    if "FUNCTION" in wanted:
        platform.client("lambda").create_function(
            FunctionName=f"{name}-f",
            Runtime=PYTHON,
            Handler="index.handler",
            Role=ROLE,
            Code={"ZipFile": zip_of({"index.py": SOURCE})},
        )
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    trusted = {**statement, "Principal": {"Service": "lambda.amazonaws.com"}}
    for word, value in {
        '"POLICY"': json.dumps(
            {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}
        ),
        '"TRUST"': json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
        "FUNCTION": f"{name}-f",
        "PROFILE": "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/abcdefghij",
        "QUEUE": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}",
        "NAME": name,
    }.items():
        wanted, model = wanted.replace(word, value), model.replace(word, value)

    def listed() -> list[str]:
        pages = client.get_paginator("list_resources").paginate(
            TypeName=type, **({"ResourceModel": model} if model != "{}" else {})
        )
        return [each["Identifier"] for page in pages for each in page["ResourceDescriptions"]]

    identifier = done(client, client.create_resource(TypeName=type, DesiredState=wanted))
    assert identifier in listed()
    done(client, client.delete_resource(TypeName=type, Identifier=identifier))
    assert identifier not in listed()


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
