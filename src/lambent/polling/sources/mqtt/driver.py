"""The driver of MQTT."""

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import Scheme
from lambent.polling.broker_reading import read_own_broker
from lambent.polling.drivers import SourceDriver
from lambent.polling.sources.mqtt.subscription import open_subscription

SCHEMES = {"mqtt": Scheme(1883), "mqtts": Scheme(8883, uses_tls=True)}


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    await read_own_broker(polled, "mqtt:Subscribe", SCHEMES, open_subscription)


DRIVER = SourceDriver(poll)
