"""The SAM CLI, unmodified: an app with every kind of event, from `sam build` to `sam delete`."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.platforms import log_lines, wait_for

from .tools import Platform, Project

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Who: {Type: String, Default: world}}
Globals: {Function: {Runtime: PYTHON_VERSION, Handler: app.handler, Timeout: 20}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello
      Environment: {Variables: {WHO: !Ref Who}}
      Events:
        Rest: {Type: Api, Properties: {Path: /rest, Method: get}}
        Http: {Type: HttpApi, Properties: {Path: /http, Method: get}}
  Hears:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hears
      Policies:
        - SQSPollerPolicy: {QueueName: !GetAtt Queue.QueueName}
        - DynamoDBCrudPolicy: {TableName: !Ref Simple}
      Events:
        Minutes: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
        Planned: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}
        Orders:
          Type: EventBridgeRule
          Properties: {Pattern: {source: [shop]}}
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
        Topic: {Type: SNS, Properties: {Topic: !Ref Topic}}
        Bucket: {Type: S3, Properties: {Bucket: !Ref Bucket, Events: "s3:ObjectCreated:*"}}
        Table:
          Type: DynamoDB
          Properties: {Stream: !GetAtt Table.StreamArn, StartingPosition: TRIM_HORIZON}
  Queue: {Type: AWS::SQS::Queue}
  Topic: {Type: AWS::SNS::Topic}
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${AWS::StackName}-bucket"}
  Simple: {Type: AWS::Serverless::SimpleTable}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
Outputs:
  Rest: {Value: !Sub "https://${ServerlessRestApi}.execute-api.${AWS::Region}.amazonaws.com/Prod/rest"}
  Http: {Value: !Sub "${ServerlessHttpApi.ApiEndpoint}/http"}
  Hello: {Value: !Ref Hello}
  Hears: {Value: !Ref Hears}
  Queue: {Value: !Ref Queue}
  Topic: {Value: !Ref Topic}
  Bucket: {Value: !Ref Bucket}
  Table: {Value: !Ref Table}
  Simple: {Value: !Ref Simple}
"""
HELLO = """
import json, os

def handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"hello": os.environ["WHO"]})}
"""
HEARS = """
import json

def handler(event, context):
    record = event.get("Records", [event])[0]
    kind = record.get("eventSource") or record.get("EventSource") or record.get("source")
    print("heard", kind, json.dumps(event))
"""
EVENTS = {
    "aws:sqs": "from the queue",
    "aws:sns": "from the topic",
    "aws:s3": "from-the-bucket",
    "aws:dynamodb": "from the table",
    "shop": "from the bus",
    "aws.events": "Scheduled Event",
}
"""A word that is in an event, by its source."""
STACK = ("--stack-name", "sam-events")


@pytest.fixture
def project(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("sam-events"), platform)
    made.write(template__yaml=TEMPLATE)
    for name, code in (("hello", HELLO), ("hears", HEARS)):
        (made.directory / name).mkdir()
        (made.directory / name / "app.py").write_text(code)
    return made


def cause_events(platform: Platform, made: dict[str, str]) -> None:
    """One of each kind; schedules cause theirs by themselves."""
    client = platform.client
    client("sqs").send_message(QueueUrl=made["Queue"], MessageBody=EVENTS["aws:sqs"])
    client("sns").publish(TopicArn=made["Topic"], Message=EVENTS["aws:sns"])
    client("s3").put_object(Bucket=made["Bucket"], Key=EVENTS["aws:s3"], Body=b"")
    item = {"id": {"S": EVENTS["aws:dynamodb"]}}
    client("dynamodb").put_item(TableName=made["Table"], Item=item)
    detail = json.dumps({"is": EVENTS["shop"]})
    entry = {"Source": "shop", "DetailType": "order", "Detail": detail}
    assert client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def all_resources(platform: Platform) -> dict[str, list[str]]:
    """What a stack might leave behind, by kind."""
    client = platform.client
    found: dict[str, list[Any]] = {
        "functions": client("lambda").list_functions()["Functions"],
        "mappings": client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "roles": client("iam").list_roles()["Roles"],
        "rules": client("events").list_rules()["Rules"],
        "schedules": client("scheduler").list_schedules()["Schedules"],
        "http apis": client("apigatewayv2").get_apis()["Items"],
        "rest apis": client("apigateway").get_rest_apis()["items"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "topics": client("sns").list_topics()["Topics"],
        "buckets": [b["Name"] for b in client("s3").list_buckets()["Buckets"]],
        "tables": client("dynamodb").list_tables()["TableNames"],
    }
    shown = {kind: [json.dumps(each, default=str) for each in each] for kind, each in found.items()}
    return {
        kind: [each for each in listed if "sam-events" in each] for kind, listed in shown.items()
    }


def test_an_app_with_every_kind_of_event(project: Project, sam: Callable[..., str]) -> None:
    """Every event arrives; a second deployment changes nothing, a variable one function; `sync`
    sends new code; `delete` leaves nothing."""
    platform = project.platform
    deploy = ("deploy", *STACK, "--resolve-s3", "--capabilities", "CAPABILITY_IAM")
    deploy = (*deploy, "--no-fail-on-empty-changeset")
    assert "Build Succeeded" in sam("build")
    assert "Successfully created/updated stack" in sam(*deploy)
    made = project.outputs("sam-events")
    for name in ("Rest", "Http"):
        assert project.get(made[name]) == {"hello": "world"}
    cause_events(platform, made)

    assert "No changes to deploy" in sam(*deploy)
    before = project.events("sam-events")
    sam(*deploy, "--parameter-overrides", "Who=you")
    changed = project.events("sam-events")[: -len(before)]
    done = [e["LogicalResourceId"] for e in changed if e["ResourceStatus"] == "UPDATE_COMPLETE"]
    assert done == ["sam-events", "Hello"]
    assert project.get(made["Http"]) == {"hello": "you"}
    assert '"hello\\": \\"you' in sam("remote", "invoke", *STACK, "Hello")

    def unheard() -> list[str]:
        lines = log_lines(platform, made["Hears"])
        return [
            f"{source} {word}"
            for source, word in EVENTS.items()
            if not any(f"heard {source} " in line and word in line for line in lines)
        ]

    wait_for(lambda: not unheard(), f"all events arrive, but {unheard()}", deadline_s=75)
    assert "from the queue" in sam("logs", *STACK, "--name", "Hears")

    code = project.directory / "hello" / "app.py"
    code.write_text(HELLO.replace('"hello":', '"goodbye":'))
    sync = ("sync", *STACK, "--no-dependency-layer")
    sam(*sync, "--code", "--resource-id", "Hello")
    assert project.get(made["Rest"]) == {"goodbye": "you"}
    code.write_text(HELLO.replace('"hello":', '"welcome":'))
    sam(*sync, "--no-watch", "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
    assert project.get(made["Rest"]) == {"welcome": "you"}

    platform.client("s3").delete_object(Bucket=made["Bucket"], Key=EVENTS["aws:s3"])
    sam("delete", *STACK, "--no-prompts")
    assert project.is_gone("sam-events")
    assert not any(all_resources(platform).values()), all_resources(platform)
