"""Messages of RabbitMQ as functions see them. Pure.

The form is that of the Java client's objects: texts in headers are arrays of signed bytes, and
timestamps have the American form.
https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

import base64
import datetime
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pamqp.commands import Basic

from lambent.polling.delivered_queue import make_document
from lambent.polling.ports import Envelope, Record


def envelope_of(arn: str, queue: str, vhost: str) -> Envelope:
    """The envelope of events with messages of one queue."""
    before = json.dumps({"eventSource": "aws:rmq", "eventSourceArn": arn})[:-1]
    key = json.dumps(f"{queue}::{vhost}")
    return Envelope(f'{before}, "rmqMessagesByQueue": {{{key}: ['.encode(), b"]}}")


def to_record(
    properties: Basic.Properties, body: bytes, *, tag: int, redelivered: bool, now: float
) -> Record:
    """A message that was delivered at `now`, epoch seconds, with a delivery tag."""
    message = {
        "basicProperties": {
            "contentType": properties.content_type,
            "contentEncoding": properties.content_encoding,
            "headers": _table(properties.headers or {}),
            "deliveryMode": properties.delivery_mode,
            "priority": properties.priority,
            "correlationId": properties.correlation_id,
            "replyTo": properties.reply_to,
            "expiration": properties.expiration,
            "messageId": properties.message_id,
            "timestamp": _time(properties.timestamp),
            "type": properties.message_type,
            "userId": properties.user_id,
            "appId": properties.app_id,
            "clusterId": properties.cluster_id or None,
            "bodySize": len(body),
        },
        "redelivered": redelivered,
        "data": base64.b64encode(body).decode(),
    }
    return Record(
        id=str(tag),
        document=make_document(message),
        raw=tag,
        arrived_at=now,
        expires_at=_expiry(properties.expiration, now),
    )


def _expiry(expiration: str | None, now: float) -> float | None:
    """The latest time at which a message expires. RabbitMQ counts from its arrival in the queue."""
    if not expiration or not expiration.isdecimal():
        return None
    return now + int(expiration[:18]) / 1000


def _time(at: datetime.datetime | None) -> str | None:
    """`Jan 1, 1970, 12:33:41 AM`, UTC."""
    if at is None:
        return None
    at = at.astimezone(datetime.UTC)
    return f"{at:%b} {at.day}, {at.year}, {at.hour % 12 or 12}:{at:%M:%S} {at:%p}"


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in table.items()}


def _value(value: Any) -> Any:
    """A value of a header. Texts have the form of bytes, because AMQP does not tell them apart."""
    match value:
        case str() | bytes():
            raw = value.encode() if isinstance(value, str) else value
            return {"bytes": _signed(raw)}
        case bytearray():
            return _signed(value)
        case float() if not math.isfinite(value):
            return None
        case Decimal():
            return float(value)
        case datetime.datetime():
            return _time(value)
        case Mapping():
            return _table(value)
        case list():
            return list(map(_value, value))
    return value


def _signed(raw: bytes | bytearray) -> list[int]:
    """Java's bytes: 128 and above are negative."""
    return [byte - 256 if byte > 127 else byte for byte in raw]
