"""Spans of OpenTelemetry that functions send to the port for traces, as subsegments.

AWS's distribution of OpenTelemetry sends `T1S` and the Base64 of an `ExportTraceServiceRequest` in
the place of a document; `T1U` has spans that are not sampled.
https://aws-otel.github.io/docs/getting-started/lambda
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lambent.telemetry.traces.documents import Document, Malformed, Segment, read_segment

_PREFIX = "T1S"
_SPANS_MAX = 1_000
_NAME_MAX = 200
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_]")
_HTTP = {
    "http.request.method": ("request", "method"),
    "http.method": ("request", "method"),
    "url.full": ("request", "url"),
    "http.url": ("request", "url"),
    "http.response.status_code": ("response", "status"),
    "http.status_code": ("response", "status"),
}
"""Attributes, by their new and old names."""


def read_spans(text: str) -> Iterator[Segment]:
    """The spans in a text that begins with `T1S`. Raises `Malformed`."""
    try:
        data = base64.b64decode(text[len(_PREFIX) :], validate=True)
        request = ExportTraceServiceRequest.FromString(data)
    except (ValueError, DecodeError) as error:
        raise Malformed("ParseError", f"The spans cannot be read: {error}") from None
    count = 0
    for of_resource in request.resource_spans:
        for scoped in of_resource.scope_spans:
            for span in scoped.spans:
                count += 1
                if count > _SPANS_MAX:
                    return
                yield read_segment(json.dumps(_document(span)))


def _document(span: Span) -> Document:
    trace = span.trace_id.hex()
    values = _values(span.attributes)
    document: Document = {
        "id": span.span_id.hex(),
        "trace_id": f"1-{trace[:8]}-{trace[8:]}",
        "name": span.name[:_NAME_MAX],
        "start_time": span.start_time_unix_nano / 1e9,
        "end_time": span.end_time_unix_nano / 1e9,
        "annotations": {_NOT_IN_KEYS.sub("_", key): value for key, value in values.items()},
    }
    if span.parent_span_id:
        document |= {"type": "subsegment", "parent_id": span.parent_span_id.hex()}
    if span.kind == Span.SPAN_KIND_CLIENT:
        is_aws = values.get("rpc.system") == "aws-api"
        document["namespace"] = "aws" if is_aws else "remote"
        if is_aws:
            document["name"] = str(values.get("rpc.service", span.name))[:_NAME_MAX]
    http: dict[str, dict[str, Any]] = {}
    for key, (side, field) in _HTTP.items():
        if key in values:
            http.setdefault(side, {})[field] = values[key]
    if http:
        document["http"] = http
    if span.status.code == Status.STATUS_CODE_ERROR:
        document |= {"fault": True, "cause": {"exceptions": list(_exceptions(span))}}
    return document


def _exceptions(span: Span) -> Iterator[Mapping[str, Any]]:
    for event in span.events:
        if event.name == "exception":
            values = _values(event.attributes)
            yield {
                "id": span.span_id.hex(),
                "type": values.get("exception.type", ""),
                "message": values.get("exception.message", ""),
            }


def _values(attributes: Any) -> dict[str, str | bool | int | float]:
    """The attributes that are no lists and no objects."""
    found = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        if kind in ("string_value", "bool_value", "int_value", "double_value"):
            found[attribute.key] = getattr(attribute.value, kind)
    return found
