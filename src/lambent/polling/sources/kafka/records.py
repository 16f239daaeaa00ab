"""Kafka's records, as functions, filters and on-failure destinations see them.

Pure. https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
"""

import json
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

from lambent.model.mapping import EventSourceMapping
from lambent.polling.failure_records import timestamp
from lambent.polling.ports import Envelope, Record

_TIMESTAMP_TYPES = {
    TIMESTAMP_CREATE_TIME: b"CREATE_TIME",
    TIMESTAMP_LOG_APPEND_TIME: b"LOG_APPEND_TIME",
}
_NO_TYPE = b"NO_TIMESTAMP_TYPE"
_DOCUMENT = b'%b%d,"timestamp":%d,"timestampType":"%b","key":%b,"value":%b,"headers":%b}'


class Rendering:
    """The form of the records of one partition."""

    def __init__(
        self, mapping: EventSourceMapping, bootstrap: str, topic: str, partition: int
    ) -> None:
        self.name = f"{topic}-{partition}"
        self._begin = b'{"topic":%b,"partition":%d,"offset":' % (_json(topic), partition)
        is_msk = mapping.kind.has_arn
        self._source = {"eventSourceArn": mapping.source_id} if is_msk else {}
        self._source["bootstrapServers"] = bootstrap
        kind = "aws:kafka" if is_msk else "SelfManagedKafka"
        opening = _json({"eventSource": kind, **self._source})[:-1]
        self.envelope = Envelope(b'%b,"records":{%b:[' % (opening, _json(self.name)), b"]}}")

    def render(self, messages: Sequence[Message]) -> list[Record]:
        """The records of messages."""
        name, begin = self.name, self._begin
        records = []
        for message in messages:
            offset = message.offset()
            kind, moment = message.timestamp()
            headers: Any = message.headers()
            document = _DOCUMENT % (
                begin,
                offset,
                moment,
                _TIMESTAMP_TYPES.get(kind, _NO_TYPE),
                _base64(message.key()),
                _base64(message.value()),
                _json(_signed(headers)) if headers else b"[]",
            )
            records.append(Record(f"{name}:{offset}", document, message, moment / 1000))
        return records

    def describe(self, records: Sequence[Record]) -> Mapping[str, Any]:
        """See `Part`."""
        first, last = records[0], records[-1]
        size = sum(len(record.document) for record in records)
        size += self.envelope.size + len(records) - 1
        info = {
            "firstRecordOffset": str(first.raw.offset()),
            "lastRecordOffset": str(last.raw.offset()),
            "firstRecordTimestamp": timestamp(max(first.arrived_at, 0)),
            "lastRecordTimestamp": timestamp(max(last.arrived_at, 0)),
        }
        about = {"batchSize": len(records), **self._source, "payloadSize": size}
        return {"KafkaBatchInfo": {**about, "recordsInfo": {self.name: info}}}


def view(record: Record) -> tuple[Mapping[str, Any], bytes | None]:
    """See `ports.Part.view`."""
    message: Message = record.raw
    kind, moment = message.timestamp()
    key = message.key()
    headers: Any = message.headers() or ()
    metadata = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": moment,
        "timestampType": _TIMESTAMP_TYPES.get(kind, _NO_TYPE).decode(),
        "key": None if key is None else b64encode(key).decode(),
        "headers": _signed(headers),
    }
    return metadata, message.value()


def _base64(data: bytes | None) -> bytes:
    return b"null" if data is None else b'"%b"' % b2a_base64(data, newline=False)


def _signed(headers: Sequence[tuple[str, bytes | None]]) -> list[Mapping[str, list[int]]]:
    """AWS writes the bytes of headers as Java does: from -128 to 127."""
    return [
        {name: [byte - 256 if byte > 127 else byte for byte in value or b""]}
        for name, value in headers
    ]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
