"""Types of resources of other services, made on an emulator as stacks make them."""

import json
from typing import Any

import pytest

from lambent.stacks.cloud_control.identifiers import identifier_of
from lambent.stacks.cloud_control.listing import identifiers
from lambent.stacks.resources.registry import ROWS
from lambent.stacks.resources.resource_type import Made
from tests.resources import ClientApi, Stack
from tests.servers.ministack import Ministack

pytestmark = pytest.mark.anyio

ALLOW: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}


async def remove(stack: Stack) -> None:
    """Repeat the creation of all resources, and delete them."""
    for id, _, made, _ in list(stack.made):
        assert (await stack.again(id)).physical_id == made.physical_id, id
    await stack.remove()


async def test_queues_and_topics(ministack: Ministack) -> None:
    """With policies and subscriptions, changed in place."""
    stack = Stack(ministack.client)
    queue = await stack.make("Queue", "AWS::SQS::Queue", VisibilityTimeout=45)
    arn = queue.attributes["Arn"]
    await stack.make(
        "QueuePolicy", "AWS::SQS::QueuePolicy", Queues=[queue.physical_id], PolicyDocument=ALLOW
    )
    topic = await stack.make("Topic", "AWS::SNS::Topic", DisplayName="first")
    await stack.make(
        "Subscription",
        "AWS::SNS::Subscription",
        TopicArn=topic.physical_id,
        Protocol="sqs",
        Endpoint=arn,
        RawMessageDelivery="true",
        FilterPolicy={"kind": ["a"]},
    )
    await stack.make(
        "TopicPolicy", "AWS::SNS::TopicPolicy", Topics=[topic.physical_id], PolicyDocument=ALLOW
    )
    await stack.change("Queue", VisibilityTimeout=50)
    await stack.change("Topic", DisplayName="second")
    await stack.change("Subscription", FilterPolicy={"kind": ["b"]})
    sqs, sns = ministack.client("sqs"), ministack.client("sns")
    shown = sqs.get_queue_attributes(QueueUrl=queue.physical_id, AttributeNames=["All"])
    assert shown["Attributes"]["VisibilityTimeout"] == "50"
    assert json.loads(shown["Attributes"]["Policy"]) == ALLOW
    shown = sns.get_topic_attributes(TopicArn=topic.physical_id)
    assert shown["Attributes"]["DisplayName"] == "second"
    await remove(stack)
    assert queue.physical_id not in sqs.list_queues().get("QueueUrls", [])


async def test_buckets(ministack: Ministack) -> None:
    """With their configurations; a name that another has is refused."""
    stack = Stack(ministack.client)
    queue = await stack.make("Target", "AWS::SQS::Queue")
    bucket = await stack.make(
        "Bucket",
        "AWS::S3::Bucket",
        VersioningConfiguration={"Status": "Enabled"},
        CorsConfiguration={"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        WebsiteConfiguration={"IndexDocument": "index.html"},
        LifecycleConfiguration={
            "Rules": [{"Id": "old", "Status": "Enabled", "ExpirationInDays": 9, "Prefix": "tmp/"}]
        },
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "Event": "s3:ObjectCreated:*",
                    "Queue": queue.attributes["Arn"],
                    "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}},
                }
            ]
        },
        PublicAccessBlockConfiguration={"BlockPublicAcls": "true"},
        AccessControl="Private",
        Tags=[{"Key": "kind", "Value": "test"}],
    )
    await stack.make(
        "BucketPolicy", "AWS::S3::BucketPolicy", Bucket=bucket.physical_id, PolicyDocument=ALLOW
    )
    s3 = ministack.client("s3")
    (notification,) = s3.get_bucket_notification_configuration(Bucket=bucket.physical_id)[
        "QueueConfigurations"
    ]
    assert notification["Events"] == ["s3:ObjectCreated:*"]
    assert notification["Filter"]["Key"]["FilterRules"][0]["Value"] == "in/"
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket.physical_id)["Rules"]
    assert (rule["ID"], rule["Expiration"]["Days"]) == ("old", 9)
    assert s3.get_bucket_website(Bucket=bucket.physical_id)["IndexDocument"] == {
        "Suffix": "index.html"
    }
    await stack.change("Bucket", VersioningConfiguration=None, WebsiteConfiguration=None)
    assert s3.get_bucket_versioning(Bucket=bucket.physical_id)["Status"] == "Suspended"
    with pytest.raises(Exception, match="already exists"):
        await stack.make("Other", "AWS::S3::Bucket", BucketName=bucket.physical_id)
    await remove(stack)


async def test_tables_and_streams(ministack: Ministack) -> None:
    """With an index that is added and removed in place."""
    stack = Stack(ministack.client)
    key = {"AttributeName": "id", "AttributeType": "S"}
    other = {"AttributeName": "at", "AttributeType": "N"}
    index = {
        "IndexName": "by-time",
        "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    plain = {
        "AttributeDefinitions": [key],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
    }
    table = await stack.make(
        "Table",
        "AWS::DynamoDB::Table",
        **plain,
        TimeToLiveSpecification={"AttributeName": "expires", "Enabled": "true"},
    )
    assert table.attributes["StreamArn"].startswith(table.attributes["Arn"])
    dynamodb = ministack.client("dynamodb")

    def indexes() -> list[str]:
        shown = dynamodb.describe_table(TableName=table.physical_id)["Table"]
        return [each["IndexName"] for each in shown.get("GlobalSecondaryIndexes", [])]

    await stack.change("Table", AttributeDefinitions=[key, other], GlobalSecondaryIndexes=[index])
    assert indexes() == ["by-time"]
    await stack.change("Table", AttributeDefinitions=[key], GlobalSecondaryIndexes=[])
    assert indexes() == []
    await stack.make(
        "Global",
        "AWS::DynamoDB::GlobalTable",
        **plain,
        Replicas=[{"Region": "us-east-1", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    stream = await stack.make("Stream", "AWS::Kinesis::Stream", RetentionPeriodHours=48)
    await stack.make(
        "Consumer",
        "AWS::Kinesis::StreamConsumer",
        ConsumerName="types",
        StreamARN=stream.attributes["Arn"],
    )
    await stack.make(
        "Delivery",
        "AWS::KinesisFirehose::DeliveryStream",
        S3DestinationConfiguration={
            "BucketARN": "arn:aws:s3:::types",
            "RoleARN": "arn:aws:iam::000000000000:role/r",
        },
    )
    await remove(stack)


async def test_events_and_schedules(ministack: Ministack) -> None:
    """Rules with targets, buses and schedules."""
    stack = Stack(ministack.client)
    queue = await stack.make("Target", "AWS::SQS::Queue")
    arn = queue.attributes["Arn"]
    bus = await stack.make("Bus", "AWS::Events::EventBus", Name="types")
    rule = await stack.make(
        "Rule",
        "AWS::Events::Rule",
        EventBusName=bus.physical_id,
        EventPattern={"source": ["a"]},
        Targets=[{"Id": "one", "Arn": arn}, {"Id": "two", "Arn": arn}],
    )
    await stack.change("Rule", Targets=[{"Id": "two", "Arn": arn, "Input": "{}"}])
    events = ministack.client("events")
    listed = events.list_targets_by_rule(Rule=rule.physical_id, EventBusName=bus.physical_id)
    assert [(each["Id"], each["Input"]) for each in listed["Targets"]] == [("two", "{}")]
    group = await stack.make("Group", "AWS::Scheduler::ScheduleGroup", Name="types")
    await stack.make(
        "Schedule",
        "AWS::Scheduler::Schedule",
        GroupName=group.physical_id,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": "arn:aws:iam::000000000000:role/r"},
    )
    await stack.change("Schedule", ScheduleExpression="rate(2 hours)")
    await stack.make(
        "Pipe",
        "AWS::Pipes::Pipe",
        RoleArn="arn:aws:iam::000000000000:role/r",
        Source=arn,
        SourceParameters={"SqsQueueParameters": {"BatchSize": "2"}},
        Target=arn,
    )
    await stack.change("Pipe", Description="changed")
    await remove(stack)


async def test_secrets_and_state_machines(ministack: Ministack) -> None:
    """Parameters, generated secrets, keys, state machines and user pools."""
    stack = Stack(ministack.client)
    parameter = await stack.make("Parameter", "AWS::SSM::Parameter", Type="String", Value="a")
    await stack.change("Parameter", Value="b")
    found = ministack.client("ssm").get_parameter(Name=parameter.physical_id)
    assert found["Parameter"]["Value"] == "b"
    secret = await stack.make(
        "Secret",
        "AWS::SecretsManager::Secret",
        GenerateSecretString={
            "SecretStringTemplate": '{"user": "ann"}',
            "GenerateStringKey": "password",
            "PasswordLength": "20",
        },
    )
    secrets = ministack.client("secretsmanager")
    before = secrets.get_secret_value(SecretId=secret.physical_id)["SecretString"]
    assert len(json.loads(before)["password"]) == 20
    await stack.change("Secret", Description="kept")
    assert secrets.get_secret_value(SecretId=secret.physical_id)["SecretString"] == before
    pool = await stack.make("Pool", "AWS::Cognito::UserPool", UserPoolTags={"a": "b"})
    client = await stack.make(
        "Client", "AWS::Cognito::UserPoolClient", UserPoolId=pool.physical_id, GenerateSecret=True
    )
    assert client.attributes["ClientSecret"]
    group = await stack.make("Group", "AWS::Cognito::UserPoolGroup", UserPoolId=pool.physical_id)
    about = {"UserPoolId": pool.physical_id, "Username": "ann"}
    await stack.make("User", "AWS::Cognito::UserPoolUser", **about)
    await stack.make(
        "Membership",
        "AWS::Cognito::UserPoolUserToGroupAttachment",
        **about,
        GroupName=group.physical_id,
    )
    await stack.make(
        "Server",
        "AWS::Cognito::UserPoolResourceServer",
        UserPoolId=pool.physical_id,
        Identifier="api",
        Name="api",
    )
    identities = await stack.make(
        "Identities", "AWS::Cognito::IdentityPool", AllowUnauthenticatedIdentities=True
    )
    await stack.make(
        "Attachment",
        "AWS::Cognito::IdentityPoolRoleAttachment",
        IdentityPoolId=identities.physical_id,
        Roles={"authenticated": "arn:aws:iam::000000000000:role/r"},
    )
    machine = await stack.make(
        "Machine",
        "AWS::StepFunctions::StateMachine",
        RoleArn="arn:aws:iam::000000000000:role/r",
        Definition={"StartAt": "A", "States": {"A": {"Type": "${kind}", "End": True}}},
        DefinitionSubstitutions={"kind": "Pass"},
    )
    states = ministack.client("stepfunctions")
    shown = states.describe_state_machine(stateMachineArn=machine.physical_id)
    assert json.loads(shown["definition"])["States"]["A"]["Type"] == "Pass"
    await remove(stack)
    key = await stack.make("Key", "AWS::KMS::Key", Description="a", EnableKeyRotation=True)
    await stack.make(
        "KeyAlias", "AWS::KMS::Alias", AliasName="alias/types", TargetKeyId=key.physical_id
    )
    await stack.change("Key", Description="b", EnableKeyRotation=False)
    await stack.remove()


async def test_versions_of_state_machines_and_activities(ministack: Ministack) -> None:
    """An alias moves to another version in place."""
    stack = Stack(ministack.client)
    machine = await stack.make(
        "Machine",
        "AWS::StepFunctions::StateMachine",
        DefinitionString='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        RoleArn="arn:aws:iam::000000000000:role/states",
    )
    about = {"StateMachineArn": machine.physical_id}
    first = await stack.make("First", "AWS::StepFunctions::StateMachineVersion", **about)
    second = await stack.make("Second", "AWS::StepFunctions::StateMachineVersion", **about)

    def to(version: Made) -> list[dict[str, Any]]:
        return [{"StateMachineVersionArn": version.physical_id, "Weight": 100}]

    await stack.make(
        "Alias",
        "AWS::StepFunctions::StateMachineAlias",
        **about,
        Name="live",
        RoutingConfiguration=to(first),
    )
    await stack.change("Alias", RoutingConfiguration=to(second))
    activity = await stack.make("Activity", "AWS::StepFunctions::Activity", Name="work")
    assert activity.attributes["Arn"].endswith(":activity:work")
    await stack.remove()


LISTED: dict[str, dict[str, Any]] = {
    "AWS::DynamoDB::Table": {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
    "AWS::Kinesis::Stream": {"ShardCount": 1},
    "AWS::SNS::Topic": {},
    "AWS::SQS::Queue": {},
    "AWS::StepFunctions::Activity": {"Name": "listed"},
    "AWS::StepFunctions::StateMachine": {
        "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        "RoleArn": "arn:aws:iam::000000000000:role/states",
    },
}


@pytest.mark.parametrize("type", sorted(LISTED))
async def test_lists_of_cloud_control(ministack: Ministack, type: str) -> None:
    """A resource is in the list of its type, under its identifier."""
    stack = Stack(ministack.client)
    made = await stack.make("Listed", type, **LISTED[type])
    row, step = ROWS[type], stack.step("Listed")
    identifier = identifier_of(row, made, LISTED[type])
    found = await identifiers(ClientApi(ministack.client), row, {}, step.caller)
    assert identifier in found
    await stack.remove()
