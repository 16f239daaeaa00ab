"""Segments as OpenTelemetry's spans, for a collector: OTLP in protobuf.

A trace has the same digits in both worlds, and a segment's ID is the span's. A segment that is in
progress is sent when it is complete.
https://opentelemetry.io/docs/specs/otlp/
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lambent.kit.strict_json import parse_loosely
from lambent.model.arn import Scope
from lambent.telemetry.traces.documents import Document, Segment

_SPANS_MAX = 1_000
"""Of one request."""
_NANOSECONDS_MAX = (1 << 64) - 1
_NUMBER_MAX = 1e300
_HTTP = {
    ("request", "method"): "http.request.method",
    ("request", "url"): "url.full",
    ("request", "user_agent"): "user_agent.original",
    ("request", "client_ip"): "client.address",
    ("response", "status"): "http.response.status_code",
}
_AWS = {
    "request_id": "aws.request_id",
    "cold_start": "faas.coldstart",
    "operation": "rpc.method",
    "region": "aws.region",
}


def encode_spans(segments: Sequence[tuple[Scope, Segment]]) -> list[bytes]:
    """Requests for a collector with all spans of some segments."""
    requests: list[bytes] = []
    groups: dict[tuple[Scope, str, str], list[Span]] = {}
    count = 0
    for scope, segment in segments:
        if segment.is_in_progress:
            continue
        document = parse_loosely(segment.text)
        key = scope, document["name"], str(document.get("origin") or "")
        found = list(_spans(document, segment.trace_id, document.get("parent_id")))
        groups.setdefault(key, []).extend(found)
        count += len(found)
        if count >= _SPANS_MAX:
            requests.append(_request(groups))
            groups, count = {}, 0
    if count:
        requests.append(_request(groups))
    return requests


def _request(groups: Mapping[tuple[Scope, str, str], Sequence[Span]]) -> bytes:
    request = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=_resource(scope, name, origin)),
                scope_spans=[ScopeSpans(spans=spans)],
            )
            for (scope, name, origin), spans in groups.items()
        ]
    )
    return bytes(request.SerializeToString())


def _resource(scope: Scope, name: str, origin: str) -> list[KeyValue]:
    attributes = {
        "service.name": name,
        "cloud.provider": "aws",
        "cloud.account.id": scope.account,
        "cloud.region": scope.region,
    }
    if origin == "AWS::Lambda::Function":
        attributes |= {"cloud.platform": "aws_lambda", "faas.name": name}
    return _attributes(attributes)


def _spans(document: Document, trace_id: str, parent_id: Any) -> Iterator[Span]:
    """The spans of a segment and of the subsegments in it."""
    stack = [(document, parent_id)]
    while stack:
        part, parent = stack.pop()
        if "end_time" in part:
            yield _span(part, trace_id, parent, is_segment=part.get("type") != "subsegment")
        stack.extend(({"type": "subsegment", **inner}, part["id"]) for inner in _inner(part))


def _inner(part: Document) -> Sequence[Document]:
    return part.get("subsegments") or ()


def _span(part: Document, trace_id: str, parent: Any, *, is_segment: bool) -> Span:
    kind = Span.SPAN_KIND_SERVER if is_segment else Span.SPAN_KIND_INTERNAL
    if part.get("namespace") in ("aws", "remote"):
        kind = Span.SPAN_KIND_CLIENT
    exceptions = list(_exceptions(part))
    span = Span(
        trace_id=bytes.fromhex(trace_id[2:].replace("-", "")),
        span_id=bytes.fromhex(part["id"]),
        parent_span_id=_parent(parent),
        name=_text(part["name"]),
        kind=kind,
        start_time_unix_nano=_nanoseconds(part["start_time"]),
        end_time_unix_nano=_nanoseconds(part["end_time"]),
        attributes=_attributes(_facts(part)),
        events=[
            Span.Event(
                name="exception",
                time_unix_nano=_nanoseconds(part["end_time"]),
                attributes=_attributes(exception),
            )
            for exception in exceptions
        ],
    )
    if part.get("fault") or part.get("error"):
        message = exceptions[0].get("exception.message", "") if exceptions else ""
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=_text(message)))
    return span


def _parent(parent: Any) -> bytes:
    try:
        return bytes.fromhex(parent) if isinstance(parent, str) and len(parent) == 16 else b""
    except ValueError:
        return b""


def _facts(part: Document) -> Mapping[str, Any]:
    facts: dict[str, Any] = {}
    http, aws = part.get("http") or {}, part.get("aws") or {}
    for (side, field), name in _HTTP.items():
        section = http.get(side)
        facts[name] = section.get(field) if isinstance(section, dict) else None
    facts |= {name: aws.get(field) for field, name in _AWS.items()}
    facts["aws.xray.origin"] = part.get("origin")
    facts["cloud.resource_id"] = part.get("resource_arn")
    facts |= part.get("annotations") or {}
    return facts


def _exceptions(part: Document) -> Iterator[Mapping[str, str]]:
    cause = part.get("cause")
    found = cause.get("exceptions") if isinstance(cause, dict) else None
    for exception in found if isinstance(found, list) else ():
        if isinstance(exception, dict):
            yield {
                f"exception.{name}": value
                for name in ("type", "message")
                if isinstance(value := exception.get(name), str)
            }


def _attributes(values: Mapping[str, Any]) -> list[KeyValue]:
    return [
        KeyValue(key=_text(name), value=_value(value))
        for name, value in values.items()
        if isinstance(value, str | bool)
        or (isinstance(value, int | float) and abs(value) < _NUMBER_MAX)
    ]


def _value(value: str | bool | int | float) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and abs(value) < 1 << 63:
        return AnyValue(int_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=_text(value))
    return AnyValue(double_value=float(value))


def _text(value: str) -> str:
    """Without lone surrogates, which protobuf does not take."""
    return value.encode(errors="replace").decode()


def _nanoseconds(epoch_s: float) -> int:
    return min(int(epoch_s * 1e6) * 1000, _NANOSECONDS_MAX)
