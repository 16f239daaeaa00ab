"""`make bench`: how fast functions are called here, as a table.

Starts a platform of its own with an empty data directory, deploys no-op functions and measures
through the public API, load generator included, on the machine as it is. Numbers from different
machines, or from a busy one, say little: compare rows and ratios.
"""

import argparse
import io
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import uvloop
from bench import load
from botocore.config import Config
from rich.console import Console
from rich.table import Table

PYTHON = f"python3.{sys.version_info.minor}"
MEMORY_MB = 1769
"""One vCPU, so that the CPU share does not set the pace."""


@contextmanager
def running_platform() -> Iterator[str]:
    """A platform of our own; gives its endpoint."""
    with tempfile.TemporaryDirectory(prefix="lambent-bench-") as data_dir:
        command = [sys.executable, "-m", "lambent", "up", "--port", "0", "--data-dir", data_dir]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if found := re.search(r"ready at (http://\S+)", line):
                        yield found[1]
                        break
                else:
                    raise SystemExit("the platform did not start; see its messages above")
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def deploy(client: Any, name: str, code: str, runtime: str, memory_mb: int) -> None:
    """Create a function and wait until it can be invoked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py" if runtime.startswith("python") else "app.mjs", code)
    client.create_function(
        FunctionName=name,
        Runtime=runtime,
        Role="arn:aws:iam::000000000000:role/bench",
        Handler="app.handler",
        MemorySize=memory_mb,
        Timeout=30,
        Code={"ZipFile": packed.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
    )


PYTHON_NOOP = "def handler(event, context):\n    return {'ok': True}\n"
NODE_NOOP = "export const handler = async () => ({ok: true});\n"


class Bench:
    """Runs the measurements one after the other."""

    def __init__(self, endpoint: str, scale: float) -> None:
        self._endpoint = endpoint
        self._scale = scale
        self._client = botocore.session.get_session().create_client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="000000000000",
            aws_secret_access_key="bench",
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.rows: list[dict[str, Any]] = []

    def warm(self, title: str, function: str, connections: int, count: int) -> None:
        """Invoke a function that is already warm."""
        requests = [load.invoke_request(self._endpoint, function)]
        self._measure(title, requests, connections, max(connections * 200, 1000))
        self.rows.pop()
        self._measure(title, requests, connections, int(count * self._scale))

    def cold(self, title: str, runtime: str, code: str, count: int) -> None:
        """Invoke functions that never ran before, one after the other."""
        count = max(int(count * self._scale), 5)
        kind = re.sub(r"\W", "", runtime)
        names = [f"cold-{kind}-{number}" for number in range(count)]
        for name in names:
            deploy(self._client, name, code, runtime, MEMORY_MB)
        requests = [load.invoke_request(self._endpoint, name) for name in names]
        self._measure(title, requests, 1, count)

    def _measure(self, title: str, requests: list[bytes], connections: int, count: int) -> None:
        sample = uvloop.run(
            load.run(self._endpoint, requests, connections=connections, count=count)
        )
        self.rows.append(
            {
                "measurement": title,
                "count": len(sample.latencies_s),
                "errors": sample.errors,
                "p50_ms": round(sample.percentile_ms(50), 3),
                "p99_ms": round(sample.percentile_ms(99), 3),
                "per_second": round(sample.rate, 1),
            }
        )

    def run(self, wanted: str) -> None:
        """All measurements whose name contains `wanted`."""
        measurements: dict[str, Callable[[], None]] = {
            "warm-1": lambda: self.warm("warm invoke, no-op Python, c=1", "noop", 1, 5_000),
            "warm-16": lambda: self.warm("throughput, no-op Python, c=16", "noop", 16, 60_000),
            "cold-python": lambda: self.cold("cold start, Python", PYTHON, PYTHON_NOOP, 200),
            "cold-node": lambda: self.cold("cold start, Node", "nodejs20.x", NODE_NOOP, 50),
        }
        deploy(self._client, "noop", PYTHON_NOOP, PYTHON, MEMORY_MB)
        for name, measure in measurements.items():
            if wanted in name:
                measure()


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="part of a measurement's name, e.g. cold")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the usual counts")
    parser.add_argument("--endpoint", help="measure this platform instead of one of our own")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    machine = {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }
    if options.endpoint:
        bench = Bench(options.endpoint, options.scale)
        bench.run(options.only)
    else:
        with running_platform() as endpoint:
            bench = Bench(endpoint, options.scale)
            bench.run(options.only)
    if options.json:
        print(json.dumps({"machine": machine, "rows": bench.rows}, indent=2))
        return
    console = Console()
    console.print("  ".join(f"{name}: {value}" for name, value in machine.items()))
    table = Table("measurement", "count", "errors", "p50 ms", "p99 ms", "per second")
    for row in bench.rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)


if __name__ == "__main__":
    main()
