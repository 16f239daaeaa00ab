"""Functions that call themselves without end are stopped."""

import datetime
import hashlib
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from .conftest import Platform, deploy, wait_for

SOURCE = """
import boto3, json, os
lambda_ = boto3.client("lambda")
def handler(event, context):
    print("turn", event["turn"], os.environ["_X_AMZN_TRACE_ID"])
    if event["turn"] >= 30:
        return "no end"
    lambda_.invoke(
        FunctionName=context.function_name,
        InvocationType=event["type"],
        Payload=json.dumps({**event, "turn": event["turn"] + 1}),
    )
"""


def turns(platform: Platform, name: str) -> int:
    """How often the function has run."""
    logs = platform.client("logs")
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="turn")
    except logs.exceptions.ResourceNotFoundException:
        return 0
    return len(found["events"])


def dropped(platform: Platform, name: str) -> float:
    """How many of its invocations were dropped, by its metric."""
    now = datetime.datetime.now(datetime.UTC)
    found = platform.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="RecursiveInvocationsDropped",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - datetime.timedelta(minutes=10),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


@pytest.mark.timeout(180)
def test_a_loop_is_stopped_unless_it_may_be(platform: Platform, lambda_client: Any) -> None:
    """After 16 times of itself, unless its configuration allows it."""
    deploy(lambda_client, "loops", {"app.py": SOURCE}, MemorySize=1769)
    event = json.dumps({"turn": 1, "type": "Event"})
    lambda_client.invoke(FunctionName="loops", InvocationType="Event", Payload=event)
    wait_for(lambda: dropped(platform, "loops") == 1, "its 17th turn is dropped", deadline_s=60)
    wait_for(lambda: turns(platform, "loops") == 16, "it has run 16 times")
    lambda_client.put_function_recursion_config(FunctionName="loops", RecursiveLoop="Allow")
    lambda_client.invoke(FunctionName="loops", InvocationType="Event", Payload=event)
    wait_for(lambda: turns(platform, "loops") == 46, "it runs 30 times more", deadline_s=100)


def test_synchronous_callers_get_the_error(platform: Platform, lambda_client: Any) -> None:
    """The trace header decides, and it may say anything."""
    deploy(lambda_client, "loop-caller", {"app.py": "def handler(event, context):\n    return 1\n"})
    client = boto3.client(
        "lambda", endpoint_url=platform.endpoint, region_name="us-east-1",
        aws_access_key_id="000000000000", aws_secret_access_key="x",
    )  # fmt: skip
    sent = {"X-Amzn-Trace-Id": ""}

    def put_header(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = sent["X-Amzn-Trace-Id"]

    client.meta.events.register("before-sign.lambda.Invoke", put_header)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:loop-caller"
    own = hashlib.sha256(arn.encode()).hexdigest()[:8]
    for header in ("Root=1-0-0", f"Root=1-0-0;Lineage=1:{own}:14", f"Lineage={own}", ";;;=|"):
        sent["X-Amzn-Trace-Id"] = header
        assert client.invoke(FunctionName="loop-caller")["StatusCode"] == 200
    sent["X-Amzn-Trace-Id"] = f"Root=1-0-0;Lineage=1:{own}:15"
    with pytest.raises(ClientError) as caught:
        client.invoke(FunctionName="loop-caller")
    assert caught.value.response["Error"]["Code"] == "RecursiveInvocationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
