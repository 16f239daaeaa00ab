"""Amazon MQ: a queue of a broker is found, opened, and read until the connection ends.

https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

from lambent.polling.access import read_access
from lambent.polling.polled import Polled
from lambent.polling.reader import Reader
from lambent.polling.sources import activemq, rabbitmq
from lambent.polling.sources.broker_places import Engine, Unreachable, find_places
from lambent.polling.sources.deliveries import DeliveredQueue

_OPENS = {Engine.RABBITMQ: rabbitmq.open_queue, Engine.ACTIVEMQ: activemq.open_queue}


async def poll(polled: Polled) -> None:
    """See `poller.Poll`."""
    with polled.stop.interrupts():
        places = await find_places(polled)
        access = await read_access(polled)
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
