"""Services of the emulator that act with a role, on a strict platform: the role must trust the
service and may invoke the function, as in AWS; and who names it must be allowed to pass it."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import ACCOUNT, deploy, wait_for
from .functions_api import refusal
from .strict_services import allow
from .test_identity import Strict

PLACE = f"us-east-1:{ACCOUNT}"
TELLS = """
import base64
def handler(event, context):
    if isinstance(event, list):
        print("CALLED", event[0]["dynamodb"]["NewImage"]["id"]["S"])
    elif "deliveryStreamArn" in event:
        (record,) = event["records"]
        print("CALLED", base64.b64decode(record["data"]).decode())
        return {"records": [{**record, "result": "Ok"}]}
    else:
        print("CALLED", event["from"])
"""
Use = Callable[[Strict, str, str, str], Any]
"""Has the service call a function, with a role; returns what waits for the refusal."""


def a_pipe(strict: Strict, name: str, function: str, role: str) -> Any:
    """A pipe from a table to the function."""
    tables = strict.client("dynamodb")
    made = tables.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    strict.client("pipes").create_pipe(
        Name=name,
        RoleArn=role,
        Source=made["TableDescription"]["LatestStreamArn"],
        Target=function,
        SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}},
    )
    tables.put_item(TableName=name, Item={"id": {"S": name}})
    return lambda: "AccessDenied" in strict.client("pipes").describe_pipe(Name=name)["StateReason"]


def a_state_machine(strict: Strict, name: str, function: str, role: str) -> Any:
    """An execution whose task is the function."""
    states = strict.client("stepfunctions")
    task = {"Type": "Task", "Resource": function, "Parameters": {"from": name}, "End": True}
    machine = states.create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "A", "States": {"A": task}}),
        roleArn=role,
    )["stateMachineArn"]
    run = states.start_execution(stateMachineArn=machine)["executionArn"]
    return lambda: states.describe_execution(executionArn=run)["status"] == "FAILED"


def a_delivery_stream(strict: Strict, name: str, function: str, role: str) -> Any:
    """A stream whose records the function transforms."""
    s3, firehose = strict.client("s3"), strict.client("firehose")
    s3.create_bucket(Bucket=name)
    parameters = [{"ParameterName": "LambdaArn", "ParameterValue": function}]
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": f"arn:aws:s3:::{name}",
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [{"Type": "Lambda", "Parameters": parameters}],
            },
        },
    )
    firehose.put_record(DeliveryStreamName=name, Record={"Data": name.encode()})

    def is_refused() -> bool:
        listed = s3.list_objects_v2(Bucket=name).get("Contents", [])
        return any(
            json.loads(s3.get_object(Bucket=name, Key=each["Key"])["Body"].read())["errorCode"]
            == "Lambda.InvokeAccessDenied"
            for each in listed
        )

    return is_refused


USES = {
    "pipes": (a_pipe, f"arn:aws:pipes:{PLACE}:pipe/"),
    "states": (a_state_machine, f"arn:aws:states:{PLACE}:stateMachine:"),
    "firehose": (a_delivery_stream, f"arn:aws:firehose:{PLACE}:deliverystream/"),
}


def a_role(strict: Strict, name: str, service: str, source: str, function: str | None) -> str:
    """A role that a service may assume for a resource, and that may invoke a function."""
    iam = strict.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:SourceArn": source}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if function is not None:
        statement = allow("lambda:InvokeFunction", resource=function)
        iam.put_role_policy(
            RoleName=name,
            PolicyName="invokes",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
    return arn


@pytest.mark.parametrize("service", list(USES))
def test_a_service_calls_with_its_role(strict: Strict, service: str) -> None:
    """A role that trusts another resource, or another service, or may not invoke the function leads
    to no call, and the refusal shows; the right one does."""
    use, prefix = USES[service]
    function = f"role-of-{service}"
    arn = deploy(strict.client("lambda"), function, {"app.py": TELLS})["FunctionArn"]
    names = [f"{service}-{kind}" for kind in ("let-in", "elsewhere", "stranger", "powerless")]
    other = "pipes" if service != "pipes" else "states"
    roles = [
        a_role(strict, names[0], service, f"{prefix}{names[0]}", arn),
        a_role(strict, names[1], service, f"{prefix}another", arn),
        a_role(strict, names[2], other, "*", arn),
        a_role(strict, names[3], service, "*", None),
    ]
    refused = [use(strict, name, arn, role) for name, role in zip(names, roles, strict=True)]
    for name, is_refused in zip(names[1:], refused[1:], strict=True):
        wait_for(is_refused, f"the refusal of {name}", deadline_s=30)

    def called() -> set[str]:
        events = strict.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{function}", filterPattern="CALLED"
        )["events"]
        return {event["message"].split()[1] for event in events}

    wait_for(lambda: names[0] in called(), "the call", deadline_s=30)
    assert called() == {names[0]}


@pytest.mark.parametrize("service", list(USES))
def test_roles_are_passed_by_those_who_may(strict: Strict, service: str) -> None:
    """The right to make the resource is not enough."""
    use = USES[service][0]
    name = f"passes-{service}-{uuid.uuid4().hex[:6]}"
    role = a_role(strict, name, service, "*", None)
    actions = (f"{service}:*", "dynamodb:*", "s3:*")
    keys = strict.user(f"makes-{name}", allow(*actions))
    user = _As(strict, keys)
    code, message = refusal(lambda: use(user, name, f"arn:aws:lambda:{PLACE}:function:f", role))
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {role}" in message
    passing = allow("iam:PassRole", resource=role)
    passing["Condition"] = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
    strict.client("iam").put_user_policy(
        UserName=f"makes-{name}",
        PolicyName="passes",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [passing]}),
    )
    use(user, f"{name}-2", f"arn:aws:lambda:{PLACE}:function:f", role)


class _As(Strict):
    """The platform as another user sees it."""

    def __init__(self, strict: Strict, keys: dict[str, str]) -> None:
        self.platform = strict.platform
        self.root = keys
