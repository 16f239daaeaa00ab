"""`lambent deploy template.yaml`, `stacks` and `delete --stack` against a running platform."""

import json
import sys
from pathlib import Path

import pytest

from tests.scenario.conftest import Platform
from tests.scenario.test_cli import run

PYTHON = f"python3.{sys.version_info.minor}"
TEMPLATE = """
Parameters: {Who: {Type: String, Default: world}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Handler: index.handler
      Runtime: RUNTIME
      Role: !GetAtt Role.Arn
      Environment: {Variables: {WHO: !Ref Who}}
      Code:
        ZipFile: |
          import os
          def handler(event, context):
              return "hello " + os.environ["WHO"]
Outputs:
  Name: {Value: !Ref Hello}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template in a directory whose name the stack gets."""
    directory = tmp_path / "my_app"
    directory.mkdir()
    (directory / "template.yaml").write_text(TEMPLATE.replace("RUNTIME", PYTHON))
    return directory


def test_from_deploy_to_delete(platform: Platform, template: Path) -> None:
    """Deploy, deploy without a change, change a parameter, list, delete."""
    deployed = run(platform, "deploy", str(template), "--json")
    assert deployed.returncode == 0, deployed.stderr
    stack = json.loads(deployed.stdout)
    assert (stack["StackName"], stack["StackStatus"]) == ("my-app", "CREATE_COMPLETE")
    (output,) = stack["Outputs"]
    function = output["OutputValue"]
    assert json.loads(run(platform, "invoke", function).stdout) == "hello world"

    again = run(platform, "deploy", str(template / "template.yaml"))
    assert again.returncode == 0, again.stderr
    assert "my-app has no changes" in again.stderr

    changed = run(platform, "deploy", str(template), "--param", "Who=you")
    assert changed.returncode == 0, changed.stderr
    assert "Modify   Hello" in changed.stdout
    assert "UPDATE_COMPLETE" in changed.stderr
    assert json.loads(run(platform, "invoke", function).stdout) == "hello you"

    listed = json.loads(run(platform, "stacks", "--json").stdout)
    assert "my-app" in [stack["StackName"] for stack in listed]
    deleted = run(platform, "delete", "my-app", "--stack")
    assert deleted.returncode == 0, deleted.stderr
    assert run(platform, "invoke", function).returncode == 1


def test_a_stack_that_fails(platform: Platform, template: Path) -> None:
    """Is rolled back, with the cause on the last line; the next deployment begins again."""
    file = template / "template.yaml"
    good = file.read_text()
    file.write_text(
        good.replace("Handler: index.handler", "Handler: index.handler\n      Timeout: 0")
    )
    failed = run(platform, "deploy", str(template), "--stack", "failing")
    assert failed.returncode == 1
    assert "failing ended as ROLLBACK_COMPLETE: Hello: " in failed.stderr
    file.write_text(good)
    deployed = run(platform, "deploy", str(template), "--stack", "failing")
    assert deployed.returncode == 0, deployed.stderr
    assert run(platform, "delete", "failing", "--stack").returncode == 0


def test_a_template_that_is_none(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("Resources: [")
    deployed = run(platform, "deploy", str(file), "--stack", "none")
    assert deployed.returncode == 2
    assert "YAML not well-formed" in deployed.stderr
