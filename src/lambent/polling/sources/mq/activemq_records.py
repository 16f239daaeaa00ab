"""Messages of ActiveMQ as functions see them, made from STOMP's frames. Pure.

In STOMP, a message with a length has bytes and one without has text. STOMP has no time at which the
broker received or sent a message: the sender's time and the time of arrival replace them.
https://docs.aws.amazon.com/lambda/latest/dg/with-mq.html
"""

import base64
import json
from collections.abc import Mapping

from lambent.polling.delivered_queue import make_document
from lambent.polling.ports import Envelope, Record

_PERSISTENT, _NOT_PERSISTENT = 2, 1
"""JMS's delivery modes."""
_PRIORITY = 4
"""JMS's default."""
_OF_STOMP = frozenset(
    {
        "ack",
        "content-length",
        "content-type",
        "correlation-id",
        "destination",
        "expires",
        "message-id",
        "persistent",
        "priority",
        "receipt",
        "redelivered",
        "reply-to",
        "subscription",
        "timestamp",
        "type",
    }
)
"""Headers that are not properties of the message."""


def envelope_of(arn: str) -> Envelope:
    """The envelope of events."""
    before = json.dumps({"eventSource": "aws:mq", "eventSourceArn": arn})[:-1]
    return Envelope(f'{before}, "messages": ['.encode(), b"]}")


def to_record(headers: Mapping[str, str], body: bytes, *, now: float) -> Record:
    """A message that arrived at `now`, epoch seconds."""
    is_text = "content-length" not in headers
    expires_ms = _number(headers.get("expires"), 0)
    sent_ms = _number(headers.get("timestamp"), 0)
    message = {
        "messageID": headers.get("message-id"),
        "messageType": "jms/text-message" if is_text else "jms/bytes-message",
        "deliveryMode": _PERSISTENT if _is_true(headers, "persistent") else _NOT_PERSISTENT,
        "replyTo": _destination(headers.get("reply-to")),
        "type": headers.get("type"),
        "expiration": str(expires_ms),
        "priority": _number(headers.get("priority"), _PRIORITY),
        "correlationId": headers.get("correlation-id"),
        "redelivered": _is_true(headers, "redelivered"),
        "destination": {"physicalName": _name(headers.get("destination", ""))},
        "data": base64.b64encode(body).decode(),
        "timestamp": sent_ms,
        "brokerInTime": sent_ms,
        "brokerOutTime": round(now * 1000),
        "properties": {name: headers[name] for name in headers if name not in _OF_STOMP},
    }
    return Record(
        id=headers.get("message-id", ""),
        document=make_document(message),
        raw=headers.get("ack", ""),
        arrived_at=sent_ms / 1000 if sent_ms else now,
        expires_at=expires_ms / 1000 if expires_ms else None,
    )


def _is_true(headers: Mapping[str, str], name: str) -> bool:
    return headers.get(name) == "true"


def _number(text: str | None, default: int) -> int:
    """The value of a header. A sender may have written anything."""
    return int(text[:18]) if text and text.isdecimal() and text.isascii() else default


def _name(destination: str) -> str:
    return destination.removeprefix("/queue/")


def _destination(stomp: str | None) -> str | None:
    """A destination in the form of JMS."""
    for kind in ("queue", "topic", "temp-queue", "temp-topic"):
        if stomp and stomp.startswith(f"/{kind}/"):
            return f"{kind}://{stomp.removeprefix(f'/{kind}/')}"
    return stomp
