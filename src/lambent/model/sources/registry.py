"""The kinds of event sources. A new kind is one line here."""

from lambent.model.sources.brokers import MQTT, NATS
from lambent.model.sources.kafka import KAFKA, MSK
from lambent.model.sources.kind import Params, SourceKind
from lambent.model.sources.mq import MQ
from lambent.model.sources.sqs import SQS, SQS_FIFO
from lambent.model.sources.streams import DYNAMODB, KINESIS

SOURCE_KINDS: dict[str, SourceKind] = {
    kind.name: kind
    for kind in (
        SQS,
        SQS_FIFO,
        KINESIS,
        DYNAMODB,
        MSK,
        KAFKA,
        MQ,
        MQTT,
        NATS,
    )
}
"""By name."""


def identify(params: Params) -> tuple[SourceKind, str] | None:
    """The kind of source that a CreateEventSourceMapping request names, and the source's id. None
    if there is no such kind. Raises `ApiError` if the request is incomplete."""
    for kind in SOURCE_KINDS.values():
        source_id = kind.identify(params)
        if source_id is not None:
            return kind, source_id
    return None
