"""Macros: functions of the account that rewrite templates, and snippets of S3 in templates."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, Platform
from tests.scenario.test_stacks import CAPABILITIES, outputs, refusal, settled, statuses

MACROS = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {Service: lambda.amazonaws.com}}
  Rewriter:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          def handler(event, context):
              fragment, params = event["fragment"], event["params"]
              answer = {"requestId": event["requestId"], "status": "success"}
              match params.get("Do"):
                  case "word":
                      fragment = fragment | {"Value": params["Word"] + "!"}
                  case "event":
                      event.pop("requestId")
                      fragment = fragment | {"Value": __import__("json").dumps(event)}
                  case "fail":
                      answer |= {"status": "failure", "errorMessage": "It is bad."}
                  case "silent":
                      answer["status"] = "no"
                  case "raise":
                      raise ValueError
                  case "stranger":
                      answer["requestId"] = "x"
                  case "text":
                      return "no object"
                  case "nan":
                      fragment = {"Value": float("nan")}
                  case "again":
                      fragment = {"Fn::Transform": {"Name": "Inner"}}
                  case "large":
                      fragment = {"Value": "x" * 3_000_000}
                  case "deep":
                      for _ in range(200):
                          fragment = {"x": fragment}
                  case _:
                      trace = fragment.get("Metadata", {}).get("Trace", "")
                      name = event["transformId"].rpartition("::")[2]
                      fragment["Metadata"] = {"Trace": trace + name}
                      if isinstance(fragment["Resources"], list):
                          fragment["Resources"] = {
                              name: {"Type": "AWS::SSM::Parameter", "Properties": {
                                  "Type": "String", "Value": trace or "none"}}
                              for name in fragment["Resources"]
                          }
              return answer | {"fragment": fragment}
  Outer:
    Type: AWS::CloudFormation::Macro
    Properties: {Name: Outer, FunctionName: !GetAtt Rewriter.Arn}
  Inner:
    Type: AWS::CloudFormation::Macro
    Properties: {Name: Inner, FunctionName: !Ref Rewriter, Description: d}
"""
LISTED = """
Transform: [Outer, Inner, AWS::LanguageExtensions]
Parameters: {Word: {Type: String, Default: hello}, Many: {Type: CommaDelimitedList, Default: "a,b"}}
Resources: [One, Two]
Outputs:
  "Fn::ForEach::All":
    - Each
    - [One, Two]
    - "Name${Each}":
        Value: !Ref "${Each}"
  Word:
    Fn::Transform: {Name: Inner, Parameters: {Do: word, Word: !Sub "${Word} there"}}
  Event:
    Description: d
    Fn::Transform: [{Name: Outer, Parameters: {Do: event}}]
  Included:
    Fn::Transform: {Name: AWS::Include, Parameters: {Location: !Sub "s3://macros/${Word}.yaml"}}
"""


@pytest.fixture(scope="module")
def client(platform: Platform) -> Any:
    client = platform.client("cloudformation")
    client.create_stack(StackName="macros", TemplateBody=MACROS, Capabilities=CAPABILITIES)
    assert settled(client, "macros")["StackStatus"] == "CREATE_COMPLETE", statuses(client, "macros")
    buckets = platform.client("s3")
    buckets.create_bucket(Bucket="macros")
    buckets.put_object(Bucket="macros", Key="hello.yaml", Body=b"Value: !Ref Word\nDescription: i")
    buckets.put_object(Bucket="macros", Key="bad.yaml", Body=b"[1, 2]")
    buckets.put_object(Bucket="macros", Key="twice.yaml", Body=b"Value: 2")
    return client


def test_a_template_is_rewritten(client: Any) -> None:
    """By macros in fragments first, then by those of the section in their order. The processed
    template is kept, and an update begins with the original."""
    params = {"StackName": "rewritten", "TemplateBody": LISTED}
    assert refusal(client.create_stack, **params) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
    )
    made = client.create_change_set(**params, ChangeSetName="first", ChangeSetType="CREATE")
    described = client.describe_change_set(ChangeSetName=made["Id"])
    assert described["Status"] == "CREATE_COMPLETE", described
    client.execute_change_set(ChangeSetName=made["Id"])
    stack = settled(client, "rewritten")
    assert stack["StackStatus"] == "CREATE_COMPLETE", statuses(client, "rewritten")
    found = outputs(stack)
    assert (found["Word"], found["Included"]) == ("hello there!", "hello")
    assert found["NameOne"].startswith("rewritten-One-")
    assert json.loads(found["Event"]) == {
        "region": client.meta.region_name,
        "accountId": ACCOUNT,
        "fragment": {"Description": "d"},
        "transformId": f"{ACCOUNT}::Outer",
        "params": {"Do": "event"},
        "templateParameterValues": {"Word": "hello", "Many": ["a", "b"]},
    }
    processed = client.get_template(StackName="rewritten", TemplateStage="Processed")
    assert processed["TemplateBody"]["Metadata"] == {"Trace": "OuterInner"}
    assert "Transform" not in processed["TemplateBody"]
    original = client.get_template(StackName="rewritten", TemplateStage="Original")
    assert original["TemplateBody"] == LISTED
    summary = client.get_template_summary(StackName="rewritten")
    assert summary["DeclaredTransforms"] == [
        "Outer",
        "Inner",
        "AWS::LanguageExtensions",
        "AWS::Include",
    ]
    client.delete_stack(StackName="rewritten")


FAILURES = [
    ("Inner", {"Do": "fail"}, f"Transform {ACCOUNT}::Inner failed with: It is bad."),
    ("Inner", {"Do": "silent"}, f"Transform {ACCOUNT}::Inner failed without an error message."),
    *(
        ("Inner", {"Do": do}, f"Received malformed response from transform {ACCOUNT}::Inner.")
        for do in ("raise", "stranger", "text", "nan")
    ),
    ("Inner", {"Do": "again"}, "Template error: A macro has returned a template that calls macros"),
    ("Inner", {"Do": "large"}, "The transforms of the template make more than"),
    ("Inner", {"Do": "deep"}, "Template format error: The template is nested deeper than"),
    ("None", {}, f"No transform named {ACCOUNT}::None found."),
    ("AWS::None", {}, "No transform named AWS::None found."),
    ("Inner", {"Word": {"Ref": "Topic"}}, "Parameters of the transform Inner cannot refer to"),
    ("Inner", {"Word": {"a": "b"}}, "The value of parameter Word under transform Inner must"),
    ("AWS::Include", {}, "Transform AWS::Include failed with: The location parameter is not"),
    ("AWS::Include", {"Location": "x"}, "Transform AWS::Include failed with: Location must be"),
    ("AWS::Include", {"Location": "s3://macros/no"}, "Transform AWS::Include failed with: S3"),
    ("AWS::Include", {"Location": "s3://macros/bad.yaml"}, "unsupported structure"),
    ("AWS::Include", {"Location": "s3://macros/twice.yaml"}, "has the member Value, which is"),
    ("AWS::Serverless-2016-10-31", {}, "can only be used in the Transform section"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), FAILURES)
def test_a_transform_that_fails(
    client: Any, name: str, parameters: dict[str, Any], message: str
) -> None:
    """Fails the change set, and refuses the stack, in AWS's words where it has some."""
    call = {"Fn::Transform": {"Name": name, "Parameters": parameters}, "Value": "v"}
    template = json.dumps(
        {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"O": call}}
    )
    params = {"StackName": "failing", "TemplateBody": template}
    try:
        made = client.create_change_set(**params, ChangeSetName="c", ChangeSetType="CREATE")
    except ClientError as error:  # What the macro made is no template.
        assert message in error.response["Error"]["Message"]
    else:
        described = client.describe_change_set(ChangeSetName=made["Id"])
        assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
        assert message in described["StatusReason"]
        assert client.get_template(ChangeSetName=made["Id"])["TemplateBody"] == json.loads(template)
        client.delete_stack(StackName="failing")
        settled(client, made["StackId"])
    capabilities = ["CAPABILITY_AUTO_EXPAND"]
    code, said = refusal(client.create_stack, **params, Capabilities=capabilities)
    assert (code, message in said) == ("ValidationError", True), said


def test_calls_of_macros_are_bounded(client: Any) -> None:
    call = {"Fn::Transform": {"Name": "Inner", "Parameters": {"Do": "word", "Word": "w"}}}
    template = json.dumps({"Resources": {"A": [call] * 101}})
    params = {"StackName": "many", "TemplateBody": template}
    _, said = refusal(client.create_stack, **params, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert said == "The template calls macros more than 100 times."


def test_names_of_macros_are_unique(client: Any) -> None:
    """A stack does not take the macro of another one."""
    macro = {
        "Type": "AWS::CloudFormation::Macro",
        "Properties": {"Name": "Outer", "FunctionName": "other"},
    }
    template = json.dumps({"Resources": {"M": macro}})
    stack = client.create_stack(StackName="second", TemplateBody=template)["StackId"]
    assert settled(client, stack)["StackStatus"] == "ROLLBACK_COMPLETE"
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    assert any(
        "identifier 'Outer' already exists" in e.get("ResourceStatusReason", "") for e in events
    )
    client.delete_stack(StackName=stack)
    params = {"StackName": "rewritten", "TemplateBody": LISTED}
    made = client.create_change_set(**params, ChangeSetName="again", ChangeSetType="CREATE")
    assert client.describe_change_set(ChangeSetName=made["Id"])["Status"] == "CREATE_COMPLETE"
    client.delete_stack(StackName="rewritten")
