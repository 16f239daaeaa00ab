"""Amazon MQ for ActiveMQ, or any ActiveMQ: one queue, over STOMP.

One batch is in progress at a time. Each message is acknowledged when the function has processed it
or a filter removes it. ActiveMQ delivers again what is not acknowledged when the connection ends,
and only then: STOMP's NACK would send a message to the dead-letter queue.
https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio

from lambent.kit.tasks import start_part
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import (
    Endpoint,
    Unreachable,
    not_authenticated,
    not_trusted,
    trust,
)
from lambent.polling.credentials import SourceCredentials
from lambent.polling.delivered_queue import DeliveredQueue
from lambent.polling.ports import EVENT_BYTES_MAX, PartLost, Record, SourceError
from lambent.polling.role_client import NOT_ALLOWED
from lambent.polling.sources.mq.activemq_records import envelope_of, to_record
from lambent.polling.sources.mq.stomp import Connection, ConnectionEnded, Frame, connect

_DEADLINE_S = 10.0
_GOODBYE_S = 2.0
_HEARTBEAT_S = 10.0


class ActiveQueue(DeliveredQueue):
    """A queue while one connection lasts."""

    def __init__(self, polled: ActiveMapping, connection: Connection) -> None:
        name = polled.options.queues[0]
        super().__init__(polled, name, envelope_of(polled.mapping.source_id))
        self._connection = connection
        self._subscriptions = 0
        self._is_over = anyio.Event()

    async def ask(self, number: int) -> None:
        """See `DeliveredQueue`. Each request is another subscription; their limits add up."""
        self._subscriptions += 1
        headers = {
            "id": str(self._subscriptions),
            "destination": f"/queue/{self.name}",
            "ack": "client-individual",
            "activemq.prefetchSize": str(number),
        }
        try:
            await self._connection.send(Frame("SUBSCRIBE", headers))
        except ConnectionEnded as error:
            raise _lost(error) from error

    async def acknowledge(self, records: Sequence[Record]) -> None:
        """See `DeliveredQueue`."""
        try:
            await self._connection.send(*(Frame("ACK", {"id": record.raw}) for record in records))
        except ConnectionEnded as error:
            raise PartLost from error

    async def release(self, kept: Sequence[Record]) -> None:
        """See `ports.Release`. ActiveMQ delivers the others again when the connection ends."""

    async def receive(self) -> None:
        """Take frames until the connection ends."""
        try:
            while await self._take(await self._connection.read()):
                pass
        except ConnectionEnded as error:
            self.end(_lost(error))
        finally:
            self._is_over.set()

    async def close(self) -> None:
        """Disconnect with a receipt, which confirms the acknowledgements."""
        try:
            with anyio.move_on_after(_GOODBYE_S):
                await self._connection.send(Frame("DISCONNECT", {"receipt": "bye"}))
                await self._is_over.wait()
        except ConnectionEnded:
            pass

    async def _take(self, frame: Frame) -> bool:
        """Returns whether there may be more frames."""
        if frame.command == "ERROR":
            self.end(_not_readable(frame, self.name))
        elif frame.command == "MESSAGE":
            if not self._keep(frame):
                await self._connection.send(Frame("ACK", {"id": frame.headers["ack"]}))
            return True
        return False  # It is the receipt of DISCONNECT.

    def _keep(self, frame: Frame) -> bool:
        if frame.body is None:
            self.note_too_large()
            return False
        return self.add(to_record(frame.headers, frame.body, now=self._polled.clock.now()))


@asynccontextmanager
async def open_queue(
    polled: ActiveMapping, endpoint: Endpoint, access: SourceCredentials
) -> AsyncIterator[ActiveQueue]:
    """A mapping's queue, with messages on their way. Raises `SourceError`."""
    context = await trust(access) if endpoint.uses_tls else None
    try:
        with anyio.fail_after(_DEADLINE_S):
            stream = await connect(endpoint.host, endpoint.port, context)
    except ssl.SSLError as error:
        raise not_trusted(error) from error
    except (ConnectionEnded, TimeoutError) as error:
        raise Unreachable(endpoint, error) from error
    async with stream:
        connection = Connection(
            stream, polled.clock, body_bytes_max=EVENT_BYTES_MAX, heartbeat_s=_HEARTBEAT_S
        )
        await _log_in(connection, endpoint, access)
        queue = ActiveQueue(polled, connection)
        await queue.open()
        async with anyio.create_task_group() as tasks:
            start_part(tasks, queue.receive)
            start_part(tasks, connection.beat)
            yield queue
            with anyio.CancelScope(shield=True):
                await queue.close()
            tasks.cancel_scope.cancel()


async def _log_in(connection: Connection, endpoint: Endpoint, access: SourceCredentials) -> None:
    if any(character in access.user + access.password for character in "\n\r\0"):
        raise not_authenticated()  # STOMP cannot encode it.
    try:
        with anyio.fail_after(_DEADLINE_S):
            response = await connection.log_in(endpoint.host, access.user, access.password)
    except (ConnectionEnded, TimeoutError) as error:
        raise Unreachable(endpoint, error) from error
    if response.command != "CONNECTED":
        text = response.headers.get("message", "")
        is_password = "password is invalid" in text or "SecurityException" in text
        raise not_authenticated() if is_password else _refused(text)


def _not_readable(frame: Frame, queue: str) -> SourceError:
    """The meaning of an `ERROR`, after which the broker ends the connection."""
    text = frame.headers.get("message", "")
    if "not authorized" in text:
        return SourceError(
            f"PROBLEM: Lambda is not allowed to read the queue {queue}", reason=NOT_ALLOWED
        )
    return _refused(text)


def _refused(text: str) -> SourceError:
    return SourceError(f"PROBLEM: The broker refused: {text}"[:500])


def _lost(error: ConnectionEnded) -> SourceError:
    return SourceError(
        "PROBLEM: Connection error. The connection to the broker was lost", detail=str(error)
    )
