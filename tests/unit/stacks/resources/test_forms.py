"""Properties whose form differs from the API's."""

import dataclasses
from typing import Any

import pytest

from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Made
from tests.unit.stacks.resources.fake_api import STEP, FakeApi, refused, type_of

pytestmark = pytest.mark.anyio

BUCKET = {"BucketName": "b"}
KEYS = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "AttributeDefinitions": []}
PERMISSION = {"StatementId": "s", "EventBusName": "bus"}
ACCOUNT_ROOT = "arn:aws:iam::222222222222:root"

CASES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    (
        "AWS::S3::Bucket",
        BUCKET,
        "CreateBucket",
        {"Bucket": "b", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
    ),
    (
        "AWS::S3::Bucket",
        {
            **BUCKET,
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Status": "Enabled",
                        "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": "5"}],
                        "NoncurrentVersionExpirationInDays": 7,
                        "Prefix": "p",
                        "TagFilters": [{"Key": "k", "Value": "v"}],
                    },
                    {"Status": "Disabled", "ExpiredObjectDeleteMarker": "true"},
                ]
            },
        },
        "PutBucketLifecycleConfiguration",
        {
            "Bucket": "b",
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Status": "Enabled",
                        "Transitions": [{"StorageClass": "GLACIER", "Days": 5}],
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                        "Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "k", "Value": "v"}]}},
                    },
                    {
                        "Status": "Disabled",
                        "Expiration": {"ExpiredObjectDeleteMarker": True},
                        "Filter": {"Prefix": ""},
                    },
                ]
            },
        },
    ),
    (
        "AWS::S3::Bucket",
        {
            **BUCKET,
            "NotificationConfiguration": {
                "LambdaConfigurations": [
                    {
                        "Event": "s3:ObjectCreated:*",
                        "Function": "arn:f",
                        "Filter": {"S3Key": {"Rules": [{"Name": "suffix", "Value": ".txt"}]}},
                    }
                ],
                "EventBridgeConfiguration": {"EventBridgeEnabled": True},
            },
        },
        "PutBucketNotificationConfiguration",
        {
            "Bucket": "b",
            "NotificationConfiguration": {
                "LambdaFunctionConfigurations": [
                    {
                        "Events": ["s3:ObjectCreated:*"],
                        "LambdaFunctionArn": "arn:f",
                        "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".txt"}]}},
                    }
                ],
                "EventBridgeConfiguration": {},
            },
        },
    ),
    (
        "AWS::S3::Bucket",
        {
            **BUCKET,
            "WebsiteConfiguration": {
                "ErrorDocument": "e.html",
                "RoutingRules": [
                    {
                        "RoutingRuleCondition": {"KeyPrefixEquals": "a"},
                        "RedirectRule": {"HostName": "h"},
                    }
                ],
            },
        },
        "PutBucketWebsite",
        {
            "Bucket": "b",
            "WebsiteConfiguration": {
                "ErrorDocument": {"Key": "e.html"},
                "RoutingRules": [
                    {"Condition": {"KeyPrefixEquals": "a"}, "Redirect": {"HostName": "h"}}
                ],
            },
        },
    ),
    (
        "AWS::DynamoDB::GlobalTable",
        {
            **KEYS,
            "TableName": "t",
            "Replicas": [{"Region": "eu-west-1", "TableClass": "STANDARD"}],
            "SSESpecification": {"SSEEnabled": "true"},
            "WriteProvisionedThroughputSettings": {
                "WriteCapacityAutoScalingSettings": {"MinCapacity": 2, "MaxCapacity": 9}
            },
        },
        "CreateTable",
        {
            **KEYS,
            "TableName": "t",
            "TableClass": "STANDARD",
            "SSESpecification": {"Enabled": True},
            "ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 2},
            "Tags": [{"Key": "team", "Value": "a"}],
        },
    ),
    (
        "AWS::Events::EventBusPolicy",
        {
            **PERMISSION,
            "Statement": {
                "Effect": "Allow",
                "Action": "events:PutEvents",
                "Principal": {"AWS": ACCOUNT_ROOT},
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
            },
        },
        "PutPermission",
        {
            **PERMISSION,
            "Action": "events:PutEvents",
            "Principal": "222222222222",
            "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"},
        },
    ),
    (
        "AWS::Cognito::IdentityPoolRoleAttachment",
        {
            "IdentityPoolId": "i",
            "RoleMappings": {"a": {"IdentityProvider": "graph.facebook.com", "Type": "Token"}},
        },
        "SetIdentityPoolRoles",
        {
            "IdentityPoolId": "i",
            "Roles": {},
            "RoleMappings": {"graph.facebook.com": {"Type": "Token"}},
        },
    ),
    (
        "AWS::Lambda::Alias",
        {
            "FunctionName": "f",
            "FunctionVersion": "2",
            "Name": "live",
            "RoutingConfig": {
                "AdditionalVersionWeights": [{"FunctionVersion": "1", "FunctionWeight": "0.5"}]
            },
        },
        "CreateAlias",
        {
            "FunctionName": "f",
            "FunctionVersion": "2",
            "Name": "live",
            "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}},
        },
    ),
    (
        "AWS::Lambda::EventSourceMapping",
        {
            "FunctionName": "f",
            "StartingPositionTimestamp": 0,
            "SelfManagedEventSource": {"Endpoints": {"KafkaBootstrapServers": ["h:1"]}},
        },
        "CreateEventSourceMapping",
        {
            "FunctionName": "f",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:1"]}},
            "Tags": {"team": "a"},
        },
    ),
    (
        "AWS::ApiGateway::BasePathMapping",
        {"DomainName": "d", "RestApiId": "r"},
        "CreateBasePathMapping",
        {"domainName": "d", "restApiId": "r", "basePath": "(none)"},
    ),
    (
        "AWS::SNS::TopicPolicy",
        {"Topics": ["arn:t"], "PolicyDocument": {"Statement": []}},
        "SetTopicAttributes",
        {"TopicArn": "arn:t", "AttributeName": "Policy", "AttributeValue": '{"Statement":[]}'},
    ),
]


@pytest.mark.parametrize(("type", "properties", "operation", "expected"), CASES)
async def test_forms(
    type: str, properties: dict[str, Any], operation: str, expected: dict[str, Any]
) -> None:
    """What the API receives."""
    missing = ApiError("404", "Not Found", status=404)
    api = FakeApi({"GetEventSourceMapping": {"State": "Enabled"}, "HeadBucket": [missing, {}]})
    await type_of(type, api).create(STEP, properties)
    (sent,) = api.inputs(operation)
    times = {"StartingPositionTimestamp"}
    assert {name: value for name, value in sent.items() if name not in times} == expected
    for name in times & set(sent):
        assert sent[name].timestamp() == 0


@pytest.mark.parametrize(
    ("type", "properties", "words"),
    [
        ("AWS::DynamoDB::GlobalTable", {**KEYS, "Replicas": [{"Region": "x"}]}, "has one region"),
        (
            "AWS::DynamoDB::GlobalTable",
            {**KEYS, "Replicas": [{"Region": "eu-west-1", "SSESpecification": {}}]},
            "does not offer Replicas/SSESpecification",
        ),
        (
            "AWS::Events::EventBusPolicy",
            {**PERMISSION, "Statement": {"Action": "events:*", "Principal": "*"}},
            "one principal",
        ),
        ("AWS::S3::Bucket", {"AccessControl": "Everybody"}, "Unknown value of AccessControl"),
        ("AWS::S3::Bucket", {"LifecycleConfiguration": {"Rules": [{"Colour": 1}]}}, "Colour"),
        (
            "AWS::ApiGateway::Deployment",
            {"RestApiId": "r", "StageDescription": {"CacheClusterEnabled": True}},
            "StageDescription/CacheClusterEnabled",
        ),
        ("AWS::SQS::Queue", {"Tags": ["a"]}, "a list of tags"),
        ("AWS::SQS::Queue", {"Tags": {"a": "b"}}, "must be of type List"),
        ("AWS::Lambda::Alias", {"RoutingConfig": {"AdditionalVersionWeights": [1]}}, "form"),
    ],
)
async def test_forms_that_are_refused(type: str, properties: dict[str, Any], words: str) -> None:
    """Before anything is made."""
    api = FakeApi({})
    with refused(words):
        await type_of(type, api).create(STEP, properties)
    assert not api.calls


async def test_definitions_in_s3() -> None:
    """Are read when a resource is made and when it changes, and not when it is deleted."""
    location = {"Bucket": "b", "Key": "k", "Version": "v"}
    body = b"openapi: 3.0.1\ninfo: {title: orders}\n"
    api = FakeApi({"GetObject": {"Body": body}, "CreateRestApi": {"id": "a1"}})
    rest = type_of("AWS::ApiGateway::RestApi", api)
    made = await rest.create(STEP, {"BodyS3Location": location})
    assert api.inputs("GetObject") == [{"Bucket": "b", "Key": "k", "VersionId": "v"}]
    assert api.inputs("CreateRestApi")[0]["name"] == STEP.name
    assert api.inputs("PutRestApi") == [{"restApiId": "a1", "mode": "overwrite", "body": body}]
    api.calls.clear()
    await rest.delete(STEP, made, {"BodyS3Location": location})
    assert api.operations == ["DeleteRestApi"]
    assert "UpdateRestApi" not in api.operations


async def test_a_deployment_takes_its_own_stage_along() -> None:
    """Only if the stage still shows it: a later deployment may have taken it over."""
    properties = {"RestApiId": "r", "StageName": "v1"}
    made = Made("d1", {})
    for shown, expected in (("d1", ["DeleteStage"]), ("d2", [])):
        api = FakeApi({"GetStage": {"deploymentId": shown}})
        await type_of("AWS::ApiGateway::Deployment", api).delete(STEP, made, properties)
        assert api.operations == ["GetStage", *expected, "DeleteDeployment"]


async def test_patches_of_a_repeated_step() -> None:
    """What was removed before cannot be removed again, and the rest is done."""
    missing = ApiError("NotFoundException", "Invalid stage variable specified", status=404)

    def respond(params: Any) -> Any:
        if any(each["op"] == "remove" for each in params["patchOperations"]):
            raise missing
        return {}

    old = {"RestApiId": "r", "StageName": "v1", "Variables": {"a": "1"}}
    new = {"RestApiId": "r", "StageName": "v1", "Variables": {"b": "2"}, "Description": "d"}
    api = FakeApi({"UpdateStage": respond})
    stage = type_of("AWS::ApiGateway::Stage", api)
    with refused("Invalid stage variable"):
        await stage.update(STEP, Made("v1", {}), old, new)
    api.calls.clear()
    again = dataclasses.replace(STEP, is_repeated=True)
    await stage.update(again, Made("v1", {}), old, new)
    done = [each["patchOperations"] for each in api.inputs("UpdateStage")[1:]]
    assert [each["path"] for (each,) in done] == ["/variables/a", "/description", "/variables/b"]
