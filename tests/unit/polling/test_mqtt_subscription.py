"""What a subscription takes from a broker that sends without waiting."""

from typing import Any

import anyio
import pytest
from paho.mqtt.client import MQTTMessage

from lambent.model.sources.brokers import MQTT
from lambent.polling.sources.mqtt.subscription import MqttSubscription

from .rig import make_rig


class Client:
    """Remembers what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def ack(self, mid: int, qos: int) -> int:
        """As paho's."""
        assert qos == 1
        self.acknowledged.append(mid)
        return 0


def message(number: int, *, qos: int, size: int = 1) -> MQTTMessage:
    """A message as the client passes it on."""
    made = MQTTMessage(number, b"t")
    made.qos, made.payload = qos, b"x" * size
    return made


@pytest.mark.anyio
async def test_messages_without_acknowledgement_are_bounded() -> None:
    """Of QoS 0 no more than 200 wait; those of QoS 1 the broker itself holds back."""
    rig = make_rig(kind=MQTT, arn="arn:aws:mqtt:us-east-1:000000000000:broker/b", Queues=["t"])
    client: Any = Client()
    subscription = MqttSubscription(rig.polled, client)
    await subscription.open()
    for number in range(250):
        client.on_message(client, None, message(number, qos=0))
    client.on_message(client, None, message(1, qos=1))
    await anyio.wait_all_tasks_blocked()

    records = await subscription.read()

    assert len(records) == 201
    assert rig.polled.status.counts["DroppedEventCount"] == 50
    await subscription.commit(records[-1])
    assert client.acknowledged == [1]


@pytest.mark.anyio
async def test_a_message_that_no_event_has_room_for_is_acknowledged() -> None:
    """Else the broker would send it with every connection."""
    rig = make_rig(kind=MQTT, arn="arn:aws:mqtt:us-east-1:000000000000:broker/b", Queues=["t"])
    client: Any = Client()
    MqttSubscription(rig.polled, client)
    client.on_message(client, None, message(7, qos=1, size=5 * 1024 * 1024))
    await anyio.wait_all_tasks_blocked()
    assert client.acknowledged == [7]
    assert rig.polled.status.counts["DroppedEventCount"] == 1
