"""CloudFormation as boto3 sees it: stacks of functions, from their creation to their deletion."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, Platform, wait_for, zip_of

TEMPLATE = """
Parameters:
  Greeting: {Type: String, Default: hello}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Environment: {Variables: {GREETING: !Ref Greeting}}
      Code:
        ZipFile: |
          import os
          def handler(event, context):
              return os.environ["GREETING"]
  Url:
    Type: AWS::Lambda::Url
    Properties: {TargetFunctionArn: !GetAtt Function.Arn, AuthType: NONE}
  Public:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Function
      Action: lambda:InvokeFunctionUrl
      Principal: "*"
      FunctionUrlAuthType: NONE
Outputs:
  Url: {Value: !GetAtt Url.FunctionUrl}
  Arn: {Value: !GetAtt Function.Arn, Export: {Name: !Sub "${AWS::StackName}-arn"}}
"""
TRUST = {
    "Statement": {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "lambda.amazonaws.com"},
    }
}
CAPABILITIES = ["CAPABILITY_IAM"]


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    return platform.client("cloudformation")


def settled(client: Any, stack: str) -> dict[str, Any]:
    """The stack when no operation is under way."""

    def found() -> Any:
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        return found if not found["StackStatus"].endswith("_IN_PROGRESS") else None

    return wait_for(found, f"{stack} is settled")


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def statuses(client: Any, stack: str) -> list[tuple[str, str]]:
    """Logical ids and statuses of all events, the oldest first."""
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_stack_lives_from_its_creation_to_its_deletion(platform: Platform, client: Any) -> None:
    """A change set creates it, an update changes one function in place, and nothing is left."""
    lambdas = platform.client("lambda")
    made = client.create_change_set(
        StackName="app",
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=TEMPLATE,
        Capabilities=CAPABILITIES,
        Tags=[{"Key": "team", "Value": "blue"}],
    )
    described = client.describe_change_set(ChangeSetName=made["Id"])
    assert described["Status"] == "CREATE_COMPLETE"
    assert {change["ResourceChange"]["Action"] for change in described["Changes"]} == {"Add"}
    assert len(described["Changes"]) == 4
    assert "TemplateBody" not in client.get_template(StackName="app")
    of_change_set = client.get_template(ChangeSetName=made["Id"])["TemplateBody"]
    client.execute_change_set(ChangeSetName=made["Id"])
    stack = settled(client, "app")
    assert client.get_template(StackName="app")["TemplateBody"] == of_change_set
    assert stack["StackStatus"] == "CREATE_COMPLETE", statuses(client, "app")
    url = urlsplit(outputs(stack)["Url"])
    request = urllib.request.Request(platform.endpoint, headers={"Host": url.netloc})
    assert url.port == urlsplit(platform.endpoint).port
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.read() == b"hello"
    order = statuses(client, "app")
    assert order[0] == ("app", "REVIEW_IN_PROGRESS")
    assert order[-1] == ("app", "CREATE_COMPLETE")
    assert order.index(("Role", "CREATE_COMPLETE")) < order.index(
        ("Function", "CREATE_IN_PROGRESS")
    )
    name = client.describe_stack_resource(StackName="app", LogicalResourceId="Function")[
        "StackResourceDetail"
    ]["PhysicalResourceId"]
    assert name.startswith("app-Function-")
    assert lambdas.list_tags(Resource=outputs(stack)["Arn"])["Tags"]["team"] == "blue"

    unchanged = client.create_change_set(
        StackName="app",
        ChangeSetName="same",
        UsePreviousTemplate=True,
        Capabilities=CAPABILITIES,
    )
    described = client.describe_change_set(ChangeSetName=unchanged["Id"])
    assert described["Status"] == "FAILED"
    assert described["StatusReason"].startswith("The submitted information didn't contain changes.")
    again = {"StackName": "app", "UsePreviousTemplate": True, "Capabilities": CAPABILITIES}
    code = ("ValidationError", "No updates are to be performed.")
    assert refusal(client.update_stack, **again) == code

    greeting = [{"ParameterKey": "Greeting", "ParameterValue": "bonjour"}]
    client.update_stack(**again, Parameters=greeting)
    stack = settled(client, "app")
    assert stack["StackStatus"] == "UPDATE_COMPLETE", statuses(client, "app")
    changed = [id for id, status in statuses(client, "app") if status == "UPDATE_COMPLETE"]
    assert changed == ["Function", "app"]
    wait_for(
        lambda: json.load(lambdas.invoke(FunctionName=name)["Payload"]) == "bonjour",
        "the function has the new variable",
    )
    assert client.list_exports()["Exports"][0]["Name"] == "app-arn"

    client.delete_stack(StackName="app")
    stack = settled(client, stack["StackId"])
    assert stack["StackStatus"] == "DELETE_COMPLETE", statuses(client, stack["StackId"])
    assert refusal(client.describe_stacks, StackName="app")[1] == "Stack with id app does not exist"
    assert refusal(lambdas.get_function, FunctionName=name)[0] == "ResourceNotFoundException"
    roles = platform.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if role["RoleName"].startswith("app-Role")]


def test_a_stack_that_cannot_be_made_is_rolled_back(platform: Platform, client: Any) -> None:
    """A function whose role is none fails, and what was made before is deleted."""
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": TRUST},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "DependsOn": "Role",
                "Properties": {
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": f"arn:aws:iam::{ACCOUNT}:role/any",
                    "Timeout": 9999,
                    "Code": {"ZipFile": "def handler(event, context): pass"},
                },
            },
        }
    }
    client.create_stack(
        StackName="bad", TemplateBody=json.dumps(template), Capabilities=CAPABILITIES
    )
    stack = settled(client, "bad")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("Function", "CREATE_FAILED") in statuses(client, "bad")
    roles = platform.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if role["RoleName"].startswith("bad-")]
    refused = refusal(client.update_stack, StackName="bad", TemplateBody=json.dumps(template))
    assert "is in ROLLBACK_COMPLETE state and can not be updated." in refused[1]
    client.delete_stack(StackName="bad")
    settled(client, stack["StackId"])


def test_bad_requests_are_refused(client: Any) -> None:
    """In AWS's words, and without a stack."""
    unknown = ("AWS::Nothing::Here", "AWS::EC2::Instance", "AWS::Nothing::Here")
    queue = json.dumps(
        {
            "Resources": {
                "Bad": {"Type": "AWS::SSM::Parameter", "Properties": {"Strange": 1}},
                **{f"A{n}": {"Type": type} for n, type in enumerate(unknown)},
            }
        }
    )
    listed = "Unrecognized resource types: [AWS::Nothing::Here, AWS::EC2::Instance]"
    for template, code, message in (
        (queue, "ValidationError", listed),
        ("{", "ValidationError", "Template format error: JSON not well-formed."),
        (TEMPLATE, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"),
        ("x" * 60_000, "ValidationError", "less than or equal to 51200"),
    ):
        refused = refusal(client.create_stack, StackName="none", TemplateBody=template)
        assert refused[0] == code
        assert message in refused[1]
    refused = refusal(client.create_stack, StackName="1x", TemplateBody=TEMPLATE)
    assert "[a-zA-Z][-a-zA-Z0-9]*" in refused[1]
    missing = ("ValidationError", "Stack [none] does not exist")
    assert refusal(client.describe_stack_events, StackName="none") == missing
    refused = refusal(client.describe_change_set, StackName="none", ChangeSetName="x")
    assert refused == missing
    client.delete_stack(StackName="none")


def parameter(value: Any, **more: Any) -> dict[str, Any]:
    """A template with one resource."""
    properties = {"Type": "String", "Value": value}
    return {"Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": properties}}, **more}


LONG = {"Parameters": {"Long": {"Type": "String", "Default": "x" * 4000}}}
HOSTILE = {
    "an alias bomb": (
        "\n".join(
            ["a0: &a0 [x, x, x, x]"]
            + [f"a{n}: &a{n} [{', '.join(4 * [f'*a{n - 1}'])}]" for n in range(1, 30)]
        ),
        "values",
    ),
    "10,000 lists": ("A: " + "[" * 10_000, "nested deeper"),
    "thousands of functions": (
        '{"Resources": {"A": {"Type": "T", "Properties": {"P": ' + '{"Fn::Base64": ' * 3000,
        "nested too deeply",
    ),
    "a huge join": (
        json.dumps(parameter({"Fn::Join": ["", [{"Ref": "Long"}] * 2600]}, **LONG)),
        "more than",
    ),
    "a huge text": (json.dumps(parameter({"Fn::Sub": "${Long}" * 5000}, **LONG)), "more than"),
    "a cycle": (json.dumps(parameter({"Ref": "A"})), "Circular dependency between resources: [A]"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_are_refused(platform: Platform, client: Any, name: str) -> None:
    """Soon, with what is wrong, and the platform goes on."""
    body, message = HOSTILE[name]
    assert len(body) < 51_200
    refused = refusal(client.create_stack, StackName="hostile", TemplateBody=body)
    assert refused[0] == "ValidationError"
    assert message in refused[1], refused
    assert len(refused[1]) < 5_000
    assert refusal(client.describe_stacks, StackName="hostile")[0] == "ValidationError"


CUSTOM = """
Parameters:
  Word: {Type: String}
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
          import json, urllib.request
          def handler(event, context):
              word = event["ResourceProperties"]["Word"]
              answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
              answer["Status"] = "FAILED" if word == "bad" else "SUCCESS"
              answer["Reason"] = "It is bad."
              answer["PhysicalResourceId"] = "thing-" + word
              answer["Data"] = {"Said": word + " " + event["RequestType"]}
              print(event["RequestType"], event.get("PhysicalResourceId"))
              url, body = event["ResponseURL"], json.dumps(answer).encode()
              request = urllib.request.Request(url, body, {"Content-Type": ""}, method="PUT")
              print(urllib.request.urlopen(request, timeout=10).status)
  Thing:
    Type: Custom::Thing
    Properties: {ServiceToken: !GetAtt Maker.Arn, Word: !Ref Word, Number: 1}
Outputs:
  Said: {Value: !GetAtt Thing.Said}
  Id: {Value: !Ref Thing}
"""


def test_a_custom_resource_is_made_by_a_function(platform: Platform, client: Any) -> None:
    """Its id and its data are known to the stack; another id on an update means that the old one
    is deleted; a failure is rolled back."""
    params = {"StackName": "custom", "TemplateBody": CUSTOM, "Capabilities": CAPABILITIES}

    def word(text: str) -> list[dict[str, str]]:
        return [{"ParameterKey": "Word", "ParameterValue": text}]

    client.create_stack(**params, Parameters=word("one"))
    stack = settled(client, "custom")
    assert stack["StackStatus"] == "CREATE_COMPLETE", statuses(client, "custom")
    assert outputs(stack) == {"Said": "one Create", "Id": "thing-one"}
    client.update_stack(**params, Parameters=word("two"))
    stack = settled(client, "custom")
    assert stack["StackStatus"] == "UPDATE_COMPLETE", statuses(client, "custom")
    assert outputs(stack) == {"Said": "two Update", "Id": "thing-two"}
    client.update_stack(**params, Parameters=word("bad"))
    stack = settled(client, "custom")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", statuses(client, "custom")
    client.delete_stack(StackName="custom")
    assert settled(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    (group,) = [
        group["logGroupName"]
        for group in platform.client("logs").describe_log_groups()["logGroups"]
        if "custom-Maker" in group["logGroupName"]
    ]
    lines = platform.client("logs").filter_log_events(logGroupName=group)["events"]
    said = [line["message"].strip() for line in lines if "thing-" in line["message"]]
    assert said == [
        "Update thing-one",
        "Delete thing-one",
        "Update thing-two",
        "Update thing-two",
        "Delete thing-two",
    ]


MARKED = """
Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: marked, ProtocolType: HTTP}}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      {ApiId: !Ref Api, IntegrationType: HTTP_PROXY, IntegrationMethod: GET,
       IntegrationUri: "https://example.com", PayloadFormatVersion: "1.0"}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: $default, Target: !Sub "integrations/${Integration}"}
  Deployment:
    Type: AWS::ApiGatewayV2::Deployment
    DependsOn: Route
    Properties: {ApiId: !Ref Api}
  Layer:
    Type: AWS::Lambda::LayerVersion
    Properties: {LayerName: marked, Content: {S3Bucket: marked, S3Key: layer.zip}}
Outputs:
  Api: {Value: !Ref Api}
"""


def test_marks_of_steps_are_not_shown(platform: Platform, client: Any) -> None:
    """A stack knows its layer versions and deployments by marks that no response has."""
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="marked")
    s3.put_object(Bucket="marked", Key="layer.zip", Body=zip_of({"python/a.py": ""}))
    client.create_stack(StackName="marked", TemplateBody=MARKED)
    stack = settled(client, "marked")
    assert stack["StackStatus"] == "CREATE_COMPLETE", statuses(client, "marked")
    api = outputs(stack)["Api"]
    for path in (f"v2/apis/{api}/deployments", "2018-10-31/layers/marked/versions"):
        with urllib.request.urlopen(f"{platform.endpoint}/{path}", timeout=20) as response:
            shown = response.read().decode()
        assert "reatedDate" in shown
        assert "token" not in shown.lower()
    client.delete_stack(StackName="marked")
    assert settled(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    s3.delete_object(Bucket="marked", Key="layer.zip")
    s3.delete_bucket(Bucket="marked")


SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
          def handler(event, context):
              return {"statusCode": 200, "body": "hello " + event["rawPath"]}
      Events:
        Get: {Type: HttpApi, Properties: {Path: /greet, Method: GET}}
Outputs:
  Api: {Value: !Sub "${ServerlessHttpApi}.execute-api.${AWS::Region}.localhost"}
"""


def test_a_killed_platform_goes_on_with_its_stacks(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """A serverless API is deployed by a platform that is killed in the middle."""
    platform = start_platform(tmp_path / "data")
    client = platform.client("cloudformation")
    needed = ["CAPABILITY_AUTO_EXPAND"]
    code, message = refusal(
        client.create_stack, StackName="sam", TemplateBody=SAM, Capabilities=CAPABILITIES
    )
    assert (code, message) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
    )
    client.create_stack(StackName="sam", TemplateBody=SAM, Capabilities=[*CAPABILITIES, *needed])
    wait_for(lambda: len(statuses(client, "sam")) > 3, "the first resource is made")
    platform.kill()
    platform = start_platform(tmp_path / "data")
    client = platform.client("cloudformation")
    stack = settled(client, "sam")
    assert stack["StackStatus"] == "CREATE_COMPLETE", statuses(client, "sam")
    request = urllib.request.Request(
        f"{platform.endpoint}/greet", headers={"Host": outputs(stack)["Api"]}
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.read() == b"hello /greet"
    assert len(platform.client("lambda").list_functions()["Functions"]) == 1
    assert len(platform.client("apigatewayv2").get_apis()["Items"]) == 1
    client.delete_stack(StackName="sam")
    stack = settled(client, stack["StackId"])
    assert stack["StackStatus"] == "DELETE_COMPLETE", statuses(client, stack["StackId"])
    assert platform.client("apigatewayv2").get_apis()["Items"] == []
    assert platform.client("iam").list_roles()["Roles"] == []
