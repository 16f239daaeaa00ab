"""Traces and metrics for an OpenTelemetry collector, and OpenTelemetry in functions."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lambent.model.traces import read_header
from tests.packages import package
from tests.platforms import PYTHON, ROLE, Platform, deploy, invoke, wait_active, wait_for

from .test_traces import ACTIVE, FUNCTION, header_client, new_trace
from .test_tracing_libraries import own_parts

OPENTELEMETRY = """
import os
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
import base64, socket

class OverUdp(SpanExporter):  # As the exporter of AWS's distribution sends.
    def export(self, spans):
        data = base64.b64encode(encode_spans(spans).SerializeToString())
        host, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].split(":")
        header = b'{"format":"json","version":1}' + bytes([10]) + b"T1S"
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(header + data, (host, int(port)))

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OverUdp()))
tracer = provider.get_tracer("shop")

def handler(event, context):
    header = {"X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]}
    parent = AwsXRayPropagator().extract(header)
    with tracer.start_as_current_span("work", context=parent) as span:
        span.set_attribute("order", event["order"])
        try:
            with tracer.start_as_current_span("inner"):
                raise ValueError("no tea")
        except ValueError:
            pass
        injected = {}
        AwsXRayPropagator().inject(injected)
    return [header["X-Amzn-Trace-Id"], injected["X-Amzn-Trace-Id"]]
"""


class Received:
    """What a collector has received."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        """Each with its service."""
        self.metrics: list[Any] = []
        self.headers: list[Message] = []
        """Of each request."""

    def take(self, path: str, body: bytes) -> None:
        """Read the body of a request."""
        if path == "/v1/traces":
            for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {
                    each.key: each.value.string_value for each in of_service.resource.attributes
                }
                for scoped in of_service.scope_spans:
                    self.spans.extend((resource, span) for span in scoped.spans)
        elif path == "/v1/metrics":
            for of_platform in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scoped in of_platform.scope_metrics:
                    self.metrics.extend(scoped.metrics)


@contextmanager
def collector(host: str = "127.0.0.1") -> Iterator[tuple[str, Received]]:
    """A collector: its URL, and what it has received."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.headers.append(self.headers)
            received.take(self.path, body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def values_of(received: Received, name: str, function: str) -> list[float]:
    """The values of a metric of a function, as they came."""
    return [
        point.as_double if metric.HasField("sum") else float(point.count)
        for metric in list(received.metrics)
        if metric.name == name
        for point in (metric.sum.data_points or metric.histogram.data_points)
        if {each.key: each.value.string_value for each in point.attributes}["function"] == function
    ]


def test_traces_and_metrics_are_exported(start_platform: Callable[..., Platform]) -> None:
    """In protobuf, as OpenTelemetry's own library reads it: Lambda's segments with their
    parents, and metrics as Prometheus gets them."""
    with collector() as (url, received):
        environment = {
            "LAMBENT_TELEMETRY__OTLP_ENDPOINT": url,
            "LAMBENT_TELEMETRY__OTLP_METRICS_EVERY_S": "1",
            "LAMBENT_TELEMETRY__OTLP_HEADERS": "x-tenant=shop",
        }
        platform, spans = start_platform(environment=environment), received.spans
        deploy(platform.client("lambda"), "exported", {"app.py": FUNCTION}, TracingConfig=ACTIVE)
        trace = new_trace()
        invoke(header_client(platform, f"Root={trace};Sampled=1"), "exported", {"fail": "no"})
        names = wait_for(
            lambda: len(spans) >= 5 and {span.name for _, span in spans}, "all spans arrive"
        )
        assert names == {"exported", "Initialization", "Invocation", "Overhead"}
        assert {span.trace_id.hex() for _, span in spans} == {trace[2:].replace("-", "")}
        (function,) = (
            (resource, span)
            for resource, span in spans
            if resource.get("faas.name") == "exported" and span.name == "exported"
        )
        assert function[0]["cloud.region"] == "us-east-1"
        assert function[1].status.message == "no"
        assert function[1].events[0].name == "exception"
        series = ("lambent_invocations", "lambent_errors", "lambent_duration_seconds")
        wait_for(
            lambda: all(1 in values_of(received, name, "exported") for name in series),
            "the metrics arrive",
        )
        assert {headers["x-tenant"] for headers in received.headers} == {"shop"}


def test_opentelemetry_in_a_function(platform: Platform) -> None:
    """Its spans join the trace: the propagator of X-Ray reads and writes the function's header."""
    client = platform.client("lambda")
    client.create_function(
        FunctionName="opentelemetry",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Timeout=30,
        MemorySize=512,
        TracingConfig=ACTIVE,
        Code={"ZipFile": package("tracing", OPENTELEMETRY)},
    )
    wait_active(client, "opentelemetry")
    trace = new_trace()
    seen, answer = invoke(
        header_client(platform, f"Root={trace};Sampled=1"), "opentelemetry", {"order": "o-4"}
    )
    assert "FunctionError" not in answer, seen
    given, injected = map(read_header, seen)
    assert given is not None
    assert injected is not None
    assert (given.root, injected.root) == (trace, trace)
    assert injected.is_sampled
    assert injected.parent != given.parent
    xray = platform.client("xray")
    (work,) = wait_for(
        lambda: [part for part in own_parts(xray, trace) if part.get("subsegments")], "the spans"
    )
    assert (work["id"], work["annotations"]) == (injected.parent, {"order": "o-4"})
    (inner,) = work["subsegments"]
    assert inner["fault"] is True
    assert inner["cause"]["exceptions"][0]["message"] == "no tea"
