"""What the edge takes for an object that it has: over one connection and 16, and the time of the
processor for each request, which other programs on the machine do not change much."""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
from bench.own import MEMORY_MB, PYTHON, Row, deploy, lambda_client, measure, row, running_platform

_COUNT = 20_000
_ROUNDS = 3
_OBJECT = """
def handler(event, context):
    size = int(event["rawPath"].strip("/"))
    headers = {"content-type": "text/plain", "cache-control": "max-age=3600"}
    return {"statusCode": 200, "headers": headers, "body": "x" * size}
"""


def measure_edge(scale: float, report: Callable[[str], None]) -> Iterator[Row]:
    """Hits of small objects; the best round of each."""
    with running_platform() as endpoint:
        report("deploying")
        id = _distribution(endpoint)
        for size in (1024, 16 * 1024):
            request = _get(endpoint, f"/_lambent/cloudfront/{id}/{size}")
            for connections in (1, 16):
                title = f"edge hit, {size // 1024} KB, c={connections}"
                report(f"measuring {title}")
                count = max(int(_COUNT * scale), 500)
                measure(endpoint, [request], connections, 1000)
                best, cpu_us = None, 0.0
                for _ in range(_ROUNDS):
                    before = _cpu_s(endpoint)
                    sample = measure(endpoint, [request], connections, count)
                    used = (_cpu_s(endpoint) - before) / count * 1e6
                    if best is None or sample.rate > best.rate:
                        best, cpu_us = sample, used
                assert best is not None
                yield row(title, best, note=f"{cpu_us:.0f} µs of the processor for each")


def _get(endpoint: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(endpoint).netloc}\r\n\r\n".encode()


def _distribution(endpoint: str) -> str:
    client = lambda_client(endpoint)
    deploy(client, "object", {"app.py": _OBJECT}, Runtime=PYTHON, MemorySize=MEMORY_MB)
    url = client.create_function_url_config(FunctionName="object", AuthType="NONE")
    session = botocore.session.get_session()
    session.set_credentials("000000000000", "secret")
    edge = session.create_client("cloudfront", region_name="us-east-1", endpoint_url=endpoint)
    origin = {
        "Id": "main",
        "DomainName": urlsplit(url["FunctionUrl"]).hostname,
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
        },
    }
    made = edge.create_distribution(
        DistributionConfig={
            "CallerReference": uuid.uuid4().hex,
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "main",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            },
        }
    )
    return str(made["Distribution"]["Id"])


def _cpu_s(endpoint: str) -> float:
    """Seconds of the processor that the platform has used: of the process that listens."""
    port = urlsplit(endpoint).port
    assert port is not None
    pid = _listener(port)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _listener(port: int) -> str:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    sockets = {
        f"socket:[{line.split()[9]}]"
        for line in lines
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    }
    for process in Path("/proc").iterdir():
        if not re.fullmatch(r"\d+", process.name):
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) in sockets:
                    return process.name
        except OSError:
            continue
    raise LookupError(f"no process listens on {port}")
