"""Chalice, unmodified: `chalice package`, and the AWS CLI deploys what it has written."""

import sys
from pathlib import Path

import pytest

from .tools import AWS, INSTALLED, Platform, Project

APP = """
import os
from chalice import Chalice, Rate

app = Chalice(app_name="boxes")

@app.route("/boxes/{number}")
def box(number):
    return {"box": number, "of": os.environ["WHO"]}

@app.on_sqs_message(queue="boxes", batch_size=1)
def hears(event):
    for record in event:
        print("heard", record.body)

@app.schedule(Rate(1, unit=Rate.HOURS))
def hourly(event):
    pass
"""
CONFIG = """
{"version": "2.0", "app_name": "boxes", "stages": {"dev": {
  "api_gateway_stage": "api", "environment_variables": {"WHO": "me"}}}}
"""


@pytest.fixture
def project(platform: Platform, tmp_path: Path) -> Project:
    made = Project(tmp_path, platform)
    made.write(app__py=APP, requirements__txt="")
    (made.directory / ".chalice").mkdir()
    (made.directory / ".chalice" / "config.json").write_text(CONFIG)
    made.wait_briefly("cloudformation", "2010-05-15")
    return made


def test_a_package_of_chalice_is_deployed(project: Project) -> None:
    """Its REST API, its queue and its schedule are in the stack."""
    client = project.platform.client
    client("sqs").create_queue(QueueName="boxes", Attributes={"VisibilityTimeout": "60"})
    client("s3").create_bucket(Bucket="packages-of-chalice")
    chalice = [sys.executable, "-c", "from chalice.cli import main; main()"]
    project.run([*chalice, "package", "out"], PYTHONPATH=str(INSTALLED / "chalice"))
    cloudformation = [AWS, "cloudformation"]
    packed = ("--s3-bucket", "packages-of-chalice", "--output-template-file", "packed.json")
    project.run([*cloudformation, "package", "--template-file", "out/sam.json", *packed])
    stack = ("--stack-name", "chalice-app")
    deploy = ("deploy", *stack, "--template-file", "packed.json")
    capabilities = ("--capabilities", "CAPABILITY_IAM")
    project.run([*cloudformation, *deploy, *capabilities])

    made = project.outputs("chalice-app")
    assert project.get(f"{made['EndpointURL']}boxes/7") == {"box": "7", "of": "me"}
    resources = client("cloudformation").list_stack_resources(StackName="chalice-app")
    named = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in resources["StackResourceSummaries"]
    }
    url = client("sqs").get_queue_url(QueueName="boxes")["QueueUrl"]
    project.sends(url, named["Hears"], "a box")
    rules = client("events").list_rule_names_by_target(TargetArn=project.arn(named["Hourly"]))
    assert rules["RuleNames"]

    project.run([*cloudformation, "delete-stack", *stack])
    project.run([*cloudformation, "wait", "stack-delete-complete", *stack])
    assert project.is_gone("chalice-app")
    functions = client("lambda").list_functions()["Functions"]
    assert not [f for f in functions if f["FunctionName"].startswith("chalice-app-")]
    client("sqs").delete_queue(QueueUrl=url)
