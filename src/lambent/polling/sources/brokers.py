"""Amazon MQ: a queue of a broker is found, opened, and read until the connection ends.

https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.credentials import load_credentials
from lambent.polling.reader import Reader
from lambent.polling.sources import activemq, rabbitmq
from lambent.polling.sources.broker_endpoints import Engine, Unreachable, find_places
from lambent.polling.sources.deliveries import DeliveredQueue

_OPENS = {Engine.RABBITMQ: rabbitmq.open_queue, Engine.ACTIVEMQ: activemq.open_queue}


async def poll(polled: ActiveMapping) -> None:
    """See `poller.Poll`."""
    with polled.stop.interrupts():
        places = await find_places(polled)
        access = await load_credentials(polled)
    queue: DeliveredQueue | None = None
    while not polled.stop.is_set and queue is None:
        place = places.pop(0)
        try:
            async with _OPENS[place.engine](polled, place, access) as queue:
                polled.status.note_source_works()
                await Reader(polled, let_go=queue.let_go).serve(queue)
        except Unreachable:
            if not places:
                raise
    if queue is not None and queue.failure is not None and not polled.stop.is_set:
        raise queue.failure
