"""The driver of NATS JetStream."""

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import Scheme
from lambent.polling.broker_reading import read_own_broker
from lambent.polling.drivers import SourceDriver
from lambent.polling.sources.nats.consumer import open_consumer

SCHEMES = {"nats": Scheme(4222), "tls": Scheme(4222, uses_tls=True)}


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    await read_own_broker(polled, "nats:Consume", SCHEMES, open_consumer)


DRIVER = SourceDriver(poll)
