"""The driver of MQTT."""

from contextlib import AbstractAsyncContextManager

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import Endpoint, Protocol, find_in_settings
from lambent.polling.broker_reading import read_first_reachable
from lambent.polling.credentials import load_credentials
from lambent.polling.drivers import SourceDriver
from lambent.polling.sources.mqtt.subscription import MqttSubscription, open_subscription

PROTOCOLS = {"mqtt": Protocol(1883), "mqtts": Protocol(8883, uses_tls=True)}


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    with polled.stop.interrupts():
        await polled.aws.require("mqtt:Subscribe", polled.mapping.source_id)
        endpoints = find_in_settings(polled.mapping.source_id, polled.settings.brokers, PROTOCOLS)
        access = await load_credentials(polled.aws, polled.options.access)

    def open_part(endpoint: Endpoint) -> AbstractAsyncContextManager[MqttSubscription]:
        return open_subscription(polled, endpoint, access)

    await read_first_reachable(polled, endpoints, open_part)


DRIVER = SourceDriver(poll)
