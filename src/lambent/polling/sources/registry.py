"""Which file reads which kind of source."""

from collections.abc import Mapping

from lambent.model.mapping import EventSourceMapping, Source
from lambent.polling.poller import Poll
from lambent.polling.sources import brokers, dynamodb, kafka, kinesis, sqs

_POLLS: Mapping[Source, Poll] = {
    Source.SQS: sqs.poll,
    Source.SQS_FIFO: sqs.poll,
    Source.KINESIS: kinesis.poll,
    Source.DYNAMODB: dynamodb.poll,
    Source.MQ: brokers.poll,
    Source.KAFKA: kafka.poll,
    Source.MSK: kafka.poll,
}


def poll_of(mapping: EventSourceMapping) -> Poll:
    """What reads the source of a mapping."""
    return _POLLS[mapping.source]
