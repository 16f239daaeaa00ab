"""Messages of JetStream as functions see them."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nats.aio.msg import Msg

from lambent.polling.delivered_queue import make_document
from lambent.polling.ports import Envelope, Record


@dataclasses.dataclass(frozen=True, slots=True)
class Delivered:
    """What the driver needs of a message besides its document."""

    message: Msg
    sequence: int
    """The message's number in the stream."""


def envelope_of(arn: str) -> Envelope:
    """The event around messages: members as those of Amazon MQ's."""
    head = make_document({"eventSource": "nats", "eventSourceArn": arn})
    return Envelope(head[:-1] + b',"messages":[', b"]}")


def to_record(message: Msg) -> Record:
    """Raises `nats.errors.NotJSMessageError` for a message that JetStream did not deliver."""
    about = message.metadata
    arrived_at = about.timestamp.timestamp()
    document = make_document(
        {
            "subject": message.subject,
            "stream": about.stream,
            "sequence": about.sequence.stream,
            "deliveries": about.num_delivered,
            "timestamp": int(arrived_at * 1000),
            "headers": _headers(message.headers),
            "data": base64.b64encode(message.data).decode(),
        }
    )
    sequence = about.sequence.stream
    return Record(str(sequence), document, Delivered(message, sequence), arrived_at=arrived_at)


def describe(stream: str, records: Sequence[Record]) -> Mapping[str, Any]:
    """The member of a failure record that identifies messages."""
    first, last = records[0].raw, records[-1].raw
    return {
        "NATSBatchInfo": {
            "stream": stream,
            "startSequence": first.sequence,
            "endSequence": last.sequence,
            "batchSize": len(records),
        }
    }


def _headers(given: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (given or {}).items()}
