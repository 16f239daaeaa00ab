"""The SAM CLI, unmodified: from the first deployment to the deletion."""

import json
from collections.abc import Callable

import pytest

from .tools import Platform, Project

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Who: {Type: String, Default: world}}
Globals: {Function: {Runtime: PYTHON_VERSION, Handler: app.handler, CodeUri: .}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {WHO: !Ref Who}}
      Events: {Get: {Type: HttpApi, Properties: {Path: /hello, Method: get}}}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      Events: {Read: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}
  Queue:
    Type: AWS::SQS::Queue
Outputs:
  Url: {Value: !Sub "${ServerlessHttpApi.ApiEndpoint}/hello"}
  Queue: {Value: !Ref Queue}
  Reader: {Value: !Ref Reader}
"""
APP = """
import os

def handler(event, context):
    print("received", event)
    return {"hello": os.environ.get("WHO"), "name": event.get("name")}
"""
STACK = ("--stack-name", "sam-app")


@pytest.fixture
def project(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("sam"), platform)
    made.write(template__yaml=TEMPLATE, app__py=APP)
    return made


def test_from_the_first_deployment_to_the_deletion(
    project: Project, sam: Callable[..., str]
) -> None:
    """An HTTP API and a queue call functions; a parameter changes one of them in place."""
    deploy = ("deploy", *STACK, "--resolve-s3", "--capabilities", "CAPABILITY_IAM")
    printed = sam(*deploy)
    assert "Successfully created/updated stack - sam-app" in printed
    made = project.outputs("sam-app")
    assert project.get(made["Url"])["hello"] == "world"
    assert made["Queue"].startswith(project.platform.endpoint)
    project.sends(made["Queue"], made["Reader"], "from the queue")
    assert "No changes to deploy" in sam(*deploy, "--no-fail-on-empty-changeset")

    printed = sam(*deploy, "--parameter-overrides", "Who=you")
    assert "Modify" in printed
    assert project.outputs("sam-app") == made
    assert project.get(made["Url"])["hello"] == "you"

    listed = json.loads(sam("list", "resources", *STACK, "--output", "json"))
    assert "ServerlessHttpApi" in [resource["LogicalResourceId"] for resource in listed]
    printed = sam("remote", "invoke", *STACK, "--event", '{"name": "sam"}', "Hello")
    assert '{"hello": "you", "name": "sam"}' in printed
    assert "from the queue" in sam("logs", *STACK, "--name", "Reader")

    sam("delete", *STACK, "--no-prompts")
    assert project.is_gone("sam-app")
    functions = project.platform.client("lambda").list_functions()["Functions"]
    assert not [f for f in functions if f["FunctionName"].startswith("sam-app-")]
