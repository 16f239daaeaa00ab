"""The driver of Amazon MQ: a queue of a broker is found, opened, and read until the connection
ends.

https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.credentials import load_credentials
from lambent.polling.drivers import SourceDriver
from lambent.polling.reader import Reader
from lambent.polling.sources.mq import activemq, rabbitmq
from lambent.polling.sources.mq.delivered_queue import DeliveredQueue
from lambent.polling.sources.mq.endpoints import Engine, Unreachable, find_endpoints

_OPENS = {Engine.RABBITMQ: rabbitmq.open_queue, Engine.ACTIVEMQ: activemq.open_queue}


async def poll(polled: ActiveMapping) -> None:
    """See `drivers.Poll`."""
    with polled.stop.interrupts():
        endpoints = await find_endpoints(
            polled.mapping.source_id, polled.aws, polled.settings.brokers
        )
        access = await load_credentials(polled.aws, polled.options.access)
    queue: DeliveredQueue | None = None
    while not polled.stop.is_set and queue is None:
        endpoint = endpoints.pop(0)
        try:
            async with _OPENS[endpoint.engine](polled, endpoint, access) as queue:
                polled.status.note_source_works()
                await Reader(polled, release=queue.release).serve(queue)
        except Unreachable:
            if not endpoints:
                raise
    if queue is not None and queue.failure is not None and not polled.stop.is_set:
        raise queue.failure


DRIVER = SourceDriver(poll)
