"""A durable consumer of a stream of NATS JetStream, over one connection.

Each mapping has a consumer of its own, named after it. The server remembers what is acknowledged,
and delivers the rest again after `_ACK_WAIT_S`. While a function works on a batch, the driver tells
the server so.
https://docs.nats.io/nats-concepts/jetstream/consumers
"""

import asyncio
import datetime
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy

from lambent.kit.tasks import start_part
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import (
    Endpoint,
    Unreachable,
    config_not_valid,
    not_authenticated,
    not_trusted,
    trust,
)
from lambent.polling.credentials import SourceCredentials
from lambent.polling.delivered_queue import DeliveredQueue
from lambent.polling.ports import PartLost, Record, SourceError
from lambent.polling.sources.nats.records import Delivered, describe, envelope_of, to_record

T = TypeVar("T")

_DEADLINE_S = 10.0
_EARLIER_S = 2.0
"""How long requests of an earlier connection are waited for."""
_LOOK_AGAIN_S = 0.05
_ACK_WAIT_S = 10.0
"""Seconds until the server delivers again what a platform that died had."""
_LOOK_EVERY_S = 10.0
_REMEMBERED = 1000
"""Messages beyond those that are open."""
_FORGOTTEN_AFTER_S = 7 * 24 * 3600.0
"""The server deletes a consumer that was not used for so long: that of a deleted mapping."""
_ERRORS = (nats.errors.Error, OSError, TimeoutError)
_ENDS = {"409", "503"}
"""Statuses that end a request for messages for good: the consumer or its stream is gone."""

# nats-py logs each connection that ends. The poller logs what matters.
logging.getLogger("nats").setLevel(logging.CRITICAL)


async def _request(answer: Awaitable[T]) -> T:
    """Wait for the library. When a connection ends, it cancels its own futures, which would look as
    if our task were cancelled. Raises `ConnectionClosedError` instead."""
    try:
        return await answer
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise nats.errors.ConnectionClosedError from error


class NatsConsumer(DeliveredQueue):
    """The messages of a stream while one connection lasts."""

    def __init__(self, polled: ActiveMapping, client: Client, stream: str) -> None:
        super().__init__(polled, stream, envelope_of(polled.mapping.source_id))
        self._client = client
        self._jetstream = client.jetstream(timeout=_DEADLINE_S)
        self._consumer = f"lambent-{polled.mapping.uuid}"
        self._inbox = client.new_inbox()
        self._window = 0
        """Messages that may be here without an acknowledgement."""
        self._credit = 0
        """Messages that were requested and have not come."""
        self._here: dict[int, bool] = {}
        """The latest messages that came, by number: whether they are acknowledged."""
        self._is_catching_up = False
        """Whether the server still waits for acknowledgements of an earlier connection. It delivers
        those messages again one after the other, and no later one before them."""

    async def subscribe(self) -> None:
        """Make the consumer if there is none, and have its messages come. Raises `SourceError`."""
        try:
            self._is_catching_up = await self._must_catch_up()
            await self._configure()
            await self._client.subscribe(
                self._inbox, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        except nats.js.errors.NotFoundError as error:
            raise config_not_valid(f"There is no stream {self.name}") from error
        except nats.js.errors.BadRequestError as error:
            raise config_not_valid(
                f"The server refuses the consumer: {error.description}"
            ) from error
        except _ERRORS as error:
            raise lost(error) from error
        await self.open()

    async def _must_catch_up(self) -> bool:
        """Whether the server still waits for acknowledgements of an earlier connection, as soon as
        it has dropped the requests of that one. Until then it may deliver a message to that one,
        and the next message here, before it."""
        with anyio.move_on_after(_EARLIER_S):
            while True:
                found = await self._find()
                if found is None or not found.num_waiting:
                    return found is not None and bool(found.num_ack_pending)
                await self._polled.clock.sleep(_LOOK_AGAIN_S)
        return True

    async def _has_open_messages(self) -> bool:
        found = await self._find()
        return found is not None and bool(found.num_ack_pending)

    async def _find(self) -> ConsumerInfo | None:
        try:
            return await _request(self._jetstream.consumer_info(self.name, self._consumer))
        except nats.js.errors.NotFoundError:
            return None

    async def _configure(self) -> None:
        await _request(self._jetstream.add_consumer(self.name, self._configuration()))

    def _configuration(self) -> ConsumerConfig:
        options = self._polled.options
        policy, start = DeliverPolicy.ALL, None
        if options.starting_position == "LATEST":
            policy = DeliverPolicy.NEW
        elif options.starting_at is not None:
            policy = DeliverPolicy.BY_START_TIME
            start = datetime.datetime.fromtimestamp(options.starting_at, datetime.UTC)
        return ConsumerConfig(
            durable_name=self._consumer,
            description=f"Event source mapping of {self._polled.mapping.function_name}",
            deliver_policy=policy,
            opt_start_time=start,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_ack_pending=1 if self._is_catching_up else options.batch_size,
            filter_subject=options.queues[0] if options.queues else None,
            inactive_threshold=_FORGOTTEN_AFTER_S,
        )

    async def count(self) -> int:
        """The number of messages that wait in the stream. Raises `SourceError`."""
        try:
            found = await _request(self._jetstream.consumer_info(self.name, self._consumer))
        except nats.js.errors.NotFoundError as error:
            raise config_not_valid(f"The consumer of {self.name} was deleted") from error
        except _ERRORS as error:
            raise lost(error) from error
        return found.num_pending or 0

    async def work(self) -> None:
        """Say that messages are worked on, before the server takes them for lost."""
        while True:
            await self._polled.clock.sleep(_ACK_WAIT_S / 3)
            try:
                for record in list(self.open_records):
                    await _message(record).in_progress()
                await _request(self._client.flush(int(_DEADLINE_S)))
            except _ERRORS as error:
                self.end(lost(error))
                return

    async def look(self) -> None:
        """Update the number of waiting messages periodically."""
        while True:
            try:
                self._polled.status.waiting = await self.count()
            except SourceError as problem:
                self.end(problem)
                return
            await self._polled.clock.sleep(_LOOK_EVERY_S)

    # -- messages --------------------------------------------------------------------------

    async def ask(self, number: int) -> None:
        """See `DeliveredQueue`."""
        self._window += number
        await self._refill()

    async def _refill(self) -> None:
        """Request what the window has room for, in few requests. A request stays until that many
        messages have come."""
        missing = self._window - len(self.open_records) - self._credit
        if missing <= 0 or (self._credit and missing < self._window // 2):
            return
        self._credit += missing
        request = json.dumps({"batch": missing}).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.name}.{self._consumer}"
        try:
            await self._client.publish(subject, request, reply=self._inbox)
        except _ERRORS as error:
            raise lost(error) from error

    async def acknowledge(self, records: Sequence[Record]) -> None:
        """See `DeliveredQueue`. Returns when the server knows it."""
        try:
            for record in records:
                self._here[record.raw.sequence] = True
            for record in records[:-1]:
                await _message(record).ack()
            await _request(_message(records[-1]).ack_sync(timeout=int(_DEADLINE_S)))
            if self._is_catching_up and not await self._has_open_messages():
                self._is_catching_up = False
                await self._configure()
            await self._refill()
        except (SourceError, *_ERRORS) as error:
            raise PartLost from error

    async def release(self, kept: Sequence[Record]) -> None:
        """See `ports.Release`. The server delivers the others again at once."""
        if self.failure is not None:
            return
        try:
            for record in self.others(kept):
                await _message(record).nak()
        except _ERRORS:
            return  # The server delivers them again later.

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        return describe(self.name, records)

    async def _on_message(self, message: Msg) -> None:
        status = (message.headers or {}).get("Status") if not message.data else None
        if status in _ENDS:
            detail = str((message.headers or {}).get("Description", ""))
            self.end(config_not_valid(f"The consumer of {self.name} has ended: {detail}"[:500]))
            return
        try:
            record = to_record(message)
        except nats.errors.NotJSMessageError:
            return  # Another status: of a request that has ended.
        self._credit -= 1
        is_done = self._here.get(record.raw.sequence)
        if is_done is None:
            self._remember(record.raw.sequence)
            is_done = not self.add(record)
        if is_done:
            await message.ack()
            await self._refill()

    def _remember(self, sequence: int) -> None:
        """The server delivers a message again that it has not heard of for too long, also if that
        is only late."""
        self._here[sequence] = False
        if len(self._here) > 2 * self._window + _REMEMBERED:
            del self._here[next(iter(self._here))]


def _message(record: Record) -> Msg:
    delivered: Delivered = record.raw
    return delivered.message


@asynccontextmanager
async def open_consumer(
    polled: ActiveMapping, endpoint: Endpoint, access: SourceCredentials
) -> AsyncIterator[NatsConsumer]:
    """A mapping's consumer, with messages on their way. Raises `SourceError`."""
    consumer: NatsConsumer | None = None

    async def on_close() -> None:
        if consumer is not None:
            consumer.end(lost(client.last_error or ""))

    client = Client()
    options: dict[str, Any] = {}
    if access.user:
        options |= {"user": access.user, "password": access.password}
    if endpoint.uses_tls or access.root_certificate or access.certificate:
        options["tls"] = await trust(access)
    try:
        await _connect(client, endpoint, closed_cb=on_close, disconnected_cb=on_close, **options)
        stream = polled.mapping.source_id.rpartition("/")[2]
        consumer = NatsConsumer(polled, client, stream)
        await consumer.subscribe()
        async with anyio.create_task_group() as tasks:
            start_part(tasks, consumer.work)
            start_part(tasks, consumer.look)
            yield consumer
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_DEADLINE_S):
            await client.close()


async def _connect(client: Client, endpoint: Endpoint, **options: Any) -> None:
    scheme = "tls" if endpoint.uses_tls else "nats"
    try:
        with anyio.fail_after(_DEADLINE_S):
            await client.connect(
                f"{scheme}://{endpoint.host}:{endpoint.port}",
                name="lambent",
                allow_reconnect=False,
                connect_timeout=int(_DEADLINE_S),
                error_cb=_ignore,
                **options,
            )
    except ssl.SSLError as error:
        raise not_trusted(error) from error
    except _ERRORS as error:
        if "authorization" in str(error).lower():
            raise not_authenticated() from error

        raise Unreachable(endpoint, error) from error


async def _ignore(_: Exception) -> None:
    """What matters is raised too, or ends the connection."""


def lost(error: object) -> SourceError:
    """The connection has ended, or the server does not respond."""
    return SourceError(
        "PROBLEM: Connection error. The connection to the server was lost", detail=str(error)
    )
