"""Secrets of stacks: they are used, and neither shown nor stored in readable form."""

import json
import sqlite3
from typing import Any

import pytest

from tests.platforms import Platform
from tests.scenario.test_stacks import CAPABILITIES, TRUST, settled, statuses

WORD, MADE, KEPT = "correct-horse-battery", "made-by-the-function", "kept-in-a-secret"
TEMPLATE = """
Parameters:
  Word: {Type: String, NoEcho: true}
  Name: {Type: String}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import cfnresponse
          def handler(event, context):
              data = {"Password": "-".join(["made", "by", "the", "function"])}
              cfnresponse.send(event, context, "SUCCESS", data, "thing", noEcho=True)
  Thing: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt Maker.Arn}}
  User: {Type: AWS::IAM::User}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User}}
  Board:
    Type: AWS::CloudWatch::Dashboard
    Metadata: {Word: !Ref Word}
    Properties:
      DashboardBody: !Sub "${Word} ${Thing.Password} ${Key.SecretAccessKey}"
  Failing:
    Type: AWS::SSM::Parameter
    DependsOn: Board
    Properties: {Name: !Ref Name, Type: "{{resolve:secretsmanager:for-stacks}}", Value: v}
Outputs:
  Id: {Value: !Ref Key}
"""


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    platform.client("secretsmanager").create_secret(Name="for-stacks", SecretString=KEPT)
    return platform.client("cloudformation")


def connected(platform: Platform) -> sqlite3.Connection:
    file = platform.data_dir / "state" / "lambent.db"
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)


def stored(platform: Platform) -> str:
    """All that is stored of stacks, also of those that were deleted."""
    with connected(platform) as database:
        rows = database.execute("SELECT * FROM documents WHERE service LIKE 'cloud%'").fetchall()
    return "\n".join(map(str, rows))


def test_secrets_are_neither_shown_nor_stored(platform: Platform, client: Any) -> None:
    """Of a parameter with NoEcho, a custom resource, an access key and a dynamic reference, while
    the stack is made, fails, stays and is changed."""
    client.create_stack(
        StackName="secrets",
        TemplateBody=TEMPLATE,
        Capabilities=CAPABILITIES,
        DisableRollback=True,
        Parameters=[
            {"ParameterKey": "Word", "ParameterValue": WORD},
            {"ParameterKey": "Name", "ParameterValue": "secret-name"},
        ],
    )
    stack = settled(client, "secrets")
    assert stack["StackStatus"] == "CREATE_FAILED", statuses(client, "secrets")
    user = client.describe_stack_resource(StackName="secrets", LogicalResourceId="User")
    name = user["StackResourceDetail"]["PhysicalResourceId"]
    (key,) = platform.client("iam").list_access_keys(UserName=name)["AccessKeyMetadata"]
    with connected(platform) as database:
        found = database.execute(
            "SELECT secret FROM access_keys WHERE id = ?", [key["AccessKeyId"]]
        ).fetchone()
    secrets = (WORD, MADE, KEPT, found[0])
    events = client.describe_stack_events(StackName="secrets")["StackEvents"]
    (board,) = (
        event
        for event in events
        if (event["LogicalResourceId"], event["ResourceStatus"]) == ("Board", "CREATE_COMPLETE")
    )
    assert json.loads(board["ResourceProperties"]) == {"DashboardBody": "**** **** ****"}
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("****" in reason for reason in reasons), reasons
    detail = client.describe_stack_resource(StackName="secrets", LogicalResourceId="Board")
    assert json.loads(detail["StackResourceDetail"]["Metadata"]) == {"Word": "****"}
    made = client.create_change_set(
        StackName="secrets",
        ChangeSetName="next",
        UsePreviousTemplate=True,
        Capabilities=CAPABILITIES,
        Parameters=[
            {"ParameterKey": "Word", "UsePreviousValue": True},
            {"ParameterKey": "Name", "ParameterValue": "other-name"},
        ],
    )
    shown = [
        stack,
        events,
        detail,
        client.describe_stack_resources(StackName="secrets"),
        client.list_stack_resources(StackName="secrets"),
        client.describe_change_set(ChangeSetName=made["Id"]),
        client.describe_events(StackName="secrets"),
        stored(platform),
        platform.output,
    ]
    for secret in secrets:
        for index, each in enumerate(shown):
            assert secret not in str(each), (secret, index)
    for file in platform.data_dir.rglob("*.db*"):
        assert WORD.encode() not in file.read_bytes(), file
        assert MADE.encode() not in file.read_bytes(), file
    client.delete_stack(StackName="secrets")
    assert settled(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_cloud_control_stores_no_secret(platform: Platform) -> None:
    """What a request sets is kept for its updates, and cannot be read from the database."""
    client = platform.client("cloudcontrol")
    wanted = {"RoleName": "secret", "Description": WORD, "AssumeRolePolicyDocument": TRUST}
    made = client.create_resource(TypeName="AWS::IAM::Role", DesiredState=json.dumps(wanted))[
        "ProgressEvent"
    ]
    client.get_waiter("resource_request_success").wait(
        RequestToken=made["RequestToken"], WaiterConfig={"Delay": 1}
    )
    assert WORD not in stored(platform)
    client.delete_resource(TypeName="AWS::IAM::Role", Identifier="secret")
