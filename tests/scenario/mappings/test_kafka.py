"""Topics of Kafka, read from real servers of its protocol."""

import base64
import collections
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lambent.polling.sources.kafka.cluster import ClientLog
from tests.scenario.test_cloudwatch import statistics
from tests.scenario.test_readme import run_page
from tests.servers.kafka import MockKafka, SecuredKafka, Tansu
from tests.servers.ministack import Ministack
from tests.servers.processes import free_port

from .conftest import Function, Platform, wait_for

NewFunction = Callable[..., Function]
OPEN = [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-01234567"}]
PROVISIONED: Mapping[str, Any] = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}


class Topic:
    """A topic of a server, with the settings that its clients need."""

    def __init__(self, settings: Mapping[str, Any], name: str, partitions: int = 1) -> None:
        self.settings = dict(settings)
        self.name = name
        if partitions:
            admin = AdminClient(self.settings)
            admin.create_topics([NewTopic(name, partitions, 1)])[name].result(timeout=10)

    def send(self, *values: Any, partition: int = 0, **more: Any) -> None:
        """Send messages, as JSON unless they are bytes."""
        producer = Producer(self.settings)
        for value in values:
            data = value if isinstance(value, bytes | None) else json.dumps(value)
            producer.produce(self.name, data, partition=partition, **more)
        assert producer.flush(10) == 0, "not all was delivered"

    def committed(self, group: str, partition: int = 0) -> int:
        """The offset from which a group continues."""
        consumer = Consumer({**self.settings, "group.id": group})
        (found,) = consumer.committed([TopicPartition(self.name, partition)], timeout=10)
        consumer.close()
        return int(found.offset)

    def wait_committed(self, group: str, offset: int, partition: int = 0) -> None:
        """Wait until a group has this offset."""
        wait_for(lambda: self.committed(group, partition) == offset, f"{offset} is committed")

    def mapping(self, **more: Any) -> dict[str, Any]:
        """The members of a mapping of it."""
        return {
            "SelfManagedEventSource": {
                "Endpoints": {
                    "KAFKA_BOOTSTRAP_SERVERS": self.settings["bootstrap.servers"].split(",")
                }
            },
            "Topics": [self.name],
            "StartingPosition": "TRIM_HORIZON",
            "SourceAccessConfigurations": OPEN,
            **more,
        }


def records(events: list[Any]) -> list[dict[str, Any]]:
    """The records of all events, in order."""
    return [record for event in events for some in event["records"].values() for record in some]


def values(events: list[Any], partition: int | None = None) -> list[Any]:
    """The values of a partition's records."""
    return [
        json.loads(base64.b64decode(record["value"]))
        for record in records(events)
        if partition is None or record["partition"] == partition
    ]


@pytest.fixture
def topic(tansu: Tansu, request: pytest.FixtureRequest) -> Topic:
    name = request.node.name.replace("[", "-").replace("]", "")
    return Topic({"bootstrap.servers": tansu.bootstrap}, name)


def test_records_look_as_in_aws(topic: Topic, new_function: NewFunction) -> None:
    """Keys and values in base64, headers as bytes, nulls as nulls; offsets are committed."""
    topic.send(b"\x00\xff", key="k", headers={"h": b"\x01\xff"}, timestamp=1545084650987)
    topic.send(None)
    function = new_function()
    uuid = function.map(None, **topic.mapping())
    (event,) = function.wait_events(1)
    assert event.keys() == {"eventSource", "bootstrapServers", "records"}
    assert event["eventSource"] == "SelfManagedKafka"
    assert event["bootstrapServers"] == topic.settings["bootstrap.servers"]
    first, second = event["records"][f"{topic.name}-0"]
    assert first == {
        "topic": topic.name,
        "partition": 0,
        "offset": 0,
        "timestamp": 1545084650987,
        "timestampType": "CREATE_TIME",
        "key": "aw==",
        "value": "AP8=",
        "headers": [{"h": [1, -1]}],
    }
    assert (second["key"], second["value"], second["headers"]) == (None, None, [])
    topic.wait_committed(uuid, 2)
    assert function.wait_result(uuid, "OK")["StateTransitionReason"] == "USER_INITIATED"


SLOW_ZERO = """
import time
def act(event):
    (some,) = event["records"].values()
    if some[0]["partition"] == 0:
        time.sleep(0.2)
"""


def test_partitions_do_not_wait_for_each_other(tansu: Tansu, new_function: NewFunction) -> None:
    """Each is processed in order, without gaps and repetitions. Where the function is slow, records
    wait in the cluster, and other partitions continue."""
    topic = Topic({"bootstrap.servers": tansu.bootstrap}, "four", partitions=4)
    for partition, number in enumerate((12_000, 500, 500, 500)):
        topic.send(*range(number), partition=partition)
    function = new_function(SLOW_ZERO)
    groups = {"Metrics": ["EventCount", "ErrorCount", "KafkaMetrics"]}
    uuid = function.map(None, **topic.mapping(BatchSize=1000, MetricsConfig=groups))
    for partition in (1, 2, 3):
        topic.wait_committed(uuid, 500, partition)
    assert topic.committed(uuid) < 12_000
    wait_for(lambda: len(records(function.events())) == 13_500, "all have come")
    events = function.events()
    assert values(events, 0) == list(range(12_000))
    for partition in (1, 2, 3):
        assert values(events, partition) == list(range(500))
    topic.wait_committed(uuid, 12_000)
    wait_for(lambda: function.shown(uuid)["waiting"] == 0, "nothing waits")
    assert function.shown(uuid)["counts"]["InvokedEventCount"] == 13_500
    read = partial(statistics, function.platform.client("cloudwatch"), FunctionName=function.name)
    lag = read("OffsetLag", "Maximum")["Maximum"]
    assert 0 < lag <= 12_000
    assert read("MaxOffsetLag", "Maximum", EventSourceMappingUUID=uuid) == {"Maximum": lag}
    both = read("SumOffsetLag", "Minimum", "Maximum", EventSourceMappingUUID=uuid)
    assert both["Minimum"] == 0
    assert lag <= both["Maximum"] <= 13_500
    counted = read("InvokedEventCount", "Sum", EventSourceMappingUUID=uuid)
    assert counted == {"Sum": 13_500}
    assert read("InvokeErrorCount", "Sum", EventSourceMappingUUID=uuid) == {"Sum": 0}


def test_batches_and_filters(topic: Topic, new_function: NewFunction) -> None:
    """A batch is full, or its window ends; filtered records are committed, too."""
    pattern = json.dumps({"value": {"n": [{"numeric": [">=", 3]}]}})
    topic.send(*({"n": number} for number in range(8)))
    function = new_function()
    uuid = function.map(
        None,
        **topic.mapping(
            BatchSize=3,
            MaximumBatchingWindowInSeconds=1,
            FilterCriteria={"Filters": [{"Pattern": pattern}]},
        ),
    )
    events = function.wait_events(2)
    assert [[value["n"] for value in values([event])] for event in events] == [[3, 4, 5], [6, 7]]
    topic.wait_committed(uuid, 8)
    topic.send({"n": 1}, {"n": 2})
    topic.wait_committed(uuid, 10)
    assert function.shown(uuid)["counts"]["FilteredOutEventCount"] == 5
    assert len(function.events()) == 2


FAILS_TWICE = """
calls = 0
def act(event):
    global calls
    calls += 1
    if calls < 3:
        raise ValueError("not yet")
"""


def test_a_failed_batch_is_retried(topic: Topic, new_function: NewFunction) -> None:
    """As a whole, and no later record before it."""
    topic.send(*range(5))
    function = new_function(FAILS_TWICE)
    groups = {"Metrics": ["ErrorCount"]}
    uuid = function.map(None, **topic.mapping(BatchSize=3, MetricsConfig=groups))
    events = function.wait_events(4)
    assert [values([event]) for event in events] == [[0, 1, 2]] * 3 + [[3, 4]]
    topic.wait_committed(uuid, 5)
    cloudwatch = function.platform.client("cloudwatch")
    of_mapping = {"FunctionName": function.name, "EventSourceMappingUUID": uuid}
    assert statistics(cloudwatch, "InvokeErrorCount", "Sum", **of_mapping) == {"Sum": 2}
    assert statistics(cloudwatch, "InvokedEventCount", "Sum", **of_mapping) == {"Sum": 0}


REPORTS = """
import base64
def act(event):
    failed = [
        {"itemIdentifier": {"partition": name, "offset": record["offset"]}}
        for name, some in event["records"].items()
        for record in some
        if base64.b64decode(record["value"]) == b'"bad"'
    ]
    return {"batchItemFailures": failed}
"""


def test_bad_records_go_to_a_topic(topic: Topic, new_function: NewFunction) -> None:
    """In provisioned mode the batch is split where the function reports a failure. A record that it
    never accepts is sent, with the event, to a topic of the same cluster before its offset is
    committed."""
    letters = Topic(topic.settings, "dead-letters")
    topic.send("a", "b", "bad", "c")
    function = new_function(REPORTS)
    uuid = function.map(
        None,
        **topic.mapping(**PROVISIONED),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": "kafka://dead-letters"}},
    )
    topic.wait_committed(uuid, 4)
    calls = [values([event]) for event in function.events()]
    assert calls[0] == ["a", "b", "bad", "c"]
    assert calls[-1] == ["c"]
    (record,) = read(letters)
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    info = record["KafkaBatchInfo"]
    assert info["batchSize"] == 1
    assert info["bootstrapServers"] == topic.settings["bootstrap.servers"]
    offsets = info["recordsInfo"][f"{topic.name}-0"]
    assert (offsets["firstRecordOffset"], offsets["lastRecordOffset"]) == ("2", "2")
    payload = json.loads(record["payload"])
    assert values([payload]) == ["bad"]
    assert info["payloadSize"] == len(record["payload"].encode())


def read(topic: Topic) -> list[Any]:
    """All messages of a topic with one partition, as JSON."""
    consumer = Consumer({**topic.settings, "group.id": "any", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic.name, 0, 0)])
    found = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        value = message.value()
        assert value is not None
        found.append(json.loads(value))
    consumer.close()
    return found


def test_too_large_for_an_event(
    topic: Topic, new_function: NewFunction, ministack: Ministack
) -> None:
    """A record that is larger than an event is reported, and its neighbors are processed."""
    queue = ministack.client("sqs")
    url = queue.create_queue(QueueName="too-large")["QueueUrl"]
    large = Topic({**topic.settings, "message.max.bytes": 12_000_000}, topic.name, partitions=0)
    large.send("before", b"x" * 5_000_000, "after")
    function = new_function()
    destination = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:too-large"}}
    uuid = function.map(None, **topic.mapping(DestinationConfig=destination))
    topic.wait_committed(uuid, 3)
    assert values(function.events()) == ["before", "after"]
    (message,) = queue.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "MaximumPayloadSizeExceeded"
    assert record["KafkaBatchInfo"]["recordsInfo"][f"{topic.name}-0"]["firstRecordOffset"] == "1"


class Secret:
    """A secret that mappings refer to by its ARN."""

    def __init__(self, ministack: Ministack, name: str, **members: str) -> None:
        self._client = ministack.client("secretsmanager")
        made = self._client.create_secret(Name=name, SecretString=json.dumps(members))
        self.arn: str = made["ARN"]

    def change(self, **members: str) -> None:
        """Another value."""
        self._client.put_secret_value(SecretId=self.arn, SecretString=json.dumps(members))


def alice(kafka: SecuredKafka) -> dict[str, Any]:
    """A client's settings for a server with TLS and SASL."""
    return {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(kafka.certificates.authority),
        "sasl.mechanism": "PLAIN",
        "sasl.username": "alice",
        "sasl.password": "secret",
    }


@pytest.fixture(scope="module")
def authority(secured_kafka: SecuredKafka, ministack: Ministack) -> dict[str, str]:
    """The setting for the server's root certificate."""
    secret = Secret(
        ministack, "authority", certificate=secured_kafka.certificates.authority.read_text()
    )
    return {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": secret.arn}


def test_passwords_over_tls(
    secured_kafka: SecuredKafka,
    authority: dict[str, str],
    ministack: Ministack,
    new_function: NewFunction,
) -> None:
    """A wrong password is reported; when the secret is right, reading begins."""
    kinds = ("BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH")
    topics = {kind: Topic(alice(secured_kafka), kind) for kind in kinds}
    functions = {kind: new_function(name=kind) for kind in kinds}
    secrets, uuids = {}, {}
    for kind in kinds:
        topics[kind].send(kind)
        secrets[kind] = Secret(ministack, kind, username="alice", password="wrong")
        access = [authority, {"Type": kind, "URI": secrets[kind].arn}]
        mapping = topics[kind].mapping(SourceAccessConfigurations=access)
        uuids[kind] = functions[kind].map(None, **mapping)
    for kind in kinds:
        found = functions[kind].wait_result(uuids[kind], "PROBLEM: SASL authentication failed")
        assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"
        secrets[kind].change(username="alice", password="secret")
    for kind in kinds:
        functions[kind].wait_result(uuids[kind], "OK")
        assert values(functions[kind].wait_events(1)) == [kind]
        topics[kind].wait_committed(uuids[kind], 1)


def test_passwords_are_not_logged(
    secured_kafka: SecuredKafka, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even by the client library, which logs every attempt."""
    caplog.set_level(logging.DEBUG)
    log = ClientLog()
    settings = {**alice(secured_kafka), "sasl.password": "wr0ng", "group.id": "any"}
    consumer = Consumer(settings, logger=log)
    wait_for(lambda: consumer.poll(0.1) or "SASL" in log.last, "it is refused")
    consumer.close()
    assert "SASL authentication error" in caplog.text
    assert "wr0ng" not in caplog.text


def test_certificates(
    secured_kafka: SecuredKafka,
    authority: dict[str, str],
    ministack: Ministack,
    new_function: NewFunction,
) -> None:
    """Servers are known by their root certificate, clients by a certificate of theirs."""
    with SecuredKafka(require_client_certificate=True) as kafka:
        made = kafka.certificates
        settings = {
            "bootstrap.servers": kafka.bootstrap,
            "security.protocol": "SSL",
            "ssl.ca.location": str(made.authority),
            "ssl.certificate.location": str(made.client),
            "ssl.key.location": str(made.client_key),
        }
        topic = Topic(settings, "private")
        topic.send("hello")
        root = Secret(ministack, "root", certificate=made.authority.read_text())
        certificate, key = made.client.read_text(), made.client_key.read_text()
        client = Secret(ministack, "client", certificate=certificate, privateKey="nonsense")
        trusted = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": root.arn}
        shown = {"Type": "CLIENT_CERTIFICATE_TLS_AUTH", "URI": client.arn}
        function = new_function()
        uuid = function.map(None, **topic.mapping(SourceAccessConfigurations=[authority]))
        function.wait_result(uuid, "PROBLEM: Lambda failed to authenticate server")
        function.update(uuid, SourceAccessConfigurations=[trusted])
        function.wait_result(uuid, "PROBLEM: Server failed to authenticate Lambda")
        function.update(uuid, SourceAccessConfigurations=[trusted, shown])
        found = function.wait_result(
            uuid, "PROBLEM: Provided certificate or private key is invalid"
        )
        assert found["StateTransitionReason"] == "ESM_CONFIG_NOT_VALID"
        client.change(certificate=certificate, privateKey=key)
        assert values(function.wait_events(1)) == ["hello"]
        function.client.delete_event_source_mapping(UUID=uuid)
        topic.wait_committed(uuid, 1)


def test_a_cluster_that_goes_away(
    secured_kafka: SecuredKafka,
    authority: dict[str, str],
    ministack: Ministack,
    new_function: NewFunction,
) -> None:
    """Records that were processed during the outage are committed when the cluster is back."""
    with SecuredKafka() as kafka:
        topic = Topic(alice(kafka), "away")
        secret = Secret(ministack, "away", username="alice", password="secret")
        root = Secret(ministack, "aways-root", certificate=kafka.certificates.authority.read_text())
        access = [
            {"Type": "BASIC_AUTH", "URI": secret.arn},
            {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": root.arn},
        ]
        function = new_function("import time\ndef act(event): time.sleep(1)")
        uuid = function.map(None, **topic.mapping(SourceAccessConfigurations=access))
        topic.send(1)
        function.wait_events(1)
        kafka.refuse(True)
        kafka.cut()
        function.wait_result(uuid, "PROBLEM: Connection error")
        kafka.refuse(False)
        function.wait_result(uuid, "OK")
        topic.wait_committed(uuid, 1)
        topic.send(2)
        wait_for(lambda: values(function.events())[-1] == 2, "it reads on")
        # A cluster that was away for long may have removed the member, and then repeats the first
        # records.
        assert list(dict.fromkeys(values(function.events()))) == [1, 2]
        function.client.delete_event_source_mapping(UUID=uuid)
        function.wait_gone(uuid)


def test_a_topic_that_comes_later(tansu: Tansu, new_function: NewFunction) -> None:
    """Until then the mapping reports what is missing."""
    topic = Topic({"bootstrap.servers": tansu.bootstrap}, "later", partitions=0)
    function = new_function()
    uuid = function.map(None, **topic.mapping())
    found = function.wait_result(uuid, "PROBLEM: The topic later does not exist")
    assert found["StateTransitionReason"] == "ESM_CONFIG_NOT_VALID"
    Topic(topic.settings, "later").send("hello")
    assert values(function.wait_events(1)) == ["hello"]


def test_no_broker_responds(new_function: NewFunction) -> None:
    """Disappearing again is not a problem either."""
    topic = Topic({"bootstrap.servers": f"127.0.0.1:{free_port()}"}, "nowhere", partitions=0)
    function = new_function()
    groups = {"Metrics": ["ErrorCount"]}
    uuid = function.map(None, **topic.mapping(MetricsConfig=groups))
    function.wait_result(uuid, "PROBLEM: Connection error")
    cloudwatch = function.platform.client("cloudwatch")
    of_mapping = {"FunctionName": function.name, "EventSourceMappingUUID": uuid}
    assert statistics(cloudwatch, "PollingErrorCount", "Sum", **of_mapping)["Sum"] >= 1
    function.client.delete_event_source_mapping(UUID=uuid)
    function.wait_gone(uuid)


def test_where_reading_starts(mock_kafka: MockKafka, new_function: NewFunction) -> None:
    """LATEST and AT_TIMESTAMP are stored from the first moment; a group that has read before
    continues. A disabled mapping leaves its group."""
    settings = {"bootstrap.servers": mock_kafka.bootstrap}
    topics = {name: Topic(settings, name, partitions=0) for name in ("latest", "later", "known")}
    for topic in topics.values():
        topic.send("old", "older")
    group = Consumer({**settings, "group.id": "known-group", "enable.auto.commit": False})
    group.commit(offsets=[TopicPartition("known", 0, 1)], asynchronous=False)
    group.close()
    starts: Mapping[str, Mapping[str, Any]] = {
        "latest": {"StartingPosition": "LATEST"},
        "later": {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": time.time()},
        "known": {
            "StartingPosition": "LATEST",
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "known-group"},
        },
    }
    functions = {name: new_function(name=f"start-{name}") for name in topics}
    uuids = {
        name: function.map(None, **topics[name].mapping(**starts[name]))
        for name, function in functions.items()
    }
    for name in ("latest", "later"):
        topics[name].wait_committed(uuids[name], 2)
        functions[name].client.update_event_source_mapping(UUID=uuids[name], Enabled=False)
        functions[name].wait_state(uuids[name], "Disabled")
        if name == "latest":
            with Other(topics[name], uuids[name]) as other:
                wait_for(lambda: len(other.partitions) == 4, "the group was left")
        topics[name].send("new")
        functions[name].update(uuids[name], Enabled=True)
    for name in ("latest", "later"):
        assert values(functions[name].wait_events(1)) == ["new"]
    assert values(functions["known"].wait_events(1)) == ["older"]


class Other(threading.Thread):
    """Another consumer of a group, which commits what it gets: some records, and then no more."""

    def __init__(self, topic: Topic, group: str) -> None:
        super().__init__()
        self._topic = topic.name
        self._consumer = Consumer(
            {
                **topic.settings,
                "group.id": group,
                "session.timeout.ms": 6000,
                "auto.offset.reset": "earliest",
            }
        )
        self._is_over = False
        self.partitions: list[int] = []
        self.found: list[Any] = []

    def run(self) -> None:
        self._consumer.subscribe([self._topic], on_assign=self._note)
        while not self._is_over:
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.found.append(json.loads(message.value() or b""))
            if len(self.found) == 50:
                self._consumer.pause(self._consumer.assignment())
        self._consumer.close()

    def _note(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.partitions = [partition.partition for partition in partitions]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.join(20)


SLOW_AT_FIRST = """
import time
began = time.monotonic()
def act(event):
    time.sleep(1 if time.monotonic() - began < 8 else 0)
"""


def test_partitions_change_hands(tansu: Tansu, new_function: NewFunction) -> None:
    """To another consumer of the group and back, while most records wait: batches in progress end,
    and are committed, before. No record is repeated or left out."""
    topic = Topic({"bootstrap.servers": tansu.bootstrap}, "shared", partitions=2)
    for partition in (0, 1):
        topic.send(*(f"{partition}-{number}" for number in range(12_000)), partition=partition)
    function = new_function(SLOW_AT_FIRST)
    uuid = function.map(None, **topic.mapping(BatchSize=500))
    function.wait_events(2)
    with Other(topic, uuid) as other:
        wait_for(lambda: other.found, "the other has a partition")
    for partition in (0, 1):
        topic.wait_committed(uuid, 12_000, partition)
    theirs = {partition: [] for partition in (0, 1)}
    for value in other.found:
        theirs[int(value[0])].append(value)
    for partition, found in theirs.items():
        ours = values(function.events(), partition)
        assert ours == sorted(ours, key=_number)
        assert sorted(ours + found, key=_number) == [f"{partition}-{n}" for n in range(12_000)]


def _number(value: str) -> int:
    return int(value[2:])


def test_killed_in_the_middle(
    secured_kafka: SecuredKafka, start_platform: Callable[..., Platform]
) -> None:
    """When a platform dies, only the batch in progress is repeated. Amazon MSK returns the
    addresses for password authentication."""
    topic = Topic(alice(secured_kafka), "killed")
    topic.send(*range(60))
    authority = secured_kafka.certificates.authority.read_text()
    with Ministack(MINISTACK_MSK_BOOTSTRAP_SASL_SCRAM=secured_kafka.bootstrap) as aws:
        made = aws.client("kafka").create_cluster(
            ClusterName="msk",
            KafkaVersion="3.8.0",
            NumberOfBrokerNodes=1,
            BrokerNodeGroupInfo={"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-1"]},
        )
        password = Secret(aws, "password", username="alice", password="secret")
        root = Secret(aws, "root", certificate=authority)
        options = [
            f"aws.{name}.endpoint_url={aws.endpoint}" for name in ("kafka", "secretsmanager")
        ]
        words = [word for option in (*options, "polling.session_s=6") for word in ("--set", option)]
        platform = start_platform(None, *words)
        function = Function(platform, "killed", "import time\ndef act(event): time.sleep(0.3)")
        uuid = function.map(
            made["ClusterArn"],
            Topics=["killed"],
            StartingPosition="TRIM_HORIZON",
            BatchSize=10,
            SourceAccessConfigurations=[
                {"Type": "SASL_SCRAM_512_AUTH", "URI": password.arn},
                {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": root.arn},
            ],
        )
        function.wait_events(3)
        platform.kill()
        done = topic.committed(uuid)
        again = start_platform(platform.data_dir, *words)
        topic.wait_committed(uuid, 60)
        events = function.at(again).events()
        assert events[0]["eventSource"] == "aws:kafka"
        assert events[0]["eventSourceArn"] == made["ClusterArn"]
        seen = collections.Counter(values(events))
        assert seen.keys() == set(range(60))
        assert {value for value, times in seen.items() if times > 1} <= set(range(done, done + 10))


def test_the_page_does_as_it_says(tansu: Tansu, platform: Platform, tmp_path: Path) -> None:
    """The page's example, as printed."""
    printed = run_page("event-sources/kafka", platform, tmp_path, broker=tansu.bootstrap)
    assert "order orders-1 1 number 3" in printed
