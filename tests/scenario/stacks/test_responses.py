"""The modules that AWS publishes for custom resources, unmodified: a function brings its own."""

import json

import pytest

from tests.platforms import ACCOUNT, Platform, deploy, log_lines, wait_for
from tests.scenario.test_stacks import outputs, settled, statuses

from .tools import INSTALLED

PYTHON = """
import cfnresponse

def handler(event, context):
    word = event["ResourceProperties"]["Word"]
    status = cfnresponse.FAILED if word == "bad" else cfnresponse.SUCCESS
    cfnresponse.send(event, context, status, {"Said": word}, f"thing-{word}")
"""
NODE = """
const response = require('cfn-response');
exports.handler = function (event, context) {
  const word = event.ResourceProperties.Word;
  const status = word === 'bad' ? response.FAILED : response.SUCCESS;
  response.send(event, context, status, { Said: word }, `thing-${word}`);
};
"""
OF_PYTHON = "cfnresponse/__init__.py"
OF_NODE = "node_modules/cfn-response/index.js"


def body(runtime: str, word: str) -> str:
    token = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:responds-{runtime}"
    thing = {"Type": "Custom::Thing", "Properties": {"ServiceToken": token, "Word": word}}
    shown = {"Said": {"Value": {"Fn::GetAtt": ["Thing", "Said"]}}}
    shown["Id"] = {"Value": {"Ref": "Thing"}}  # type: ignore[dict-item]
    return json.dumps({"Resources": {"Thing": thing}, "Outputs": shown})


@pytest.mark.parametrize("runtime", ["python", "node"])
def test_a_custom_resource(platform: Platform, runtime: str) -> None:
    """Made, replaced, failed and deleted, each by a response over https:443."""
    lambdas, stacks = platform.client("lambda"), platform.client("cloudformation")
    name = f"responds-{runtime}"
    if runtime == "python":
        module = (INSTALLED / "responses" / OF_PYTHON).read_text()
        deploy(lambdas, name, {"app.py": PYTHON, OF_PYTHON: module})
    else:
        module = (INSTALLED / "responses-node" / OF_NODE).read_text()
        files = {"index.js": NODE, OF_NODE: module}
        deploy(lambdas, name, files, Runtime="nodejs20.x", Handler="index.handler")
    stacks.create_stack(StackName=name, TemplateBody=body(runtime, "one"))
    made = settled(stacks, name)
    assert made["StackStatus"] == "CREATE_COMPLETE", statuses(stacks, name)
    assert outputs(made) == {"Said": "one", "Id": "thing-one"}
    stacks.update_stack(StackName=name, TemplateBody=body(runtime, "two"))
    assert outputs(settled(stacks, name)) == {"Said": "two", "Id": "thing-two"}
    stacks.update_stack(StackName=name, TemplateBody=body(runtime, "bad"))
    assert settled(stacks, name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    stacks.delete_stack(StackName=name)
    assert settled(stacks, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"

    def accepted() -> bool:
        lines = log_lines(platform, name)
        taken = [line for line in lines if "Status code:" in line]
        return len(taken) >= 6 and all(line.strip().endswith("200") for line in taken)

    wait_for(accepted, "six responses are logged, and all were accepted")
    lambdas.delete_function(FunctionName=name)
