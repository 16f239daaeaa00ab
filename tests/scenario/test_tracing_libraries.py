"""Libraries for traces, unmodified, in functions: the X-Ray SDKs for Python and Node.js,
Powertools, and OpenTelemetry. And what hostile functions send instead."""

import json
from typing import Any

import pytest

from tests.packages import INSTALLED, package
from tests.platforms import PYTHON, ROLE, Platform, invoke, wait_active, wait_for, zip_of

from .test_traces import ACTIVE, by_origin, header_client, new_trace, segments_of

SDK = """
import os
from aws_xray_sdk.core import patch, xray_recorder
import boto3
patch(["botocore"])

@xray_recorder.capture("## pricing")
def price(order):
    xray_recorder.current_subsegment().put_annotation("order", order)
    xray_recorder.current_subsegment().put_metadata("parts", [1, 2])
    if order == "bad":
        raise ValueError("no price")
    boto3.client("sts").get_caller_identity()
    return 7

def handler(event, context):
    return price(event["order"])
"""
POWERTOOLS = """
from aws_lambda_powertools import Tracer
tracer = Tracer(service="shop")

@tracer.capture_method
def ship(order):
    tracer.put_annotation("order", order)
    return order

@tracer.capture_lambda_handler
def handler(event, context):
    return ship(event["order"])
"""
NODE = """
const xray = require('aws-xray-sdk-core')
exports.handler = async (event) => xray.captureAsyncFunc('## work', async (part) => {
  part.addAnnotation('order', event.order)
  await new Promise((resolve) => setTimeout(resolve, 5))
  part.close()
  return 'done'
})
"""
HOSTILE = """
import json, os, socket, time

HEADER = b'{"format": "json", "version": 1}' + bytes([10])

def handler(event, context):
    host, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].split(":")
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    def send(data):
        try:
            out.sendto(data, (host, int(port)))
        except OSError:
            pass
    fields = dict(part.split("=", 1) for part in os.environ["_X_AMZN_TRACE_ID"].split(";"))
    trace, own = fields["Root"], fields["Parent"]
    now = time.time()
    def part(number, **more):
        made = {"id": f"{number:016x}", "trace_id": trace, "name": "mine", "type": "subsegment",
                "parent_id": own, "start_time": now, "end_time": now}
        return HEADER + json.dumps({**made, **more}).encode()
    for data in (b"", b"x", HEADER, HEADER + b"{", HEADER + b"[" * 60000, os.urandom(2000),
                 b"{" * 60000, HEADER + b"x" * 65000, b'{"format": "json", "version": 2}\\n{}'):
        send(data)
    send(part(1, id=own, name="forged"))
    send(part(2, trace_id=event["foreign"], name="foreign"))
    send(part(3, parent_id=f"{3:016x}", name="circle"))
    send(part(4, name="kept"))
    for number in range(5000 if event.get("flood") else 0):
        send(part(1000 + number, metadata={"a": "x" * 50000}))
    return own
"""


OPTIONS = {
    "Runtime": PYTHON,
    "Role": ROLE,
    "Handler": "app.handler",
    "Timeout": 20,
    "MemorySize": 512,
}


@pytest.fixture(scope="module")
def xray(platform: Platform) -> Any:
    """A client of X-Ray."""
    return platform.client("xray")


def create(platform: Platform, name: str, code: bytes, **more: Any) -> None:
    client = platform.client("lambda")
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": code},
        TracingConfig=ACTIVE,
        **{**OPTIONS, **more},
    )
    wait_active(client, name)


def call(platform: Platform, name: str, event: Any) -> tuple[str, Any]:
    """Call a function in a sampled trace; returns the trace's ID and the payload."""
    trace = new_trace()
    answer, _ = invoke(header_client(platform, f"Root={trace};Sampled=1"), name, event)
    return trace, answer


def own_parts(xray: Any, trace: str) -> list[dict[str, Any]]:
    """The subsegments that the function has added to its segment."""
    mine = by_origin([each for each in segments_of(xray, trace) if "origin" in each]).get(
        "AWS::Lambda::Function", {}
    )
    known = ("Initialization", "Invocation", "Overhead")
    return [part for part in mine.get("subsegments", ()) if part["name"] not in known]


def wait_for_parts(xray: Any, trace: str) -> list[dict[str, Any]]:
    """Those of a call that has just ended."""
    parts: list[dict[str, Any]] = wait_for(lambda: own_parts(xray, trace), "the function's parts")
    return parts


def test_the_sdk_for_python(platform: Platform, xray: Any) -> None:
    """Its subsegments, annotations and the calls of AWS services join the function's segment."""
    create(platform, "sdk-python", package("tracing", SDK))
    trace, answer = call(platform, "sdk-python", {"order": "o-1"})
    assert answer == 7
    (pricing,) = wait_for_parts(xray, trace)
    assert pricing["annotations"] == {"order": "o-1"}
    assert pricing["metadata"]["default"]["parts"] == [1, 2]
    (called,) = pricing["subsegments"]
    assert (called["name"], called["namespace"]) == ("sts", "aws")
    trace, answer = call(platform, "sdk-python", {"order": "bad"})
    (pricing,) = wait_for_parts(xray, trace)
    assert pricing["fault"] is True
    assert pricing["cause"]["exceptions"][0]["message"] == "no price"


def test_powertools(platform: Platform, xray: Any) -> None:
    """Its tracer, with the cold start and the service as annotations."""
    create(platform, "powertools-tracer", package("tracing", POWERTOOLS))
    trace, _ = call(platform, "powertools-tracer", {"order": "o-2"})
    (handler,) = wait_for_parts(xray, trace)
    assert handler["name"] == "## handler"
    assert handler["annotations"] == {"ColdStart": True, "Service": "shop"}
    assert handler["subsegments"][0]["annotations"] == {"order": "o-2"}


def test_the_sdk_for_node(platform: Platform, xray: Any) -> None:
    """Its batches of datagrams arrive, too."""
    root = INSTALLED / "tracing-node" / "node_modules"
    files: dict[str, bytes | str] = {
        f"node_modules/{path.relative_to(root)}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix in (".js", ".json", ".cjs")
    }
    files["app.js"] = NODE
    create(platform, "sdk-node", zip_of(files), Runtime="nodejs20.x")
    trace, answer = call(platform, "sdk-node", {"order": "o-3"})
    assert answer == "done"
    (work,) = wait_for_parts(xray, trace)
    assert (work["name"], work["annotations"]) == ("## work", {"order": "o-3"})


def test_hostile_segments(platform: Platform, xray: Any) -> None:
    """Neither garbage nor a flood costs the platform anything. A function cannot change Lambda's
    segments, and the traces of other accounts are out of its reach."""
    create(platform, "hostile-tracer", zip_of({"app.py": HOSTILE}))
    other = platform.client("xray", aws_access_key_id="222222222222")
    foreign, now = new_trace(), 1_800_000_000.0
    segment = {"id": "1" * 16, "trace_id": foreign, "name": "o", "start_time": now, "end_time": now}
    other.put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])
    trace, own = call(platform, "hostile-tracer", {"foreign": foreign})
    parts = wait_for_parts(xray, trace)
    assert [part["name"] for part in parts] == ["kept"]
    found = segments_of(xray, trace)
    assert (
        by_origin([each for each in found if "origin" in each])["AWS::Lambda::Function"]["id"]
        == own
    )
    assert {each["name"] for each in found} == {"hostile-tracer", "circle"}
    assert segments_of(other, foreign) == [segment]
    trace, own = call(platform, "hostile-tracer", {"foreign": foreign, "flood": True})
    parts = wait_for_parts(xray, trace)
    assert len(json.dumps(segments_of(xray, trace))) < 1_000_000
    trace, _ = call(platform, "hostile-tracer", {"foreign": foreign})
    assert by_origin([e for e in segments_of(xray, trace) if "origin" in e])
