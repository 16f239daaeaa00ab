"""Chalice, unmodified: `chalice package`, and the AWS CLI deploys what it has written; and
`chalice deploy` of functions of every event. `apis/test_chalice.py` has its APIs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.platforms import log_lines, wait_for
from tests.scenario.apis.test_chalice import wait_briefly

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


LISTENERS = """
from chalice import Chalice, CognitoUserPoolAuthorizer, Rate

app = Chalice(app_name="ears")
people = CognitoUserPoolAuthorizer("people", provider_arns=["POOL"])

@app.route("/me", authorizer=people)
def me():
    return app.current_request.context["authorizer"]["claims"]["cognito:username"]

@app.schedule(Rate(1, unit=Rate.HOURS))
def hourly(event):
    pass

@app.on_cw_event({"source": ["of.chalice"]})
def rule(event):
    print("heard VERSION", event.detail["text"])

@app.on_sqs_message(queue="ears", batch_size=1)
def queue(event):
    for record in event:
        print("heard VERSION", record.body)

@app.on_sns_message(topic="ears")
def topic(event):
    print("heard VERSION", event.message)

@app.on_s3_event(bucket="ears-of-chalice", events=["s3:ObjectCreated:*"])
def bucket(event):
    print("heard VERSION", event.key)

@app.on_kinesis_record(stream="ears", starting_position="TRIM_HORIZON")
def stream(event):
    for record in event:
        print("heard VERSION", record.data.decode())

@app.on_dynamodb_record(stream_arn="TABLE", starting_position="TRIM_HORIZON")
def table(event):
    for record in event:
        print("heard VERSION", record.new_image["id"]["S"])
"""


def test_chalice_deploys_functions_of_every_event(project: Project, tmp_path: Path) -> None:
    """They are called, changed by the next deployment, and gone after `chalice delete`."""
    client = project.platform.client
    sources = make_sources(client)
    wait_briefly(tmp_path / "brief")

    def chalice(command: str, version: int = 1) -> None:
        text = LISTENERS.replace("VERSION", str(version))
        for name in ("POOL", "TABLE"):
            text = text.replace(name, sources[name])
        project.write(app__py=text)
        project.run(
            [sys.executable, "-c", "from chalice.cli import main; main()", command],
            PYTHONPATH=str(INSTALLED / "chalice"),
            AWS_DATA_PATH=str(tmp_path / "brief" / ".aws" / "models"),
        )

    (project.directory / ".chalice" / "config.json").write_text(
        '{"version": "2.0", "app_name": "ears", "stages": {"dev": {}}}'
    )
    send: dict[str, Callable[[str], Any]] = {
        "rule": lambda text: client("events").put_events(
            Entries=[
                {
                    "Source": "of.chalice",
                    "DetailType": "d",
                    "Detail": json.dumps({"text": text}),
                }
            ]
        ),
        "queue": lambda text: client("sqs").send_message(
            QueueUrl=sources["QUEUE"], MessageBody=text
        ),
        "topic": lambda text: client("sns").publish(TopicArn=sources["TOPIC"], Message=text),
        "bucket": lambda text: client("s3").put_object(
            Bucket="ears-of-chalice", Key=text, Body=b""
        ),
        "stream": lambda text: client("kinesis").put_record(
            StreamName="ears", Data=text.encode(), PartitionKey="p"
        ),
        "table": lambda text: client("dynamodb").put_item(
            TableName="ears", Item={"id": {"S": text}}
        ),
    }
    for version in (1, 2):
        chalice("deploy", version)
        for text in send.values():
            text(f"text-{version}")
        heard = f"heard {version} text-{version}"
        for name in send:
            has_heard(project.platform, f"ears-dev-{name}", heard)
    written = json.loads((project.directory / ".chalice" / "deployed" / "dev.json").read_text())
    api = next(each for each in written["resources"] if each["name"] == "rest_api")
    url = f"{project.platform.endpoint}/_lambent/api/{api['rest_api_id']}/api/me"
    assert requests.get(url, timeout=60).status_code == 401
    assert requests.get(url, headers={"Authorization": sources["TOKEN"]}, timeout=60).text == "ann"

    chalice("delete")
    functions = client("lambda").list_functions()["Functions"]
    assert not [f for f in functions if f["FunctionName"].startswith("ears-")]
    mappings = client("lambda").list_event_source_mappings
    wait_for(
        lambda: ":ears-" not in str(mappings()["EventSourceMappings"]), "the mappings are gone"
    )
    rules = client("events").list_rules()["Rules"]
    assert not [rule for rule in rules if rule["Name"].startswith("ears-")]


def has_heard(platform: Platform, function: str, text: str) -> None:
    """Wait until a function has printed a text."""
    wait_for(
        lambda: any(text in line for line in log_lines(platform, function)), f"{function}: {text}"
    )


def make_sources(client: Callable[[str], Any]) -> dict[str, str]:
    """What the functions listen to, and a person's token: by the words that stand for them."""
    client("s3").create_bucket(Bucket="ears-of-chalice")
    client("kinesis").create_stream(StreamName="ears", ShardCount=1)
    table = client("dynamodb").create_table(
        TableName="ears",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    pools = client("cognito-idp")
    pool = pools.create_user_pool(PoolName="people")["UserPool"]
    app = pools.create_user_pool_client(
        UserPoolId=pool["Id"],
        ClientName="app",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    person = {"UserPoolId": pool["Id"], "Username": "ann"}
    pools.admin_create_user(**person, MessageAction="SUPPRESS")
    pools.admin_set_user_password(**person, Password="Passw0rd!x", Permanent=True)
    tokens = pools.admin_initiate_auth(
        UserPoolId=pool["Id"],
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Passw0rd!x"},
    )["AuthenticationResult"]
    queue = client("sqs").create_queue(QueueName="ears", Attributes={"VisibilityTimeout": "60"})
    return {
        "POOL": pool["Arn"],
        "TABLE": table["TableDescription"]["LatestStreamArn"],
        "QUEUE": queue["QueueUrl"],
        "TOPIC": client("sns").create_topic(Name="ears")["TopicArn"],
        "TOKEN": tokens["IdToken"],
    }
