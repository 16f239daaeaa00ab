"""Queues, read from a real server of SQS's protocol."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.platforms import ACCOUNT, wait_active
from tests.scenario.functions_api import refusal
from tests.servers.ministack import Ministack
from tests.yardstick import slowdown

from .conftest import Function, Platform, wait_for

NewFunction = Callable[..., Function]


class Queue:
    """A queue of the server."""

    def __init__(self, ministack: Ministack, name: str, **attributes: str) -> None:
        self.client = ministack.client("sqs")
        self.url = self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def send(self, *bodies: str, **more: Any) -> list[str]:
        """Send messages, one by one; returns their ids."""
        return [
            self.client.send_message(QueueUrl=self.url, MessageBody=body, **more)["MessageId"]
            for body in bodies
        ]

    def count(self) -> tuple[int, int]:
        """How many messages are visible, and how many are not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return tuple(int(found["Attributes"][name]) for name in names)  # type: ignore[return-value]

    def wait_empty(self) -> None:
        """Wait until there are none."""
        wait_for(lambda: self.count() == (0, 0), "the queue is empty")


def let_pass(seconds: float) -> None:
    """The server's own clock."""
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > seconds, "time passes")


@pytest.fixture
def queue(ministack: Ministack, request: pytest.FixtureRequest) -> Queue:
    return Queue(ministack, request.node.name[:70].replace("[", "-").replace("]", ""))


def test_messages_arrive_and_are_deleted(queue: Queue, new_function: NewFunction) -> None:
    """The event is AWS's, attributes included; processed messages are gone."""
    function = new_function()
    function.map(queue.arn)
    (sent,) = queue.send(
        "grüße",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "v"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    (event,) = function.wait_events(1)
    (record,) = event["Records"]
    assert record["messageId"] == sent
    assert record["body"] == "grüße"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["bytes"] == {
        "binaryValue": "AP8=",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "Binary",
    }
    assert record["messageAttributes"]["text"]["stringValue"] == "v"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == queue.arn
    assert record["awsRegion"] == "us-east-1"
    assert record["md5OfBody"]
    assert record["md5OfMessageAttributes"]
    queue.wait_empty()


def test_the_digest_of_no_attributes(queue: Queue, new_function: NewFunction) -> None:
    """It is left out, or null if batches are gathered in a window."""
    function = new_function()
    uuid = function.map(queue.arn)
    queue.send("without a window")
    (record,) = function.wait_events(1)[0]["Records"]
    assert "md5OfMessageAttributes" not in record
    queue.wait_empty()
    function.update(uuid, MaximumBatchingWindowInSeconds=1)
    queue.send("with one")
    (record,) = function.wait_events(2)[1]["Records"]
    assert record["md5OfMessageAttributes"] is None


def test_batches_of_up_to_the_batch_size(queue: Queue, new_function: NewFunction) -> None:
    """With a window, the messages within it are one event; a full batch does not wait for its
    end."""
    function = new_function()
    queue.send(*(f"{number}" for number in range(12)))
    uuid = function.map(queue.arn, BatchSize=12, MaximumBatchingWindowInSeconds=30)
    (event,) = function.wait_events(1)
    assert len(event["Records"]) == 12
    queue.wait_empty()
    function.update(uuid, MaximumBatchingWindowInSeconds=1)
    queue.send("a", "b")
    events = function.wait_events(2)
    assert sorted(record["body"] for record in events[1]["Records"]) == ["a", "b"]


def test_failed_messages_are_delivered_again(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """After the queue's visibility timeout, until its redrive policy moves it to another queue."""
    dead = Queue(ministack, "sqs-dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    queue = Queue(ministack, "sqs-fails", VisibilityTimeout="1", RedrivePolicy=redrive)
    function = new_function("def act(event): raise ValueError('no')", Timeout=1)
    uuid = function.map(queue.arn)
    queue.send("poison")
    wait_for(lambda: dead.count()[0] == 1, "the message is given up")
    events = function.events()
    counts = [event["Records"][0]["attributes"]["ApproximateReceiveCount"] for event in events]
    assert counts == ["1", "2"]
    function.wait_result(uuid, "PROBLEM: Function call failed")


def test_only_failed_messages_are_delivered_again(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """ReportBatchItemFailures: messages that are not named are deleted."""
    queue = Queue(ministack, "sqs-partly", VisibilityTimeout="2")
    function = new_function(
        """
def act(event):
    return {"batchItemFailures": [
        {"itemIdentifier": message["messageId"]} for message in event["Records"]
        if message["body"] == "odd" and message["attributes"]["ApproximateReceiveCount"] == "1"]}
""",
        Timeout=1,
    )
    queue.send("even", "odd", "even")
    function.map(queue.arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    queue.wait_empty()
    records = [record for event in function.events() for record in event["Records"]]
    seen = [(record["body"], record["attributes"]["ApproximateReceiveCount"]) for record in records]
    assert sorted(seen) == [("even", "1"), ("even", "1"), ("odd", "1"), ("odd", "2")]


def test_an_answer_that_cannot_be_read_fails_the_batch(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """An identifier of no message is an error: no message is deleted."""
    queue = Queue(ministack, "sqs-mistaken", VisibilityTimeout="1")
    function = new_function(
        "def act(event): return {'batchItemFailures': [{'itemIdentifier': 'nobody'}]}", Timeout=1
    )
    function.map(queue.arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    queue.send("m")
    events = function.wait_events(2)
    assert [event["Records"][0]["body"] for event in events[:2]] == ["m", "m"]


def test_fifo_queues_keep_the_order_of_groups(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """One batch of a group at a time; a failed message comes before later ones."""
    queue = Queue(
        ministack,
        "sqs-order.fifo",
        FifoQueue="true",
        ContentBasedDeduplication="true",
        VisibilityTimeout="2",
    )
    function = new_function(
        """
def act(event):
    failed = set()
    out = []
    for message in event["Records"]:
        group = message["attributes"]["MessageGroupId"]
        first = message["attributes"]["ApproximateReceiveCount"] == "1"
        if group in failed or (message["body"] == "b3" and first):
            failed.add(group)
            out.append({"itemIdentifier": message["messageId"]})
        else:
            print("DONE " + message["body"])
    return {"batchItemFailures": out}
""",
        Timeout=2,
    )
    for number in range(6):
        for group in "ab":
            queue.send(f"{group}{number}", MessageGroupId=group)
    function.map(queue.arn, BatchSize=5, FunctionResponseTypes=["ReportBatchItemFailures"])
    queue.wait_empty()
    for group in "ab":
        done = [line for line in function.lines("DONE ") if line.startswith(group)]
        assert done == [f"{group}{number}" for number in range(6)]
    record = function.events()[0]["Records"][0]
    assert {"MessageGroupId", "MessageDeduplicationId", "SequenceNumber"} <= set(
        record["attributes"]
    )


def test_filters(queue: Queue, new_function: NewFunction) -> None:
    """Messages that do not match are deleted and never delivered; the requested metrics count
    them."""
    function = new_function()
    uuid = function.map(
        queue.arn,
        FilterCriteria={
            "Filters": [
                {"Pattern": json.dumps({"body": {"kind": ["wanted"]}})},
                {"Pattern": json.dumps({"messageAttributes": {"vip": {"stringValue": ["yes"]}}})},
            ]
        },
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    vip = {"vip": {"DataType": "String", "StringValue": "yes"}}
    queue.send('{"kind": "other"}', "plain")
    queue.send("plain too", MessageAttributes=vip)
    queue.send('{"kind": "wanted", "n": 1}')
    queue.wait_empty()
    bodies = {record["body"] for event in function.events() for record in event["Records"]}
    assert bodies == {"plain too", '{"kind": "wanted", "n": 1}'}
    of = f'{{function="{function.name}",mapping="{uuid}",region="us-east-1"}}'
    for name, number in (("polled", 4), ("filtered_out", 2), ("invoked", 2), ("deleted", 2)):
        line = f"lambent_{name}_events_total{of} {number}.0\n"
        # The queue is empty before the platform has heard that it deleted the last message.
        wait_for(lambda line=line: line in function.metrics(), line)


def test_long_functions_keep_their_messages(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """A batch in progress stays invisible beyond the queue's visibility timeout."""
    queue = Queue(ministack, "sqs-long", VisibilityTimeout="3")
    function = new_function(
        "import time\ndef act(event): time.sleep(3.5); print('DONE')", Timeout=3
    )
    function.map(queue.arn)
    # AWS compares the function's timeout with the queue's only when the mapping is created.
    function.client.update_function_configuration(FunctionName=function.name, Timeout=10)
    wait_active(function.client, function.name)
    queue.send("slow")
    wait_for(lambda: function.lines("DONE"), "the function ends")
    queue.wait_empty()
    assert len(function.events()) == 1


def test_throttled_functions_slow_the_poller(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """Messages are held, not received again and again: the redrive policy does not move them."""
    dead = Queue(ministack, "sqs-throttled-dead")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    queue = Queue(ministack, "sqs-throttled", VisibilityTimeout="2", RedrivePolicy=redrive)
    function = new_function(Timeout=1)
    function.client.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=0
    )
    uuid = function.map(queue.arn, BatchSize=1)
    queue.send("a", "b", "c")
    function.wait_result(uuid, "PROBLEM: Function call failed")
    wait_for(lambda: queue.count()[1] >= 1, "messages are held")
    # Longer than the visibility timeout.
    let_pass(3)
    assert dead.count() == (0, 0)
    function.client.delete_function_concurrency(FunctionName=function.name)
    queue.wait_empty()
    bodies = sorted(record["body"] for event in function.events() for record in event["Records"])
    assert bodies == ["a", "b", "c"]
    assert dead.count() == (0, 0)


def test_no_more_at_once_than_allowed(queue: Queue, new_function: NewFunction) -> None:
    """ScalingConfig limits the concurrent batches."""
    function = new_function("import time\ndef act(event): time.sleep(0.2)")
    queue.send(*(f"{number}" for number in range(40)))
    uuid = function.map(queue.arn, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    most = 0

    def look() -> bool:
        nonlocal most
        most = max(most, function.shown(uuid)["in_flight"])
        return queue.count() == (0, 0)

    wait_for(look, "the queue is empty", 30)
    assert most == 2
    assert len(function.events()) == 40


def test_windows_longer_than_the_visibility_timeout(
    ministack: Ministack, new_function: NewFunction
) -> None:
    """Gathered messages stay invisible, and are not received again."""
    queue = Queue(ministack, "sqs-windows", VisibilityTimeout="2")
    function = new_function(Timeout=2)
    function.map(queue.arn, MaximumBatchingWindowInSeconds=5)
    queue.send("a")
    wait_for(lambda: queue.count() == (0, 1), "the first is received")
    let_pass(3)
    queue.send("b")
    (event,) = function.wait_events(1)
    found = [
        (record["body"], record["attributes"]["ApproximateReceiveCount"])
        for record in event["Records"]
    ]
    assert found == [("a", "1"), ("b", "1")]
    queue.wait_empty()
    assert len(function.events()) == 1


@pytest.mark.parametrize("change", ["update", "disable", "delete"])
def test_no_message_is_received_in_vain(
    change: str, ministack: Ministack, new_function: NewFunction
) -> None:
    """After a change is reported, only the new reader receives messages, or none does: a queue that
    allows one receive keeps its messages. Messages received before that are processed."""
    dead = Queue(ministack, f"sqs-vain-dead-{change}")
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1})
    queue = Queue(ministack, f"sqs-vain-{change}", RedrivePolicy=redrive)
    function = new_function(name=f"vain-{change}")
    uuid = function.map(queue.arn)
    queue.send("before")
    function.wait_events(1)
    wait_for(lambda: queue.count() == (0, 0), "a request waits for the next message")
    client, bodies = function.client, ["before"]
    for number in range(2):
        if change == "update":
            function.client.update_event_source_mapping(UUID=uuid, BatchSize=5 + number)
            queue.send("meanwhile")
            bodies.append("meanwhile")
            function.wait_state(uuid, "Enabled")
        elif change == "disable":
            client.update_event_source_mapping(UUID=uuid, Enabled=False)
            function.wait_state(uuid, "Disabled")
        elif number:
            break
        else:
            client.delete_event_source_mapping(UUID=uuid)
            function.wait_gone(uuid)
        queue.send("after")
        if change == "update":
            bodies.append("after")
            queue.wait_empty()
            continue
        let_pass(0.5)  # Long enough for a request that waits.
        assert queue.count() == (1, 0)
        (message,) = queue.client.receive_message(
            QueueUrl=queue.url, MessageSystemAttributeNames=["All"]
        )["Messages"]
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        queue.client.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
        if change == "disable":
            client.update_event_source_mapping(UUID=uuid, Enabled=True)
            function.wait_state(uuid, "Enabled")
    records = [record for event in function.events() for record in event["Records"]]
    assert [record["body"] for record in records] == bodies
    assert {record["attributes"]["ApproximateReceiveCount"] for record in records} == {"1"}
    assert dead.count() == (0, 0)


def test_disabled_and_enabled_again(queue: Queue, new_function: NewFunction) -> None:
    """Reading stops when the request that waits for messages has ended."""
    function = new_function()
    uuid = function.map(queue.arn)
    queue.send("before")
    function.wait_events(1)
    began = time.monotonic()
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    function.wait_state(uuid, "Disabled")
    assert time.monotonic() - began < 5 * slowdown()
    queue.send("while disabled")
    wait_for(lambda: queue.count() == (1, 0), "the message is visible")
    assert len(function.events()) == 1
    function.client.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert function.wait_events(2)[1]["Records"][0]["body"] == "while disabled"
    function.client.delete_event_source_mapping(UUID=uuid)
    wait_for(
        lambda: (
            not function.client.list_event_source_mappings(FunctionName=function.name)[
                "EventSourceMappings"
            ]
        ),
        "the mapping is gone",
    )


def test_a_missing_queue(ministack: Ministack, new_function: NewFunction) -> None:
    """It is refused at creation; a queue that disappears later is reported, and found again
    later."""
    function = new_function()
    arn = "arn:aws:sqs:us-east-1:000000000000:sqs-nowhere"
    code, message = refusal(
        function.client.create_event_source_mapping, FunctionName=function.name, EventSourceArn=arn
    )
    assert code == "InvalidParameterValueException"
    assert message == (
        "Error occurred while ReceiveMessage. SQS Error Code:"
        " AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not"
        " exist."
    )
    queue = Queue(ministack, "sqs-comes-and-goes")
    uuid = function.map(queue.arn)
    queue.send("one")
    function.wait_events(1)
    queue.client.delete_queue(QueueUrl=queue.url)
    function.wait_result(uuid, "PROBLEM: The specified queue does not exist")
    queue = Queue(ministack, "sqs-comes-and-goes")
    queue.send("two")
    assert function.wait_events(2)[1]["Records"][0]["body"] == "two"


def test_a_visibility_timeout_that_is_too_short(queue: Queue, new_function: NewFunction) -> None:
    """It is refused, as in AWS."""
    function = new_function(Timeout=31)
    code, message = refusal(
        function.client.create_event_source_mapping,
        FunctionName=function.name,
        EventSourceArn=queue.arn,
    )
    assert code == "InvalidParameterValueException"
    assert message == (
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    )


def test_functions_that_feed_their_own_queue(
    ministack: Ministack, queue: Queue, new_function: NewFunction
) -> None:
    """They are stopped when they occur too often in the chain in the trace header."""
    function = new_function()
    function.map(queue.arn)
    name = f"arn:aws:lambda:us-east-1:000000000000:function:{function.name}"
    lineage = f"Lineage=1:{hashlib.sha256(name.encode()).hexdigest()[:8]}:"
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;" + lineage
    for times in (3, 16):
        queue.send(
            f"{times} times",
            MessageSystemAttributes={
                "AWSTraceHeader": {"DataType": "String", "StringValue": f"{header}{times}"}
            },
        )
    assert function.wait_events(1)[0]["Records"][0]["body"] == "3 times"
    wait_for(
        lambda: (
            f'recursive_invocations_dropped_total{{function="{function.name}",region="us-east-1"}}'
            in function.metrics()
        ),
        "the loop is counted",
    )
    assert len(function.events()) == 1


def test_operators_see_what_mappings_do(
    queue: Queue, platform: Platform, new_function: NewFunction
) -> None:
    """`lambent mappings`, as a table and as JSON."""
    function = new_function()
    uuid = function.map(queue.arn)
    queue.send("m")
    function.wait_events(1)
    queue.wait_empty()

    def run(*more: str) -> str:
        command = [sys.executable, "-m", "lambent", "mappings", function.name, *more]
        options = ["--endpoint-url", platform.endpoint]
        variables = {**os.environ, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "x"}
        return subprocess.run(
            [*command, *options], env=variables, check=True, capture_output=True, text=True
        ).stdout

    (shown,) = json.loads(run("--json"))
    assert shown["uuid"] == uuid
    assert shown["state"] == "Enabled"
    assert shown["last_result"] == "OK"
    assert shown["counts"]["DeletedEventCount"] == 1
    assert queue.arn.removeprefix("arn:aws:") in run()


def test_killed_in_the_middle(
    ministack: Ministack, start_platform: Callable[..., Platform]
) -> None:
    """A platform that dies loses no message: the next one receives those that were in progress."""
    queue = Queue(ministack, "sqs-killed", VisibilityTimeout="3")
    options = ("--set", f"aws.sqs.endpoint_url={ministack.strict_endpoint}")
    platform = start_platform(None, *options)
    function = Function(platform, "killed", "import time\ndef act(event): time.sleep(1)", Timeout=3)
    function.map(queue.arn, BatchSize=1)
    queue.send(*(f"{number}" for number in range(8)))
    wait_for(lambda: queue.count()[1] > 0, "messages are under way")
    platform.kill()
    again = start_platform(platform.data_dir, *options)
    wait_for(lambda: queue.count() == (0, 0), "all are processed", 40)
    bodies = {
        record["body"] for event in function.at(again).events() for record in event["Records"]
    }
    assert bodies == {f"{number}" for number in range(8)}
