"""Behavior that the tests of message brokers rely on, shown on each."""

import ssl
from queue import SimpleQueue

import aio_pika
import pytest
import stomp
from stomp.utils import Frame

from tests.servers.activemq import ActiveMq
from tests.servers.rabbitmq import RabbitMq


@pytest.mark.anyio
async def test_rabbitmq_delivers_again_what_was_not_acknowledged(rabbitmq: RabbitMq) -> None:
    """In a separate vhost, a message is delivered again, marked as redelivered, when the connection
    that received it ends."""
    rabbitmq.add_vhost("shop")
    url = rabbitmq.url("shop")
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("orders", durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), routing_key="orders")
        taken = await queue.get(timeout=5)
        assert taken is not None
        assert (taken.body, taken.redelivered) == (b"hello", False)
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("orders")
        again = await queue.get(timeout=5)
        assert again is not None
        assert (again.body, again.redelivered) == (b"hello", True)
        await again.ack()
    with pytest.raises(aio_pika.exceptions.AMQPConnectionError):
        await aio_pika.connect(url.replace("secret", "guess"))


@pytest.mark.anyio
async def test_rabbitmq_speaks_tls(rabbitmq: RabbitMq) -> None:
    """A client that trusts our authority can connect to the TLS port."""
    trust = ssl.create_default_context(cafile=str(rabbitmq.certificates.authority))
    async with await aio_pika.connect(rabbitmq.url(tls=True), ssl_context=trust) as connection:
        assert (await connection.channel()).is_initialized


@pytest.mark.anyio
async def test_rabbitmq_keeps_messages_over_a_crash(rabbitmq: RabbitMq) -> None:
    """After kill -9, on the same port, a durable queue has its persistent messages."""
    rabbitmq.add_vhost("crash")
    kept = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    async with await aio_pika.connect(rabbitmq.url("crash")) as connection:
        channel = await connection.channel()
        await channel.declare_queue("orders", durable=True)
        await channel.default_exchange.publish(kept, routing_key="orders")
    # A message is on disk when it is confirmed; its queue, a moment later.
    rabbitmq.control("eval", "mnesia:sync_log().")
    rabbitmq.kill()
    rabbitmq.start()
    async with await aio_pika.connect(rabbitmq.url("crash")) as connection:
        queue = await (await connection.channel()).get_queue("orders")
        message = await queue.get(timeout=5, no_ack=True)
        assert message is not None
        assert message.body == b"kept"


class Inbox(stomp.ConnectionListener):
    """What a connection received."""

    def __init__(self) -> None:
        self.frames: SimpleQueue[Frame] = SimpleQueue()
        self.receipts: SimpleQueue[str] = SimpleQueue()

    def on_receipt(self, frame: Frame) -> None:
        """See `stomp.ConnectionListener`."""
        self.receipts.put(frame.headers["receipt-id"])

    def on_message(self, frame: Frame) -> None:
        """See `stomp.ConnectionListener`."""
        self.frames.put(frame)


def connect(port: int, password: str = "secret", **tls: str) -> stomp.Connection12:
    """A connection of user alice."""
    connection = stomp.Connection12([("127.0.0.1", port)], reconnect_attempts_max=1)
    if tls:
        connection.set_ssl([("127.0.0.1", port)], **tls)
    connection.connect("alice", password, wait=True)
    return connection


def take(connection: stomp.Connection12, queue: str) -> Frame:
    """The next message of a queue, not acknowledged yet."""
    inbox = Inbox()
    connection.set_listener("inbox", inbox)
    connection.subscribe(queue, id="1", ack="client-individual")
    return inbox.frames.get(timeout=10)


def test_activemq_delivers_again_what_was_not_acknowledged(activemq: ActiveMq) -> None:
    """A message is delivered again, marked as redelivered, when the connection that received it
    ends; a wrong password is refused."""
    first = connect(activemq.port)
    first.send("/queue/orders", "hello", headers={"persistent": "true"}, receipt="sent")
    taken = take(first, "/queue/orders")
    assert taken.body == "hello"
    assert "redelivered" not in taken.headers
    first.disconnect()

    second = connect(activemq.port)
    again = take(second, "/queue/orders")
    assert (again.body, again.headers["redelivered"]) == ("hello", "true")
    second.ack(again.headers["ack"])
    second.disconnect()

    with pytest.raises(stomp.exception.ConnectFailedException):
        connect(activemq.port, "guess")


def test_activemq_keeps_messages_over_a_crash(activemq: ActiveMq) -> None:
    """After kill -9, on the same port, a persistent message is there; TLS works too."""
    before = connect(activemq.port)
    inbox = Inbox()
    before.set_listener("inbox", inbox)
    before.send("/queue/kept", "kept", headers={"persistent": "true"}, receipt="sent")
    assert inbox.receipts.get(timeout=10) == "sent"
    activemq.kill()
    activemq.start()
    after = connect(activemq.tls_port, ca_certs=str(activemq.certificates.authority))
    assert take(after, "/queue/kept").body == "kept"
    after.disconnect()
