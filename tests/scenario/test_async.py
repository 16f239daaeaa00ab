"""Asynchronous invocation as boto3 sees it."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import ACCOUNT, Platform, deploy, wait_for
from .functions_api import refusal

SOURCE = """
import json
import urllib.request
def handler(event, context):
    print("got", context.aws_request_id, json.dumps(event))
    if event.get("fail"):
        raise ValueError("as asked")
"""


def lines(platform: Platform, name: str) -> list[str]:
    """The lines that the function has printed."""
    logs = platform.client("logs")
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern="got")
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"].strip() for event in found["events"]]


def test_events_are_delivered(platform: Platform, lambda_client: Any) -> None:
    """202 at once, without a body; the function runs under the same request id."""
    deploy(lambda_client, "later", {"app.py": SOURCE})
    answer = lambda_client.invoke(FunctionName="later", InvocationType="Event", Payload=b'{"n": 1}')
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    assert "ExecutedVersion" not in answer
    request_id = answer["ResponseMetadata"]["RequestId"]
    expected = f'got {request_id} {{"n": 1}}'
    wait_for(lambda: lines(platform, "later") == [expected], "the event is delivered")
    legacy = lambda_client.invoke_async(FunctionName="later", InvokeArgs=b'{"n": 2}')
    assert legacy["Status"] == 202
    wait_for(lambda: len(lines(platform, "later")) == 2, "the second event is delivered")
    assert lines(platform, "later")[1].endswith('{"n": 2}')


def test_what_is_not_accepted(lambda_client: Any) -> None:
    """Refused at once: no such function, not JSON, too large."""
    deploy(lambda_client, "picky", {"app.py": SOURCE})

    def refused(**members: Any) -> tuple[str, str]:
        return refusal(
            lambda_client.invoke,
            **{"FunctionName": "picky", "InvocationType": "Event", **members},
        )

    assert refused(FunctionName="nobody")[0] == "ResourceNotFoundException"
    assert refused(Qualifier="9")[0] == "ResourceNotFoundException"
    assert refused(Payload=b"{")[0] == "InvalidRequestContentException"
    large = json.dumps("x" * 1_048_576).encode()
    assert refused(Payload=large) == (
        "RequestTooLargeException",
        "Request must be smaller than 1048576 bytes for the InvokeFunction operation",
    )
    assert (
        refusal(
            lambda_client.invoke_async, FunctionName="picky", InvokeArgs=json.dumps("x" * 262_144)
        )[0]
        == "RequestTooLargeException"
    )


def test_failures_are_retried(start_platform: Callable[..., Platform]) -> None:
    """Twice, under the same id."""
    platform = start_platform(None, "--set", "asynchronous.retry_s=0.1")
    client = platform.client("lambda")
    deploy(client, "failing", {"app.py": SOURCE})
    client.invoke(FunctionName="failing", InvocationType="Event", Payload=b'{"fail": true}')
    wait_for(lambda: len(lines(platform, "failing")) == 3, "all attempts are made")
    assert len(set(lines(platform, "failing"))) == 1


LEDGER = """
import boto3
lambda_ = boto3.client("lambda")
def handler(event, context):
    lambda_.tag_resource(Resource=event["ledger"], Tags={context.aws_request_id: "delivered"})
"""


@pytest.mark.timeout(180)
def test_accepted_means_delivered(start_platform: Callable[..., Platform]) -> None:
    """Killed right after 202, again and again: every event is finally delivered. The function
    records that it ran in persistent state, a function's tags."""
    accepted = set[str]()
    ledger = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:ledger"
    payload = json.dumps({"ledger": ledger}).encode()
    data = None
    for turn in range(4):
        platform = start_platform(data)
        data = platform.data_dir
        client = platform.client("lambda")
        if not turn:
            deploy(client, "ledger", {"app.py": SOURCE})
            deploy(client, "survivor", {"app.py": LEDGER}, MemorySize=1024)
            # Each environment imports boto3.
            client.put_function_concurrency(FunctionName="survivor", ReservedConcurrentExecutions=2)
        for _ in range(10):
            answer = client.invoke(FunctionName="survivor", InvocationType="Event", Payload=payload)
            accepted.add(answer["ResponseMetadata"]["RequestId"])
        platform.kill()
    client = start_platform(data).client("lambda")
    wait_for(
        lambda: accepted <= set(client.list_tags(Resource=ledger)["Tags"]),
        "every accepted event is delivered",
        deadline_s=60,
    )


def test_the_lines_of_an_event_that_is_done_outlive_a_kill(
    start_platform: Callable[..., Platform],
) -> None:
    """Completed events have been logged, however seldom logs are written."""
    first = start_platform(None, "--set", "telemetry.flush_every_s=3600")
    client = first.client("lambda")
    deploy(client, "prints", {"app.py": SOURCE})
    for number in range(5):
        event = json.dumps({"n": number}).encode()
        client.invoke(FunctionName="prints", InvocationType="Event", Payload=event)

    def is_done() -> bool:
        with urllib.request.urlopen(f"{first.endpoint}/_lambent/queues", timeout=20) as answer:
            queues = json.load(answer)["queues"]
        return not any(queue["due"] or queue["later"] or queue["in_flight"] for queue in queues)

    wait_for(is_done, "all events are done")
    first.kill()
    second = start_platform(first.data_dir)
    printed = sorted(line.partition("{")[2] for line in lines(second, "prints"))
    assert printed == [f'"n": {number}}}' for number in range(5)]
