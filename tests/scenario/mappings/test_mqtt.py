"""Topics of MQTT, read from the broker itself."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.scenario.test_readme import run_page
from tests.servers.mosquitto import Mosquitto

from .brokers import FAILS_TWICE, OwnBrokers, own_brokers
from .conftest import Function, Platform, wait_for

NewFunction = Callable[..., Function]
PLAIN, SECURED = (
    "mqtt:us-east-1:000000000000:broker/plain",
    "mqtt:us-east-1:000000000000:broker/tls",
)


def send(broker: Mosquitto, topic: str, *bodies: str, qos: int = 1, **properties: Any) -> None:
    """Publish messages in this order; returns when they are sent, and acknowledged if QoS is 1.
    Nothing is sent twice: fails if the connection ends before that."""
    given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in properties.items():
        setattr(given, name, value)
    client = Client(
        CallbackAPIVersion.VERSION2,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    ended = Event()
    client.on_disconnect = lambda *_: ended.set()
    client.username_pw_set("alice", "secret")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        for sent in [client.publish(topic, body, qos, properties=given) for body in bodies]:
            wait_for(lambda: sent.is_published() or ended.is_set(), f"{topic} is answered")  # noqa: B023
            assert sent.is_published(), "the connection has ended"
    finally:
        client.disconnect()
        client.loop_stop()


def bodies_of(event: Any) -> list[str]:
    """The data of its messages."""
    return [base64.b64decode(message["data"]).decode() for message in event["messages"]]


def texts(function: Function) -> list[str]:
    """The data of all messages that a function has received."""
    return [text for event in function.events() for text in bodies_of(event)]


def map_topics(function: Function, brokers: OwnBrokers, topics: str, **more: Any) -> str:
    """Map a topic filter to a function; returns the mapping's UUID."""
    access = [{"Type": "BASIC_AUTH", "URI": more.pop("secret", brokers.secret)}]
    more.setdefault("SourceAccessConfigurations", access)
    return function.map(f"arn:aws:{more.pop('arn', PLAIN)}", Queues=[topics], **more)


def wait_subscribed(broker: Mosquitto, uuid: str) -> None:
    """Wait until the broker has a mapping's subscription."""
    wait_for(lambda: f": lambent-{uuid} 1 " in broker.log, f"{uuid} is subscribed")


@pytest.fixture(scope="module")
def brokers(mosquitto: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBrokers]:
    """A platform that knows the broker."""
    places = {
        PLAIN: f"mqtt://127.0.0.1:{mosquitto.port}",
        SECURED: f"mqtts://localhost:{mosquitto.tls_port}",
    }
    with own_brokers(tmp_path_factory.mktemp("mqtt"), places) as running:
        yield running


@pytest.fixture(scope="module")
def platform(brokers: OwnBrokers) -> Platform:
    return brokers.platform


def test_messages_arrive_in_order(
    mosquitto: Mosquitto, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """With topic, properties and data; those of QoS 0 as well."""
    function = new_function()
    wait_subscribed(mosquitto, map_topics(function, brokers, "sensors/+/temperature"))
    send(
        mosquitto,
        "sensors/kitchen/temperature",
        "21 °C",
        ContentType="text/plain",
        ResponseTopic="answers",
        CorrelationData=b"c1",
        UserProperty=[("unit", "°C"), ("unit", "again")],
    )
    send(mosquitto, "sensors/kitchen/humidity", "not wanted")
    (event,) = function.wait_events(1)
    (message,) = event.pop("messages")
    assert event == {"eventSource": "mqtt", "eventSourceArn": f"arn:aws:{PLAIN}"}
    assert message.pop("timestamp") > 1_700_000_000_000
    assert message == {
        "messageID": "1",
        "topic": "sensors/kitchen/temperature",
        "qos": 1,
        "retain": False,
        "duplicate": False,
        "properties": {
            "contentType": "text/plain",
            "responseTopic": "answers",
            "correlationData": base64.b64encode(b"c1").decode(),
            "userProperties": [["unit", "°C"], ["unit", "again"]],
        },
        "data": base64.b64encode("21 °C".encode()).decode(),
    }
    send(mosquitto, "sensors/hall/temperature", "20", "19", qos=0)
    wait_for(lambda: texts(function)[1:] == ["20", "19"], "those of QoS 0 came")


def test_more_messages_come_than_may_be_open(
    mosquitto: Mosquitto, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """The broker sends no more than 100 without an acknowledgement, and then the next."""
    function = new_function()
    wait_subscribed(mosquitto, map_topics(function, brokers, "many/#", BatchSize=10))
    numbers = [*map(str, range(250))]
    send(mosquitto, "many/x", *numbers)
    wait_for(lambda: len(texts(function)) >= 250, "all came")
    assert texts(function) == numbers


def test_a_failed_batch_is_retried(
    mosquitto: Mosquitto, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """The same messages, until the function succeeds."""
    function = new_function(FAILS_TWICE)
    wait_subscribed(mosquitto, map_topics(function, brokers, "retried"))
    send(mosquitto, "retried", "a")
    events = function.wait_events(3)
    assert [bodies_of(event) for event in events] == [["a"]] * 3


def test_messages_that_fail_for_good_go_to_the_destination(
    mosquitto: Mosquitto, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """After the last attempt, with what identifies them; the next message follows."""
    function = new_function(
        "import base64\n"
        "def act(event):\n"
        "    if base64.b64decode(event['messages'][0]['data']) == b'poison':\n"
        "        raise ValueError('no')\n"
    )
    bucket = brokers.bucket("mqtt-bin")
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    uuid = map_topics(
        function,
        brokers,
        "poisoned",
        BatchSize=1,
        MaximumRetryAttempts=0,
        DestinationConfig=destination,
    )
    wait_subscribed(mosquitto, uuid)
    send(mosquitto, "poisoned", "poison", "food")
    record = brokers.wait_object(bucket)
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["MQTTBatchInfo"]["topicFilter"] == "poisoned"
    assert record["MQTTBatchInfo"]["startMessageID"] == "1"
    wait_for(lambda: "food" in texts(function), "the next came")


def test_messages_wait_for_a_disabled_mapping(
    mosquitto: Mosquitto, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """The broker keeps what comes meanwhile, as MQTT says of QoS 1."""
    function = new_function()
    uuid = map_topics(function, brokers, "waits")
    wait_subscribed(mosquitto, uuid)
    function.client.update_event_source_mapping(UUID=uuid, Enabled=False)
    function.wait_state(uuid, "Disabled")
    send(mosquitto, "waits", "one", "two")
    function.update(uuid, Enabled=True)
    wait_for(lambda: texts(function) == ["one", "two"], "both came")


def test_a_certificate_authenticates(
    mosquitto: Mosquitto, brokers: OwnBrokers, new_function: NewFunction
) -> None:
    """The client's, and an authority for the broker's; without them there is no connection."""
    files = mosquitto.certificates
    access = [
        {
            "Type": "CLIENT_CERTIFICATE_TLS_AUTH",
            "URI": brokers.new_secret(
                "client",
                certificate=files.client.read_text(),
                privateKey=files.client_key.read_text(),
            ),
        },
        {
            "Type": "SERVER_ROOT_CA_CERTIFICATE",
            "URI": brokers.new_secret("authority", certificate=files.authority.read_text()),
        },
    ]
    function = new_function()
    uuid = map_topics(function, brokers, "secured", arn=SECURED, SourceAccessConfigurations=access)
    wait_subscribed(mosquitto, uuid)
    send(mosquitto, "secured", "safe")
    wait_for(lambda: texts(function) == ["safe"], "the message came")
    stranger = new_function()
    uuid = map_topics(stranger, brokers, "secured", arn=SECURED)
    found = stranger.wait_result(uuid, "PROBLEM: Lambda failed to authenticate server")
    assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"
    broken = brokers.new_secret("broken", certificate="no", privateKey="certificate")
    access[0]["URI"] = broken
    uuid = map_topics(stranger, brokers, "x", arn=SECURED, SourceAccessConfigurations=access)
    stranger.wait_result(uuid, "PROBLEM: A certificate or private key cannot be read")


def test_problems_are_shown(brokers: OwnBrokers, new_function: NewFunction) -> None:
    """A wrong password; a filter that is none; what an MQTT mapping does not offer."""
    function = new_function()
    uuid = map_topics(function, brokers, "x", secret=brokers.wrong_secret)
    found = function.wait_result(uuid, "PROBLEM: Server failed to authenticate Lambda")
    assert found["StateTransitionReason"] == "EVENT_SOURCE_AUTHN_ERROR"
    uuid = map_topics(function, brokers, "a/#/b")
    function.wait_result(uuid, "PROBLEM: a/#/b is no topic filter")
    for more in (
        {"Queues": ["x"], "BatchSize": 101},
        {},
        {"Queues": ["x"], "StartingPosition": "LATEST"},
        {"Queues": ["x"], "SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "v"}]},
    ):
        with pytest.raises(ClientError, match="InvalidParameterValueException"):
            function.client.create_event_source_mapping(
                FunctionName=function.name, EventSourceArn=f"arn:aws:{PLAIN}", **more
            )


def test_it_goes_on_when_the_broker_comes_back(tmp_path: Path) -> None:
    """The mapping of the page's example connects again by itself."""
    with Mosquitto() as broker:
        place = {"mqtt:us-east-1:000000000000:broker/home": f"mqtt://127.0.0.1:{broker.open_port}"}
        with own_brokers(tmp_path, place) as own:
            printed = run_page("event-sources/mqtt", own.platform, tmp_path)
            uuid = json.loads(printed[printed.index("{") :])["UUID"]
            wait_subscribed(broker, uuid)
            broker.stop()
            own.wait_result(uuid, "PROBLEM: Connection error.")
            broker.start()
            send(broker, "home/kitchen/temperature", "21")
            wait_for(lambda: "from home/kitchen/temperature 21" in own.log("sensors"), "it came")
