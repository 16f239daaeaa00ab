"""Other services: a local emulator behind the platform's own endpoint, or your own servers."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests import forking

from .conftest import ACCOUNT, Platform, deploy, invoke, wait_for
from .edge.distributions import behavior, config_of, distribute, listed
from .functions_api import refusal
from .test_alarms import alarm_on, put_values
from .test_up import alive, seen

AWS_CLI = str(Path(sys.executable).with_name("aws"))
OTHER_ACCOUNT = "123456789012"
TELLS = """
import boto3, json, os
def handler(event, context):
    message = {"event": event, "id": context.aws_request_id}
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(message))
    if isinstance(event, dict) and event.get("fail"):
        raise ValueError("as asked")
    return {"done": True}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with the emulator."""
    data = tmp_path_factory.mktemp("services") / "data"
    running = Platform(data, "--services", "--set", "asynchronous.retry_s=0.05")
    yield running
    assert running.stop() == 0, running.output


class Teller:
    """A function that sends its events to a queue, and the queue."""

    def __init__(self, platform: Platform, name: str) -> None:
        self._sqs = platform.client("sqs")
        self.name = name
        self.queue = self._sqs.create_queue(QueueName=f"told-{name}")["QueueUrl"]
        environment = {"Variables": {"QUEUE": self.queue}}
        made = deploy(platform.client("lambda"), name, {"app.py": TELLS}, Environment=environment)
        self.arn = made["FunctionArn"]

    def received(self, description: str) -> dict[str, Any]:
        """The next message, with its system attributes."""
        message = wait_for(lambda: receive(self._sqs, self.queue), description, deadline_s=30)
        return {**json.loads(message["Body"]), "attributes": message["Attributes"]}


def receive(sqs: Any, queue: str) -> Any:
    """Receive one message, or None; it is deleted from the queue."""
    answer = sqs.receive_message(
        QueueUrl=queue, WaitTimeSeconds=1, MessageSystemAttributeNames=["All"]
    )
    for message in answer.get("Messages", []):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return message
    return None


def local_services_of(platform: Platform) -> int | None:
    """The process id of the platform's emulator."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            is_ours = any(part.endswith(b"local_services_program.py") for part in command)
            if is_ours and int(parent) == platform.process.pid:
                return int(entry.name)
    return None


def test_the_aws_cli_makes_a_queue_through_our_port(platform: Platform) -> None:
    """The request identifies the service; the URLs in its responses use the same port."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }

    def aws(*arguments: str) -> Any:
        command = [AWS_CLI, "--endpoint-url", platform.endpoint, *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        return json.loads(done.stdout or "null")

    queue = aws("sqs", "create-queue", "--queue-name", "from-cli")["QueueUrl"]
    assert queue == f"{platform.endpoint}/{ACCOUNT}/from-cli"
    aws("sqs", "send-message", "--queue-url", queue, "--message-body", "hello")
    received = aws("sqs", "receive-message", "--queue-url", queue)
    assert received["Messages"][0]["Body"] == "hello"
    # Ours are as they were.
    assert aws("lambda", "list-functions")["Functions"] == []


def test_accounts_and_regions_are_apart(platform: Platform) -> None:
    """A key of twelve digits is the account, as everywhere here; other keys are the home's."""
    theirs = platform.client("sqs", aws_access_key_id=OTHER_ACCOUNT)
    elsewhere = platform.client("sqs", region_name="eu-west-1")
    made = theirs.create_queue(QueueName="theirs")["QueueUrl"]
    assert made.endswith(f"/{OTHER_ACCOUNT}/theirs")
    assert elsewhere.create_queue(QueueName="there")["QueueUrl"]
    home = platform.client("sqs", aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    home.create_queue(QueueName="at-home")
    listed = platform.client("sqs").list_queues().get("QueueUrls", [])
    assert [url for url in listed if url.endswith(("theirs", "there", "at-home"))] == [
        f"{platform.endpoint}/{ACCOUNT}/at-home"
    ]


def test_a_function_reaches_them_with_plain_boto3(platform: Platform) -> None:
    """Its credentials and endpoint reach the services of its account, a queue's URL from outside
    works inside, and the header that distinguishes loops from chains is in the message."""
    teller = Teller(platform, "plain")
    invoke(platform.client("lambda"), "plain", {"n": 1})
    message = teller.received("the function's message")
    assert message["event"] == {"n": 1}
    assert "Lineage=1:" in message["attributes"]["AWSTraceHeader"]


def test_an_object_tells_a_function(platform: Platform) -> None:
    """S3's notification is an asynchronous invocation: durable, and with an id of ours."""
    teller = Teller(platform, "on-object")
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="uploads")
    rule = {"LambdaFunctionArn": teller.arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="uploads", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket="uploads", Key="in/a.txt", Body=b"hello")
    record = teller.received("the notification")["event"]["Records"][0]
    assert record["eventSource"] == "aws:s3"
    assert record["s3"]["bucket"]["name"] == "uploads"
    assert record["s3"]["object"]["key"] == "in/a.txt"
    with urllib.request.urlopen(f"{platform.endpoint}/_lambent/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    assert any("async_events_received" in line and teller.name in line for line in lines), lines


def test_an_object_tells_an_event_bus(platform: Platform) -> None:
    """A bucket with EventBridge enabled and a state machine put their events on the platform's own
    default bus, whose rules send them on."""
    teller = Teller(platform, "on-bus")
    s3, events = platform.client("s3"), platform.client("events")
    s3.create_bucket(Bucket="watched")
    s3.put_bucket_notification_configuration(
        Bucket="watched", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["watched"]}, "object": {"key": [{"prefix": "in/"}]}},
    }
    events.put_rule(Name="watched", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="watched", Targets=[{"Id": "1", "Arn": teller.arn}])
    s3.put_object(Bucket="watched", Key="out/a.txt", Body=b"hello")
    s3.put_object(Bucket="watched", Key="in/a.txt", Body=b"hello")
    event = teller.received("the event")["event"]
    assert (event["source"], event["account"]) == ("aws.s3", ACCOUNT)
    assert event["resources"] == ["arn:aws:s3:::watched"]
    assert event["detail"]["object"]["key"] == "in/a.txt"
    assert event["detail"]["object"]["size"] == 5

    pattern = {"source": ["shop", "aws.states"], "detail-type": ["order", {"suffix": "Change"}]}
    events.put_rule(Name="machines", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="machines", Targets=[{"Id": "1", "Arn": teller.arn}])
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::events:putEvents",
        "Parameters": {"Entries": [{"Source": "shop", "DetailType": "order", "Detail": "{}"}]},
        "End": True,
    }
    states = platform.client("stepfunctions")
    machine = states.create_state_machine(
        name="puts",
        definition=json.dumps({"StartAt": "A", "States": {"A": put}}),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
    )["stateMachineArn"]
    states.start_execution(stateMachineArn=machine)
    seen = {}
    while len(seen) < 3:
        event = teller.received("the events of the state machine")["event"]
        seen[event["source"], event["detail"].get("status", "")] = event
    assert set(seen) == {("aws.states", "RUNNING"), ("shop", ""), ("aws.states", "SUCCEEDED")}


def test_a_topic_tells_a_function(platform: Platform) -> None:
    """SNS's event has the names that functions know; the platform retries a failure."""
    teller = Teller(platform, "on-topic")
    sns = platform.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=teller.arn)
    sns.publish(
        TopicArn=topic,
        Subject="today",
        Message="hello",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "good"}},
    )
    record = teller.received("the notification")["event"]["Records"][0]
    assert record["EventSource"] == "aws:sns"
    assert record["EventVersion"] == "1.0"
    assert record["EventSubscriptionArn"].startswith(f"{topic}:")
    assert record["Sns"]["Message"] == "hello"
    assert record["Sns"]["Subject"] == "today"
    assert record["Sns"]["TopicArn"] == topic
    assert record["Sns"]["MessageAttributes"]["kind"] == {"Type": "String", "Value": "good"}
    assert {"SigningCertUrl", "UnsubscribeUrl", "MessageId", "Timestamp"} <= set(record["Sns"])


def topic_and_queue(platform: Platform, name: str) -> tuple[str, str]:
    """The ARN of a topic, and the URL of a queue that gets its notifications."""
    sqs, sns = platform.client("sqs"), platform.client("sns")
    queue = sqs.create_queue(QueueName=f"heard-of-{name}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    topic: str = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    return topic, queue


def test_an_alarm_notifies_a_topic(platform: Platform) -> None:
    """Of both changes: when the values are too high, and when a user sets the state."""
    topic, queue = topic_and_queue(platform, "alarms")
    cloudwatch = platform.client("cloudwatch")
    put_values(cloudwatch, "Notified", 7.0)
    actions = {"AlarmActions": [topic], "OKActions": [topic]}
    cloudwatch.put_metric_alarm(**alarm_on("Notified", AlarmDescription="errors", **actions))

    def next_notification() -> tuple[str, dict[str, Any]]:
        sqs = platform.client("sqs")
        body = json.loads(wait_for(lambda: receive(sqs, queue), "it", deadline_s=30)["Body"])
        assert body["TopicArn"] == topic
        return body["Subject"], json.loads(body["Message"])

    subject, message = next_notification()
    assert subject == 'ALARM: "Notified" in us-east-1'
    states = (message["OldStateValue"], message["NewStateValue"])
    assert states == ("INSUFFICIENT_DATA", "ALARM")
    assert message["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:Notified"
    assert message["AlarmDescription"] == "errors"
    trigger = message["Trigger"]
    assert (trigger["MetricName"], trigger["Namespace"]) == ("Errors", "Notified")
    assert (trigger["Threshold"], trigger["EvaluationPeriods"]) == (3.0, 2)
    cloudwatch.set_alarm_state(AlarmName="Notified", StateValue="OK", StateReason="repaired")
    subject, message = next_notification()
    assert subject == 'OK: "Notified" in us-east-1'
    assert (message["OldStateValue"], message["NewStateReason"]) == ("ALARM", "repaired")
    cloudwatch.delete_alarms(AlarmNames=["Notified"])


def test_events_of_a_stack_reach_a_topic(platform: Platform) -> None:
    """Each of them, in its order and in AWS's form."""
    sqs = platform.client("sqs")
    topic, queue = topic_and_queue(platform, "stacks")
    resource = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "v"}}
    client = platform.client("cloudformation")
    made = client.create_stack(
        StackName="heard",
        TemplateBody=json.dumps({"Resources": {"P": resource}}),
        NotificationARNs=[topic],
        ClientRequestToken="t",
    )
    messages = [
        json.loads(wait_for(lambda: receive(sqs, queue), "an event", deadline_s=30)["Body"])
        for _ in range(5)
    ]
    assert {message["Subject"] for message in messages} == {"AWS CloudFormation Notification"}
    heard = [message["Message"] for message in messages]
    events = client.describe_stack_events(StackName="heard")["StackEvents"]
    ids = [text.split("EventId='")[1].split("'")[0] for text in heard]
    assert sorted(ids) == sorted(event["EventId"] for event in events)
    assert all(f"StackId='{made['StackId']}'" in text for text in heard)
    assert all("ClientRequestToken='t'" in text for text in heard)
    client.delete_stack(StackName="heard")


def test_a_rule_invokes_a_function_which_is_retried(platform: Platform) -> None:
    """EventBridge's event is the event itself. A function that fails is tried twice more, under the
    same request id: the event is in the platform's own queue."""
    teller = Teller(platform, "on-rule")
    events = platform.client("events")
    events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"]}))
    target = {"Id": "1", "Arn": teller.arn, "Input": json.dumps({"fail": True})}
    events.put_targets(Rule="orders", Targets=[target])
    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": "{}"}])
    attempts = [teller.received(f"attempt {number}") for number in range(3)]
    assert [attempt["event"] for attempt in attempts] == [{"fail": True}] * 3
    assert len({attempt["id"] for attempt in attempts}) == 1


def test_a_state_machine_calls_a_function(platform: Platform) -> None:
    """Services that want an answer get the function's, or its error."""
    client = platform.client("lambda")
    source = "def handler(event, context):\n    return {'twice': event['n'] * 2}\n"
    arn = deploy(client, "doubles", {"app.py": source})["FunctionArn"]
    states = platform.client("stepfunctions")
    definition = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": arn, "End": True}}}
    machine = states.create_state_machine(
        name="m", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{ACCOUNT}:role/r"
    )["stateMachineArn"]

    def outcome(given: dict[str, Any]) -> dict[str, Any]:
        run = states.start_execution(stateMachineArn=machine, input=json.dumps(given))
        arn = run["executionArn"]
        ended: dict[str, Any] = wait_for(
            lambda: (
                (found := states.describe_execution(executionArn=arn))["status"] != "RUNNING"
                and found
            ),
            "the end of the execution",
        )
        return ended

    assert json.loads(outcome({"n": 21})["output"]) == {"twice": 42}
    failed = outcome({})
    assert failed["status"] == "FAILED"
    assert failed["error"] == "KeyError"


def test_an_http_api_sends_to_services(platform: Platform) -> None:
    """To queues, event buses, streams and state machines, without a function."""
    region = "us-east-1"
    queue = platform.client("sqs").create_queue(QueueName="of-api")["QueueUrl"]
    platform.client("kinesis").create_stream(StreamName="of-api", ShardCount=1)
    machine = platform.client("stepfunctions").create_state_machine(
        name="of-api",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}),
    )["stateMachineArn"]
    v2 = platform.client("apigatewayv2")
    api = v2.create_api(Name="services", ProtocolType="HTTP")["ApiId"]
    v2.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    subtypes: dict[str, dict[str, str]] = {
        "SQS-SendMessage": {"QueueUrl": queue, "MessageBody": "$request.body.text"},
        "SQS-ReceiveMessage": {"QueueUrl": queue, "WaitTimeSeconds": "1"},
        "EventBridge-PutEvents": {
            "Detail": "$request.body",
            "DetailType": "t",
            "Source": "${stageVariables.none}s",
            "Region": region,
        },
        "Kinesis-PutRecord": {
            "StreamName": "of-api",
            "Data": "$request.body.data",
            "PartitionKey": "k",
        },
        "StepFunctions-StartExecution": {"StateMachineArn": machine, "Input": "$request.body"},
    }
    results = {}
    for subtype, parameters in subtypes.items():
        integration = v2.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationSubtype=subtype,
            PayloadFormatVersion="1.0",
            CredentialsArn=f"arn:aws:iam::{ACCOUNT}:role/r",
            RequestParameters=parameters,
        )["IntegrationId"]
        key = f"POST /{subtype}"
        v2.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration}")
        results[subtype] = json.loads(
            urllib.request.urlopen(
                f"{platform.endpoint}/_lambent/api/{api}/{subtype}",
                data=b'{"text": "by way of an API", "data": "aGk="}',
                timeout=30,
            ).read()
        )
    assert results["SQS-ReceiveMessage"]["Messages"][0]["Body"] == "by way of an API"
    assert results["EventBridge-PutEvents"]["FailedEntryCount"] == 0
    assert results["Kinesis-PutRecord"]["ShardId"]
    assert results["StepFunctions-StartExecution"]["executionArn"].startswith("arn:aws:states")
    v2.delete_api(ApiId=api)


def test_a_distribution_reads_a_bucket_of_the_server(platform: Platform) -> None:
    """Requests are signed for the server, which is asked once for each object."""
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="of-edge")
    s3.put_object(Bucket="of-edge", Key="a b.txt", Body=b"first", ContentType="text/x-own")
    origin = {
        "Id": "main",
        "DomainName": "of-edge.s3.us-east-1.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    methods = listed("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
    _, viewer = distribute(platform, config_of(origin, default=behavior(AllowedMethods=methods)))
    first = viewer.get("/a%20b.txt")
    assert (first.status, first.body, first.cache) == (200, b"first", "Miss")
    assert first.headers["content-type"] == "text/x-own"
    s3.put_object(Bucket="of-edge", Key="a b.txt", Body=b"second")
    again = viewer.get("/a%20b.txt")
    assert (again.body, again.cache) == (b"first", "Hit")
    assert viewer.get("/none.txt").status == 404
    # Reading is allowed in the account; what writes needs a policy of the bucket.
    assert viewer.request("PUT", "/a%20b.txt", body=b"third").status == 403
    assert s3.get_object(Bucket="of-edge", Key="a b.txt")["Body"].read() == b"second"


def test_a_destination_needs_no_settings(platform: Platform) -> None:
    """Records of successes and dead letters go to queues of the emulator."""
    client, sqs = platform.client("lambda"), platform.client("sqs")
    source = "def handler(event, context):\n    return {'n': event['n']}\n"
    deploy(client, "answers", {"app.py": source})
    queue = sqs.create_queue(QueueName="answers")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:answers"
    client.put_function_event_invoke_config(
        FunctionName="answers", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    client.invoke(FunctionName="answers", InvocationType="Event", Payload=b'{"n": 7}')
    message = wait_for(lambda: receive(sqs, queue), "the record", deadline_s=30)
    assert json.loads(message["Body"])["responsePayload"] == {"n": 7}


def test_objects_large_and_presigned(platform: Platform) -> None:
    """Bodies are sent and returned unchanged, and links work without a signature in headers."""
    s3 = platform.client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="large")
    body = os.urandom(20_000_000)
    s3.put_object(Bucket="large", Key="ä b/../c%2F", Body=body, Metadata={"kind": "noise"})
    found = s3.get_object(Bucket="large", Key="ä b/../c%2F")
    assert found["ContentLength"] == len(body)
    assert found["Body"].read() == body
    head = s3.head_object(Bucket="large", Key="ä b/../c%2F")
    assert (head["ContentLength"], head["Metadata"]) == (len(body), {"kind": "noise"})
    part = s3.get_object(Bucket="large", Key="ä b/../c%2F", Range="bytes=5-9")
    assert part["Body"].read() == body[5:10]
    s3.put_object(Bucket="large", Key="small", Body=b"hello")
    target = {"Bucket": "large", "Key": "small"}
    for version in ("s3v4", "s3"):
        signer = platform.client("s3", config=Config(signature_version=version))
        link = signer.generate_presigned_url("get_object", Params=target, ExpiresIn=60)
        with urllib.request.urlopen(link, timeout=10) as answer:
            assert answer.read() == b"hello"
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket="large", Key="none")
    assert raised.value.response["Error"]["Code"] == "NoSuchKey"


def upload_in_chunks(platform: Platform, path: str, content: bytes, **keys: str) -> None:
    """PUT an object like SDKs that do not know its checksum in advance."""
    checksum = base64.b64encode(zlib.crc32(content).to_bytes(4)).decode()
    trailer = f"x-amz-checksum-crc32:{checksum}"
    framed = b"%x\r\n%s\r\n0\r\n%s\r\n\r\n" % (len(content), content, trailer.encode())
    headers = {
        "Content-Encoding": "gzip,aws-chunked",
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "X-Amz-Decoded-Content-Length": str(len(content)),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    given = platform.client("s3", **keys)._request_signer._credentials
    request = AWSRequest("PUT", f"{platform.endpoint}{path}", headers=headers, data=framed)
    S3SigV4Auth(given, "s3", "us-east-1").add_auth(request)
    sent = urllib.request.Request(
        request.url, data=framed, headers=dict(request.headers.items()), method="PUT"
    )
    urllib.request.urlopen(sent, timeout=10).close()


def test_an_upload_in_chunks_is_its_content(platform: Platform) -> None:
    """The framing is not part of the object, other encodings stay."""
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="chunks")
    upload_in_chunks(platform, "/chunks/a", b"x" * 100_000)
    found = s3.get_object(Bucket="chunks", Key="a")
    assert (found["Body"].read(), found["ContentEncoding"]) == (b"x" * 100_000, "gzip")


def test_services_without_a_server(platform: Platform) -> None:
    """The error lists the available ones; the platform still serves IAM and STS."""
    code, message = refusal(platform.client("ec2").describe_instances)
    assert code == "UnknownServiceException"
    assert "this request is for 'ec2'" in message
    assert "dynamodb" in message
    assert platform.client("sts").get_caller_identity()["Account"] == ACCOUNT


def test_without_the_local_services_the_cure_is_named(
    start_platform: Callable[..., Platform],
) -> None:
    """The operator learns what to do."""
    running = start_platform()
    code, message = refusal(lambda: running.client("sqs").list_queues())
    assert code == "UnknownServiceException"
    assert "lambent up --services" in message
    assert "[aws.sqs] endpoint_url" in message
    code, message = refusal(lambda: running.client("glacier").list_vaults(accountId="-"))
    assert code == "UnknownServiceException"
    assert "endpoint_url" not in message


def test_pages_for_operators_of_the_local_services_are_closed(platform: Platform) -> None:
    """It cannot be reset, configured or inspected from outside, nor from a box."""
    paths = (
        *("/_ministack/reset", "/%5Fministack/reset", "//_ministack/reset", "/_localstack/health"),
        *("/_ministack/config", "/_aws/ses", "/_ministack/sqs/messages"),
    )
    address = urlsplit(platform.endpoint)
    for path in paths:
        for method in ("GET", "POST"):
            connection = http.client.HTTPConnection(address.netloc, timeout=10)
            connection.request(method, path, headers=signed("sqs"))
            assert connection.getresponse().status in (400, 404), (method, path)
            connection.close()


def signed(service: str, account: str = ACCOUNT) -> dict[str, str]:
    """Headers of a request that a relaxed platform takes for a service's."""
    scope = f"{account}/20260101/us-east-1/{service}/aws4_request"
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "X-Amz-Date": "20260101T000000Z",
    }


def test_hostile_requests_reach_nothing_of_the_host(platform: Platform) -> None:
    """Paths that climb, headers that are too large and bodies that are too large are refused, or
    refer to an object that does not exist; the emulator continues."""
    address = urlsplit(platform.endpoint)
    before = local_services_of(platform)
    climbing = "/bucket/" + "../" * 12 + "etc/passwd"
    encoded = "/bucket/" + "..%2f" * 12 + "etc%2fpasswd"
    for path in (
        climbing,
        encoded,
        "/..%2f..%2f..%2fetc/passwd",
        "/" + "%2e%2e/" * 9 + "etc/passwd",
    ):
        connection = http.client.HTTPConnection(address.netloc, timeout=10)
        connection.request("GET", path, headers=signed("s3"))
        answer = connection.getresponse()
        assert answer.status in (400, 403, 404), path
        assert b"root:" not in answer.read()
        connection.close()
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    connection.request("GET", "/", headers={**signed("sqs"), "X-Big": "x" * 500_000})
    assert 400 <= connection.getresponse().status < 600
    connection.close()
    with socket.create_connection((address.hostname, address.port), timeout=10) as raw:
        head = "\r\n".join(f"{name}: {value}" for name, value in signed("sqs").items())
        begin = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
        raw.sendall(f"{begin}{head}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(65536)
    assert platform.client("sqs").list_queues()
    assert local_services_of(platform) == before


def test_a_web_page_gets_no_permission(platform: Platform) -> None:
    """The emulator lets any page read its responses; the platform does not."""
    platform.client("s3").create_bucket(Bucket="page")
    platform.client("s3").put_object(Bucket="page", Key="a", Body=b"secret")
    with urllib.request.urlopen(f"{platform.endpoint}/page/a", timeout=10) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    request = urllib.request.Request(
        f"{platform.endpoint}/page/a", headers={"Origin": "http://example.com"}
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=10)
    with raised.value as refused:
        assert refused.code == 403


def test_the_local_services_has_no_way_to_the_host(platform: Platform) -> None:
    """It runs as the platform's user and makes no connections: what a topic sends to an HTTP server
    of the host never arrives there."""
    arrived = threading.Event()

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.set()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sns = platform.client("sns")
    topic = sns.create_topic(Name="way-out")["TopicArn"]
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    sns.publish(TopicArn=topic, Message="hello")
    # By then a function on the same topic has been notified.
    teller = Teller(platform, "way-out")
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=teller.arn)
    sns.publish(TopicArn=topic, Message="hello")
    teller.received("the notification")
    assert not arrived.is_set()
    server.shutdown()
    server.server_close()
    pid = local_services_of(platform)
    assert pid is not None
    status = Path(f"/proc/{pid}/status").read_text()
    (uids,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]
    assert "0" not in uids
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"token" not in environment.lower()


def test_what_it_keeps_outlives_a_restart(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """A message and an object are there again. After a kill of the platform, no process of the
    emulator remains once it runs again, and it has its data."""
    first = start_platform(tmp_path / "data", "--services")
    sqs, s3 = first.client("sqs"), first.client("s3")
    queue = sqs.create_queue(QueueName="lasting")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="still here")
    s3.create_bucket(Bucket="lasting")
    s3.put_object(Bucket="lasting", Key="a", Body=b"and here")
    assert first.stop() == 0, first.output
    second = start_platform(tmp_path / "data", "--services")
    orphan = local_services_of(second)
    assert orphan is not None
    process = seen(orphan)
    sqs = second.client("sqs")
    assert receive(sqs, queue)["Body"] == "still here"
    sqs.send_message(QueueUrl=queue, MessageBody="after the kill")
    second.kill()
    third = start_platform(tmp_path / "data", "--services")
    assert not alive(process)
    assert local_services_of(third) not in (None, orphan)
    assert receive(third.client("sqs"), queue)["Body"] == "after the kill"
    found = third.client("s3").get_object(Bucket="lasting", Key="a")
    assert found["Body"].read() == b"and here"


def test_a_killed_local_services_comes_back(start_platform: Callable[..., Platform]) -> None:
    """At the same address; a request meanwhile waits, or gets an error that SDKs retry."""
    running = start_platform(None, "--services")
    sqs = running.client("sqs", config=Config(retries={"total_max_attempts": 5}))
    sqs.create_queue(QueueName="before")
    first = local_services_of(running)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert sqs.create_queue(QueueName="after")["QueueUrl"].endswith("/after")
    assert local_services_of(running) not in (None, first)
    assert running.stop() == 0
    assert "the emulator of other services has ended" in running.output


def test_a_local_services_that_hangs_is_started_again(
    start_platform: Callable[..., Platform],
) -> None:
    """It is silent for longer than allowed."""
    running = start_platform(None, "--services", "--set", "services.start_deadline_s=8")
    first = wait_for(lambda: local_services_of(running), "the emulator")
    os.kill(first, signal.SIGSTOP)
    wait_for(lambda: local_services_of(running) not in (None, first), "another one", deadline_s=40)
    assert running.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_orphan_that_hangs_is_ended(
    start_platform: Callable[..., Platform], tmp_path: Path
) -> None:
    """By its successor, which needs the directory."""
    first = start_platform(tmp_path / "data", "--services")
    orphan = local_services_of(first)
    assert orphan is not None
    process = seen(orphan)
    os.kill(orphan, signal.SIGSTOP)
    first.kill()
    second = start_platform(tmp_path / "data", "--services")
    assert local_services_of(second) not in (None, orphan)
    assert wait_for(lambda: not alive(process), "the orphan's end")


def test_without_packages_it_says_what_to_do(tmp_path: Path) -> None:
    """The packages come from an index once; without one the platform does not start at all."""
    command = [sys.executable, "-m", "lambent", "up", "--port", "0", "--services"]
    places = ["--data-dir", str(tmp_path / "data")]
    places += ["--set", f"services.packages_dir={tmp_path / 'cache'}"]
    nowhere = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }
    done = forking.run(
        [*command, *places],
        env={**os.environ, **nowhere},
        timeout=50,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "cannot install the emulator of other services" in done.stderr
    assert "start without --services" in done.stderr
    assert list((tmp_path / "cache").glob("ministack-*")) == []


def test_a_server_of_ones_own(start_platform: Callable[..., Platform]) -> None:
    """Requests for a service with its own endpoint are forwarded unchanged, with the signature. An
    endpoint that is down, or that leads back here, is a modelled error."""
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.command, self.path, dict(self.headers.items()), body))
            answer = b'{"QueueUrls": ["http://elsewhere/1/q"]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        dead = unused.getsockname()[1]
    running = start_platform(
        None,
        *("--set", f"aws.sqs.endpoint_url=http://127.0.0.1:{server.server_address[1]}"),
        *("--set", f"aws.kinesis.endpoint_url=http://127.0.0.1:{dead}"),
    )
    found = running.client("sqs").list_queues(QueueNamePrefix="a b")
    assert found["QueueUrls"] == ["http://elsewhere/1/q"]
    ((method, path, headers, body),) = seen
    assert (method, path, json.loads(body)) == ("POST", "/", {"QueueNamePrefix": "a b"})
    assert headers["host"] == urlsplit(running.endpoint).netloc
    assert "Signature=" in headers["authorization"]
    server.shutdown()
    server.server_close()
    with pytest.raises(ClientError) as raised:
        running.client("kinesis").list_streams()
    assert raised.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_stacks_nest_and_reach_the_emulator(platform: Platform) -> None:
    """The template of the inner stack is an object of S3, by AWS's own host name. A secret is read
    when it is needed and is never stored."""
    s3, stacks = platform.client("s3"), platform.client("cloudformation")
    platform.client("ssm").put_parameter(Name="/size", Value="1024", Type="String")
    platform.client("secretsmanager").create_secret(
        Name="inner", SecretString=json.dumps({"delay": "7"})
    )
    inner = {
        "Parameters": {"Size": {"Type": "AWS::SSM::Parameter::Value<String>"}},
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "MaximumMessageSize": {"Ref": "Size"},
                    "DelaySeconds": "{{resolve:secretsmanager:inner:SecretString:delay}}",
                },
            }
        },
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}},
    }
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="inner.json", Body=json.dumps(inner).encode())
    outer = {
        "Resources": {
            "Inner": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {
                    "TemplateURL": "https://s3.us-east-1.amazonaws.com/templates/inner.json",
                    "Parameters": {"Size": "/size"},
                },
            }
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Url"]}}},
    }
    stacks.create_stack(StackName="outer", TemplateBody=json.dumps(outer))

    def settled(name: str) -> Any:
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

    stack = wait_for(lambda: settled("outer"), "the stacks are made", 60)
    events = stacks.describe_stack_events(StackName="outer")["StackEvents"]
    reasons = [event.get("ResourceStatusReason") for event in events]
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons
    url = stack["Outputs"][0]["OutputValue"]
    found = platform.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert found["Attributes"]["MaximumMessageSize"] == "1024"
    assert found["Attributes"]["DelaySeconds"] == "7"
    (nested,) = [s for s in stacks.describe_stacks()["Stacks"] if s.get("ParentId")]
    assert nested["ParentId"] == nested["RootId"] == stack["StackId"]
    assert nested["Parameters"][0]["ResolvedValue"] == "1024"
    stacks.delete_stack(StackName="outer")
    stack = wait_for(lambda: settled(stack["StackId"]), "they are deleted", 60)
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.describe_stacks()["Stacks"] == []
