"""Where the outcomes of asynchronous invocations go, on real servers of the protocols."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.servers.strict import Strict

from .conftest import ACCOUNT, Platform, deploy, wait_for
from .functions_api import refusal

REGION = "us-east-1"
SOURCE = """
import json
def handler(event, context):
    print("got", json.dumps(event))
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("as asked")
    return {"answer": 1.0}
"""
FAILS = {"MaximumRetryAttempts": 0}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[[str], Any]]:
    """Clients of a server that speaks the protocols of the other services."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()

    def client(service: str) -> Any:
        return boto3.client(
            service, endpoint_url=f"http://{host}:{port}", region_name=REGION,
            aws_access_key_id=ACCOUNT, aws_secret_access_key="x",
        )  # fmt: skip

    yield client
    server.stop()


@pytest.fixture(scope="module")
def platform(
    elsewhere: Callable[[str], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A platform that delivers there."""
    endpoint = elsewhere("sqs").meta.endpoint_url
    with Strict(int(endpoint.rpartition(":")[2])) as strict:
        endpoints = {**dict.fromkeys(("sqs", "sns", "events"), strict.endpoint), "s3": endpoint}
        options = [
            option
            for service, url in endpoints.items()
            for option in ("--set", f"aws.{service}.endpoint_url={url}")
        ]
        data = tmp_path_factory.mktemp("tells") / "data"
        running = Platform(data, *options, "--set", "asynchronous.retry_s=0.05")
        yield running
        assert running.stop() == 0, running.output


class Queue:
    """A queue, and its received messages."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._url = client.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        self.messages: list[Any] = []

    def wait(self) -> Any:
        """The next message."""
        found: list[Any] = []

        def receive() -> bool:
            found.extend(
                self._client.receive_message(
                    QueueUrl=self._url,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["All"],
                ).get("Messages", ())
            )
            return bool(found)

        wait_for(receive, "a message comes")
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=found[0]["ReceiptHandle"])
        return found[0]


def metrics(platform: Platform) -> str:
    with urllib.request.urlopen(f"{platform.endpoint}/_lambent/metrics", timeout=20) as answer:
        text: bytes = answer.read()
        return text.decode()


def configure(client: Any, name: str, **config: Any) -> None:
    deploy(client, name, {"app.py": SOURCE})
    client.put_function_event_invoke_config(FunctionName=name, **config)


def invoke(client: Any, name: str, event: bytes, **members: Any) -> str:
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=event, **members)
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def test_records_in_queues(platform: Platform, elsewhere: Callable[[str], Any]) -> None:
    """Both outcomes, with the unchanged event and response."""
    client = platform.client("lambda")
    queue = Queue(elsewhere("sqs"), "outcomes")
    destination = {"Destination": queue.arn}
    configure(
        client,
        "told",
        DestinationConfig={"OnSuccess": destination, "OnFailure": destination},
        MaximumRetryAttempts=1,
    )
    request_id = invoke(client, "told", b'{"number": 1.0, "big": 12345678901234567890123}')
    message = queue.wait()
    record = json.loads(message["Body"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    assert '"requestPayload":{"number": 1.0, "big": 12345678901234567890123}' in message["Body"]
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:told:$LATEST"
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": arn,
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"number": 1.0, "big": 12345678901234567890123},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"answer": 1.0},
    }
    assert message["Attributes"]["AWSTraceHeader"].startswith("Root=1-")
    request_id = invoke(client, "told", b'{"fail": true}')
    record = json.loads(queue.wait()["Body"])
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": arn,
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 2,
    }
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorMessage"] == "as asked"


def test_aliases_have_destinations_of_their_own(
    platform: Platform, elsewhere: Callable[[str], Any]
) -> None:
    """The qualifier that was used decides, and the record names it."""
    client = platform.client("lambda")
    queue = Queue(elsewhere("sqs"), "of-alias")
    deploy(client, "aliased-told", {"app.py": SOURCE})
    version = client.publish_version(FunctionName="aliased-told")["Version"]
    client.create_alias(FunctionName="aliased-told", Name="live", FunctionVersion=version)
    client.put_function_event_invoke_config(
        FunctionName="aliased-told",
        Qualifier="live",
        DestinationConfig={"OnSuccess": {"Destination": queue.arn}},
    )
    invoke(client, "aliased-told", b"{}")
    invoke(client, "aliased-told", b'{"by": "alias"}', Qualifier="live")
    record = json.loads(queue.wait()["Body"])
    assert record["requestPayload"] == {"by": "alias"}
    assert record["requestContext"]["functionArn"].endswith(":aliased-told:live")
    assert record["responseContext"]["executedVersion"] == version


def test_topics_buckets_and_buses(platform: Platform, elsewhere: Callable[[str], Any]) -> None:
    """The same record, as each of them has it."""
    client, sns, events, s3 = (platform.client("lambda"), *map(elsewhere, ("sns", "events", "s3")))
    queue = Queue(elsewhere("sqs"), "behind-topic")
    topic = sns.create_topic(Name="outcomes")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue.arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    destination = {"OnFailure": {"Destination": topic}}
    configure(client, "to-topic", DestinationConfig=destination, **FAILS)
    invoke(client, "to-topic", b'{"fail": true}')
    record = json.loads(queue.wait()["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"

    s3.create_bucket(Bucket="outcomes")
    destination = {"OnFailure": {"Destination": "arn:aws:s3:::outcomes"}}
    configure(client, "to-bucket", DestinationConfig=destination, **FAILS)
    request_id = invoke(client, "to-bucket", b'{"fail": true}')
    found: list[Any] = []
    wait_for(
        lambda: found.extend(s3.list_objects_v2(Bucket="outcomes").get("Contents", ())) or found,
        "an object comes",
    )
    assert re.fullmatch(
        r"aws/lambda/async/to-bucket/\d{4}/\d\d/\d\d"
        r"/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        found[0]["Key"],
    )
    body = s3.get_object(Bucket="outcomes", Key=found[0]["Key"])["Body"].read()
    assert json.loads(body)["requestContext"]["requestId"] == request_id

    bus = events.create_event_bus(Name="outcomes")["EventBusArn"]
    events.put_rule(Name="all", EventBusName="outcomes", EventPattern='{"source": ["lambda"]}')
    watcher = Queue(elsewhere("sqs"), "behind-bus")
    events.put_targets(
        Rule="all", EventBusName="outcomes", Targets=[{"Id": "1", "Arn": watcher.arn}]
    )
    configure(client, "to-bus", DestinationConfig={"OnSuccess": {"Destination": bus}})
    invoke(client, "to-bus", b"{}")
    event = json.loads(watcher.wait()["Body"])
    assert event["detail-type"] == "Lambda Function Invocation Result - Success"
    assert event["resources"] == [
        bus,
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:to-bus:$LATEST",
    ]
    assert event["detail"]["responsePayload"] == {"answer": 1.0}


def test_a_trace_header_that_services_refuse(
    platform: Platform, elsewhere: Callable[[str], Any]
) -> None:
    """A caller may send any; records arrive without it."""
    client, events = platform.client("lambda"), elsewhere("events")
    for header in ("made-up", "Root=1-5759e988-bd862e3fe1be46a994272793;X=" + "y" * 600):
        client.meta.events.register(
            "before-call.lambda.Invoke",
            lambda params, header=header, **_: params["headers"].update(
                {"X-Amzn-Trace-Id": header}
            ),
        )
        name = f"traced-{len(header)}"
        queue, watcher = (Queue(elsewhere("sqs"), f"{name}-{end}") for end in ("queue", "bus"))
        bus = events.create_event_bus(Name=name)["EventBusArn"]
        events.put_rule(Name="all", EventBusName=name, EventPattern='{"source": ["lambda"]}')
        events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "1", "Arn": watcher.arn}])
        destinations = {
            "OnSuccess": {"Destination": bus},
            "OnFailure": {"Destination": queue.arn},
        }
        configure(client, name, DestinationConfig=destinations, **FAILS)
        invoke(client, name, b'{"fail": true}')
        invoke(client, name, b"{}")
        record = json.loads(queue.wait()["Body"])
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert json.loads(watcher.wait()["Body"])["detail"]["responsePayload"] == {"answer": 1.0}


def test_functions(platform: Platform) -> None:
    """Another function gets the record as its event."""
    client, logs = platform.client("lambda"), platform.client("logs")
    deploy(client, "told-by-another", {"app.py": SOURCE})
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:told-by-another"
    configure(client, "tells-another", DestinationConfig={"OnSuccess": {"Destination": arn}})
    request_id = invoke(client, "tells-another", b"{}")

    def lines() -> list[str]:
        try:
            found = logs.filter_log_events(
                logGroupName="/aws/lambda/told-by-another", filterPattern="got"
            )
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in found["events"]]

    wait_for(lines, "the other function runs")
    record = json.loads(lines()[0].removeprefix("got "))
    assert record["requestContext"]["requestId"] == request_id
    assert record["responsePayload"] == {"answer": 1.0}


def test_dead_letter_queues(platform: Platform, elsewhere: Callable[[str], Any]) -> None:
    """The event itself, with the error in attributes."""
    client = platform.client("lambda")
    queue = Queue(elsewhere("sqs"), "dead-letters")
    deploy(client, "dies", {"app.py": SOURCE}, DeadLetterConfig={"TargetArn": queue.arn})
    client.put_function_event_invoke_config(FunctionName="dies", **FAILS)
    request_id = invoke(client, "dies", b'{"fail":  true}')
    message = queue.wait()
    assert message["Body"] == '{"fail":  true}'
    attributes = message["MessageAttributes"]
    assert attributes["RequestID"]["StringValue"] == request_id
    assert attributes["ErrorMessage"]["StringValue"] == "as asked"
    assert attributes["ErrorCode"] == {"StringValue": "200", "DataType": "Number"}
    client.put_function_concurrency(FunctionName="dies", ReservedConcurrentExecutions=0)
    invoke(client, "dies", b'{"never": "ran"}')
    message = queue.wait()
    assert message["Body"] == '{"never": "ran"}'
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"
    invoke(client, "dies", b"")
    assert queue.wait()["Body"] == "{}"


def test_characters_that_queues_refuse(platform: Platform, elsewhere: Callable[[str], Any]) -> None:
    """In events, responses and errors; their records arrive anyway."""
    client = platform.client("lambda")
    dead, destination = Queue(elsewhere("sqs"), "odd-dead"), Queue(elsewhere("sqs"), "odd-told")
    source = "def handler(event, context): raise ValueError('\\x1b[31mred \\x00\\uffff' + event)"
    deploy(client, "odd", {"app.py": source}, DeadLetterConfig={"TargetArn": dead.arn})
    client.put_function_event_invoke_config(
        FunctionName="odd",
        DestinationConfig={"OnFailure": {"Destination": destination.arn}},
        **FAILS,
    )
    invoke(client, "odd", '"\uffff"'.encode())
    message = dead.wait()
    assert json.loads(message["Body"]) == "\uffff"
    error = message["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert error == "\ufffd[31mred \ufffd\ufffd\ufffd"
    record = json.loads(destination.wait()["Body"])
    assert record["requestPayload"] == "\uffff"
    assert record["responsePayload"]["errorMessage"] == "\x1b[31mred \x00\uffff\uffff"


def test_a_destination_that_is_not_there(
    platform: Platform, elsewhere: Callable[[str], Any]
) -> None:
    """It delays only its own records."""
    client = platform.client("lambda")
    gone = f"arn:aws:sqs:{REGION}:{ACCOUNT}:nobody-made-it"
    queue = Queue(elsewhere("sqs"), "is-there")
    configure(client, "to-nobody", DestinationConfig={"OnSuccess": {"Destination": gone}})
    configure(client, "to-somebody", DestinationConfig={"OnSuccess": {"Destination": queue.arn}})
    invoke(client, "to-nobody", b"{}")
    invoke(client, "to-somebody", b"{}")
    queue.wait()
    labels = f'{{function="to-nobody",region="{REGION}"}}'
    wait_for(
        lambda: f"lambent_destination_delivery_failures_total{labels} 1.0\n" in metrics(platform),
        "what was given up is counted",
    )


def test_what_cannot_be_a_destination(platform: Platform) -> None:
    """Refused when it is configured."""
    client = platform.client("lambda")
    deploy(client, "picky-told", {"app.py": SOURCE})

    def refused(arn: str) -> str:
        return refusal(
            client.put_function_event_invoke_config,
            FunctionName="picky-told",
            DestinationConfig={"OnSuccess": {"Destination": arn}},
        )[0]

    assert refused(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s") == (
        "InvalidParameterValueException"
    )
    own = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:picky-told"
    assert refused(own) == "InvalidParameterValueException"
