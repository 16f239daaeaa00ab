"""Messages of brokers as functions see them."""

import base64
import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from lambent.polling.broker_connections import Endpoint, parse_endpoint
from lambent.polling.ports import Record
from lambent.polling.sources.mq import activemq_records, amqp_tolerance, rabbitmq_records
from lambent.polling.sources.mq.endpoints import SCHEMES

NOW = 1_700_000_000.0


def rabbit(body: bytes = b"", **properties: Any) -> Record:
    """A message that arrived now."""
    return rabbitmq_records.to_record(
        Basic.Properties(**properties), body, tag=7, redelivered=True, now=NOW
    )


def headers_of(**headers: Any) -> Any:
    """Headers of RabbitMQ as functions see them."""
    return json.loads(rabbit(headers=headers).document)["basicProperties"]["headers"]


def test_rabbitmq_s_event() -> None:
    """Whatever is in a queue's name."""
    envelope = rabbitmq_records.envelope_of("arn:b", 'a"b', "v/1")
    event = json.loads(envelope.wrap([rabbit(b"\xff").document, rabbit().document]))
    assert event["eventSource"] == "aws:rmq"
    assert event["eventSourceArn"] == "arn:b"
    first, second = event["rmqMessagesByQueue"]['a"b::v/1']
    assert base64.b64decode(first["data"]) == b"\xff"
    assert first["basicProperties"]["bodySize"] == 1
    assert first["redelivered"] is True
    assert second["basicProperties"] == {
        **dict.fromkeys(first["basicProperties"]),
        "headers": {},
        "bodySize": 0,
    }


def test_rabbitmq_s_headers() -> None:
    """Texts are signed bytes, arrays of bytes too; numbers stay numbers, JSON has no infinity."""
    found = headers_of(
        text="aë",
        raw=b"\xff",
        array=bytearray(b"\x00\x80"),
        number=-3,
        half=0.5,
        endless=float("inf"),
        price=Decimal("1.25"),
        yes=True,
        nothing=None,
        at=datetime(2026, 12, 31, 13, 5, 9, tzinfo=UTC),
        table={"list": ["x", {"deep": 1}]},
    )
    assert found == {
        "text": {"bytes": [97, -61, -85]},
        "raw": {"bytes": [-1]},
        "array": [0, -128],
        "number": -3,
        "half": 0.5,
        "endless": None,
        "price": 1.25,
        "yes": True,
        "nothing": None,
        "at": "Dec 31, 2026, 1:05:09 PM",
        "table": {"list": [{"bytes": [120]}, {"deep": 1}]},
    }


@pytest.mark.parametrize(
    ("expiration", "expires_at"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("1500", NOW + 1.5),
    ],
)
def test_when_rabbitmq_s_messages_expire(expiration: str | None, expires_at: float | None) -> None:
    """This many milliseconds after they arrived."""
    assert rabbit(expiration=expiration).expires_at == expires_at


@given(st.text(), st.binary())
def test_rabbitmq_s_documents_are_json(text: str, body: bytes) -> None:
    """Whatever was sent."""
    document = rabbit(body, message_id=text, headers={text: text}).document
    found = json.loads(document)
    assert base64.b64decode(found["data"]) == body


def unmarshal(flags: int, values: bytes) -> Basic.Properties:
    """Properties as sent over the wire."""
    header = ContentHeader()
    header.unmarshal(struct.pack(">HHQH", 60, 0, 0, flags) + values)
    return header.properties


def test_properties_that_make_no_sense() -> None:
    """They cost a property, not the connection: invalid texts, invalid years, tables with
    either."""
    amqp_tolerance.install()
    assert unmarshal(1 << 15, b"\x02\xff\xfe").content_type == "\ufffd\ufffd"
    assert unmarshal(1 << 6, b"\x7f" + b"\xff" * 7).timestamp is None
    table = b"\x01kT" + b"\x7f" + b"\xff" * 7 + b"\x01nI\x00\x00\x00\x05"
    assert unmarshal(1 << 13, struct.pack(">I", len(table)) + table).headers == {
        "k": None,
        "n": 5,
    }
    bad = b"\x01\xffI\x00\x00\x00\x05"
    both = struct.pack(">I", len(bad)) + bad + b"\x02"
    found = unmarshal((1 << 13) | (1 << 12), both)
    assert found.headers == {}
    assert found.delivery_mode == 2


def test_activemq_s_event() -> None:
    """With the defaults of a message whose sender set nothing."""
    record = activemq_records.to_record({"ack": "a1", "message-id": "ID:1"}, b"x", now=NOW)
    event = json.loads(activemq_records.envelope_of("arn:b").wrap([record.document]))
    assert event == {
        "eventSource": "aws:mq",
        "eventSourceArn": "arn:b",
        "messages": [
            {
                "messageID": "ID:1",
                "messageType": "jms/text-message",
                "deliveryMode": 1,
                "replyTo": None,
                "type": None,
                "expiration": "0",
                "priority": 4,
                "correlationId": None,
                "redelivered": False,
                "destination": {"physicalName": ""},
                "data": "eA==",
                "timestamp": 0,
                "brokerInTime": 0,
                "brokerOutTime": 1_700_000_000_000,
                "properties": {},
            }
        ],
    }
    assert record.raw == "a1"
    assert record.expires_at is None


def test_activemq_s_headers_that_make_no_sense() -> None:
    """Their senders may have put anything there."""
    headers = {"priority": "high", "expires": "²", "timestamp": "-1", "mine": "x"}
    record = activemq_records.to_record(headers, b"", now=NOW)
    found = json.loads(record.document)
    assert (found["priority"], found["expiration"], found["timestamp"]) == (4, "0", 0)
    assert found["properties"] == {"mine": "x"}
    assert record.expires_at is None


@given(st.dictionaries(st.text(), st.text()), st.binary())
def test_activemq_s_documents_are_json(headers: dict[str, str], body: bytes) -> None:
    """Whatever was sent."""
    record = activemq_records.to_record(headers, body, now=NOW)
    assert base64.b64decode(json.loads(record.document)["data"]) == body


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("amqps://b-1.mq.us-east-1.amazonaws.com:5671", ("amqps", 5671, True)),
        (" amqp://b-1.mq.us-east-1.amazonaws.com", ("amqp", 5672, False)),
        ("stomp+ssl://b-1.mq.us-east-1.amazonaws.com:61614", ("stomp+ssl", 61614, True)),
        ("stomp://b-1.mq.us-east-1.amazonaws.com:1", ("stomp", 1, False)),
        ("ssl://b-1.mq.us-east-1.amazonaws.com:61617", None),
        ("amqp+ssl://b-1.mq.us-east-1.amazonaws.com:5671", None),
        ("amqp://", None),
        ("amqp://b:port", None),
        ("b-1", None),
        ("", None),
    ],
)
def test_endpoints(url: str, place: tuple[str, int, bool] | None) -> None:
    """Only those with a supported protocol."""
    host = "b-1.mq.us-east-1.amazonaws.com"
    expected = None if place is None else Endpoint(place[0], host, place[1], place[2])
    assert parse_endpoint(url, SCHEMES) == expected
