"""Amazon MQ for RabbitMQ, or any RabbitMQ: one queue of one virtual host, over AMQP 0-9-1.

One batch is in progress at a time. Messages are acknowledged when the function has processed them,
and those that a filter removes when they arrive. RabbitMQ delivers again what is not acknowledged
when the connection ends.
https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

import logging
import ssl
from asyncio import Future
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiormq
import aiormq.abc
import anyio
from aiormq import exceptions as amqp
from yarl import URL

from lambent.kit.tasks import start_part
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import (
    Endpoint,
    Unreachable,
    not_authenticated,
    not_trusted,
    trust,
)
from lambent.polling.credentials import CONFIG_NOT_VALID, SourceCredentials
from lambent.polling.delivered_queue import DeliveredQueue
from lambent.polling.ports import PartLost, Record, SourceError
from lambent.polling.role_client import NOT_ALLOWED
from lambent.polling.sources.mq import amqp_tolerance
from lambent.polling.sources.mq.rabbitmq_records import envelope_of, to_record

_DEADLINE_S = 10.0
_HEARTBEAT_S = 10
"""A connection on which nothing came for three of these is dead."""
_LOOK_EVERY_S = 10.0
_ERRORS = (aiormq.AMQPError, OSError, TimeoutError, RuntimeError)
"""Errors that aiormq raises; `RuntimeError` for connections and channels that have ended."""

amqp_tolerance.install()
# aiormq logs each connection that ends, and what was sent on it. The poller logs what matters.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


class RabbitQueue(DeliveredQueue):
    """A queue while one channel lasts."""

    def __init__(
        self, polled: ActiveMapping, channel: aiormq.abc.AbstractChannel, vhost: str
    ) -> None:
        name = polled.options.queues[0]
        super().__init__(polled, name, envelope_of(polled.mapping.source_id, name, vhost))
        self._channel = channel
        self._consumers: list[str] = []
        channel.on_consumer_cancel_callbacks.add(self._on_cancel)
        self._closing = channel.closing
        self._closing.add_done_callback(self._on_close)

    async def count(self) -> int:
        """The number of messages that wait in the queue and are not delivered. Raises
        `SourceError`."""
        try:
            found = await self._channel.queue_declare(self.name, passive=True, timeout=_DEADLINE_S)
        except _ERRORS as error:
            raise _problem(error, self.name) from error
        return found.message_count or 0

    async def ask(self, number: int) -> None:
        """See `DeliveredQueue`. Each request is another consumer; their limits on the channel add
        up."""
        try:
            await self._channel.basic_qos(prefetch_count=number, timeout=_DEADLINE_S)
            consumer = await self._channel.basic_consume(
                self.name, self._on_message, timeout=_DEADLINE_S
            )
        except _ERRORS as error:
            raise _problem(error, self.name) from error
        self._consumers.append(consumer.consumer_tag or "")

    async def acknowledge(self, records: Sequence[Record]) -> None:
        """See `DeliveredQueue`."""
        try:
            await self._channel.basic_ack(records[-1].raw, multiple=True)
        except _ERRORS as error:
            raise PartLost from error

    async def release(self, kept: Sequence[Record]) -> None:
        """See `ports.Release`."""
        if not kept or self.failure is not None:
            return  # When the connection ends, RabbitMQ delivers all again.
        try:
            for consumer in self._consumers:
                await self._channel.basic_cancel(consumer, timeout=_DEADLINE_S)
            for record in self.others(kept):
                await self._channel.basic_nack(record.raw, requeue=True, wait=False)
        except _ERRORS:
            return  # The connection has ended.

    async def _on_message(self, message: aiormq.abc.DeliveredMessage) -> None:
        assert message.delivery_tag is not None
        record = to_record(
            message.header.properties,
            message.body,
            tag=message.delivery_tag,
            redelivered=bool(message.redelivered),
            now=self._polled.clock.now(),
        )
        if not self.add(record):
            await self._channel.basic_ack(message.delivery_tag)

    async def _on_cancel(self, _: object) -> None:
        self.end(SourceError("PROBLEM: The queue was deleted, or is read by others only"))

    def _on_close(self, closing: "Future[object]") -> None:
        error = None if closing.cancelled() else closing.exception()
        self.end(_problem(error, self.name))


@asynccontextmanager
async def open_queue(
    polled: ActiveMapping, endpoint: Endpoint, access: SourceCredentials
) -> AsyncIterator[RabbitQueue]:
    """A mapping's queue, with messages on their way. Raises `SourceError`."""
    vhost = access.virtual_host or "/"
    url = URL.build(
        scheme="amqps" if endpoint.uses_tls else "amqp",
        user=access.user,
        password=access.password,
        host=endpoint.host,
        port=endpoint.port,
        query={"heartbeat": _HEARTBEAT_S},
    )
    connection = aiormq.Connection(url, context=await trust(access) if endpoint.uses_tls else None)
    connection.vhost = vhost
    try:
        queue = await _open(polled, endpoint, connection, vhost)
        async with anyio.create_task_group() as tasks:
            start_part(tasks, _look, polled, queue)
            yield queue
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_DEADLINE_S):
            await connection.close()


async def _open(
    polled: ActiveMapping, endpoint: Endpoint, connection: aiormq.Connection, vhost: str
) -> RabbitQueue:
    try:
        with anyio.fail_after(_DEADLINE_S):
            await connection.connect()
            channel = await connection.channel(publisher_confirms=False)
    except (amqp.ProbableAuthenticationError, amqp.AuthenticationError) as error:
        raise not_authenticated() from error
    except amqp.ConnectionClosed as error:
        raise _vhost_problem(error, vhost) from error
    except _ERRORS as error:
        if isinstance(error.__cause__, ssl.SSLError):
            raise not_trusted(error.__cause__) from error
        raise Unreachable(endpoint, error) from error
    queue = RabbitQueue(polled, channel, vhost)
    polled.status.waiting = await queue.count()
    await queue.open()
    return queue


async def _look(polled: ActiveMapping, queue: RabbitQueue) -> None:
    """Update the number of waiting messages periodically."""
    while True:
        await polled.clock.sleep(_LOOK_EVERY_S)
        try:
            polled.status.waiting = await queue.count()
        except SourceError:
            return  # The queue ends with the same problem.


def _vhost_problem(error: amqp.ConnectionClosed, vhost: str) -> SourceError:
    """Why a connection ended after the user was authenticated."""
    code, text = (*error.args, "", "")[:2]
    if code != 530:
        return SourceError(f"PROBLEM: The broker ended the connection: {text}"[:500])
    if "not found" in str(text):
        return SourceError(f"PROBLEM: There is no virtual host {vhost}", reason=CONFIG_NOT_VALID)
    return SourceError(
        f"PROBLEM: Lambda is not allowed to use the virtual host {vhost}", reason=NOT_ALLOWED
    )


def _problem(error: BaseException | None, queue: str) -> SourceError:
    """Why a channel, or its connection, ended."""
    match error:
        case amqp.ChannelNotFoundEntity():
            return SourceError(f"PROBLEM: There is no queue {queue}", reason=CONFIG_NOT_VALID)
        case amqp.ChannelAccessRefused():
            return SourceError(
                f"PROBLEM: Lambda is not allowed to read the queue {queue}", reason=NOT_ALLOWED
            )
        case amqp.ChannelClosed() | amqp.ChannelLockedResource() | amqp.ChannelPreconditionFailed():
            return SourceError(f"PROBLEM: The broker refused: {error}"[:500])
    return SourceError(
        "PROBLEM: Connection error. The connection to the broker was lost",
        detail=str(error or ""),
    )
