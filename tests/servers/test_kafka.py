"""Behavior that the tests of Kafka rely on, shown on each of its servers."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.platforms import wait_for
from tests.servers.kafka import ONE_PER_BATCH, MockKafka, SecuredKafka, Tansu
from tests.servers.ministack import Ministack

Settings = Mapping[str, Any]


def create_topic(settings: Settings, topic: str, partitions: int) -> None:
    """Create a topic."""
    admin = AdminClient(dict(settings))
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(timeout=10)


def produce(settings: Settings, topic: str, *values: str, partition: int = 0) -> None:
    """Send values and wait until the broker has them."""
    producer = Producer(dict(settings))
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(10) == 0, "not all was delivered"


def consume(settings: Settings, topic: str, count: int) -> list[str]:
    """What a group reads from its last commit on; commits it."""
    consumer = Consumer(
        {
            **settings,
            "group.id": f"group-of-{topic}",
            "session.timeout.ms": 6000,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    found: list[Message] = []

    def is_enough() -> bool:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            found.append(message)
        return len(found) >= count

    wait_for(is_enough, f"{count} messages")
    consumer.commit(asynchronous=False)
    consumer.close()
    return [message.value().decode() for message in found]


def test_tansu_keeps_what_groups_committed_over_a_crash(ministack: Ministack) -> None:
    """After kill -9, on the same port, a group continues after its last commit."""
    with Tansu(ministack) as broker:
        settings = {"bootstrap.servers": broker.bootstrap}
        create_topic(settings, "orders", 2)
        produce(settings, "orders", "a", "b")
        assert consume(settings, "orders", 2) == ["a", "b"]
        broker.kill()
        broker.start()
        produce(settings, "orders", "c", partition=1)
        assert consume(settings, "orders", 1) == ["c"]


def test_tansu_knows_offsets_of_single_messages(tansu: Tansu) -> None:
    """Messages that are sent one by one are counted correctly, and found by their time."""
    settings = {"bootstrap.servers": tansu.bootstrap}
    create_topic(settings, "counted", 1)
    one_by_one = {**settings, **ONE_PER_BATCH}
    produce(one_by_one, "counted", *(str(number) for number in range(50)))
    between_ms = int(time.time() * 1000) + 1
    wait_for(lambda: time.time() * 1000 > between_ms, "the clock moves on")
    produce(one_by_one, "counted", "late")
    consumer = Consumer({**settings, "group.id": "any"})
    assert consumer.get_watermark_offsets(TopicPartition("counted", 0), timeout=10) == (0, 51)
    (found,) = consumer.offsets_for_times([TopicPartition("counted", 0, between_ms)], timeout=10)
    assert found.offset == 50
    consumer.close()


def login(kafka: SecuredKafka, mechanism: str, password: str) -> Settings:
    """Alice's settings."""
    return {
        "bootstrap.servers": kafka.bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(kafka.certificates.authority),
        "sasl.mechanism": mechanism,
        "sasl.username": "alice",
        "sasl.password": password,
    }


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_the_front_admits_clients_with_the_password(
    secured_kafka: SecuredKafka, mechanism: str
) -> None:
    """Over TLS, alice's password works; another is refused as a failed authentication."""
    settings = login(secured_kafka, mechanism, "secret")
    create_topic(settings, mechanism, 1)
    produce(settings, mechanism, "hello")
    assert mechanism in AdminClient(dict(settings)).list_topics(timeout=10).topics

    errors: list[KafkaError] = []
    wrong = {**login(secured_kafka, mechanism, "guess"), "error_cb": errors.append}
    admin = AdminClient(wrong)
    wait_for(lambda: admin.poll(0.1) or errors, "the password is refused")
    assert KafkaError._AUTHENTICATION in {error.code() for error in errors}


def test_front_cuts_and_refuses(secured_kafka: SecuredKafka) -> None:
    """A producer survives cut connections, and waits while new ones are refused."""
    settings = login(secured_kafka, "PLAIN", "secret")
    create_topic(settings, "cut", 1)
    producer = Producer({**settings, "reconnect.backoff.max.ms": 200})
    producer.produce("cut", "one", partition=0)
    assert producer.flush(10) == 0
    secured_kafka.refuse(True)
    secured_kafka.cut()
    producer.produce("cut", "two", partition=0)
    assert producer.flush(0.5) == 1
    secured_kafka.refuse(False)
    assert producer.flush(10) == 0


def test_front_wants_client_certificates() -> None:
    """Where certificates are required, only clients with one can connect."""
    with SecuredKafka(require_client_certificate=True) as kafka:
        settings = {
            "bootstrap.servers": kafka.bootstrap,
            "security.protocol": "SSL",
            "ssl.ca.location": str(kafka.certificates.authority),
        }
        certified = {
            **settings,
            "ssl.certificate.location": str(kafka.certificates.client),
            "ssl.key.location": str(kafka.certificates.client_key),
        }
        create_topic(certified, "private", 1)
        produce(certified, "private", "hello")
        errors: list[KafkaError] = []
        admin = AdminClient({**settings, "error_cb": errors.append})
        refusals = {KafkaError._SSL, KafkaError._TRANSPORT}
        wait_for(
            lambda: admin.poll(0.1) or refusals & {error.code() for error in errors},
            "it is refused",
        )
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=0.5)


def test_mock_cluster_knows_offsets(mock_kafka: MockKafka) -> None:
    """Its first and last offsets are right."""
    settings = {"bootstrap.servers": mock_kafka.bootstrap}
    produce(settings, "exact", *(str(number) for number in range(50)))
    consumer = Consumer({**settings, "group.id": "any"})
    assert consumer.get_watermark_offsets(TopicPartition("exact", 0), timeout=10) == (0, 50)
    consumer.close()
