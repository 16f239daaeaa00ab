"""Sources whose server or connection can be broken while records flow: one class each."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

import aio_pika
import anyio
import nats
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.platforms import wait_for
from tests.scenario.mappings.broker_platforms import Secret, broker_arn
from tests.scenario.mappings.test_mqtt import send as send_mqtt
from tests.servers.kafka import ONE_PER_BATCH, Tansu
from tests.servers.kinesis import Kinesis
from tests.servers.ministack import ACCOUNT, Ministack
from tests.servers.mosquitto import Mosquitto
from tests.servers.nats import Nats
from tests.servers.processes import free_port
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitMq


class Flow(ABC):
    """A source with its own server. The platform reaches it through a port that can be cut; records
    are sent to it directly."""

    has_order = True

    def __init__(self) -> None:
        self._stack = ExitStack()

    @abstractmethod
    def open(self, stack: ExitStack) -> None:
        """Start the server."""

    @property
    @abstractmethod
    def options(self) -> list[str]:
        """Flags of `lambent up` for this source."""

    @property
    @abstractmethod
    def mapping(self) -> dict[str, Any]:
        """Members of CreateEventSourceMapping."""

    @abstractmethod
    def send(self, names: Sequence[str]) -> None:
        """Put records in, in order; the key is the text before the colon."""

    @abstractmethod
    def break_server(self) -> None:
        """Kill the server's process and start it again, on its data.

        Returns once the platform has noticed: until then it begins calls with records whose
        acknowledgement can not arrive any more."""

    @abstractmethod
    def cut(self) -> None:
        """Reset the platform's connections. Returns as `break_server` does."""

    def __enter__(self) -> Self:
        self.open(self._stack)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class SqsFlow(Flow):
    """A standard queue."""

    has_order = False
    name = "crashes"
    attributes: dict[str, str] = {"VisibilityTimeout": "3"}  # noqa: RUF012

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(Ministack())
        self._proxy = stack.enter_context(Proxy(self._server.port))
        self._client = self._server.client("sqs")
        answer = self._client.create_queue(QueueName=self.name, Attributes=self.attributes)
        self._url = answer["QueueUrl"]

    @property
    def options(self) -> list[str]:
        return ["--set", f"aws.sqs.endpoint_url=http://127.0.0.1:{self._proxy.port}"]

    @property
    def mapping(self) -> dict[str, Any]:
        return {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{self.name}", "BatchSize": 5}

    def send(self, names: Sequence[str]) -> None:
        for name in names:
            self._client.send_message(QueueUrl=self._url, MessageBody=name, **self._of(name))

    def _of(self, name: str) -> dict[str, Any]:
        return {}

    def break_server(self) -> None:
        # It saves what it has to keep when it is stopped with a signal.
        self._server.stop()
        self._server.start()

    def cut(self) -> None:
        self._proxy.cut()


class FifoFlow(SqsFlow):
    """A FIFO queue, in groups."""

    has_order = True
    name = "crashes.fifo"
    attributes = {"VisibilityTimeout": "3", "FifoQueue": "true"}  # noqa: RUF012

    def _of(self, name: str) -> dict[str, Any]:
        return {
            "MessageGroupId": name.partition(":")[0],
            "MessageDeduplicationId": name.replace(":", "-"),
        }


class KinesisFlow(Flow):
    """A stream of two shards; two batches of each are in progress at a time."""

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(Kinesis())
        self._proxy = stack.enter_context(Proxy(self._server.port))
        self._client = self._server.client()
        self._unbroken = threading.Lock()
        """The server saves its state on request, but not what arrives meanwhile."""
        self._client.create_stream(StreamName="crashes", ShardCount=2)
        self._client.get_waiter("stream_exists").wait(
            StreamName="crashes", WaiterConfig={"Delay": 1}
        )

    @property
    def options(self) -> list[str]:
        return [
            *("--set", f"aws.kinesis.endpoint_url=http://127.0.0.1:{self._proxy.port}"),
            *("--set", "polling.idle_poll_s=0.1"),
        ]

    @property
    def mapping(self) -> dict[str, Any]:
        return {
            "EventSourceArn": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/crashes",
            "StartingPosition": "LATEST",
            "BatchSize": 5,
            "ParallelizationFactor": 2,
        }

    def send(self, names: Sequence[str]) -> None:
        for name in names:
            key = name.partition(":")[0]
            with self._unbroken:
                self._client.put_record(StreamName="crashes", PartitionKey=key, Data=name.encode())

    def break_server(self) -> None:
        with self._unbroken:
            self._server.stop()
            self._server.start()

    def cut(self) -> None:
        self._proxy.cut()


class KafkaFlow(Flow):
    """A topic of four partitions, whose broker keeps its state in a bucket."""

    def open(self, stack: ExitStack) -> None:
        storage = stack.enter_context(Ministack())
        port = free_port()
        self._server = stack.enter_context(Tansu(storage, advertised_port=port))
        self._proxy = stack.enter_context(Proxy(self._server.port, port=port))
        self._unbroken = threading.Lock()
        """A broker that is killed while it takes a record may lose it after acknowledging it."""
        bootstrap = {"bootstrap.servers": f"127.0.0.1:{port}"}
        admin = AdminClient(bootstrap)
        (created,) = admin.create_topics([NewTopic("crashes", 4, 1)]).values()
        created.result(30)
        self._producer = Producer(
            {**bootstrap, **ONE_PER_BATCH, "enable.idempotence": True, "log_level": 0}
        )

    @property
    def options(self) -> list[str]:
        return ["--set", "polling.session_s=6"]

    @property
    def mapping(self) -> dict[str, Any]:
        servers = {"KAFKA_BOOTSTRAP_SERVERS": [f"127.0.0.1:{self._proxy.port}"]}
        return {
            "SelfManagedEventSource": {"Endpoints": servers},
            "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"}],
            "Topics": ["crashes"],
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 5,
        }

    def send(self, names: Sequence[str]) -> None:
        for name in names:
            refused: list[KafkaError] = []
            self._producer.produce(
                "crashes",
                name.encode(),
                key=name.partition(":")[0],
                on_delivery=lambda error, _, to=refused: to.append(error) if error else None,
            )
            with self._unbroken:
                left = self._producer.flush(30)
            if left or refused:
                raise KafkaException(*refused)

    def break_server(self) -> None:
        with self._unbroken:
            time.sleep(0.2)  # noqa: TID251 - for what it writes after it has answered
            self._server.kill()
            self._server.start()

    def cut(self) -> None:
        self._proxy.cut()


class RabbitFlow(Flow):
    """A queue of RabbitMQ that survives it."""

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(RabbitMq())
        self._proxy = stack.enter_context(Proxy(self._server.port))
        secrets = stack.enter_context(Ministack())
        self._endpoint = secrets.endpoint
        self._secret = Secret(secrets)
        anyio.run(self._declare)

    async def _declare(self) -> None:
        connection = await aio_pika.connect(self._server.url())
        async with connection, connection.channel() as channel:
            await channel.declare_queue("crashes", durable=True)

    @property
    def options(self) -> list[str]:
        place = f"{broker_arn('crashes')}=amqp://127.0.0.1:{self._proxy.port}"
        return [
            *("--set", f"polling.brokers={place}"),
            *("--set", f"aws.secretsmanager.endpoint_url={self._endpoint}"),
        ]

    @property
    def mapping(self) -> dict[str, Any]:
        return {
            "EventSourceArn": broker_arn("crashes"),
            "Queues": ["crashes"],
            "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": self._secret.arn}],
            "BatchSize": 5,
        }

    def send(self, names: Sequence[str]) -> None:
        anyio.run(self._publish, names)

    async def _publish(self, names: Sequence[str]) -> None:
        with anyio.fail_after(30):
            connection = await aio_pika.connect(self._server.url())
            async with connection, connection.channel(publisher_confirms=True) as channel:
                for name in names:
                    message = aio_pika.Message(
                        name.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT
                    )
                    await channel.default_exchange.publish(message, routing_key="crashes")

    def break_server(self) -> None:
        self._server.kill()
        self._server.start()
        self._proxy.wait_connected()

    def cut(self) -> None:
        self._proxy.cut()
        self._proxy.wait_connected()


class NatsFlow(Flow):
    """A stream of NATS JetStream. The server is stopped: after a kill it may not know what was
    acknowledged in its last moments."""

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(Nats(is_open=True))
        self._proxy = stack.enter_context(Proxy(self._server.port))
        anyio.run(self._publish, [])

    @property
    def options(self) -> list[str]:
        return ["--set", f"polling.brokers={_NATS_ARN}=nats://127.0.0.1:{self._proxy.port}"]

    @property
    def mapping(self) -> dict[str, Any]:
        return {"EventSourceArn": _NATS_ARN, "BatchSize": 5}

    def send(self, names: Sequence[str]) -> None:
        try:
            anyio.run(self._publish, names)
        except asyncio.CancelledError as error:  # The library's way to say so.
            raise ConnectionError("the connection has ended") from error

    async def _publish(self, names: Sequence[str]) -> None:
        with anyio.fail_after(30):
            client = await nats.connect(self._server.url)
            try:
                jetstream = client.jetstream(timeout=20)
                await jetstream.add_stream(name="crashes", subjects=["crashes"])
                for name in names:
                    await jetstream.publish("crashes", name.encode())
            finally:
                await client.close()

    def break_server(self) -> None:
        self._server.stop()
        self._server.start()
        self._proxy.wait_connected()

    def cut(self) -> None:
        self._proxy.cut()
        self._proxy.wait_connected()


class MqttFlow(Flow):
    """A topic of MQTT. The broker is stopped: after a kill it would not know what it has
    acknowledged."""

    def open(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(Mosquitto())
        self._proxy = stack.enter_context(Proxy(self._server.open_port))

    @property
    def options(self) -> list[str]:
        return ["--set", f"polling.brokers={_MQTT_ARN}=mqtt://127.0.0.1:{self._proxy.port}"]

    @property
    def mapping(self) -> dict[str, Any]:
        return {"EventSourceArn": _MQTT_ARN, "Queues": ["crashes"], "BatchSize": 5}

    def send(self, names: Sequence[str]) -> None:
        wait_for(lambda: " 1 crashes" in self._server.log, "the mapping has subscribed")
        send_mqtt(self._server, "crashes", *names)

    def break_server(self) -> None:
        self._server.stop()
        self._server.start()
        self._proxy.wait_connected()

    def cut(self) -> None:
        self._proxy.cut()
        self._proxy.wait_connected()


_NATS_ARN = "arn:aws:nats:us-east-1:000000000000:stream/crashes"
_MQTT_ARN = "arn:aws:mqtt:us-east-1:000000000000:broker/crashes"
FLOWS: dict[str, type[Flow]] = {
    "sqs": SqsFlow,
    "fifo": FifoFlow,
    "kinesis": KinesisFlow,
    "kafka": KafkaFlow,
    "rabbitmq": RabbitFlow,
    "nats": NatsFlow,
    "mqtt": MqttFlow,
}
