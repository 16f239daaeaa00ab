"""The AWS CLI, unmodified: `aws cloudformation deploy`, from the creation to the deletion."""

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from .tools import AWS, Platform, Project

DATA = Path(str(find_spec("awscli").origin)).with_name("data")  # type: ignore[union-attr]
"""What the AWS CLI reads besides our models."""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Who: {Type: String, Default: world}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: PYTHON_VERSION
      Handler: app.handler
      CodeUri: src
      Environment: {Variables: {WHO: !Ref Who}}
Outputs:
  Name: {Value: !Ref Hello}
"""
APP = """
import os

def handler(event, context):
    return "hello " + os.environ["WHO"]
"""


@pytest.fixture
def project(platform: Platform, tmp_path: Path) -> Project:
    made = Project(tmp_path, platform)
    (made.directory / "src").mkdir()
    made.write(template__yaml=TEMPLATE)
    made.wait_briefly("cloudformation", "2010-05-15")
    (made.directory / "src" / "app.py").write_text(APP)
    return made


@pytest.fixture
def aws(project: Project) -> Callable[..., str]:
    """Runs `aws cloudformation`; returns what it prints."""

    def run(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, AWS, "cloudformation", *arguments]
        return project.run(command, code, AWS_DATA_PATH=f"{project.models}:{DATA}")

    return run


def test_from_the_creation_to_the_deletion(project: Project, aws: Callable[..., str]) -> None:
    """A package is uploaded, a template deployed, a parameter changed, in the end by a file."""
    project.platform.client("s3").create_bucket(Bucket="packages-of-the-cli")
    packed = ("--s3-bucket", "packages-of-the-cli", "--output-template-file", "packed.yaml")
    aws("package", "--template-file", "template.yaml", *packed)
    deploy = ("deploy", "--stack-name", "cli-app", "--template-file", "packed.yaml")
    assert "InsufficientCapabilities" in aws(*deploy, code=255)
    capabilities = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
    deploy = (*deploy, *capabilities)
    assert "Successfully created/updated stack - cli-app" in aws(*deploy)
    name = project.outputs("cli-app")["Name"]
    assert project.invoked(name, {}) == "hello world"

    unchanged = aws(*deploy, "--no-fail-on-empty-changeset")
    assert "No changes to deploy. Stack cli-app is up to date" in unchanged

    stack = ("--stack-name", "cli-app")
    who = "ParameterKey=Who,ParameterValue=you"
    changed = ("--use-previous-template", "--parameters", who)
    aws("update-stack", *stack, *changed, "--capabilities", *capabilities)
    aws("wait", "stack-update-complete", *stack)
    assert project.outputs("cli-app")["Name"] == name
    assert project.invoked(name, {}) == "hello you"
    assert "Hello" in aws("list-stack-resources", *stack)

    (project.directory / "parameters.json").write_text(json.dumps(["Who=everybody"]))
    aws(*deploy, "--parameter-overrides", "file://parameters.json")
    assert project.invoked(name, {}) == "hello everybody"

    aws("delete-stack", *stack)
    aws("wait", "stack-delete-complete", *stack)
    assert project.is_gone("cli-app")
