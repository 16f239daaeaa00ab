"""Messages of Amazon SQS as functions and filters see them, and the events they fit into. Pure.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.model.arn import Region
from lambent.model.traces import extend_lineage
from lambent.polling.ports import EVENT_BYTES_MAX, Envelope, Record

ENVELOPE = Envelope(b'{"Records":[', b"]}")
_TRACE_HEADER = "AWSTraceHeader"


def to_record(message: Mapping[str, Any], arn: str, region: Region, *, has_window: bool) -> Record:
    """A message that ReceiveMessage returned. `has_window` is for mappings with a batching window,
    whose records differ in one member."""
    attributes = message.get("Attributes", {})
    document: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": attributes,
        "messageAttributes": {
            name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody"),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }
    # AWS leaves the digest out if there are no attributes, but not with a batching window.
    if has_window or "MD5OfMessageAttributes" in message:
        document["md5OfMessageAttributes"] = message.get("MD5OfMessageAttributes")
    return Record(
        id=message["MessageId"],
        document=json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(
            errors="replace"
        ),
        raw=message,
        arrived_at=float(attributes.get("SentTimestamp", 0)) / 1000,
        key=attributes.get("MessageGroupId", ""),
    )


def view(record: Record) -> tuple[Mapping[str, Any], str]:
    """See `ports.Part.view`."""
    metadata = json.loads(record.document)
    body = metadata.pop("body")
    return metadata, body


def split(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Batches that are small enough for an event."""
    batches: list[list[Record]] = [[]] if records else []
    size = ENVELOPE.size
    for record in records:
        size += len(record.document) + 1
        if batches[-1] and size > EVENT_BYTES_MAX:
            batches.append([])
            size = ENVELOPE.size + len(record.document) + 1
        batches[-1].append(record)
    return list(batches)


def trace_header(record: Record) -> str:
    """The trace header of the message's sender; empty if there is none."""
    header: str = record.raw.get("Attributes", {}).get(_TRACE_HEADER, "")
    return header


def count_calls(header: str, function_arn: str) -> int:
    """How often a function occurs in the chain of calls that a trace header names; -1 if there is
    no header."""
    return extend_lineage(header, function_arn)[1] if header else -1


def _attribute(value: Mapping[str, Any]) -> Mapping[str, Any]:
    content: dict[str, Any] = {}
    if "BinaryValue" in value:
        content["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    else:
        content["stringValue"] = value.get("StringValue", "")
    return {
        **content,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.get("DataType", "String"),
    }
