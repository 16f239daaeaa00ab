"""Traces for a collector: what is sent is read with OpenTelemetry's own protobuf; and whatever
functions send, it is summarized, drawn and encoded without an error."""

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lambent.cli.traces import rows_of, styled
from lambent.gateway.services.xray.views import service_view, summary_view
from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry.traces.documents import Malformed, read_segment
from lambent.telemetry.traces.facts import read_trace
from lambent.telemetry.traces.filters import read_filter
from lambent.telemetry.traces.graphs import make_graph
from lambent.telemetry.traces.received import ReceivedText
from lambent.telemetry.traces.spans import encode_spans

from .test_trees import TRACE, documents

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))


def test_spans_have_the_same_ids_times_and_facts() -> None:
    """Segments are servers, calls of other services clients; failures are errors."""
    segments = [(SCOPE, read_segment(json.dumps(each))) for each in documents()]
    (body,) = encode_spans(segments)
    read = ExportTraceServiceRequest.FromString(body)
    spans, services = {}, set()
    for of_service in read.resource_spans:
        resource = {each.key: each.value.string_value for each in of_service.resource.attributes}
        services.add((resource["service.name"], resource.get("faas.name")))
        assert resource["cloud.account.id"] == "111111111111"
        for scoped in of_service.scope_spans:
            spans |= {span.span_id.hex(): span for span in scoped.spans}
    assert {("shop", None), ("stock", "stock")} <= services
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE[2:].replace("-", "")}
    shop, handler = spans[f"{1:016x}"], spans[f"{5:016x}"]
    assert shop.kind == Span.SPAN_KIND_SERVER
    assert spans[f"{6:016x}"].kind == Span.SPAN_KIND_CLIENT
    assert (shop.start_time_unix_nano, shop.end_time_unix_nano) == (10_000_000_000, 14_000_000_000)
    assert shop.status.code == 2
    assert handler.parent_span_id.hex() == f"{4:016x}"
    facts = {each.key: each.value for each in handler.attributes}
    assert facts["customer"].string_value == "7"
    assert facts["items"].int_value == 3
    assert facts["gift"].bool_value is True


def test_requests_are_bounded() -> None:
    """Many segments become several requests."""
    segment = read_segment(json.dumps(documents()[0]))
    assert len(encode_spans([(SCOPE, segment)] * 2500)) == 3


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.just(10**400) | st.just("0" * 16) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)  # fmt: skip
FIELDS = st.sampled_from(
    ["annotations", "http", "aws", "cause", "user", "origin", "namespace", "parent_id", "type",
     "fault", "error", "throttle", "metadata", "in_progress", "resource_arn", "end_time"]
)  # fmt: skip
PARTS = st.dictionaries(
    FIELDS,
    VALUES
    | st.builds(lambda name, value: {name: value}, st.sampled_from(
        ["request", "response", "exceptions", "request_id", "a"]), VALUES)
    | st.builds(lambda value: {"response": {"status": value}, "request": {"url": value}}, VALUES),
    max_size=5,
)  # fmt: skip


@given(st.lists(PARTS, max_size=4))
def test_no_document_breaks_a_reader(parts: list[dict[str, Any]]) -> None:
    """It is refused, or every reader can do with it."""
    read = []
    for number, part in enumerate(parts, 1):
        fixed = {"id": f"{number:016x}", "trace_id": TRACE, "name": "a", "start_time": 1}
        inner = {**part, **fixed, "id": f"{number + 100:016x}"}
        try:
            text = json.dumps({"end_time": 2, **part, **fixed, "subsegments": [inner]})
            read.append(read_segment(text))
        except Malformed:
            continue
    encode_spans([(SCOPE, segment) for segment in read])
    if not read:
        return
    trace = read_trace(TRACE, [json.loads(segment.text) for segment in read])
    json.dumps(summary_view(trace, "1"), default=str, allow_nan=False)
    for service in make_graph([trace]):
        json.dumps(service_view(service, "1"), default=str, allow_nan=False)
    read_filter('service("a") { fault OR annotation.a = 1 AND http.status > 3 } AND user')(trace)
    for row in rows_of(TRACE, trace.segments):
        assert styled(row).plain.isprintable()


def sent_spans(spans: list[Span]) -> str:
    """As AWS's distribution of OpenTelemetry sends them."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return "T1S" + base64.b64encode(request.SerializeToString()).decode()


def test_spans_become_subsegments() -> None:
    """Those of calls of AWS services are named as the service."""
    span = Span(
        trace_id=bytes.fromhex(TRACE[2:].replace("-", "")),
        span_id=b"\1" * 8, parent_span_id=b"\2" * 8,
        name="S3.GetObject", kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=10**18, end_time_unix_nano=2 * 10**18,
    )  # fmt: skip
    span.attributes.add(key="rpc.system").value.string_value = "aws-api"
    span.attributes.add(key="rpc.service").value.string_value = "S3"
    span.attributes.add(key="http.status_code").value.int_value = 404
    (read,) = ReceivedText(sent_spans([span])).segments()
    document = json.loads(read.text)
    assert (document["name"], document["namespace"], document["type"]) == (
        "S3",
        "aws",
        "subsegment",
    )
    assert document["http"] == {"response": {"status": 404}}
    assert document["annotations"]["rpc_system"] == "aws-api"
    assert read.trace_id == TRACE
    assert not list(ReceivedText("T1U" + sent_spans([span])[3:]).segments())


@given(st.binary(max_size=200))
def test_hostile_spans_are_dropped(data: bytes) -> None:
    """No bytes raise."""
    for text in ("T1S" + base64.b64encode(data).decode(), "T1S" + data.decode("latin-1")):
        for segment in ReceivedText(text).segments():
            assert segment.text.isascii()
