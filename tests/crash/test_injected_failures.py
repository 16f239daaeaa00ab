"""Wherever a task is started, its exception only affects its own work.

The places are found in the source. Each is made to fail in a running platform, with sources and
destinations of all kinds, while a function is called continuously.
"""

import base64
import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from lambent.instance import operator_socket
from lambent.instance.operator_socket import OperatorSocketError
from lambent.model.cloudfront.names import new_id
from tests.platforms import (
    deploy,
    invoke,
    log_lines,
    publish_layer,
    wait_active,
    wait_for,
    zip_of,
)
from tests.scenario.edge.distributions import UNCACHED, behavior, config_of, custom_origin
from tests.scenario.mappings.broker_platforms import Secret, broker_arn, map_queue
from tests.scenario.mappings.conftest import Function
from tests.scenario.mappings.streams import IMPATIENT, Stream
from tests.scenario.mappings.test_activemq import Queue as ActiveQueue
from tests.scenario.mappings.test_kafka import Topic
from tests.scenario.mappings.test_nats import Stream as NatsStream
from tests.scenario.mappings.test_rabbitmq import Queue as RabbitQueue
from tests.scenario.mappings.test_sqs import Queue as SqsQueue
from tests.scenario.test_services import local_services_of, receive
from tests.scenario.test_snap_start import RUNTIME as SNAP_START_RUNTIME
from tests.scenario.test_telemetry_api import LISTENER, SUBSCRIPTION
from tests.servers.activemq import ActiveMq
from tests.servers.kafka import MockKafka
from tests.servers.nats import Nats
from tests.servers.rabbitmq import RabbitMq
from tests.unit.triggers.apis.backend import running_backend

from .api_world import ApiWorld
from .failing_apis import API_REACH, ApiReach
from .failing_platform import FailingPlatform
from .failing_tasks import SITES as PLACES

ECHO = "def handler(event, context):\n    return event"
BESIDE = "x" * 100_000
"""A payload that is stored next to the database."""
LARGE = "x" * 300_000
"""A payload that is not checked on the event loop."""
SITES = sorted(PLACES.values())

pytestmark = pytest.mark.timeout(180)


class Source:
    """What a mapping reads, and the function that it calls."""

    def __init__(self, function: Function, send: Callable[[str], object]) -> None:
        self._function = function
        self._send = send

    def probe(self) -> None:
        """What is sent arrives."""
        text = uuid.uuid4().hex
        encoded = base64.b64encode(text.encode()).decode()
        self._send(text)

        def has_come() -> bool:
            lines = "\n".join(self._function.lines("EVENT "))
            return text in lines or encoded in lines

        wait_for(has_come, f"{self._function.name} is called with it", deadline_s=60)


class World:
    """A platform with everything in it, and continuous calls."""

    def __init__(self, platform: FailingPlatform) -> None:
        self.platform = platform
        self.lambdas = platform.client("lambda")
        self.sqs = platform.client("sqs")
        deploy(self.lambdas, "steady", {"app.py": ECHO})
        self.sources: dict[str, Source] = {}
        self.done_queue = SqsQueue(platform, "done")
        self.relay = deploy(self.lambdas, "relay", {"app.py": ECHO})["FunctionArn"]
        self.lambdas.put_function_event_invoke_config(
            FunctionName="relay",
            DestinationConfig={"OnSuccess": {"Destination": self.done_queue.arn}},
        )
        layer = publish_layer(self.lambdas, "listener", {"extensions/listener": LISTENER})
        deploy(
            self.lambdas,
            "listened",
            {"app.py": ECHO},
            Layers=[layer],
            Environment={"Variables": {"EXTENSION_SUBSCRIPTION": json.dumps(SUBSCRIPTION)}},
        )

    def add_source(self, name: str, send: Callable[[str], object], map_: Any, **more: Any) -> None:
        """Let a function read it."""
        function = Function(
            self.platform, f"reads-{name}", "def act(event): return None", Timeout=2
        )
        map_(function, **more)
        self.sources[name] = Source(function, send)

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Other load: a function is called continuously, and responds."""
        is_over = threading.Event()
        answers: list[object] = []

        def call() -> None:
            client = self.platform.client("lambda")
            while not is_over.wait(0.05):
                try:
                    answers.append(invoke(client, "steady", len(answers))[0])
                except Exception as error:
                    answers.append(repr(error))

        thread = threading.Thread(target=call)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join(60)
        assert answers == list(range(len(answers)))

    def check(self) -> None:
        """Everything works."""
        assert self.platform.process.poll() is None, self.platform.text()[-5000:]
        assert invoke(self.lambdas, "steady", "fine")[0] == "fine"
        name = self.lambdas.get_function(FunctionName="steady")["Configuration"]["FunctionName"]
        assert name == "steady"

    def relays(self, payload: Any = "through") -> None:
        """An event arrives at the destination of its function."""
        mark = uuid.uuid4().hex
        event = {"mark": mark, "payload": payload}
        self.lambdas.invoke(
            FunctionName="relay", InvocationType="Event", Payload=json.dumps(event).encode()
        )

        self._awaits(mark)

    def _awaits(self, mark: str) -> None:
        def has_come() -> bool:
            message = receive(self.sqs, self.done_queue.url)
            return message is not None and mark in message["Body"]

        wait_for(has_come, "the event arrives", deadline_s=60)

    def puts_event(self) -> None:
        """An event of a rule arrives at its function, and from there at the destination."""
        events, mark = self.platform.client("events"), uuid.uuid4().hex
        events.put_rule(Name="relayed", EventPattern='{"source": ["world"]}')
        events.put_targets(Rule="relayed", Targets=[{"Id": "1", "Arn": self.relay}])
        detail = json.dumps({"mark": mark})
        events.put_events(Entries=[{"Source": "world", "DetailType": "x", "Detail": detail}])
        self._awaits(mark)

    def ticks(self) -> None:
        """A schedule that is due at once calls its function."""
        mark = uuid.uuid4().hex
        self.platform.client("scheduler").create_schedule(
            Name=mark,
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": self.relay,
                "RoleArn": "arn:aws:iam::000000000000:role/r",
                "Input": json.dumps({"mark": mark}),
            },
        )
        self._awaits(mark)

    def deploys(self) -> str:
        """A new function works, and again after its code has changed."""
        name = f"new-{uuid.uuid4().hex[:8]}"
        deploy(self.lambdas, name, {"app.py": ECHO})
        assert invoke(self.lambdas, name, 1)[0] == 1
        code = zip_of({"app.py": ECHO.replace("return event", "return 'changed'")})
        self.lambdas.update_function_code(FunctionName=name, ZipFile=code)
        wait_active(self.lambdas, name)
        wait_for(lambda: invoke(self.lambdas, name, 1)[0] == "changed", "the new code runs")
        return name

    def lists_queues(self) -> None:
        """Other services respond."""

        def lists() -> bool:
            try:
                return bool(self.sqs.list_queues()["QueueUrls"])
            except ClientError:
                return False

        wait_for(lists, "the emulator answers", deadline_s=60)


NATS_ARN = "arn:aws:nats:us-east-1:000000000000:stream/failing"


@pytest.fixture(scope="module")
def world(
    rabbitmq: RabbitMq,
    activemq: ActiveMq,
    nats_server: Nats,
    mock_kafka: MockKafka,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """One platform, with all kinds of sources."""
    brokers = {
        "rabbit": f"amqp://127.0.0.1:{rabbitmq.port}",
        "active": f"stomp://127.0.0.1:{activemq.port}",
    }
    settings = [f"polling.{setting}" for setting in IMPATIENT]
    settings += ["polling.session_s=6", "polling.long_poll_s=1"]
    settings += ["asynchronous.retry_s=0.05", "asynchronous.backoff_s=0.05"]
    settings += ["egress.allow=127.0.0.0/8", "server.tls=auto", "server.tls_port=0"]
    places = [f"{broker_arn(name)}={url}" for name, url in brokers.items()]
    places.append(f"{NATS_ARN}=nats://127.0.0.1:{nats_server.port}")
    settings.append("polling.brokers=" + ",".join(places))
    options = [option for setting in settings for option in ("--set", setting)]
    platform = FailingPlatform(tmp_path_factory.mktemp("failing") / "data", "--services", *options)
    try:
        made = World(platform)
        _add_sources(made, rabbitmq, activemq, nats_server, mock_kafka)
        yield made
        assert platform.stop() == 0, platform.text()[-5000:]
    finally:
        platform.kill()


def _add_sources(
    world: World, rabbitmq: RabbitMq, activemq: ActiveMq, server: Nats, mock_kafka: MockKafka
) -> None:
    platform = world.platform
    sqs = SqsQueue(platform, "read", VisibilityTimeout="2")
    more = {"BatchSize": 20, "MaximumBatchingWindowInSeconds": 1}
    world.add_source("sqs", sqs.send, lambda function: function.map(sqs.arn, **more))
    stream = Stream(platform.client("kinesis"), "read")
    since = {"StartingPosition": "TRIM_HORIZON"}
    world.add_source("kinesis", stream.put, lambda function: function.map(stream.arn, **since))
    topic = Topic({"bootstrap.servers": mock_kafka.bootstrap}, f"t-{uuid.uuid4().hex}", 0)
    topic.send("first")

    def send(text: str) -> None:
        topic.send(text.encode())

    world.add_source("kafka", send, lambda function: function.map(None, **topic.mapping()))
    rabbit = RabbitQueue(rabbitmq, f"read-{uuid.uuid4().hex}")
    active = ActiveQueue(activemq, f"read-{uuid.uuid4().hex}")
    for name, queue in (("rabbit", rabbit), ("active", active)):
        secret = Secret(platform)  # type: ignore[arg-type]
        world.add_source(
            name, queue.send, partial(map_queue, broker=name, queue=queue.name, secret=secret)
        )
    access = [{"Type": "BASIC_AUTH", "URI": Secret(platform).arn}]  # type: ignore[arg-type]
    world.add_source(
        "nats",
        NatsStream(server, "failing").send,
        lambda function: function.map(NATS_ARN, SourceAccessConfigurations=access),
    )
    for source in world.sources.values():
        source.probe()


def _publish_snapped(client: Any) -> None:
    applies = {"ApplyOn": "PublishedVersions"}
    deploy(client, "snapped", {"app.py": ECHO}, Runtime=SNAP_START_RUNTIME, SnapStart=applies)
    client.publish_version(FunctionName="snapped")
    waiter = client.get_waiter("published_version_active")
    waiter.wait(FunctionName="snapped", Qualifier="1", WaiterConfig={"Delay": 1})


@pytest.fixture(scope="module")
def apis(world: World) -> Iterator[ApiWorld]:
    """The APIs of that platform."""
    with running_backend() as backend:
        yield ApiWorld(world.platform, backend, world.done_queue.url)


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingPlatform]:
    """A platform with existing data, with a task that failed as it was started."""
    data = tmp_path_factory.mktemp("brief") / "data"
    if SNAP_START_RUNTIME:
        before = FailingPlatform(data)
        _publish_snapped(before.client("lambda"))
        assert before.stop() == 0, before.text()[-5000:]
        before.kill()
    mail = ("--set", "cognito.smtp_url=smtp://127.0.0.1:9")
    platform = FailingPlatform(data, *mail, fails="assembly/platform.py:prepare_deployed")
    try:
        yield platform
    finally:
        platform.kill()


Reach = Callable[[World, str], None]
"""Makes a task of a site fail, and checks the consequences."""


def _runs(then: Callable[[World], object] = World.check) -> Reach:
    """For a task that always runs: it fails, restarts, and does its work."""

    def reach(world: World, site: str) -> None:
        before = world.platform.count("began", site)
        with world.platform.failing(site, "now"):
            pass
        wait_for(lambda: world.platform.count("began", site) > before, f"{site} goes on", 60)
        then(world)

    return reach


def _has_traces(world: World) -> None:
    """A segment that was sent is stored."""
    client = world.platform.client("xray")
    trace, now = f"1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}", time.time()
    segment = {"id": "0" * 16, "trace_id": trace, "name": "a", "start_time": now, "end_time": now}
    client.put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])
    assert client.batch_get_traces(TraceIds=[trace])["Traces"]


def _has_metrics(world: World) -> None:
    client = world.platform.client("cloudwatch")
    assert client.list_metrics(Namespace="AWS/Lambda", MetricName="Invocations")["Metrics"]


def _polls_again(world: World, site: str) -> None:
    """A source that cannot be read is retried in the same task."""
    with world.platform.failing(site, "now"):
        pass
    for source in world.sources.values():
        source.probe()


def _feeds(source: str) -> Reach:
    """For a task that reads a source."""
    return _runs(lambda world: world.sources[source].probe())


def _flood(world: World) -> None:
    """Batches so large that several concurrent requests delete their messages."""
    url = world.sqs.get_queue_url(QueueName="read")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": "flood"} for number in range(10)]
    for _ in range(12):
        world.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    world.sources["sqs"].probe()


def _fails(cause: Callable[[World], object]) -> Reach:
    """For a task that `cause` starts, and that handles the failure."""

    def reach(world: World, site: str) -> None:
        with world.platform.failing(site):
            cause(world)

    return reach


def _answers(status: int, code: str, call: Callable[[World], object]) -> Reach:
    """For a task that serves an API call: it returns this error, and succeeds the next time."""

    def reach(world: World, site: str) -> None:
        with world.platform.failing(site), pytest.raises(ClientError) as failed:
            call(world)
        response = failed.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert response["Error"]["Code"] == code
        assert "Injected" not in str(response)
        call(world)

    return reach


def _pages(url_of: Callable[[World], str | urllib.request.Request], later: int) -> Reach:
    """For a task that serves a page: 500, and the usual response the next time."""

    def reach(world: World, site: str) -> None:
        url = url_of(world)
        with world.platform.failing(site):
            assert _status(url) == 500
        assert _status(url) == later

    return reach


def _clicks(world: World, site: str) -> None:
    """A page of the console gets 500, and the usual response the next time."""
    url = f"{world.platform.endpoint}/_lambent/console/api/lambda/ListFunctions"
    click = urllib.request.Request(url, b"{}", {"X-Lambent-Console": "none"})
    with world.platform.failing(site):
        assert _status(click) == 500
    assert _status(click) == 200


def _ask_operator(world: World, site: str) -> None:
    """The owner's command reports the failure, and the next one works."""
    state = world.platform.data_dir / "state"
    with world.platform.failing(site), pytest.raises(OperatorSocketError, match="it failed"):
        operator_socket.ask(state, "status", 20)
    assert operator_socket.ask(state, "status", 20)


def _url_of_large(world: World) -> str:
    """Of a function whose response takes a while to read."""
    code = "def handler(event, context): return {'statusCode': 200, 'body': 'x' * 2_000_000}"
    deploy(world.lambdas, "large", {"app.py": code})
    config = world.lambdas.create_function_url_config(FunctionName="large", AuthType="NONE")
    url_id = config["FunctionUrl"].partition("//")[2].partition(".")[0]
    return f"{world.platform.endpoint}/_lambent/url/{url_id}/"


def _url_of_distribution(world: World) -> str:
    """Of one that was asked before, and whose origin cannot be reached."""
    config = config_of(custom_origin("localhost.localdomain"), default=behavior(UNCACHED))
    made = world.platform.client("cloudfront").create_distribution(DistributionConfig=config)
    url = f"{world.platform.endpoint}/_lambent/cloudfront/{made['Distribution']['Id']}/"
    _status(url)
    return url


def _upload_of_bot(world: World) -> urllib.request.Request:
    url = world.platform.client("lexv2-models").create_upload_url()["uploadUrl"]
    return urllib.request.Request(url, b"zip", method="PUT")


def _status(url: str | urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _invoke_new(world: World) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    deploy(world.lambdas, name, {"app.py": ECHO})
    with pytest.raises(ClientError, match="ServiceException"):
        invoke(world.lambdas, name)
    assert invoke(world.lambdas, name, 1)[0] == 1


def _deploy_new(world: World) -> None:
    world.deploys()


def _listen(world: World, site: str) -> None:
    assert invoke(world.lambdas, "listened", 1)[0] == 1
    with world.platform.failing(site, "now"):
        pass
    assert invoke(world.lambdas, "listened", 2)[0] == 2


def _debug(world: World, site: str) -> None:
    """The debugger of one call is cut off; the call itself ends when its client leaves."""
    name, port = f"debugged-{uuid.uuid4().hex[:8]}", _free_port()
    code = {"app.js": "exports.handler = async () => 1;"}
    deploy(world.lambdas, name, code, Runtime="nodejs20.x")
    parts = urlsplit(world.platform.endpoint)
    head = f"POST /_lambent/debug/{name}?port={port} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    with socket.create_connection((parts.hostname, parts.port), 60) as call:
        call.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        with contextlib.closing(wait_for(partial(_connected, port), "the port", 60)) as debugger:
            debugger.sendall(b"GET /json/version HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert debugger.recv(100).startswith(b"HTTP/1.")
            with world.platform.failing(site, "now"):
                pass
    assert invoke(world.lambdas, name, 1)[0] == 1


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found: int = bound.getsockname()[1]
        return found


def _connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port), 60)
    except ConnectionRefusedError:
        return None


def _publish_to_topic(world: World) -> None:
    sns = world.platform.client("sns")
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=world.relay)
    sns.publish(TopicArn=topic, Message="hello")


def _end_local_services(world: World) -> None:
    pid = local_services_of(world.platform)
    assert pid is not None
    world.platform.tell("now", "services/local_services.py:self._watch")
    wait_for(lambda: local_services_of(world.platform) not in (pid, None), "another emulator", 60)
    world.lists_queues()


def _make_stack(world: World, topics: Sequence[str] = ()) -> None:
    """A stack is made whatever fails: it goes on from what is written."""
    client, name = world.platform.client("cloudformation"), f"s-{uuid.uuid4().hex[:8]}"
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    client.create_stack(
        StackName=name, TemplateBody=json.dumps(template), NotificationARNs=list(topics)
    )

    def has_status(status: str, stack: str) -> bool:
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        return bool(found["StackStatus"] == status)

    wait_for(partial(has_status, "CREATE_COMPLETE", name), "the stack is made", 60)
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    client.delete_stack(StackName=name)
    wait_for(partial(has_status, "DELETE_COMPLETE", stack["StackId"]), "it is deleted", 60)


def _notify(world: World) -> None:
    """The events of a stack reach their topic whatever fails."""
    sns, sqs = world.platform.client("sns"), world.platform.client("sqs")
    queue = sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    topic = sns.create_topic(Name=f"t-{uuid.uuid4().hex}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    _make_stack(world, [topic])
    heard: list[str] = []

    def has_all() -> bool:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        heard.extend(message["Body"] for message in found.get("Messages", ()))
        return any("DELETE_COMPLETE" in body and "CloudFormation::Stack" in body for body in heard)

    wait_for(has_all, "the last event is heard", 60)


def _record_metric(world: World) -> None:
    """A metric filter counts what is logged after it was put."""
    logs, name = world.platform.client("logs"), f"m-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    metric = {"metricName": name, "metricNamespace": "crash", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName=name, filterName="f", filterPattern="", metricTransformations=[metric]
    )

    def is_counted() -> bool:
        event = {"timestamp": int(time.time() * 1000), "message": "counted"}
        logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[event])
        metrics = world.platform.client("cloudwatch").list_metrics(MetricName=name)["Metrics"]
        return bool(metrics)

    wait_for(is_counted, "the metric is recorded", 60)


def _query_logs(status: str, world: World) -> None:
    """A query that fails says so, and the next one works."""
    logs, group = world.platform.client("logs"), f"/aws/lambda/q-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)

    def query() -> str:
        started = logs.start_query(
            logGroupName=group,
            startTime=0,
            endTime=int(time.time()) + 60,
            queryString="stats count(*)",
        )

        def ended() -> str | None:
            found = logs.get_query_results(queryId=started["queryId"])["status"]
            return found if found not in ("Scheduled", "Running") else None

        return str(wait_for(ended, "the query ends", 60))

    assert query() == status
    assert query() == "Complete"


def _make_resource(world: World) -> None:
    """A resource is made whatever fails: the request goes on from what is written."""
    client, name = world.platform.client("cloudcontrol"), f"r-{uuid.uuid4().hex[:8]}"
    kind, principal = "AWS::IAM::Role", {"Service": "lambda.amazonaws.com"}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    state = json.dumps({"RoleName": name, "AssumeRolePolicyDocument": trust})
    begun = client.create_resource(TypeName=kind, DesiredState=state)["ProgressEvent"]

    def has_ended(token: str) -> bool:
        event = client.get_resource_request_status(RequestToken=token)["ProgressEvent"]
        return bool(event["OperationStatus"] == "SUCCESS")

    wait_for(partial(has_ended, begun["RequestToken"]), "the resource is made", 60)
    gone = client.delete_resource(TypeName=kind, Identifier=name)["ProgressEvent"]
    wait_for(partial(has_ended, gone["RequestToken"]), "it is deleted", 60)


def _signal(world: World, site: str) -> None:
    """A response that cannot be taken is refused, and taken the next time."""
    client, name = world.platform.client("cloudformation"), f"s-{uuid.uuid4().hex[:8]}"
    handle, wait = "AWS::CloudFormation::WaitConditionHandle", "AWS::CloudFormation::WaitCondition"
    condition = {"Handle": {"Ref": "Handle"}, "Timeout": "120"}
    template = {
        "Resources": {
            "Handle": {"Type": handle},
            "Wait": {"Type": wait, "Properties": condition},
        }
    }
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def link() -> str:
        resources = client.list_stack_resources(StackName=name)["StackResourceSummaries"]
        found = [r.get("PhysicalResourceId") for r in resources if r["ResourceType"] == handle]
        return str(found[0] or "") if found else ""

    address = urlsplit(wait_for(link, "the handle is made"))
    url = f"{world.platform.endpoint}{address.path}?{address.query}"
    body = json.dumps({"Status": "SUCCESS", "UniqueId": "1", "Data": ""}).encode()

    def send() -> int:
        headers = {"Host": address.netloc, "Content-Type": ""}
        request = urllib.request.Request(url, body, headers, method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    with world.platform.failing(site):
        assert send() == 404
    assert send() == 200

    def is_made() -> bool:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        return bool(stack["StackStatus"] == "CREATE_COMPLETE")

    wait_for(is_made, "the stack is made", 60)
    client.delete_stack(StackName=name)


def _transform(world: World) -> None:
    client, name = world.platform.client("cloudformation"), f"s-{uuid.uuid4().hex[:8]}"
    table = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "s3://b/k"}}
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Layer": table}}
    client.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
    )
    client.delete_stack(StackName=name)


REACH: dict[str, Reach] = {
    "assembly/events.py:alarms.run": _runs(),
    "assembly/events.py:ticker.run": _runs(World.ticks),
    "assembly/logs.py:recorder.run": _runs(_record_metric),
    "assembly/stacks.py:run": _signal,
    "stacks/cloud_control/runs.py:self._run": _fails(_make_resource),
    "stacks/room.py:requests.watch": _runs(_make_resource),
    "stacks/engine/engine.py:self._run": _fails(_make_stack),
    "stacks/engine/graph.py:perform": _fails(_make_stack),
    "stacks/room.py:engine.watch": _runs(_make_stack),
    "stacks/notifications.py:self._run": _fails(_notify),
    "stacks/room.py:notifications.watch": _runs(_notify),
    "stacks/sam/translator.py:_send": _answers(500, "InternalFailure", _transform),
    "assembly/names.py:certificates.keep_up_to_date": _runs(),
    "assembly/names.py:hosts.follow_changes": _runs(),
    "assembly/websocket_apis.py:sessions.watch": _runs(),
    "assembly/storage.py:metrics.run": _runs(_has_metrics),
    "assembly/storage.py:traces.run": _runs(_has_traces),
    "asynchronous/room.py:destination_dispatcher.run": _runs(World.relays),
    "asynchronous/room.py:dispatcher.run": _runs(World.relays),
    "asynchronous/room.py:event_dispatcher.run": _runs(World.puts_event),
    "asynchronous/room.py:group_commit.run": _runs(World.relays),
    "asynchronous/destination_dispatcher.py:self._send": _fails(World.relays),
    "asynchronous/event_dispatcher.py:self._hand_over": _fails(World.puts_event),
    "asynchronous/dispatcher.py:self._begin_slowly": _fails(lambda suite: suite.relays(BESIDE)),
    "asynchronous/dispatcher.py:self._forget_payloads": _fails(lambda suite: suite.relays(BESIDE)),
    "asynchronous/claimed_queue.py:sleep": _runs(World.relays),
    "asynchronous/queue.py:self._write_beside": _answers(
        500, "ServiceException", lambda suite: suite.relays(BESIDE)
    ),
    "control/activation.py:self._activate": _fails(_deploy_new),
    "control/room.py:activation.run": _runs(_deploy_new),
    "control/room.py:packages.delete_unused": _runs(_deploy_new),
    "gateway/code_links.py:self._serve": _pages(
        lambda suite: suite.lambdas.get_function(FunctionName="steady")["Code"]["Location"], 200
    ),
    "gateway/services/lambda_/invoke.py:slowly": _answers(
        500, "ServiceException", lambda suite: invoke(suite.lambdas, "relay", LARGE)
    ),
    "console/front.py:self._perform": _clicks,
    "gateway/admin_api.py:self._serve": _pages(
        lambda suite: f"{suite.platform.endpoint}/_lambent/mappings", 200
    ),
    "gateway/status_page.py:self._serve": _pages(
        lambda suite: f"{suite.platform.endpoint}/_lambent/status", 200
    ),
    "gateway/hooks_api.py:self._serve": _pages(
        lambda suite: f"{suite.platform.endpoint}/_lambent/hooks", 200
    ),
    "gateway/server.py:self._handle_large": _answers(
        500, "ServiceException", lambda suite: invoke(suite.lambdas, "relay", LARGE)
    ),
    "gateway/server.py:self._serve": _answers(
        500, "ServiceException", lambda suite: suite.lambdas.get_function(FunctionName="steady")
    ),
    "kit/waiting.py:give_up": _runs(lambda suite: suite.sources["kinesis"].probe()),
    "instance/operator_socket.py:self._perform": _ask_operator,
    "polling/mapping_reconciler.py:self._run": _polls_again,
    "polling/reader.py:lane.run": _feeds("kinesis"),
    "polling/sources/mq/activemq.py:connection.beat": _feeds("active"),
    "polling/sources/mq/activemq.py:queue.receive": _feeds("active"),
    "polling/sources/kafka/consumer.py:self._end_when_stopped": _feeds("kafka"),
    "polling/sources/kafka/assignment.py:self._process": _feeds("kafka"),
    "polling/sources/mq/rabbitmq.py:_look": _feeds("rabbit"),
    "polling/sources/nats/consumer.py:consumer.look": _feeds("nats"),
    "polling/sources/nats/consumer.py:consumer.work": _feeds("nats"),
    "polling/sources/streams/shards.py:self._serve": _feeds("kinesis"),
    "polling/sources/sqs/received.py:delete": _fails(_flood),
    "polling/sources/sqs/poller.py:self._received.keep_hidden": _feeds("sqs"),
    "polling/sources/sqs/poller.py:self._look": _feeds("sqs"),
    "polling/sources/sqs/poller.py:self._work": _feeds("sqs"),
    "polling/mapping_supervisor.py:self._reconcile": _runs(),
    "polling/mapping_supervisor.py:self._write_results": _runs(),
    "node/node.py:node.run": _runs(_deploy_new),
    "services/forwarder.py:serve": _answers(
        500, "ServiceException", lambda suite: suite.platform.client("sqs").list_queues()
    ),
    "services/local_services.py:self._follow_output": _runs(World.lists_queues),
    "services/local_services.py:self._follow_output#2": _fails(_end_local_services),
    "services/local_services.py:self._supervise": _runs(World.lists_queues),
    "services/local_services.py:self._watch": _runs(World.lists_queues),
    "telemetry/insights/runner.py:self._run": _fails(partial(_query_logs, "Failed")),
    "telemetry/insights/runner.py:_send": _fails(partial(_query_logs, "Failed")),
    "telemetry/logs.py:store.run": _runs(lambda suite: log_lines(suite.platform, "steady")),
    "telemetry/otlp.py:sender.run": _runs(),
    "telemetry/logs.py:store.flush_when_asked": _runs(_deploy_new),
    "triggers/deliveries.py:self._take": _fails(_publish_to_topic),
    "triggers/edge/front.py:call.run": _pages(_url_of_distribution, 502),
    "triggers/edge/front.py:self._enter_slowly": _pages(
        lambda suite: f"{suite.platform.endpoint}/_lambent/cloudfront/{new_id('E')}/", 403
    ),
    "triggers/hooks/front.py:self._serve": _pages(
        lambda suite: f"{suite.platform.endpoint}/_lambent/hook/{uuid.uuid4().hex}", 404
    ),
    "triggers/lex/links.py:self._serve": _pages(_upload_of_bot, 200),
    "triggers/url_reply.py:_respond_large": _pages(_url_of_large, 200),
    "triggers/function_urls.py:self._handle_slowly": _pages(
        lambda suite: f"{suite.platform.endpoint}/_lambent/url/{uuid.uuid4().hex}/", 403
    ),
    "assembly/health.py:lag.run": _runs(),
    "assembly/health.py:sampler.run": _runs(),
    "assembly/health.py:exporter.run": _runs(),
    "assembly/front.py:subscriptions.run": _runs(),
    "assembly/process.py:_watch_database": _runs(),
    "assembly/process.py:_watch_signals": _runs(),
    "assembly/execution.py:catalog.follow_changes": _runs(_deploy_new),
    "assembly/execution.py:retirement.follow_changes": _runs(_deploy_new),
    "node/node.py:code.keep_small": _runs(_deploy_new),
    "assembly/platform.py:keep_log_short": _runs(),
    "assembly/storage.py:keep_trash_short": _runs(),
    "node/environment/attempt.py:subscription.run": _listen,
    "node/environment/debug_port.py:_from_box": _debug,
    "node/environment/debug_port.py:_to_box": _debug,
    "node/environment/open_box.py:debug_port.run": _debug,
    "node/node.py:environment.live": _fails(_invoke_new),
}
"""How each site is reached in `world`."""

BRIEF = {
    "polling/mapping_supervisor.py:reconciler.close",
    "assembly/platform.py:prepare_deployed",
    "node/node.py:self._capture_again",
    "triggers/user_pools/documents.py:self._serve",
    "triggers/user_pools/mail.py:run",
}
"""Sites that are reached in `brief`, each in its own test."""

UNDER_SYSTEMD = {"assembly/process.py:_watch_launcher", "assembly/platform.py:manager.show_life"}
"""Sites that run only in a systemd service. These are loops, and restart like all loops."""

SHARED = {
    "assembly/apis.py:throttles.run",
    "assembly/console.py:sessions.run",
    "assembly/execution.py:limits.run",
    "assembly/logs.py:tails.run",
    "assembly/nodes.py:_keep_boxes",
    "assembly/nodes.py:_spread_provisioned",
    "assembly/nodes.py:contact.run",
    "assembly/nodes.py:membership.listen",
    "assembly/nodes.py:feed.run",
    "assembly/nodes.py:peers.run",
    "assembly/placement.py:self._follow_nodes",
    "assembly/placement.py:self.links.run",
    "assembly/placement.py:self.server.tell_load",
    "assembly/process.py:storage.membership.drain",
    "assembly/storage.py:membership.run",
    "assembly/storage.py:membership.take_over",
    "assembly/user_pools.py:pools.attempts.run",
    "asynchronous/room.py:take_over",
    "cluster/contact.py:ask",
    "cluster/links.py:self._beat",
    "cluster/links.py:self._keep",
    "cluster/peers.py:ask",
    "cluster/peers.py:self._answer",
    "console/front.py:respond",
    "polling/mapping_supervisor.py:self._follow_nodes",
    "telemetry/insights/gathering.py:copy",
    "triggers/apis/rest/usage_counts.py:counts.tell_others",
}
"""Sites that run only where platforms share a database. These are loops, and parts of loops and of
requests, which respond with 500 in their own tests."""

ELSEWHERE = BRIEF | UNDER_SYSTEMD | SHARED | API_REACH.keys()


@pytest.mark.parametrize("site", [site for site in SITES if site not in ELSEWHERE])
def test_a_task_that_fails_costs_only_what_it_was_about(world: World, site: str) -> None:
    """Requests get status 500, loops continue, sources are still read, and unrelated work notices
    nothing."""
    assert site in REACH, "a new place where a task is started: say how it is reached"
    with world.traffic():
        REACH[site](world, site)
    world.check()


@pytest.mark.parametrize(("site", "reach"), API_REACH.items())
def test_a_request_to_an_api_that_fails_costs_nothing_else(
    world: World, apis: ApiWorld, site: str, reach: ApiReach
) -> None:
    """The client gets an error, and the next request succeeds."""
    with world.traffic():
        reach(apis, site)
    world.check()


def test_every_place_that_is_described_is_there() -> None:
    assert REACH.keys() | ELSEWHERE == set(SITES)
    assert not REACH.keys() & ELSEWHERE


def test_what_fails_as_the_platform_starts_does_not_keep_it_from_that(
    brief: FailingPlatform,
) -> None:
    wait_for(lambda: brief.count("failed", "assembly/platform.py:prepare_deployed"), "it fails")
    deploy(brief.client("lambda"), "young", {"app.py": ECHO})
    assert invoke(brief.client("lambda"), "young", 1)[0] == 1


def test_a_platform_that_fails_anyway_ends_at_once(tmp_path: Path) -> None:
    """Not after the grace period for calls of an orderly stop, because nothing would respond to
    them. The exit code informs a supervisor, and calls in progress see their connection end."""
    platform = FailingPlatform(tmp_path / "data")
    client = platform.client("lambda")
    deploy(client, "slow", {"app.py": "import time\ndef handler(event, context): time.sleep(20)"})
    failures: list[Exception] = []

    def call() -> None:
        try:
            invoke(client, "slow")
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    environments = "node/node.py:environment.live"
    wait_for(lambda: platform.count("began", environments), "the call is under way")
    platform.write("group assembly/execution.py:catalog.follow_changes")
    began = time.monotonic()
    code = platform.process.wait(15)
    took_s = time.monotonic() - began
    thread.join(15)
    platform.kill()
    assert code not in (0, None), platform.text()[-5000:]
    assert took_s < 10
    assert len(failures) == 1
    assert "InjectedError: assembly/execution.py:catalog.follow_changes" in platform.text()


@pytest.mark.skipif(not SNAP_START_RUNTIME, reason="no Python that may use SnapStart")
def test_a_version_that_cannot_be_captured_again_is_initialised(brief: FailingPlatform) -> None:
    """Its snapshot is gone with the previous platform."""
    with brief.failing("node/node.py:self._capture_again"):
        assert invoke(brief.client("lambda"), "snapped", 1, Qualifier="1")[0] == 1
    assert invoke(brief.client("lambda"), "snapped", 2, Qualifier="1")[0] == 2


def test_a_user_pool_whose_tasks_fail(brief: FailingPlatform) -> None:
    """A user signs up although the mail is not sent; the pool's keys are there the next time."""
    pools = brief.client("cognito-idp")
    options = {"PoolName": "p", "AutoVerifiedAttributes": ["email"]}
    pool = pools.create_user_pool(**options)["UserPool"]["Id"]
    made = pools.create_user_pool_client(UserPoolId=pool, ClientName="c")
    with brief.failing("triggers/user_pools/mail.py:run"):
        pools.sign_up(
            ClientId=made["UserPoolClient"]["ClientId"],
            Username="ann",
            Password="Passw0rd!x",
            UserAttributes=[{"Name": "email", "Value": "ann@example.com"}],
        )
    keys = f"{brief.endpoint}/{pool}/.well-known/jwks.json"
    with (
        brief.failing("triggers/user_pools/documents.py:self._serve"),
        pytest.raises(urllib.error.HTTPError, match="500"),
    ):
        urllib.request.urlopen(keys)
    with urllib.request.urlopen(keys) as response:
        assert json.load(response)["keys"]


def test_what_fails_as_the_platform_ends_does_not_keep_it_from_that(
    brief: FailingPlatform,
) -> None:
    """Of two mappings, one cannot be closed; the exit code is that of an orderly stop."""
    client = brief.client("lambda")
    for name in ("one", "other"):
        deploy(client, name, {"app.py": ECHO})
        client.create_event_source_mapping(
            FunctionName=name,
            SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:1"]}},
            Topics=["none"],
            StartingPosition="LATEST",
            SourceAccessConfigurations=[{"Type": "VPC_SUBNET", "URI": "subnet:subnet-01234567"}],
        )
    with brief.failing("polling/mapping_supervisor.py:reconciler.close"):
        assert brief.stop() == 0, brief.text()[-5000:]
