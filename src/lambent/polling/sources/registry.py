"""Which file reads which kind of source. Each is loaded, with its library, when a mapping needs it
first: the platform starts sooner without."""

import importlib
from collections.abc import Mapping

import anyio.to_thread

from lambent.model.mapping import EventSourceMapping, Source
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.poller import Poll

_MODULES: Mapping[Source, str] = {
    Source.SQS: "sqs",
    Source.SQS_FIFO: "sqs",
    Source.KINESIS: "kinesis",
    Source.DYNAMODB: "dynamodb",
    Source.MSK: "kafka",
    Source.KAFKA: "kafka",
    Source.MQ: "brokers",
}
"""By kind, the module of this package whose `poll` is a `poller.Poll`."""


def poller_for(mapping: EventSourceMapping) -> Poll:
    """What reads the source of a mapping."""

    async def poll(polled: ActiveMapping) -> None:
        name = f"{__package__}.{_MODULES[mapping.source]}"
        module = await anyio.to_thread.run_sync(importlib.import_module, name)
        await module.poll(polled)

    return poll
