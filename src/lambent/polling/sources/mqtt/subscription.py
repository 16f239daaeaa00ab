"""A subscription at a broker with MQTT 5, over one connection.

Each mapping has a session of its own at the broker, named after it. The broker keeps what arrives
while no client is connected, and sends again what was not acknowledged. Messages are acknowledged
when they are processed; those of QoS 0 have no acknowledgement and can be lost, as MQTT says.
https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from lambent.model.sources.brokers import MQTT_BATCH_MAX
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
from lambent.polling.role_client import NOT_ALLOWED
from lambent.polling.sources.mqtt.records import Records, describe, envelope_of

_DEADLINE_S = 10.0
_KEEPALIVE_S = 30
_FORGOTTEN_AFTER_S = 7 * 24 * 3600
"""The broker ends a session that was not used for so long: that of a deleted mapping."""
_MESSAGE_BYTES_MAX = 1024 * 1024
_NOT_AUTHENTICATED = frozenset(
    {"Bad user name or password", "Not authorized", "Bad authentication method"}
)
_NOT_SUPPORTED = frozenset({"Unsupported protocol version"})


class MqttSubscription(DeliveredQueue):
    """The messages of a topic filter while one connection lasts.

    The client runs in a thread of its own, and its callbacks pass on to the event loop.
    """

    def __init__(self, polled: ActiveMapping, client: Client) -> None:
        topics = polled.options.queues[0]
        super().__init__(polled, topics, envelope_of(polled.mapping.source_id))
        self._client = client
        self._records = Records()
        self._loop = asyncio.get_running_loop()
        self._step: asyncio.Future[object] = self._loop.create_future()
        """What the broker says next about the connection or the subscription."""
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message

    async def connect(self, endpoint: Endpoint) -> None:
        """Have the broker accept the connection. Raises `SourceError`."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _FORGOTTEN_AFTER_S
        properties.ReceiveMaximum = MQTT_BATCH_MAX
        properties.MaximumPacketSize = _MESSAGE_BYTES_MAX
        connect = partial(
            self._client.connect,
            endpoint.host,
            endpoint.port,
            _KEEPALIVE_S,
            clean_start=False,
            properties=properties,
        )
        try:
            with anyio.fail_after(_DEADLINE_S):
                await anyio.to_thread.run_sync(connect, abandon_on_cancel=True)
                self._client.loop_start()
                answer = await self._step
        except ssl.SSLError as error:
            raise not_trusted(error) from error
        except (OSError, TimeoutError) as error:
            raise Unreachable(endpoint, error) from error
        if answer is None:
            raise Unreachable(endpoint, "the broker has ended the connection")
        if isinstance(answer, ReasonCode) and answer.is_failure:
            if answer.getName() in _NOT_AUTHENTICATED:
                raise not_authenticated()
            raise SourceError(f"PROBLEM: The broker refused: {answer.getName()}")

    async def subscribe(self) -> None:
        """Have the broker send messages. Raises `SourceError`."""
        self._step = self._loop.create_future()
        try:
            self._client.subscribe(self.name, qos=1)
            with anyio.fail_after(_DEADLINE_S):
                answer = await self._step
        except ValueError as error:
            raise config_not_valid(f"{self.name} is no topic filter") from error
        except TimeoutError as error:
            raise SourceError("PROBLEM: The broker does not respond") from error
        if isinstance(answer, ReasonCode) and answer.is_failure:
            raise SourceError(
                f"PROBLEM: Lambda is not allowed to subscribe to {self.name}: {answer.getName()}",
                reason=NOT_ALLOWED,
            )
        if self.failure is not None:
            raise self.failure

    # -- messages --------------------------------------------------------------------------

    async def ask(self, number: int) -> None:
        """See `DeliveredQueue`. The limit stands in the connection."""

    async def acknowledge(self, records: Sequence[Record]) -> None:
        """See `DeliveredQueue`."""
        for record in records:
            message: MQTTMessage = record.raw
            if message.qos and self._client.ack(message.mid, message.qos) != 0:
                raise PartLost

    async def release(self, kept: Sequence[Record]) -> None:
        """See `ports.Release`. When the connection ends, the broker keeps the others."""

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `ports.Part`."""
        return describe(self.name, records)

    def _take(self, message: MQTTMessage) -> None:
        is_full = len(self.open_records) >= 2 * MQTT_BATCH_MAX
        if is_full and message.qos == 0:
            # Nothing holds the broker back from sending these.
            self._polled.status.count("DroppedEventCount", 1)
            return
        record = self._records.make(message, now=self._polled.clock.now())
        if not self.add(record) and message.qos:
            self._client.ack(message.mid, message.qos)

    def _note(self, answer: object) -> None:
        if not self._step.done():
            self._step.set_result(answer)

    def _ended(self, reason: str) -> None:
        self.end(
            SourceError(
                "PROBLEM: Connection error. The connection to the broker was lost", detail=reason
            )
        )
        self._note(None)

    # -- callbacks, in the client's thread ---------------------------------------------------

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            return  # The event loop has ended.

    def _on_connect(
        self, _client: Client, _: object, _flags: ConnectFlags, code: ReasonCode, _p: object
    ) -> None:
        self._call(self._note, code)

    def _on_subscribe(
        self, _client: Client, _: object, _mid: int, codes: list[ReasonCode], _p: object
    ) -> None:
        self._call(self._note, codes[0])

    def _on_disconnect(
        self, _client: Client, _: object, _flags: DisconnectFlags, code: ReasonCode, _p: object
    ) -> None:
        self._call(self._ended, code.getName())

    def _on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        self._call(self._take, message)


@asynccontextmanager
async def open_subscription(
    polled: ActiveMapping, endpoint: Endpoint, access: SourceCredentials
) -> AsyncIterator[MqttSubscription]:
    """A mapping's subscription, with messages on their way. Raises `SourceError`."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"lambent-{polled.mapping.uuid}",
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = _DEADLINE_S
    if access.user:
        client.username_pw_set(access.user, access.password)
    if endpoint.uses_tls or access.root_certificate or access.certificate:
        client.tls_set_context(await trust(access))
    subscription = MqttSubscription(polled, client)
    try:
        await subscription.connect(endpoint)
        await subscription.subscribe()
        await subscription.open()
        yield subscription
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_DEADLINE_S):
            await anyio.to_thread.run_sync(_close, client, abandon_on_cancel=True)


def _close(client: Client) -> None:
    client.disconnect()
    client.loop_stop()
