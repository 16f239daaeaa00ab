"""Messages of MQTT as functions see them."""

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paho.mqtt.client import MQTTMessage

from lambent.polling.delivered_queue import make_document
from lambent.polling.ports import Envelope, Record


def envelope_of(arn: str) -> Envelope:
    """The event around messages: members as those of Amazon MQ's."""
    head = make_document({"eventSource": "mqtt", "eventSourceArn": arn})
    return Envelope(head[:-1] + b',"messages":[', b"]}")


class Records:
    """Makes the records of one connection."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count(1)

    def make(self, message: MQTTMessage, *, now: float) -> Record:
        """A message that has just arrived. Its id is unique in the connection only: MQTT's own
        packet identifiers come up again."""
        id = str(next(self._numbers))
        document = make_document(
            {
                "messageID": id,
                "topic": message.topic,
                "qos": message.qos,
                "retain": bool(message.retain),
                "duplicate": bool(message.dup),
                "timestamp": int(now * 1000),
                "properties": _properties(message),
                "data": base64.b64encode(message.payload).decode(),
            }
        )
        return Record(id, document, message, arrived_at=now)


def describe(topics: str, records: Sequence[Record]) -> Mapping[str, Any]:
    """The member of a failure record that identifies messages."""
    return {
        "MQTTBatchInfo": {
            "topicFilter": topics,
            "startMessageID": records[0].id,
            "endMessageID": records[-1].id,
            "batchSize": len(records),
        }
    }


def _properties(message: MQTTMessage) -> dict[str, Any]:
    given = message.properties
    correlation = getattr(given, "CorrelationData", None)
    found = {
        "contentType": getattr(given, "ContentType", None),
        "responseTopic": getattr(given, "ResponseTopic", None),
        "correlationData": None if correlation is None else base64.b64encode(correlation).decode(),
    }
    users = [[name, value] for name, value in getattr(given, "UserProperty", ())]
    return {
        **{name: value for name, value in found.items() if value is not None},
        "userProperties": users,
    }
