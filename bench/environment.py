"""What the parts of an environment's life cost: restores, extensions, streaming, provisioned
environments. On a platform that keeps idle environments for a moment only where each call has to
find none."""

import io
import json
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import load
from bench.own import (
    NO_OP,
    NODE,
    NODE_NO_OP,
    Report,
    Row,
    deploy,
    lambda_client,
    measure,
    row,
    running_platform,
)

from lambent.node.languages.interpreters import find_interpreters

_HEAVY = ("fastapi", "pydantic", "numpy")
_HEAVY_CODE = (
    f"import {', '.join(_HEAVY)}\ndef handler(event, context):\n    return {{'ok': True}}\n"
)
_PACKAGES = Path("build/bench-packages")
_KEEP_S = 0.05
_RESTORES = 60
_STREAM_BYTES = 20 << 20
_STREAMING = """
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const chunk = Buffer.alloc(65536, 'x');
exports.handler = awslambda.streamifyResponse(async (event, response) => {
  function* chunks() {
    for (let left = event.bytes; left > 0; left -= chunk.length) yield chunk;
  }
  if (event.bytes) await pipeline(Readable.from(chunks()), response);
  else { response.write('x'); response.end(); }
});
"""
_EXTENSION = """#!/usr/bin/env python3
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = socket.create_connection((host, int(port)))
api.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

def call(head, body=b""):
    api.sendall(f"{head}\\r\\nHost: a\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
    return api.recv(65536).decode()

register = "POST /2020-01-01/extension/register HTTP/1.1\\r\\nLambda-Extension-Name: follower"
answer = call(register, b'{"events": ["INVOKE"]}')
id_ = answer.split("Lambda-Extension-Identifier: ")[1].split("\\r\\n")[0]
while True:
    call(f"GET /2020-01-01/extension/event/next HTTP/1.1\\r\\nLambda-Extension-Identifier: {id_}")
"""


def measure_environment(scale: float, report: Report) -> Iterator[Row]:
    """All rows of this module."""
    with running_platform() as endpoint:
        client = lambda_client(endpoint)
        report("extensions")
        yield from _measure_extension(endpoint, client, scale)
        report("provisioned environments")
        yield _measure_provisioned(endpoint, client, scale)
        report("streaming")
        yield from _measure_streaming(endpoint, client, scale)
    report("restores")
    yield from _measure_restores(scale, report)


def _measure_extension(endpoint: str, client: Any, scale: float) -> Iterator[Row]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("extensions/follower")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, _EXTENSION)
    layer = client.publish_layer_version(
        LayerName="follower", Content={"ZipFile": packed.getvalue()}
    )["LayerVersionArn"]
    variables = {"Environment": {"Variables": {"LAMBENT_START_MODE": "exec"}}}
    deploy(client, "without", {"app.py": NO_OP}, MemorySize=1769, **variables)
    deploy(client, "with", {"app.py": NO_OP}, MemorySize=1769, Layers=[layer], **variables)
    found = {}
    for name in ("without", "with"):
        requests = [load.invoke_request(endpoint, name)]
        measure(endpoint, requests, 1, 500)
        found[name] = measure(endpoint, requests, 1, max(int(3000 * scale), 100))
    added_ms = found["with"].percentile_ms(50) - found["without"].percentile_ms(50)
    yield row("warm invoke, by execution, no extension, c=1", found["without"])
    yield row(
        "the same, an extension that follows invocations",
        found["with"],
        note=f"{added_ms:.3f} ms more",
    )


def _measure_provisioned(endpoint: str, client: Any, scale: float) -> Row:
    deploy(client, "ahead", {"app.py": NO_OP}, MemorySize=1769)
    version = client.publish_version(FunctionName="ahead")["Version"]
    reference = {"FunctionName": "ahead", "Qualifier": version}
    client.put_provisioned_concurrency_config(**reference, ProvisionedConcurrentExecutions=2)
    while client.get_provisioned_concurrency_config(**reference)["Status"] != "READY":
        time.sleep(0.05)  # noqa: TID251 - a poll of an outside process
    requests = [load.invoke_request(endpoint, f"ahead:{version}")]
    first = measure(endpoint, requests, 1, 1).percentile_ms(50)
    sample = measure(endpoint, requests, 1, max(int(5000 * scale), 100))
    return row("provisioned, Python, c=1", sample, note=f"the very first call {first:.2f} ms")


def _measure_streaming(endpoint: str, client: Any, scale: float) -> Iterator[Row]:
    for name, code in (("buffered", NODE_NO_OP), ("streams", _STREAMING)):
        options = {"Runtime": NODE, "MemorySize": 1769}
        deploy(client, name, {"app.js": code}, **options)
    count = max(int(1000 * scale), 50)
    streaming = "/2021-11-15/functions/streams/response-streaming-invocations"
    plain = "/2015-03-31/functions/buffered/invocations"
    buffered = _until(endpoint, plain, b"{}", b'"ok":true', count)
    first = _until(endpoint, streaming, b"{}", b"PayloadChunk", count)
    more_ms = first.percentile_ms(50) - buffered.percentile_ms(50)
    yield row("buffered, Node.js, until the answer, c=1", buffered)
    yield row("streaming, until the first byte, c=1", first, note=f"{more_ms:.3f} ms more")
    event = json.dumps({"bytes": _STREAM_BYTES}).encode()
    whole = _until(endpoint, streaming, event, b"InvokeComplete", max(int(30 * scale), 5))
    rate = _STREAM_BYTES / 1e6 / (whole.percentile_ms(50) / 1000)
    yield row("streaming 20 MB", whole, note=f"{rate:.0f} MB/s")


def _until(endpoint: str, path: str, event: bytes, mark: bytes, count: int) -> load.Sample:
    """How long it takes until a mark has come; answers are read to their end in between."""
    host, port = endpoint.removeprefix("http://").split(":")
    request = load.post_request(endpoint, path, event)
    latencies = []
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(count + count // 5):
            began = time.perf_counter()
            connection.sendall(request)
            tail = b""
            latency = None
            while latency is None or not _is_whole(tail):
                data = connection.recv(1 << 20)
                tail = tail[-200:] + data if len(tail) > 4096 else tail + data
                if latency is None and mark in tail:
                    latency = time.perf_counter() - began
            if at >= count // 5:  # What comes first warms up.
                latencies.append(latency)
    return load.Sample(latencies_s=latencies, errors=0, duration_s=sum(latencies))


def _is_whole(tail: bytes) -> bool:
    return tail.endswith(b"0\r\n\r\n") or (b"Content-Length" in tail and tail.endswith(b"}"))


def _measure_restores(scale: float, report: Report) -> Iterator[Row]:
    runtime = _snap_start_runtime()
    if runtime is None:
        return
    packages = _install_heavy(runtime, report)
    files: dict[str, Any] = {"app.py": _HEAVY_CODE}
    for path in packages.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            files[str(path.relative_to(packages))] = path.read_bytes()
    count = max(int(_RESTORES * scale), 10)
    with running_platform(environment={"LAMBENT_SCHEDULING__KEEP_ALIVE_S": str(_KEEP_S)}) as url:
        client = lambda_client(url)
        deploy(
            client,
            "heavy",
            files,
            Runtime=runtime,
            MemorySize=1769,
            SnapStart={"ApplyOn": "PublishedVersions"},
            Environment={"Variables": {"OPENBLAS_NUM_THREADS": "1"}},
        )
        version = client.publish_version(FunctionName="heavy")["Version"]
        client.get_waiter("published_version_active").wait(
            FunctionName="heavy", Qualifier=version, WaiterConfig={"Delay": 1}
        )
        for title, name, times in (
            ("cold start with fastapi, pydantic, numpy", "heavy", max(count // 6, 5)),
            ("restore of the same (SnapStart)", f"heavy:{version}", count),
        ):
            report(title)
            requests = [load.invoke_request(url, name)]
            yield row(title, measure(url, requests, 1, times, pause_s=6 * _KEEP_S))


def _snap_start_runtime() -> str | None:
    lines = [
        interpreter.line for interpreter in find_interpreters() if interpreter.kind == "python"
    ]
    usable = [line for line in lines if (3, 12) <= tuple(map(int, line.split("."))) < (3, 14)]
    return f"python{usable[-1]}" if usable else None


def _install_heavy(runtime: str, report: Report) -> Path:
    target = _PACKAGES / runtime
    if not target.exists():
        report(f"installing {', '.join(_HEAVY)}")
        options = ["--python-version", runtime.removeprefix("python"), "--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target)]
        subprocess.run([*command, *options, *_HEAVY], check=True)
    return target
