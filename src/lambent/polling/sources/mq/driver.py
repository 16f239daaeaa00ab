"""The driver of Amazon MQ: a queue of a broker is found, opened, and read until the connection
ends.

https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

from contextlib import AbstractAsyncContextManager

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import Endpoint
from lambent.polling.broker_reading import read_first_reachable
from lambent.polling.credentials import load_credentials
from lambent.polling.delivered_queue import DeliveredQueue
from lambent.polling.drivers import SourceDriver
from lambent.polling.sources.mq import activemq, rabbitmq
from lambent.polling.sources.mq.endpoints import find_endpoints


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    with polled.stop.interrupts():
        endpoints = await find_endpoints(
            polled.mapping.source_id, polled.aws, polled.settings.brokers
        )
        access = await load_credentials(polled.aws, polled.options.access)

    def open_queue(endpoint: Endpoint) -> AbstractAsyncContextManager[DeliveredQueue]:
        is_rabbitmq = endpoint.scheme.startswith("amqp")
        open_ = rabbitmq.open_queue if is_rabbitmq else activemq.open_queue
        return open_(polled, endpoint, access)

    await read_first_reachable(polled, endpoints, open_queue)


DRIVER = SourceDriver(poll)
