"""The protocols with services of all kinds and botocore as the client, whatever the platform itself
offers of them; and what botocore would not send."""

import datetime
import io
import json
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambent.gateway.models import load_model
from lambent.gateway.protocols.cbor import SMITHY_CBOR
from lambent.gateway.protocols.registry import PROTOCOLS, protocols_of
from lambent.gateway.protocols.rest_xml import REST_XML
from lambent.gateway.protocols.values import write_timestamp
from lambent.model.errors import ApiError
from tests.lengths import examples
from tests.unit.gateway import wire

SPOKEN = [
    ("apigateway", "rest-json"),
    ("apigatewayv2", "rest-json"),
    ("cloudformation", "query"),
    ("cloudfront", "rest-xml"),
    ("cloudwatch", "json"),
    ("cloudwatch", "query"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("dynamodb", "json"),
    ("ecr", "json"),
    ("events", "json"),
    ("iam", "query"),
    ("route53", "rest-xml"),
    ("s3", "rest-xml"),
    ("scheduler", "rest-json"),
    ("sns", "query"),
    ("sqs", "json"),
    ("xray", "rest-json"),
]
BY_NAME = {protocol.name: protocol for protocol in PROTOCOLS}
many = settings(
    max_examples=examples(150), suppress_health_check=list(HealthCheck), derandomize=True
)


def operations_of(service: str) -> list[str]:
    """Those without event streams, whose messages operations write themselves."""
    model = load_model(service)
    return [
        name
        for name in model.operation_names
        if not model.operation_model(name).has_event_stream_output
        and not model.operation_model(name).has_event_stream_input
    ]


def normal(value: Any) -> Any:
    """Without what forms and XML cannot tell from nothing: lists, maps and structures of none."""
    if isinstance(value, dict):
        pairs = {name: normal(item) for name, item in value.items()}
        return {name: item for name, item in pairs.items() if item not in (None, {}, [], b"")}
    if isinstance(value, list):
        return [item for item in map(normal, value) if item not in ({}, [])]
    return value.read() if isinstance(value, io.BytesIO) else value


@pytest.mark.slow
@many
@given(st.data())
@pytest.mark.parametrize(
    ("service", "protocol"),
    # S3 alone has operations that only a parameter in the query tells apart.
    [each for each in SPOKEN if each[0] != "s3"],
)
def test_a_request_arrives_as_it_was_meant(
    service: str, protocol: str, data: st.DataObject
) -> None:
    """Whatever members a client sends, the operation is found and given the same ones."""
    spoken, model = BY_NAME[protocol], load_model(service)
    operation = model.operation_model(data.draw(st.sampled_from(operations_of(service))))
    params = data.draw(wire.members(operation.input_shape, wire.XML_TEXT))
    exchange: Any = wire.sent_by_botocore(operation, params, protocol)
    assert spoken.is_spoken_in(exchange)
    found = spoken.router(model).find(exchange)
    assert found is not None
    assert found[0].name == operation.name
    assert normal(spoken.parse(operation, exchange, found[1])) == normal(params)


@pytest.mark.slow
@many
@given(st.data())
@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_a_response_arrives_as_it_was_meant(
    service: str, protocol: str, data: st.DataObject
) -> None:
    """Whatever members an operation returns, the client reads the same ones."""
    operation = load_model(service).operation_model(
        data.draw(st.sampled_from(operations_of(service)))
    )
    output = data.draw(wire.members(operation.output_shape, wire.XML_TEXT))
    response = BY_NAME[protocol].render(operation, output, "an-id")
    got = wire.read_by_botocore(
        operation, response.status, response.headers, response.body, protocol
    )
    got.pop("ResponseMetadata", None)
    assert normal(got) == normal(output)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApiError("AccessDeniedException", "no <right> & \x00 \ud800", status=403), (400, 403)),
        (ApiError("InternalFailure", "ours", status=500), (500,)),
        (ApiError("RequestExpired", "text"), (400,)),
    ],
    ids=str,
)
def test_an_error_of_no_model_is_understood(
    service: str, protocol: str, error: ApiError, status: tuple[int, ...]
) -> None:
    """Code, text and status arrive in every protocol, whatever a caller put into them."""
    model = load_model(service)
    response = BY_NAME[protocol].render_error(model, error, "an-id")
    got = read_error(model.operation_names[0], service, response, protocol)
    assert response.status in status
    known = {error.code, "AccessDenied"} if error.code == "AccessDeniedException" else {error.code}
    assert got["Code"] in known
    assert got["Message"][:3] == error.message[:3]


@pytest.mark.parametrize("protocol", ["json", "query", "smithy-rpc-v2-cbor"])
def test_an_error_has_the_code_that_clients_of_a_protocol_know(protocol: str) -> None:
    """Services that have changed their protocol have two codes for an error: clients of all their
    protocols get the old one, as their code was written for it."""
    model = load_model("cloudwatch")
    assert [each.name for each in protocols_of(model)] == model.metadata["protocols"]
    shape = model.shape_for("DashboardNotFoundError")
    assert shape.error_code == "ResourceNotFound"
    for raised in ("DashboardNotFoundError", "ResourceNotFound"):
        response = BY_NAME[protocol].render_error(model, ApiError(raised, "gone", status=404), "id")
        got = read_error("GetDashboard", "cloudwatch", response, protocol)
        assert (got["Code"], got["Message"]) == ("ResourceNotFound", "gone")
        if protocol != "query":
            body = response.body
            document = json.loads(body) if protocol == "json" else cbor2.loads(body)
            assert document["__type"] == "DashboardNotFoundError"


def read_error(operation: str, service: str, response: Any, protocol: str) -> dict[str, Any]:
    model = load_model(service).operation_model(operation)
    got: dict[str, Any] = wire.read_by_botocore(
        model,
        response.status,
        [(k.lower(), v) for k, v in response.headers],
        response.body,
        protocol,
    )["Error"]
    return got


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "2026-01-31T09:30:00Z"),
        (999, "2026-01-31T09:30:00Z"),
        (7999, "2026-01-31T09:30:00.007Z"),
    ],
)
def test_times_have_milliseconds_if_there_are_any(microseconds: int, text: str) -> None:
    assert write_timestamp(MOMENT.replace(microsecond=microseconds), "iso8601") == text


# -- what botocore would not send --------------------------------------------------------------


def refused(protocol: Any, service: str, operation: str, body: bytes) -> str:
    """The text with which a body is refused."""
    exchange: Any = wire.FakeExchange(method="POST", body=body)
    with pytest.raises(ApiError) as caught:
        protocol.parse(load_model(service).operation_model(operation), exchange, {})
    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)
    return caught.value.message


MOMENT = datetime.datetime(2026, 1, 31, 9, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\x61",
        b"\xa1",
        b"\xa1\x61a",
        b"\x00\x00",
        b"\x9b\x00\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x00\x00\x00\x00\xff\xff\xff\xff",
        b"\x81" * 1000 + b"\x00",
        cbor2.dumps([]),
        cbor2.dumps("text"),
        cbor2.dumps({"Namespace": 1}),
        cbor2.dumps({"Namespace": b"bytes"}),
        cbor2.dumps({"Namespace": "a\0b"}),
        cbor2.dumps({"MetricData": {}}),
        cbor2.dumps({"MetricData": [{"Value": "1"}]}),
        cbor2.dumps({"MetricData": [{"Value": float("nan")}]}),
        cbor2.dumps({"MetricData": [{"Value": True}]}),
        cbor2.dumps({"MetricData": [{"Timestamp": 1}]}),
        cbor2.dumps({"MetricData": [{"Timestamp": cbor2.CBORTag(1, "x")}]}),
        cbor2.dumps({"MetricData": [{"Timestamp": cbor2.CBORTag(1, 1e300)}]}),
        cbor2.dumps({"Namespace": cbor2.CBORTag(35, "(a+)+")}),
        cbor2.dumps({"other": cbor2.CBORTag(35, "(a+)+")}),
        cbor2.dumps({"other": cbor2.CBORTag(4, [10**9, 1])}),
        cbor2.dumps({"other": 1 << 100}),
        cbor2.dumps({"other": cbor2.CBORTag(1234, 1)}),
        cbor2.dumps({"Namespace": "a"}) + b"\x00",
        b"\xa2\x61a\x01\x61a\x02",
        b"\x82" * 50 + b"\x00" * 3_000_000,
    ],
)
def test_cbor_that_is_refused(body: bytes) -> None:
    """What is no CBOR, what no model has, and what would be large in memory."""
    refused(SMITHY_CBOR, "cloudwatch", "PutMetricData", body)


def test_cbor_as_other_clients_write_it() -> None:
    """Whole numbers for doubles, lengths that are not known, short floats, nulls."""
    operation = load_model("cloudwatch").operation_model("PutMetricData")
    datum = {"MetricName": "m", "Value": 3, "Timestamp": MOMENT, "Unit": None, "Counts": [1, 0.5]}
    document = {"Namespace": "n", "MetricData": [datum], "unknown": [1]}
    expected = {
        "Namespace": "n",
        "MetricData": [
            {"MetricName": "m", "Value": 3.0, "Timestamp": MOMENT, "Counts": [1.0, 0.5]}
        ],
    }
    for options in ({}, {"canonical": True}, {"indefinite_containers": True}):
        body = cbor2.dumps(document, datetime_as_timestamp=True, **options)
        exchange: Any = wire.FakeExchange(method="POST", body=body)
        assert SMITHY_CBOR.parse(operation, exchange, {}) == expected


@settings(max_examples=examples(300), derandomize=True)
@given(st.binary(max_size=64))
def test_no_cbor_is_too_odd(body: bytes) -> None:
    """Any bytes are read or refused with an error of the API."""
    operation = load_model("cloudwatch").operation_model("PutMetricData")
    exchange: Any = wire.FakeExchange(method="POST", body=body)
    try:
        SMITHY_CBOR.parse(operation, exchange, {})
    except ApiError as error:
        assert error.code == "SerializationException"


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"text",
        b"<a></b>",
        b"<a>\x00</a>",
        b"<a/><b/>",
        b"<a>" * 1000 + b"</a>" * 1000,
        b"<a>" + b"<b/>" * 100_001 + b"</a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>&undefined;</a>",
        b"<CreateHostedZoneRequest><HostedZoneConfig><PrivateZone>1</PrivateZone></HostedZoneConfig>"
        b"</CreateHostedZoneRequest>",
    ],
)
def test_xml_that_is_refused(body: bytes) -> None:
    """What is no XML, what declares entities, and what would be large in memory."""
    refused(REST_XML, "route53", "CreateHostedZone", body)


def test_flattened_maps_in_forms() -> None:
    """By position, as lists; entries without a key or a value are none."""
    operation = load_model("sns").operation_model("SetEndpointAttributes")
    form = "Attributes.entry.2.key=b&Attributes.entry.2.value=2&Attributes.entry.1.key=a"
    exchange: Any = wire.FakeExchange(method="POST", body=form.encode())
    assert BY_NAME["query"].parse(operation, exchange, {}) == {"Attributes": {"b": "2"}}
