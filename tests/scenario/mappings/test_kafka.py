"""Topics of Kafka, read from real servers of its protocol."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.servers.kafka import MockKafka, Tansu

from .conftest import Function, wait_for

NewFunction = Callable[..., Function]
OPEN = [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-01234567"}]
PROVISIONED: Mapping[str, Any] = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}


class Topic:
    """A topic of a server, by whatever settings clients need."""

    def __init__(self, settings: Mapping[str, Any], name: str, partitions: int = 1) -> None:
        self.settings = dict(settings)
        self.name = name
        if partitions:
            admin = AdminClient(self.settings)
            admin.create_topics([NewTopic(name, partitions, 1)])[name].result(timeout=10)

    def send(self, *values: Any, partition: int = 0, **more: Any) -> None:
        """Messages, as JSON unless they are bytes."""
        producer = Producer(self.settings)
        for value in values:
            data = value if isinstance(value, bytes | None) else json.dumps(value)
            producer.produce(self.name, data, partition=partition, **more)
        assert producer.flush(10) == 0, "not all was delivered"

    def committed(self, group: str, partition: int = 0) -> int:
        """From where a group will read on."""
        consumer = Consumer({**self.settings, "group.id": group})
        (found,) = consumer.committed([TopicPartition(self.name, partition)], timeout=10)
        consumer.close()
        return int(found.offset)

    def wait_committed(self, group: str, offset: int, partition: int = 0) -> None:
        """Until a group has got so far."""
        wait_for(lambda: self.committed(group, partition) == offset, f"{offset} is committed")

    def mapping(self, **more: Any) -> dict[str, Any]:
        """What a mapping of it is made of."""
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
    """Of all events, in their order."""
    return [one for event in events for some in event["records"].values() for one in some]


def values(events: list[Any], partition: int | None = None) -> list[Any]:
    """What the records of a partition carry."""
    return [
        json.loads(base64.b64decode(one["value"]))
        for one in records(events)
        if partition is None or one["partition"] == partition
    ]


@pytest.fixture
def topic(tansu: Tansu, request: pytest.FixtureRequest) -> Topic:
    name = request.node.name.replace("[", "-").replace("]", "")
    return Topic({"bootstrap.servers": tansu.bootstrap}, name)


def test_records_look_as_at_aws(topic: Topic, new_function: NewFunction) -> None:
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
